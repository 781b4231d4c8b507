"""What a person does with an account that is there: give it another name, end our access to it."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actions.leaving import end_work
from accounts.availability import why_not_as_staff, why_not_disconnect, why_not_name
from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Kit, TrustChange, TrustWatch, User
from accounts.states import AccountState
from accounts.transitions import move_account, retire_kits, subject_of
from portal.audit import Actor, record
from portal.operations.availability import refuse_if


def rename_account(account: CloudAccount, *, name: str, by: User) -> None:
    """The name is the customer's own; nothing in the cloud carries it. The same name again changes nothing. Raises NotAllowed."""
    try:
        with transaction.atomic():
            locked = CloudAccount.objects.select_for_update().get(pk=account.pk)
            if locked.name == name:
                return
            was, locked.name = locked.name, name
            locked.save(update_fields=["name"])
            record(
                organisation_id=locked.organisation_id,
                action="cloud_account.renamed",
                actor=Actor.user(by),
                subject=subject_of(locked),
                details={"name": [was, name]},
            )
    except IntegrityError:
        refuse_if(why_not_name(account.organisation, name, but=account))
        raise


def disconnect_account(account: CloudAccount, *, by: User) -> None:
    """End our access from our side, at once: the kit's issuer address answers 410 and no token is made for it. Raises NotAllowed.

    The record stays, and a new kit connects it again. In the customer's cloud nothing is removed.
    """
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        refuse_if(why_not_as_staff(by) or why_not_disconnect(account))
        end_work(account, AccountState.DISCONNECTED, by=by)
        retire_kits(account)
        TrustWatch.objects.stop(account)
        TrustChange.objects.note(account, AccountState.DISCONNECTED)
        move_account(account, AccountState.DISCONNECTED, by=Actor.user(by))
        _tell_disconnected(account, by)


def mark_kit_removed(account: CloudAccount, *, generation: int, by: User) -> None:
    """The customer has removed what a kit of before had made: it is listed no more. One in use stays as it is. Raises NotAllowed."""
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        kit = Kit.objects.standing().select_for_update().filter(account=account, generation=generation).first()
        if kit is None:
            return
        kit.removed_at = timezone.now()
        kit.save(update_fields=["removed_at"])
        record(
            organisation_id=account.organisation_id,
            action="cloud_account.kit_removed",
            actor=Actor.user(by),
            subject=subject_of(account),
            details={"generation": generation},
        )


def _tell_disconnected(account: CloudAccount, by: User) -> None:
    """Mail to the operational contacts and to the one who did it, once each, in the transaction of the act."""
    contacts = account.organisation.contacts.operational().confirmed().values_list("email", flat=True)
    url = absolute_url("accounts:account_detail", account.organisation.slug, account.pk)
    for address in sorted({address.lower() for address in [*contacts, by.email]}):
        queue_mail(to=address, template="account_disconnected", context={"account": account, "by": by, "url": url})
