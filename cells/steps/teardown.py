"""Deleting a cell, the other way round: components go, the agent leaves, the stack goes, what is left is looked for by tag.

Everything that stood when it began is on a list (`CellResource`), and the deletion has ended when each is removed or kept on purpose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.clouds.stacks import StackCloud, StackLook, StackPart, StackState
from accounts.states import Use
from cells import stacks
from cells.models import Cell, CellResource, Instance
from cells.orders import stacks_of, target_of_cell
from cells.protocol.enrolment import revoke_agent
from cells.states import CellState, InstanceState
from cells.steps.bootstrap import WORKER, cell_url, names, retried, why_not_retry
from cells.steps.inventory import Look, take_stock, to_retain
from cells.steps.stacks import LOOK_EVERY_SECONDS, asks_the_cloud, cell_of, gave_up, keep_parts
from cells.telemetry.state import cell_is_heard, standing_components
from cells.transitions import move_cell, move_instance, touch_desired
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

# Clouds go on listing what is gone for a while.
FADING = timedelta(minutes=3)
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


@asks_the_cloud(Use.REMOVE)
def list_resources(ctx: StepContext) -> Outcome:
    """Before anything goes: what the stack holds, and what else bears the cell's tag. Each is followed to its end."""
    cell = cell_of(ctx)
    cloud = stacks_of(cell.account)
    look = _look_at_stack(cell, cloud)
    remaining = take_stock(ctx, cell, Look(look, _listed(cell, cloud)))
    ctx.log(f"Found {len(remaining)} resources of the cell")
    return Done()


def dismiss_agent(ctx: StepContext) -> Outcome:
    """From here on the portal answers the agent no more: what comes late from a dying cell is not believed."""
    with transaction.atomic():
        revoke_agent(cell_of(ctx))
    return Done()


@asks_the_cloud(Use.REMOVE)
def clear_stack(ctx: StepContext) -> Outcome:
    """Have the stack taken away whole, but for what somebody decided to keep."""
    cell = cell_of(ctx)
    cloud = stacks_of(cell.account)
    look = _look_at_stack(cell, cloud)
    take_stock(ctx, cell, Look(look))
    if look.state == StackState.ABSENT:
        return Done()
    if look.state == StackState.DELETING:
        return _clearing(look)
    retain = to_retain(cell, look)
    # Some clouds keep only what they have failed to remove: what fails for the sake of that one is kept by the next call.
    keeping = sorted(part.name for part in look.parts if part.state == "failed" and part.name in retain)
    asked = {"attempt": _attempt(ctx), "keeping": keeping}
    if look.state == StackState.DELETE_FAILED and ctx.data.get("cleared") == asked:
        return gave_up("stack_delete_failed", look)  # what remains, why, and what holds it stands on each resource
    cloud.delete(cell.stack_name, cell.region, retain=retain)
    ctx.log(f"Asked for {cell.stack_name} to be deleted" + (f", but for {', '.join(retain)}" if retain else ""))
    return _clearing(look, cleared=asked)


def _look_at_stack(cell: Cell, cloud: StackCloud) -> StackLook:
    """Of a cell for which nothing was ever ordered there is none."""
    look = cloud.look(cell.stack_name, cell.region) if cell.stack_name else StackLook(StackState.ABSENT)
    keep_parts(cell, look)
    return look


def _attempt(ctx: StepContext) -> str:
    """A deletion that had failed before this attempt began is asked for once more; one that fails in it ends it."""
    return f"{ctx.operation.pk.hex}-{ctx.attempt}"


def _clearing(look: StackLook, *, cleared: Mapping[str, object] | None = None) -> Wait:
    left = sum(part.state != "deleted" for part in look.parts)
    data = {"cleared": cleared} if cleared else {}
    return Wait(LOOK_EVERY_SECONDS, on=Party.CLOUD, why="stack_deleting", params={"left": str(left)}, data=data)


@asks_the_cloud(Use.REMOVE)
def sweep(ctx: StepContext) -> Outcome:
    """Look by tag for what the stack's deletion left behind. What is found is listed and never deleted on a guess."""
    cell = cell_of(ctx)
    cloud = stacks_of(cell.account)
    remaining = take_stock(ctx, cell, Look(_look_at_stack(cell, cloud), _listed(cell, cloud)))
    Cell.objects.filter(pk=cell.pk).update(parts=[_as_part(row) for row in remaining])
    if not remaining:
        return Done()
    if ctx.waited_for("leftovers_fading") < FADING:
        return Wait(15, on=Party.CLOUD, why="leftovers_fading", params={"count": str(len(remaining))})
    listed = ", ".join(f"{row.kind} {row.made}" for row in remaining[:10])
    return Fail("leftovers_found", params={"count": str(len(remaining)), "listed": listed})


def _listed(cell: Cell, cloud: StackCloud) -> Sequence[StackPart]:
    tags = stacks.load(cell.account.cloud).tags(target_of_cell(cell), str(cell.pk))
    return cloud.find_leftovers(cell.region, tags)


def _as_part(row: CellResource) -> dict[str, str]:
    return asdict(StackPart(row.kind, row.name, row.made, row.state, row.evidence, row.link))


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
            StepSpec("listed", _("What stands in the cloud is listed"), list_resources, actor=Party.CLOUD),
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
        below="cells/cells/_cell_inventory.html",
        names=names,
        is_cancellable=False,
        retry_note=_("What was removed stays removed. The cloud goes on with the rest."),
    )
)
