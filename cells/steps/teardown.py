"""Deleting a cell, the other way round: components go, the agent leaves, the stack goes, what is left is looked for by tag."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from cells.models import Cell, Instance
from cells.protocol.enrolment import revoke_agent
from cells.states import CellState, InstanceState
from cells.steps.bootstrap import WORKER, cell_url, names, retried, why_not_retry
from cells.steps.stacks import LOOK_EVERY_SECONDS, cell_of, clear_stack, sweep
from cells.telemetry.state import cell_is_heard, standing_components
from cells.transitions import move_cell, move_instance, touch_desired
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

AGENT_PATIENCE = timedelta(minutes=3)
COMPONENTS_PATIENCE = timedelta(minutes=10)


def check_empty(ctx: StepContext) -> Outcome:
    """Nothing is deleted under a running instance, whatever was asked for."""
    count = cell_of(ctx).instances.in_their_cell().count()
    return Fail("cell_not_empty", params={"count": str(count)}) if count else Done()


def clear_components(ctx: StepContext) -> Outcome:
    """The agent takes away what the platform put into the cluster: what that made in the cloud would hold on to the network.

    A silent agent keeps nobody from leaving: what is left then is found by its tag at the end.
    """
    cell = cell_of(ctx)
    if not settings.PLATFORM_COMPONENTS or not cell_is_heard(cell.pk, within=AGENT_PATIENCE):
        return Done()
    if not ctx.data.get("components_told"):
        touch_desired(cell.pk)
        return Wait(LOOK_EVERY_SECONDS, on=Party.PROVIDER, why="components_leaving", data={"components_told": True})
    if not standing_components(cell.pk):
        return Done()
    if ctx.waited_for("components_leaving") > COMPONENTS_PATIENCE:
        ctx.log("Components are still reported; what they made is looked for by its tag")
        return Done()
    return Wait(LOOK_EVERY_SECONDS, on=Party.PROVIDER, why="components_leaving")


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
        # Cancelled only with the account itself, which has left: then nobody can be asked any more.
        move_cell(cell, CellState.FAILED, by=WORKER, code=operation.failure_code or "access_ended", is_recorded=False)


register(
    Kind(
        name="delete_cell",
        title=_("Delete deployment cell"),
        steps=(
            StepSpec("empty", _("No instance is left in the cell"), check_empty),
            StepSpec("components_leave", _("The agent removes platform components"), clear_components, budget=timedelta(minutes=20)),
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
        on_cancelled=_failed,
        on_retried=retried,
        why_not_retry=why_not_retry,
        subject_url=cell_url,
        names=names,
        is_cancellable=False,
        retry_note=_("What was removed stays removed. The cloud goes on with the rest."),
    )
)
