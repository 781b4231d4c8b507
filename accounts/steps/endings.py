"""How connecting and renewing end alike, and what the watch finds: who hears of it, and what a retry forgets."""

from collections.abc import Iterable

from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Contact, Kit, Organisation
from portal.operations.catalogue import failure_text
from portal.operations.models import Operation
from portal.operations.names import named


def told_of_trust(organisation: Organisation) -> set[str]:
    """Who hears that a trust was lost, switched off or is back: the owners, the operational and the security contacts."""
    purposes = (Contact.Purpose.OPERATIONAL, Contact.Purpose.SECURITY)
    contacts = organisation.contacts.confirmed().filter(purpose__in=purposes).values_list("email", flat=True)
    owners = organisation.memberships.owners().values_list("user__email", flat=True)
    return {address.lower() for address in [*contacts, *owners]}


def tell(
    account: CloudAccount, operation: Operation, template: str, page: str, pk: object, *, also: Iterable[str] = (), **context: object
) -> None:
    """Mail to the one who asked, the operational contacts and `also`, once each, written in the transaction of the ending."""
    contacts = account.organisation.contacts.operational().confirmed().values_list("email", flat=True)
    asked_by = [operation.requested_by.email] if operation.requested_by else []
    url = absolute_url(page, account.organisation.slug, pk)
    failure = failure_text(operation.failure_code, named(operation, operation.failure_params)) if operation.failure_code else None
    context |= {"account": account, "reference": operation.reference, "url": url, "failure": failure}
    for address in sorted({address.lower() for address in [*contacts, *asked_by, *also]}):
        queue_mail(to=address, template=template, context=context)


def forget_reported_place(kit: Kit) -> None:
    """What was said about where the kit stands has been answered; the next look is at the cloud itself."""
    kit.reported = {**kit.reported, "external_id": "", "region": ""}
    kit.save(update_fields=["reported"])
