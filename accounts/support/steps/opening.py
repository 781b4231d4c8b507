"""Steps of opening support access: the cloud opens the session, one reading shows that it is open.

open_door -> probe_open

SCHEDULED becomes ACTIVATING when the operation starts, ACTIVE with its last step. An end that somebody asks for meanwhile is found at each
step; shutting what was opened is another operation's.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.clouds.base import CloudError
from accounts.issuer.seal import SealBroken
from accounts.support.brokering.doors import cloud_for, open_door, opened, standing_door
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest
from accounts.support.states import AccessState
from accounts.support.steps.wording import WORKER, locked, of_grant, operation_names, outcome_of, request_url
from accounts.support.transitions import move_request, subject_of
from accounts.support.wording import notices
from portal.operations.engine import StepContext, start
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Retry
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

OPEN_ACCESS = "open_support_access"
BUDGET = timedelta(minutes=10)


def begin_opening(row: AccessRequest) -> None:
    """For a grant that is locked in this transaction and whose time has come. Its own event tells of it, once."""
    move_request(row, AccessState.ACTIVATING, by=WORKER)
    start(kind=OPEN_ACCESS, subject=subject_of(row), organisation_id=row.organisation_id, by=None, is_recorded=False)


def open_the_door(ctx: StepContext) -> Outcome:
    """Once: a worker that takes over finds the door that the one before has stored. What was not stored is closed with the grant."""
    request = of_grant(ctx)
    if request.state != AccessState.ACTIVATING or standing_door(request, timezone.now()):
        return Done()
    try:
        door = open_door(request)
    except CloudError as error:
        return outcome_of(error)
    ctx.log(f"Opened as {door.handle}")
    return Done()


def probe_open(ctx: StepContext) -> Outcome:
    """One reading by the very session. What the cloud refuses so early is still being spread."""
    request = of_grant(ctx)
    if request.state != AccessState.ACTIVATING:
        return Done()
    door = standing_door(request, timezone.now())
    if door is None:
        return Fail("support_door_gone")
    try:
        found = cloud_for(request).probe(opened(door), granted(request))
    except CloudError as error:
        return outcome_of(error)
    except SealBroken:
        return Fail("seal_broken")
    if found.is_refused:
        return Retry("door_not_open_yet", evidence=found.evidence)
    ctx.log(found.evidence)
    _activate(request)
    return Done()


def _activate(request: AccessRequest) -> None:
    with transaction.atomic():
        row = locked(request.pk)
        if row.state == AccessState.ACTIVATING:
            move_request(row, AccessState.ACTIVE, by=WORKER)
            notices.tell(row)


def _failed(operation: Operation) -> None:
    """What was opened, or may have been, is shut; where the cloud was never asked for anything, it is over at once."""
    row = locked(operation.subject_id)
    if row.state != AccessState.ACTIVATING:
        return
    code = operation.failure_code
    if row.doors.exists() or row.openings.that_may_stand().exists():
        # The schedule starts the closing: this operation is still the live one here.
        fields: dict[str, Any] = {"ends_as": AccessState.ACTIVATION_FAILED, "ending_at": timezone.now(), "failure_code": code}
        details = {"ends_as": AccessState.ACTIVATION_FAILED.value, "code": code}
        move_request(row, AccessState.ENDING, by=WORKER, details=details, **fields)
        notices.tell_customer(row)
        return
    move_request(row, AccessState.ACTIVATION_FAILED, by=WORKER, details={"code": code}, failure_code=code)
    notices.tell(row)


def why_not_retry(_operation: Operation) -> str:
    return str(_("This access is over. It has to be asked for and approved anew."))


register(
    Kind(
        name=OPEN_ACCESS,
        title=_("Open support access"),
        steps=(
            StepSpec("open_door", _("Your cloud opens the session"), open_the_door, actor=Party.CLOUD, budget=BUDGET),
            StepSpec("probe_open", _("One reading shows that it is open"), probe_open, actor=Party.CLOUD, budget=BUDGET),
        ),
        on_failed=_failed,
        why_not_retry=why_not_retry,
        is_cancellable=False,
        subject_url=request_url,
        names=operation_names,
    )
)
