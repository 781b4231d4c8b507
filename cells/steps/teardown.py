"""Deleting a cell, the other way round: its agent leaves, the stack goes, what is left is looked for by tag."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from cells.models import Cell, Instance
from cells.protocol.enrolment import revoke_agent
from cells.states import CellState, InstanceState
from cells.steps.bootstrap import WORKER, cell_url, names, retried, why_not_retry
from cells.steps.stacks import cell_of, clear_stack, sweep
from cells.transitions import move_cell, move_instance
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party


def check_empty(ctx: StepContext) -> Outcome:
    """Nothing is deleted under a running instance, whatever was asked for."""
    count = cell_of(ctx).instances.holding_their_cell().count()
    return Fail("cell_not_empty", params={"count": str(count)}) if count else Done()


def dismiss_agent(ctx: StepContext) -> Outcome:
    """From here on the portal answers the agent no more: what comes late from a dying cell is not believed."""
    with transaction.atomic():
        revoke_agent(cell_of(ctx))
    return Done()


def _deleted(operation: Operation) -> None:
    # Instances before their cell, as everywhere: two that want both never wait for each other.
    left_behind = list(Instance.objects.left_behind().select_for_update().filter(cell_id=UUID(operation.subject_id)).order_by("pk"))
    cell = Cell.objects.select_for_update().get(pk=operation.subject_id)
    if cell.state == CellState.DELETING:
        move_cell(cell, CellState.DELETED, by=WORKER, is_recorded=False)
        for instance in left_behind:
            move_instance(instance, InstanceState.DELETING, by=WORKER, is_recorded=False)
            move_instance(instance, InstanceState.DELETED, by=WORKER)


def _failed(operation: Operation) -> None:
    cell = Cell.objects.select_for_update().get(pk=operation.subject_id)
    if cell.state == CellState.DELETING:
        move_cell(cell, CellState.FAILED, by=WORKER, code=operation.failure_code, is_recorded=False)


register(
    Kind(
        name="delete_cell",
        title=_("Delete deployment cell"),
        steps=(
            StepSpec("empty", _("No instance is left in the cell"), check_empty),
            StepSpec("agent_leaves", _("The cell's agent loses its access"), dismiss_agent),
            StepSpec(
                "infrastructure_goes",
                _("The cloud removes the cell's infrastructure"),
                clear_stack,
                actor=Party.CLOUD,
                budget=timedelta(minutes=60),
                late_code="stack_delete_took_too_long",
            ),
            StepSpec("sweep", _("Nothing with the cell's tag is left"), sweep, actor=Party.CLOUD, retry_from="infrastructure_goes"),
        ),
        on_succeeded=_deleted,
        on_failed=_failed,
        on_retried=retried,
        why_not_retry=why_not_retry,
        subject_url=cell_url,
        names=names,
        is_cancellable=False,
        retry_note=_("What was removed stays removed. The cloud goes on with the rest."),
    )
)
