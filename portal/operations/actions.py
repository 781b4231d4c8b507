"""What a person asks of an operation: retry, cancel, check again. Check, write rows and event in one transaction, ring after it."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit import Actor
from portal.operations.availability import refuse_if, why_not_cancel, why_not_check, why_not_retry
from portal.operations.engine import SubjectLike
from portal.operations.models import Operation, Step, latest_attempts
from portal.operations.recorder import spec_of
from portal.operations.states import OperationState, StepState
from portal.operations.tasks import ring
from portal.operations.transitions import LostRace, actor_of, assert_in_transaction, cancel, failure_details, move_with_hook, write_event

CHECK_AGAIN_AFTER = timedelta(seconds=3)
RACE_TRIES = 5


def request_retry(operation: Operation, *, by: AbstractBaseUser | None) -> None:
    """A new attempt of the failed step (or from its `retry_from`), the old one is kept. By nobody: what it wanted is there again.

    Raises NotAllowed, LostRace.
    """
    with transaction.atomic():
        refuse_if(why_not_retry(operation))
        failure = failure_details(operation)
        move_with_hook(
            operation,
            OperationState.QUEUED,
            "on_retried",
            attempt=operation.attempt + 1,
            next_run_at=timezone.now(),
            ended_at=None,
            failure_code="",
            failure_params={},
            failure_evidence="",
            cancel_requested_at=None,
            cancel_requested_by=None,
        )
        Step.objects.bulk_create(_new_attempts(operation))
        write_event(operation, "operation.retried", actor=actor_of(by), **failure)
        ring(operation.pk)


def _new_attempts(operation: Operation) -> list[Step]:
    steps = latest_attempts(list(operation.steps.in_order()))
    at = next(index for index, step in enumerate(steps) if step.state == StepState.FAILED)
    retry_from = spec_of(operation, steps[at]).retry_from
    first = next((index for index, step in enumerate(steps[:at]) if step.name == retry_from), at)
    return [Step(operation=operation, position=s.position, name=s.name, attempt=s.attempt + 1) for s in steps[first : at + 1]]


def request_cancel(operation: Operation, *, by: AbstractBaseUser) -> None:
    """Cancel: at once while no worker holds the operation, else before its next step. Raises NotAllowed, LostRace."""
    _until_won(operation, lambda: _cancel_or_ask(operation, by=by))
    operation.refresh_from_db()


def _cancel_or_ask(operation: Operation, *, by: AbstractBaseUser) -> None:
    refuse_if(why_not_cancel(operation))
    held = Operation.objects.live().filter(pk=operation.pk, cancel_requested_at=None, lease_until__gt=Now())
    # A wish that the worker will find. Its event comes now, the one of the end is the worker's.
    if held.update(cancel_requested_at=timezone.now(), cancel_requested_by_id=by.pk, version=F("version") + 1):
        write_event(operation, "operation.cancel_requested", actor=actor_of(by))
    else:
        _cancel(operation, by=by, actor=actor_of(by))


def cancel_live(subject: SubjectLike, *, by: AbstractBaseUser | None, is_recorded: bool = True) -> Operation | None:
    """Cancel the live operation of this subject, if there is one, at once: what a worker still answers is ignored.

    Part of a larger act, in its transaction; `is_recorded=False` when that act writes its one event itself.
    """
    assert_in_transaction()
    operation = Operation.objects.live().for_subject(subject.kind, subject.id).first()
    if operation is not None:
        _until_won(operation, lambda: _cancel(operation, by=by, actor=actor_of(by) if is_recorded else None))
    return operation


def _cancel(operation: Operation, *, by: AbstractBaseUser | None, actor: Actor | None) -> None:
    if operation.is_live:
        cancel(operation, actor=actor, cancel_requested_at=timezone.now(), cancel_requested_by_id=by.pk if by else None)


def _until_won(operation: Operation, act: Callable[[], None]) -> None:
    """A worker that moved the operation between our read and our write is no reason to give up: read again."""
    for _try in range(RACE_TRIES):
        try:
            with transaction.atomic():
                return act()
        except LostRace:
            operation.refresh_from_db()
    raise LostRace(operation.reference)


def request_check(operation: Operation) -> bool:
    """Look now instead of at the next planned time. False when somebody asked a moment ago. Raises NotAllowed.

    Nothing is decided and no state is written, so it leaves no event.
    """
    refuse_if(why_not_check(operation))
    rested = Q(check_requested_at=None) | Q(check_requested_at__lte=Now() - CHECK_AGAIN_AFTER)
    with transaction.atomic():
        waiting = Operation.objects.filter(rested, pk=operation.pk, state=OperationState.WAITING)
        if not waiting.update(next_run_at=Now(), check_requested_at=Now()):
            return False
        ring(operation.pk)
    return True
