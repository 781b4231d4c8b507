"""Steps of ending support access: the cloud is told to deny the session, and asked with that very session until it does.

close_door -> prove_end

The portal itself does nothing more under the grant since ENDING was committed, whatever becomes of this.
"""

import contextlib
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.clouds.base import CloudError
from accounts.clouds.support import DoorProbe
from accounts.issuer.seal import SealBroken
from accounts.support import hooks
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest, Door, EndProof
from accounts.support.states import AccessState
from accounts.support.steps.opening import OPEN_ACCESS
from accounts.support.steps.wording import WORKER, locked, of_grant, operation_names, outcome_of, request_url
from accounts.support.transitions import move_request, subject_of
from accounts.support.wording import notices
from portal.operations.actions import cancel_live
from portal.operations.engine import OperationInProgress, StepContext, start
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party
from portal.redaction import without_secrets

CLOSE_ACCESS = "close_support_access"
BUDGET, PATIENCE = timedelta(minutes=10), timedelta(minutes=20)
PAUSE_SECONDS = 3
MOST_EVIDENCE = 4000
WHY_OPENING_LASTS = "opening_not_over_yet"


def begin_closing(row: AccessRequest) -> None:
    """For a grant that has come to ENDING in this transaction. An opening that is still under way ends here, whatever it answers."""
    subject = subject_of(row)
    if Operation.objects.live().for_subject(subject.kind, subject.id).filter(kind=OPEN_ACCESS).exists():
        cancel_live(subject, by=None, is_recorded=False)
    with contextlib.suppress(OperationInProgress):
        start(kind=CLOSE_ACCESS, subject=subject, organisation_id=row.organisation_id, by=None, is_recorded=False)


def close_door(ctx: StepContext) -> Outcome:
    """At once, and once more when no try to open it is under way any more: a slow worker gives what was not there to be taken before.

    A cloud that will not be told keeps nobody from asking it: its refusal of the session is what counts, where one is known.
    """
    request = of_grant(ctx)
    if request.state != AccessState.ENDING:
        return Done()
    is_being_opened = request.openings.under_way().exists()  # asked before the cloud is told: what is over by then is closed by that
    if is_being_opened and ctx.waited_for(WHY_OPENING_LASTS):
        return Wait(PAUSE_SECONDS, on=Party.PROVIDER, why=WHY_OPENING_LASTS)
    try:
        cloud_for(request).close(granted(request))
    except CloudError as error:
        if error.retryable or (not is_being_opened and _is_unseen(request)):
            return outcome_of(error)
        ctx.log(f"{error.code} {error.raw}")
    return Wait(PAUSE_SECONDS, on=Party.PROVIDER, why=WHY_OPENING_LASTS) if is_being_opened else Done()


def _is_unseen(request: AccessRequest) -> bool:
    """Something may stand in the cloud, and there is no session to ask with. Once the granted time is over, the cloud ends it by itself."""
    assert request.granted_until is not None
    is_in_time = timezone.now() < request.granted_until
    return is_in_time and not request.doors.standing().exists() and request.openings.that_may_stand().exists()


def prove_end(ctx: StepContext) -> Outcome:
    """Ask with each session that may still live; when all were refused, it is over."""
    request = of_grant(ctx)
    for door in request.doors.standing():
        if outcome := _prove(ctx, request, door):
            return outcome
    return Done() if _finish(request) else Retry("internal_error")


def _prove(ctx: StepContext, request: AccessRequest, door: Door) -> Outcome | None:
    """None once this door is proven shut."""
    asked_at = timezone.now()
    try:
        found = cloud_for(request).probe(opened(door), granted(request))
    except SealBroken:
        return Fail("seal_broken")
    except CloudError as error:
        if error.retryable:
            return outcome_of(error)
        found = DoorProbe(is_refused=False, evidence=f"{error.code}: {error.raw}")
    _keep(request, door, found, asked_at)
    ctx.log(found.evidence)
    return None if found.is_refused else Wait(PAUSE_SECONDS, on=Party.CLOUD, why="session_not_refused_yet")


def _keep(request: AccessRequest, door: Door, found: DoorProbe, asked_at: datetime) -> None:
    """The cloud's answer, where it is another than the one before; with a refusal the secret is erased."""
    evidence = without_secrets(found.evidence)[:MOST_EVIDENCE]
    with transaction.atomic():
        last = door.proofs.order_by("-asked_at").first()
        if last is None or (last.is_refused, last.evidence) != (found.is_refused, evidence):
            EndProof.objects.create(
                request=request,
                door=door,
                asked_at=asked_at,
                is_refused=found.is_refused,
                evidence=evidence,
                cloud_request=found.request_id[:120],
            )
        if found.is_refused:
            Door.objects.filter(pk=door.pk, shut_at=None).update(shut_at=asked_at, sealed_secret="")


def _finish(request: AccessRequest) -> bool:
    """The end gets its name, unless a door was stored a moment ago that is not proven shut yet."""
    with transaction.atomic():
        row = locked(request.pk)
        if row.state != AccessState.ENDING:
            return True
        if row.doors.standing().exists():
            return False
        as_ = AccessState(row.ends_as)
        code = row.failure_code if as_ == AccessState.ACTIVATION_FAILED else ""
        move_request(row, as_, by=WORKER, details={"code": code} if code else {}, failure_code=code)
        notices.tell(row)
        hooks.told(row)
    return True


def _failed(operation: Operation) -> None:
    row = locked(operation.subject_id)
    if row.state == AccessState.ENDING:
        code = operation.failure_code
        move_request(row, AccessState.CLOSE_FAILED, by=WORKER, details={"code": code}, failure_code=code)
        notices.tell(row)


def _retried(operation: Operation) -> None:
    """The operation's own event tells of it."""
    row = locked(operation.subject_id)
    if row.state == AccessState.CLOSE_FAILED:
        move_request(row, AccessState.ENDING, by=WORKER, is_recorded=False, failure_code="")


def why_not_retry(operation: Operation) -> str:
    if AccessRequest.objects.filter(pk=operation.subject_id, state=AccessState.CLOSE_FAILED).exists():
        return ""
    return str(_("The end of this access is confirmed, or is being tried again already."))


register(
    Kind(
        name=CLOSE_ACCESS,
        title=_("End support access"),
        steps=(
            StepSpec("close_door", _("Your cloud is told to refuse the session"), close_door, actor=Party.CLOUD, budget=BUDGET),
            StepSpec(
                "prove_end",
                _("Your cloud refuses the old session"),
                prove_end,
                actor=Party.CLOUD,
                budget=PATIENCE,
                late_code="end_not_refused",
                retry_from="close_door",
            ),
        ),
        on_failed=_failed,
        on_retried=_retried,
        why_not_retry=why_not_retry,
        is_cancellable=False,
        subject_url=request_url,
        names=operation_names,
        retry_note=_("Your cloud is told once more to refuse the session, and asked again with the old session."),
    )
)
