"""The operation that empties an account and sees the kit go: wait for its time, remove, sweep, end every access, see the cloud refuse us.

    offboard_account: begin -> remove -> sweep -> access_ends -> kit_removed

The account's own state moves with it: OFFBOARDING when it begins, READY_TO_OFFBOARD when nothing but the kit is left, OFFBOARDED when
the cloud has refused us twice. The certificate is written in the transaction of that last move.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actions.leaving import end_work
from accounts.models import CloudAccount, TrustWatch
from accounts.offboarding import proofs
from accounts.offboarding.availability import blockers, is_kit_gone
from accounts.offboarding.certificates import certificate_of
from accounts.offboarding.models import BETWEEN_REFUSALS, Offboarding
from accounts.offboarding.notices import tell
from accounts.offboarding.states import CANCELLABLE, KIT_UNTOLD, OffboardingState
from accounts.offboarding.steps.removing import (
    LOOK_AT_BLOCKED_SECONDS,
    TRUST_CODES,
    WORKER,
    is_ours,
    lock_both,
    offboarding_of,
    remove,
    sweep,
)
from accounts.offboarding.transitions import move_offboarding
from accounts.states import AccountState, KitState
from accounts.targets import cloud_names
from accounts.transitions import move_account, move_kit, retire_kits
from portal.audit import Actor
from portal.audit.details import moment
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party
from portal.operations.transitions import IllegalMove, LostRace

OFFBOARD = "offboard_account"
LOOK_AT_KIT_SECONDS = 30
LONGEST_SLEEP_SECONDS = 600
# Longer than the deletion of a cell may take, with its own waits.
REMOVAL = timedelta(hours=4)
STUCK_PATIENCE = timedelta(days=60)


# --- Beginning -------------------------------------------------------------------------------------------------------


def begin(ctx: StepContext) -> Outcome:
    """Its time has come, and nothing is in the way: from here on it cannot be called off. Run again, it finds that it has begun."""
    with transaction.atomic():
        account, row = lock_both(ctx)
        if row.has_begun or row.state not in CANCELLABLE or not is_ours(ctx):
            return Done()
        if row.scheduled_for > timezone.now():
            return _until(row)
        if found := blockers(account, row):
            if row.state == OffboardingState.PLANNED:
                move_offboarding(row, OffboardingState.BLOCKED, by=WORKER, details={"count": len(found)})
                tell(row, "offboarding_blocked", blockers=found)
            return Wait(LOOK_AT_BLOCKED_SECONDS, on=Party.YOU, why="offboarding_blocked", params={"count": str(len(found))})
        empty_from_now(account, row)
    return Done()


def _until(row: Offboarding) -> Wait:
    left = (row.scheduled_for - timezone.now()).total_seconds()
    at = row.scheduled_for.strftime("%Y-%m-%d %H:%M UTC")
    return Wait(min(max(left, 1), LONGEST_SLEEP_SECONDS), on=Party.PROVIDER, why="offboarding_scheduled", params={"at": at})


def empty_from_now(account: CloudAccount, row: Offboarding) -> None:
    """The move that cannot be taken back. Account and row are locked by the caller."""
    # Before its work is ended: a connecting that is cancelled puts an account back to what it was before only while it still connects.
    move_account(account, AccountState.OFFBOARDING, by=WORKER, action="cloud_account.offboarding_begun")
    end_work(account, AccountState.OFFBOARDING, by=row.requested_by)
    account.refresh_from_db()
    for kit in account.kits.filter(state=KitState.CANDIDATE):
        move_kit(kit, KitState.OUTDATED)
    move_offboarding(row, OffboardingState.IN_PROGRESS, by=WORKER, is_recorded=False, irreversible_at=timezone.now())
    if is_kit_gone(account):
        # The watch says at once that it is stuck, and what brings it on.
        TrustWatch.objects.filter(account=account, next_at__isnull=False).update(next_at=timezone.now())


# --- The end of every access -----------------------------------------------------------------------------------------


def end_access(ctx: StepContext) -> Outcome:
    """Nothing of ours is left but the kit: the customer may remove it now, and the watch over the trust has nothing to look after."""
    with transaction.atomic():
        account, row = lock_both(ctx)
        if account.state == AccountState.OFFBOARDING and is_ours(ctx):
            TrustWatch.objects.stop(account)
            move_account(account, AccountState.READY_TO_OFFBOARD, by=WORKER)
            move_offboarding(row, OffboardingState.WAITING_FOR_YOU, by=WORKER, is_recorded=False)
            tell(row, "offboarding_ready")
    return Done()


def see_kit_go(ctx: StepContext) -> Outcome:
    """Sign in with each kit that may stand, until the cloud answers twice that it knows the identity no more."""
    row = offboarding_of(ctx)
    if row.state == OffboardingState.COMPLETE:
        return Done()
    still, answers = [], []
    for kit in proofs.kits_to_remove(row.account):
        answer = proofs.ask(row.account, kit)
        if is_ours(ctx):
            proofs.keep(row, kit, answer)
        is_said = answer.is_unasked and row.never_told_by_id is not None
        if not is_said and not proofs.is_proven(row, kit):
            still.append(kit)
            answers.append(answer)
    if not still:
        return Done()
    return _waits_for_kit(answers)


def _waits_for_kit(answers: Sequence[proofs.Answer]) -> Wait:
    if all(answer.is_gone for answer in answers):
        return Wait(BETWEEN_REFUSALS.total_seconds() + 1, on=Party.CLOUD, why="offboarding_kit_seen")
    open_ones = [answer for answer in answers if not answer.is_gone]
    if unclear := next((answer for answer in open_ones if not answer.is_accepted and not answer.is_unasked), None):
        return Wait(LOOK_AT_KIT_SECONDS, on=Party.YOU, why="offboarding_kit_unclear", params={"code": unclear.code})
    if all(answer.is_unasked for answer in open_ones):
        return Wait(LOOK_AT_KIT_SECONDS, on=Party.YOU, why=KIT_UNTOLD)
    return Wait(LOOK_AT_KIT_SECONDS, on=Party.YOU, why="offboarding_kit")


def _offboarded(operation: Operation) -> None:
    """The cloud has refused us twice, or an owner's word stands where it could not be asked. With the end of the operation."""
    pk = Offboarding.objects.values_list("account", flat=True).get(pk=operation.subject_id)
    account = CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=pk)
    row = Offboarding.objects.select_for_update(of=("self",)).select_related("organisation", "requested_by").get(pk=operation.subject_id)
    row.account = account
    if account.state == AccountState.READY_TO_OFFBOARD:
        complete(row, by=WORKER, action="offboarding.complete_unasked" if row.never_told_by_id else "offboarding.complete")


def complete(row: Offboarding, *, by: Actor, action: str = "offboarding.complete") -> None:
    """The last move of both, with the certificate. Account and row are locked by the caller."""
    now, account = timezone.now(), row.account
    text, sha256 = certificate_of(row, now=now)
    if not row.was_closed_with_leftovers:
        account.kits.filter(removed_at=None, ran_at__isnull=False).update(removed_at=now)
    retire_kits(account)
    TrustWatch.objects.stop(account)
    move_account(account, AccountState.OFFBOARDED, by=by, is_recorded=False)
    details = {"certificate": sha256, "completed_at": moment(now)}
    move_offboarding(
        row, OffboardingState.COMPLETE, by=by, action=action, details=details, completed_at=now, certificate=text, sha256=sha256
    )
    tell(row, "offboarding_complete", page="certificate_detail")


def _failed(operation: Operation) -> None:
    """A step has given up: the offboarding is stuck until somebody retries it. One that could not begin is called off."""
    held = Offboarding.objects.select_for_update(of=("self",)).select_related("account", "organisation", "requested_by")
    row = held.get(pk=operation.subject_id)
    if row.state in CANCELLABLE:
        move_offboarding(row, OffboardingState.CANCELLED, by=WORKER, is_recorded=False)
        tell(row, "offboarding_given_up")
    elif row.has_begun and row.state != OffboardingState.STUCK:
        params = {name: str(value) for name, value in operation.failure_params.items()}
        move_offboarding(row, OffboardingState.STUCK, by=WORKER, is_recorded=False, code=operation.failure_code, params=params)
        tell(row, "offboarding_stuck")


def _retried(operation: Operation) -> None:
    row = Offboarding.objects.select_for_update(of=("self",)).select_related("account").get(pk=operation.subject_id)
    if row.state == OffboardingState.STUCK and row.code not in TRUST_CODES:
        is_ready = row.account.state == AccountState.READY_TO_OFFBOARD
        to = OffboardingState.WAITING_FOR_YOU if is_ready else OffboardingState.IN_PROGRESS
        with suppress(IllegalMove, LostRace):
            move_offboarding(row, to, by=WORKER, is_recorded=False)


def _cancelled(operation: Operation) -> None:
    """By the act that calls the offboarding off, or closes it: that one writes the row."""


def _url(operation: Operation) -> str:
    row = Offboarding.objects.select_related("organisation").filter(pk=UUID(operation.subject_id)).first()
    return row.get_absolute_url() if row else ""


def _names(operation: Operation) -> dict[str, object]:
    return {**cloud_names(operation.data["cloud"])}


def _why_not_retry(operation: Operation) -> str:
    if Offboarding.objects.open().filter(pk=operation.subject_id).exists():
        return ""
    return str(_("This offboarding is over."))


register(
    Kind(
        name=OFFBOARD,
        title=_("Offboard cloud account"),
        steps=(
            StepSpec("begin", _("The planned time has come, and nothing is in the way"), begin, budget=timedelta(days=40)),
            StepSpec(
                "remove",
                _("Deployment cells and the access of agents and support are removed"),
                remove,
                actor=Party.CLOUD,
                budget=REMOVAL,
                late_code="offboarding_took_too_long",
                patience=STUCK_PATIENCE,
            ),
            StepSpec(
                "sweep",
                _("Nothing with the provider's mark is left in any region"),
                sweep,
                actor=Party.CLOUD,
                budget=timedelta(hours=1),
                late_code="offboarding_took_too_long",
                patience=STUCK_PATIENCE,
                retry_from="remove",
            ),
            StepSpec("access_ends", _("Only the kit is left"), end_access),
            StepSpec(
                "kit_removed",
                _("You remove the kit, and the cloud refuses the sign-in twice"),
                see_kit_go,
                actor=Party.YOU,
                budget=timedelta(hours=6),
                patience=timedelta(days=90),
            ),
        ),
        on_succeeded=_offboarded,
        on_failed=_failed,
        on_cancelled=_cancelled,
        on_retried=_retried,
        why_not_retry=_why_not_retry,
        subject_url=_url,
        your_part_url=_url,
        your_part=lambda _operation: str(_("Open the offboarding")),
        names=_names,
        is_cancellable=False,
        retry_note=_("What was removed stays removed. It goes on with the rest."),
    )
)
