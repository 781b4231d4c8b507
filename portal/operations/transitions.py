"""With `moves`, the only code that writes an operation's state: compare-and-set, its hook and its event in the same transaction."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from portal.audit import Actor, Entry, Subject, record_all
from portal.operations.catalogue import needed_params
from portal.operations.models import Operation, OperationQuerySet, Step
from portal.operations.names import named
from portal.operations.registry import KINDS, nothing
from portal.operations.states import OPERATION_MOVES, OperationState, StepState

WORKER = "operations"
NOT_WAITING: dict[str, Any] = {"waiting_on": "", "waiting_why": "", "waiting_params": {}}
STEP_NOT_WAITING: dict[str, Any] = {**NOT_WAITING, "waiting_since": None}
_HOOKS = {
    OperationState.FAILED: "on_failed",
    OperationState.CANCELLED: "on_cancelled",
    OperationState.SUCCEEDED: "on_succeeded",
}


class IllegalMove(Exception):
    """The table of moves does not know this move: a mistake of ours, not of the caller's input."""

    def __init__(self, what: object, was: str, to: str) -> None:
        super().__init__(f"{what}: {was} -> {to}")


class LostRace(Exception):
    """The row is no longer as it was read: another worker claimed it, or a person acted. The caller's result does not count."""


def move(operation: Operation, to: OperationState, *, only_if: Q | None = None, is_visible: bool = True, **columns: Any) -> None:
    """Write the state and `columns` if state and fence are still as read. `is_visible` False: nothing a page shows has changed."""
    as_read = _as_read(operation, to, only_if)
    columns = _with_state(operation, to, is_visible=is_visible, columns=columns)
    if not as_read.update(**columns):
        raise LostRace(operation.reference)
    remember(operation, columns)


def _as_read(operation: Operation, to: OperationState, only_if: Q | None) -> OperationQuerySet:
    if to not in OPERATION_MOVES[OperationState(operation.state)]:
        raise IllegalMove(operation.reference, operation.state, to)
    return Operation.objects.filter(only_if or Q(), pk=operation.pk, state=operation.state, fence=operation.fence)


def _with_state(operation: Operation, to: OperationState, *, is_visible: bool, columns: dict[str, Any]) -> dict[str, Any]:
    if to != operation.state:
        columns |= {"state": to, "state_at": timezone.now()}
    if is_visible:
        columns["version"] = F("version") + 1
    return columns


def remember(row: Operation | Step, columns: dict[str, Any]) -> None:
    """Carry written columns over to the object at hand; what the database computed is read again if somebody asks."""
    for name, value in columns.items():
        if hasattr(value, "resolve_expression"):
            row.__dict__.pop(name, None)
        else:
            setattr(row, name, value)


def remember_plain(row: Operation | Step, columns: Mapping[str, Any]) -> None:
    """The same for columns that are neither computed by the database nor foreign keys, at a tenth of the price: every step pays it."""
    row.__dict__.update(columns)


def update_step(step: Step, **columns: Any) -> None:
    Step.objects.filter(pk=step.pk).update(**columns)
    remember(step, columns)


def has_hook(operation: Operation, to: OperationState) -> bool:
    """Whether the kind writes rows of its own when an operation ends so."""
    kind = KINDS.get(operation.kind)
    return kind is not None and getattr(kind, _HOOKS[to]) is not nothing


def move_with_hook(
    operation: Operation, to: OperationState, hook: str, *, with_hook: bool = True, only_if: Q | None = None, **columns: Any
) -> None:
    """`move`, after the kind's hook: locks go subject, operation, log everywhere, so that nobody waits in a ring.

    The hook sees the operation as it will be. Losing the race undoes what the hook wrote.
    """
    as_read = _as_read(operation, to, only_if)
    if not as_read.exists():
        raise LostRace(operation.reference)
    # No result from before counts any more.
    columns = _with_state(operation, to, is_visible=True, columns={**columns, **NOT_WAITING, "fence": operation.fence + 1})
    remember(operation, columns)
    kind = KINDS.get(operation.kind)
    if with_hook and kind:
        getattr(kind, hook)(operation)
    if not as_read.update(**columns):
        raise LostRace(operation.reference)


def end(
    operation: Operation, to: OperationState, *, actor: Actor | None, with_hook: bool = True, only_if: Q | None = None, **columns: Any
) -> None:
    """Write a terminal state, run the kind's hook, leave one event (none without an actor: the caller's own event tells the story)."""
    columns |= {"ended_at": timezone.now(), "next_run_at": None, "lease_until": None, "rung_at": None}
    move_with_hook(operation, to, _HOOKS[to], with_hook=with_hook, only_if=only_if, **columns)
    if actor is not None:
        details = failure_details(operation) if to == OperationState.FAILED else {}
        write_event(operation, f"operation.{to.value}", actor=actor, **details)


def cancel(operation: Operation, *, actor: Actor | None, with_hook: bool = True, **columns: Any) -> None:
    """End as cancelled, with every step that has not ended. Inside a transaction."""
    end(operation, OperationState.CANCELLED, actor=actor, with_hook=with_hook, **columns)
    open_steps = Step.objects.filter(operation=operation, ended_at=None)
    open_steps.update(state=StepState.CANCELLED, ended_at=timezone.now(), **STEP_NOT_WAITING)


def write_event(operation: Operation, action: str, *, actor: Actor, **details: Any) -> None:
    """One event in the organisation's activity log, on the subject, naming the operation."""
    record_all([event_of(operation, action, actor=actor, **details)])


def event_of(operation: Operation, action: str, *, actor: Actor, **details: Any) -> Entry:
    return Entry(
        organisation_id=operation.organisation_id,
        action=action,
        actor=actor,
        subject=Subject(kind=operation.subject_kind, id=operation.subject_id, label=operation.subject_label),
        details={"operation": operation.reference, "kind": operation.kind, **details},
    )


def failure_details(operation: Operation) -> dict[str, Any]:
    """The failure as it goes on record: its code, and what its words need."""
    params = needed_params(operation.failure_code, named(operation, operation.failure_params))
    return {"code": operation.failure_code, **({"params": params} if params else {})}


def actor_of(by: AbstractBaseUser | None) -> Actor:
    return Actor.user(by) if by is not None else Actor.system(WORKER)


def assert_in_transaction() -> None:
    """Rows, event and bell belong together: outside a transaction a crash could leave one without the others."""
    if not connection.in_atomic_block:
        message = "call this inside transaction.atomic()"
        raise RuntimeError(message)
