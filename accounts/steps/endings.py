"""How connecting and renewing end alike: who hears of it, and what a retry forgets."""

from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Kit
from portal.operations.catalogue import failure_text
from portal.operations.models import Operation
from portal.operations.names import named


def tell(account: CloudAccount, operation: Operation, template: str, page: str, pk: object, **context: object) -> None:
    """Mail to the one who asked and to the operational contacts, once each, written in the transaction of the ending."""
    contacts = account.organisation.contacts.operational().confirmed().values_list("email", flat=True)
    asked_by = [operation.requested_by.email] if operation.requested_by else []
    url = absolute_url(page, account.organisation.slug, pk)
    failure = failure_text(operation.failure_code, named(operation, operation.failure_params)) if operation.failure_code else None
    context |= {"account": account, "reference": operation.reference, "url": url, "failure": failure}
    for address in sorted({address.lower() for address in [*contacts, *asked_by]}):
        queue_mail(to=address, template=template, context=context)


def forget_reported_place(kit: Kit) -> None:
    """What was said about where the kit stands has been answered; the next look is at the cloud itself."""
    kit.reported = {**kit.reported, "external_id": "", "region": ""}
    kit.save(update_fields=["reported"])
