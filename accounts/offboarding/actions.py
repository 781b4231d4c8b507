"""What a person does about an account that leaves: plan it, call it off, look again, consent, close. Check, write, queue after commit."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actions.leaving import end_work
from accounts.availability import why_not_as_staff
from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, User
from accounts.offboarding.availability import why_not_cancel, why_not_confirm_never_run, why_not_consent, why_not_start
from accounts.offboarding.certificates import standing
from accounts.offboarding.handing_over import HANDED_OVER, handed_over
from accounts.offboarding.models import LONGEST_DELAY, Offboarding
from accounts.offboarding.notices import tell
from accounts.offboarding.proofs import kits_untold
from accounts.offboarding.states import OffboardingState
from accounts.offboarding.steps.leaving import OFFBOARD, complete, empty_from_now
from accounts.offboarding.transitions import move_offboarding, record_on, subject_of
from accounts.states import AccountState
from portal.audit import Actor
from portal.operations.actions import cancel_live, request_check
from portal.operations.availability import refuse_if
from portal.operations.engine import start
from portal.operations.models import Operation
from portal.operations.states import OperationState


def start_offboarding(account: CloudAccount, *, scheduled_for: datetime, by: User) -> Offboarding:
    """Plan it: nothing is touched before its time. Raises NotAllowed."""
    with transaction.atomic():
        account = _locked(account)
        refuse_if(why_not_as_staff(by) or why_not_start(account))
        now = timezone.now()
        at = min(max(scheduled_for, now), now + LONGEST_DELAY)
        row = Offboarding.objects.create(account=account, organisation=account.organisation, requested_by=by, scheduled_for=at)
        data = {"account": str(account.pk), "cloud": account.cloud}
        start(kind=OFFBOARD, subject=subject_of(row), organisation_id=row.organisation_id, by=by, data=data, is_recorded=False)
        record_on(row, "offboarding.planned", by=Actor.user(by), details={"scheduled_for": at.isoformat(timespec="seconds")})
        if not account.was_connected:
            # Nothing was ever built: there is nothing to think over, and connecting must not go on beside it.
            empty_from_now(account, row)
        tell(row, "offboarding_planned", by=by)
    return row


def cancel_offboarding(account: CloudAccount, *, by: User) -> None:
    """Call it off, as long as nothing was touched. Raises NotAllowed."""
    with transaction.atomic():
        account = _locked(account)
        row = open_one(account, lock=True)
        refuse_if(why_not_as_staff(by) or why_not_cancel(row))
        assert row is not None
        cancel_live(subject_of(row), by=by, is_recorded=False)
        move_offboarding(row, OffboardingState.CANCELLED, by=Actor.user(by))
        tell(row, "offboarding_cancelled", by=by)


def look_again(account: CloudAccount) -> bool:
    """Look now instead of at the next planned time. False where nothing waits, or somebody asked a moment ago."""
    row = open_one(account)
    operation = operation_of(row) if row else None
    if operation is None or operation.state != OperationState.WAITING:
        return False
    return request_check(operation)


def consent_to_leftovers(account: CloudAccount, *, listed: str, by: User) -> None:
    """The customer's yes to the very list that both were shown: `listed` is `Offboarding.listing` as it was read. Raises NotAllowed."""
    with transaction.atomic():
        row = open_one(_locked(account), lock=True)
        refuse_if(why_not_consent(row, by))
        assert row is not None
        refuse_if("" if row.closing_asked_by_id != by.pk else _("You have asked for it on behalf of the provider."))
        refuse_if("" if row.listing == listed else _("The list or its reason has changed since you opened the page. Read it as it is now."))
        refuse_if("" if row.remainder == standing(row.account) else _changed())
        row.consent_by, row.consent_at = by, timezone.now()
        row.save(update_fields=["consent_by", "consent_at"])
        record_on(row, "offboarding.consented", by=Actor.user(by), details={"count": len(row.remainder)})


def confirm_never_run(account: CloudAccount, *, by: User) -> None:
    """An owner's word that a kit which nobody told us of was never run, or is removed: kept and named as that. Raises NotAllowed."""
    with transaction.atomic():
        row = open_one(_locked(account), lock=True)
        operation = operation_of(row) if row else None
        refuse_if(why_not_confirm_never_run(row, operation.waiting_why if operation else "") or why_not_as_staff(by))
        assert row is not None
        row.never_told_by, row.never_told_at = by, timezone.now()
        row.save(update_fields=["never_told_by", "never_told_at"])
        numbers = ", ".join(str(kit.generation) for kit in reversed(kits_untold(account)))
        record_on(row, "offboarding.never_run_confirmed", by=Actor.user(by), details={"kits": numbers})
    look_again(account)


def hand_over(account: CloudAccount, *, by: User) -> None:
    """The customer has no way on: somebody of the provider takes it up. Once for each time that it is stuck. Raises NotAllowed."""
    with transaction.atomic():
        row = open_one(_locked(account), lock=True)
        refuse_if(why_not_hand_over(row))
        assert row is not None
        operation = operation_of(row)
        record_on(row, HANDED_OVER, by=Actor.user(by), details={"code": row.code, "params": row.params})
        context = {"account": row.account, "row": row, "by": by, "reference": operation.reference if operation else ""}
        url = absolute_url("admin:offboarding_offboarding_change", row.pk)
        queue_mail(to=settings.PROVIDER_SUPPORT_EMAIL, template="offboarding_handed_over", context=context | {"url": url})


def why_not_hand_over(row: Offboarding | None) -> str:
    if row is None or row.state != OffboardingState.STUCK:
        return _("Only an offboarding that is stuck is handed over.")
    return _("It is handed over already. The provider has the reference.") if handed_over(row) else ""


def ask_to_close(row: Offboarding, *, reason: str, by: User) -> None:
    """One of the provider: list what is left, and ask the customer. Asked again, the list is a new one and needs a new consent."""
    with transaction.atomic():
        row = _locked_row(row)
        refuse_if(_why_not_ask_to_close(row, by))
        refuse_if("" if reason.strip() else _("Say why it is closed with leftovers."))
        row.closing_asked_by, row.closing_asked_at, row.closing_reason = by, timezone.now(), reason.strip()[:600]
        row.remainder, row.consent_by, row.consent_at = standing(row.account), None, None
        row.save()
        record_on(row, "offboarding.closing_asked", by=Actor.user(by), details={"count": len(row.remainder), "reason": row.closing_reason})
        tell(row, "offboarding_closing_asked", page="offboarding_consent")


def close_with_leftovers(row: Offboarding, *, by: User) -> None:
    """Another one of the provider: end it without the cloud's refusal, as the customer has consented to. Raises NotAllowed."""
    with transaction.atomic():
        row = _locked_row(row)
        refuse_if(why_not_close(row, by))
        cancel_live(subject_of(row), by=by, is_recorded=False)
        end_work(row.account, AccountState.OFFBOARDED, by=by)
        row.closed_by = by
        row.save(update_fields=["closed_by"])
        complete(row, by=Actor.user(by), action="offboarding.closed")


def _why_not_ask_to_close(row: Offboarding, by: User) -> str:
    if not by.is_staff:
        return _("Only provider staff close an offboarding with leftovers.")
    return "" if row.has_begun else _("Only an offboarding that has begun can be closed with leftovers.")


def why_not_close(row: Offboarding, by: User) -> str:
    """Empty when this person may close it: a second one of the provider, with the customer's consent to what is still the list."""
    if reason := _why_not_ask_to_close(row, by):
        return reason
    if row.closing_asked_by_id is None:
        return _("Somebody else of the provider has to ask for it first.")
    if row.closing_asked_by_id == by.pk:
        return _("Two people close it: somebody else than the one who asked.")
    if reason := _why_no_consent(row, by):
        return reason
    return "" if row.remainder == standing(row.account) else _changed()


def _why_no_consent(row: Offboarding, by: User) -> str:
    """Empty when the customer has consented: by one who is still an owner, and neither this person nor, by now, of the provider."""
    if row.consent_by is None:
        return _("The customer has not consented yet.")
    if row.consent_by_id == by.pk:
        return _("You have consented on behalf of the customer. Somebody else of the provider closes it.")
    if row.consent_by.is_provider:
        return _("%(person)s has consented, and belongs to the provider. Ask the customer again.") % {"person": row.consent_by}
    if not row.organisation.memberships.owners().filter(user=row.consent_by).exists():
        return _("%(person)s has consented, and is an owner no more. Ask the customer again.") % {"person": row.consent_by}
    return ""


def _changed() -> str:
    return _("What is left has changed since it was listed. Ask again with the list as it is now.")


def open_one(account: CloudAccount, *, lock: bool = False) -> Offboarding | None:
    """The offboarding of this account that is not over."""
    rows = Offboarding.objects.open().select_related("account__organisation", "organisation", "requested_by").filter(account=account)
    return (rows.select_for_update(of=("self",)) if lock else rows).first()


def operation_of(row: Offboarding) -> Operation | None:
    return Operation.objects.for_subject(subject_of(row).kind, row.pk).select_related("organisation").newest_first().first()


def _locked(account: CloudAccount) -> CloudAccount:
    return CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=account.pk)


def _locked_row(row: Offboarding) -> Offboarding:
    account = _locked(row.account)
    held = Offboarding.objects.select_for_update(of=("self",)).select_related("organisation", "requested_by").get(pk=row.pk)
    held.account = account
    return held
