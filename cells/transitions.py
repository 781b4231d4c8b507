"""The only code that writes the state of a cell or an instance: compare-and-set and its event, in one transaction."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from cells.models import Cell, Instance
from cells.states import CELL_MOVES, INSTANCE_MOVES, CellState, InstanceState
from portal.audit import Actor, Subject, record
from portal.operations.transitions import IllegalMove, LostRace


def subject_of_cell(cell: Cell) -> Subject:
    return Subject(kind="cell", id=str(cell.pk), label=str(cell))


def subject_of_instance(instance: Instance) -> Subject:
    return Subject(kind="instance", id=str(instance.pk), label=str(instance))


def move_cell(
    cell: Cell,
    to: CellState,
    *,
    by: Actor,
    code: str = "",
    details: Mapping[str, Any] | None = None,
    is_recorded: bool = True,
) -> None:
    """Write the state and one event, `cell.<state>`. `code` is the failure code when moving to FAILED. Raises IllegalMove, LostRace.

    `is_recorded=False` inside an operation, whose own event tells the story once.
    """
    was = CellState(cell.state)
    if to not in CELL_MOVES[was]:
        raise IllegalMove(cell.pk, was, to)
    fields = _fields(to, was, code, CellState.FAILED)
    if to == CellState.READY:
        fields["ready_at"] = fields["state_at"]
    if to == CellState.DELETED:
        fields["deleted_at"] = fields["state_at"]
    with transaction.atomic():
        if not Cell.objects.filter(pk=cell.pk, state=was).update(**fields):
            raise LostRace(cell.pk)
        if is_recorded:
            record(
                organisation_id=cell.organisation_id,
                action=f"cell.{to.value}",
                actor=by,
                subject=subject_of_cell(cell),
                details={"state": [was.value, to.value], **(details or {})},
            )
    _remember(cell, fields)


def move_instance(
    instance: Instance,
    to: InstanceState,
    *,
    by: Actor,
    code: str = "",
    details: Mapping[str, Any] | None = None,
    is_recorded: bool = True,
) -> None:
    """Write the state and one event, `instance.<state>`. `code` is the failure code when moving to FAILED. Raises IllegalMove, LostRace."""
    was = InstanceState(instance.state)
    if to not in INSTANCE_MOVES[was]:
        raise IllegalMove(instance.pk, was, to)
    fields = _fields(to, was, code, InstanceState.FAILED)
    if to == InstanceState.DELETED:
        fields["deleted_at"] = fields["state_at"]
    with transaction.atomic():
        if not Instance.objects.filter(pk=instance.pk, state=was).update(**fields):
            raise LostRace(instance.pk)
        if is_recorded:
            record(
                organisation_id=instance.organisation_id,
                action=f"instance.{to.value}",
                actor=by,
                subject=subject_of_instance(instance),
                details={"state": [was.value, to.value], **(details or {})},
            )
    _remember(instance, fields)


def touch_desired(cell_id: UUID, *, only_in: Collection[CellState] = tuple(CellState)) -> bool:
    """What the agent of this cell shall do has changed: in the transaction of the change, so that no version shows half of it.

    False where the cell is in none of these states.
    """
    return bool(Cell.objects.filter(pk=cell_id, state__in=sorted(only_in)).update(desired_version=F("desired_version") + 1))


def _fields(to: CellState | InstanceState, was: CellState | InstanceState, code: str, failed: CellState | InstanceState) -> dict[str, Any]:
    return {
        "state": to,
        "state_at": timezone.now(),
        "failed_while": was if to == failed else "",
        "failure_code": code if to == failed else "",
    }


def _remember(row: Cell | Instance, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
