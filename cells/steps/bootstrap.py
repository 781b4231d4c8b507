"""Bootstrapping and updating a cell: readiness, infrastructure, agent, platform components, health."""

from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.environment.assessments import newest_assessment, start_assessment, why_not_build
from accounts.models import Assessment, CloudAccount, Kit
from accounts.states import Use
from accounts.targets import cloud_names
from cells.hosting import builds_cells, only_regions
from cells.models import Cell
from cells.orders import kit_to_order_by, stacks_of
from cells.states import CellState, Health
from cells.steps.stacks import asks_the_cloud, cell_of, raise_stack
from cells.telemetry.bells import ring_instances
from cells.telemetry.state import cell_health, missing_components, newest_agent_is_heard
from cells.transitions import move_cell
from portal.audit import Actor
from portal.operations.engine import OperationInProgress, StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

WORKER = Actor.worker("cells")
MOST_ZONES = 3
NOT_HEARD = "agent_not_heard"


@asks_the_cloud(Use.BUILD)
def check_readiness(ctx: StepContext) -> Outcome:
    """Nothing is built where the environment has not been looked at, or blocks a cell."""
    cell = cell_of(ctx)
    _begin(cell)
    account = cell.account
    if unfit := _unfit_kit(cell):
        return unfit
    newest = newest_assessment(account, cell.region)
    if newest is None or not newest.is_fresh or _is_before(ctx, newest):
        return _look_around(account, cell.region)
    if why_not_build(account, cell.region):
        return Fail("environment_blocked", params={"region": cell.region})
    if not cell.zones:
        Cell.objects.filter(pk=cell.pk).update(zones=list(stacks_of(account).find_zones(cell.region)[:MOST_ZONES]))
    return Done()


def _unfit_kit(cell: Cell) -> Fail | None:
    """Before anything is asked of the cloud: under an earlier kit it would only be refused, half-way."""
    account, kit = cell.account, kit_to_order_by(cell, is_built=bool(cell.kit))
    if not builds_cells(account.cloud, kit):
        return Fail("kit_too_old", params={"version": kit.version})
    regions = only_regions(account, kit)
    if regions and cell.region not in regions:
        return Fail("only_where_the_kit_is", params={"region": cell.region, "only": ", ".join(sorted(regions))})
    return None


def _begin(cell: Cell) -> None:
    if cell.state == CellState.PLANNED:
        move_cell(cell, CellState.BOOTSTRAPPING, by=WORKER, is_recorded=False)


def _is_before(ctx: StepContext, newest: Assessment) -> bool:
    """A retry after a blocked environment looks again: what was in the way may have been mended."""
    return bool(newest.blocked) and newest.started_at < (ctx.step.started_at or ctx.now())


def _look_around(account: CloudAccount, region: str) -> Outcome:
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        try:
            start_assessment(account, region, trigger=Assessment.Trigger.SCHEDULE)
        except OperationInProgress:
            pass
        except Kit.DoesNotExist:
            return Fail("access_ended")
    return Wait(5, on=Party.CLOUD, why="environment_checking", params={"region": region})


def await_agent(ctx: StepContext) -> Outcome:
    """The agent's machine starts, enrols and speaks. Its first report rings for this operation."""
    if not newest_agent_is_heard(ctx.data["cell"]):
        return Wait(10, on=Party.CLOUD, why="agent_starting")
    return Done()


def await_components(ctx: StepContext) -> Outcome:
    """What the platform needs in the cell is installed by the agent, and reported."""
    if missing := missing_components(ctx.data["cell"]):
        return Wait(10, on=Party.PROVIDER, why="components_installing", params={"names": ", ".join(missing)})
    return Done()


def await_health(ctx: StepContext) -> Outcome:
    if cell_health(ctx.data["cell"]) != Health.HEALTHY:
        return Wait(10, on=Party.CLOUD, why="cell_settling")
    return Done()


def _ready(operation: Operation) -> None:
    cell = Cell.objects.select_for_update().get(pk=operation.subject_id)
    if cell.state in {CellState.BOOTSTRAPPING, CellState.UPDATING}:
        move_cell(cell, CellState.READY, by=WORKER, is_recorded=False)
    ring_waiting(cell)


def _failed(operation: Operation) -> None:
    cell = Cell.objects.select_for_update().get(pk=operation.subject_id)
    _begin(cell)
    if cell.state in {CellState.BOOTSTRAPPING, CellState.UPDATING}:
        move_cell(cell, CellState.FAILED, by=WORKER, code=operation.failure_code or "stopped", is_recorded=False)
    ring_waiting(cell)


def retried(operation: Operation) -> None:
    """Back to what was being done when it failed. A machine whose agent was never heard would not do better: the next one is another."""
    cell = Cell.objects.select_for_update().get(pk=operation.subject_id)
    if cell.state == CellState.FAILED:
        if cell.failure_code == NOT_HEARD:
            Cell.objects.filter(pk=cell.pk).update(generation=cell.generation + 1)
        move_cell(cell, CellState(cell.failed_while), by=WORKER, is_recorded=False)
        ring_waiting(cell)


def ring_waiting(cell: Cell) -> None:
    """Instances that wait for this cell hear at once how it goes on."""
    ring_instances(cell.instances.waiting_for_their_cell().values_list("pk", flat=True))


def cell_url(operation: Operation) -> str:
    return reverse("cells:cell_detail", args=[operation.organisation.slug, operation.subject_id])


def names(operation: Operation) -> dict[str, object]:
    """What the sentences about a cell may name."""
    return {**cloud_names(operation.data["cloud"]), "region": operation.data.get("region", "")}


def why_not_retry(operation: Operation) -> str:
    """Empty while the cell still is where this attempt left it."""
    cell = Cell.objects.filter(pk=operation.subject_id, state=CellState.FAILED).first()
    newest = Operation.objects.for_subject("cell", operation.subject_id).newest_first().first()
    if cell and newest and newest.pk == operation.pk:
        return ""
    return str(_("The cell has moved on since this attempt. Go on from the cell's own page."))


_INFRASTRUCTURE = StepSpec(
    "infrastructure",
    _("The cloud builds the cell's infrastructure"),
    raise_stack,
    actor=Party.CLOUD,
    budget=timedelta(minutes=60),
    late_code="stack_took_too_long",
)
_AGENT = StepSpec(
    "agent",
    _("The cell's agent reports in"),
    await_agent,
    actor=Party.CLOUD,
    budget=timedelta(minutes=20),
    late_code=NOT_HEARD,
    retry_from="infrastructure",
)
_HEALTHY = StepSpec(
    "healthy", _("The cell reports that it is healthy"), await_health, budget=timedelta(minutes=15), late_code="cell_not_healthy"
)
_COMPONENTS = StepSpec(
    "components",
    _("Platform components are installed"),
    await_components,
    budget=timedelta(minutes=20),
    late_code="components_not_installed",
)

register(
    Kind(
        name="bootstrap_cell",
        title=_("Bootstrap deployment cell"),
        steps=(
            StepSpec(
                "readiness",
                _("The environment is ready for a cell"),
                check_readiness,
                actor=Party.CLOUD,
                budget=timedelta(minutes=20),
            ),
            _INFRASTRUCTURE,
            _AGENT,
            _COMPONENTS,
            _HEALTHY,
        ),
        on_succeeded=_ready,
        on_failed=_failed,
        on_cancelled=_failed,
        on_retried=retried,
        why_not_retry=why_not_retry,
        subject_url=cell_url,
        names=names,
        retry_note=_("What was built is kept. The cloud goes on from there."),
        cancel_note=_("What was built stays in your cloud until you delete the cell."),
    )
)
register(
    Kind(
        name="replace_agent",
        title=_("Replace the agent"),
        steps=(_INFRASTRUCTURE, _AGENT, _COMPONENTS, _HEALTHY),
        on_succeeded=_ready,
        on_failed=_failed,
        on_cancelled=_failed,
        on_retried=retried,
        why_not_retry=why_not_retry,
        subject_url=cell_url,
        names=names,
        is_cancellable=False,
        retry_note=_("The agent that was replaced stays without access. The cloud goes on with the new machine."),
    )
)
register(
    Kind(
        name="update_cell",
        title=_("Update deployment cell"),
        steps=(_INFRASTRUCTURE, _AGENT, _COMPONENTS, _HEALTHY),
        on_succeeded=_ready,
        on_failed=_failed,
        on_cancelled=_failed,
        on_retried=retried,
        why_not_retry=why_not_retry,
        subject_url=cell_url,
        names=names,
        is_cancellable=False,
        retry_note=_("What was updated is kept. The cloud goes on from there."),
    )
)
