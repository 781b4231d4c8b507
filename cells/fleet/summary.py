"""An organisation's fleet in a few numbers, and what of it needs somebody."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import Organisation
from cells.models import Cell, Instance
from cells.states import ALIVE_CELLS, CellState, Health, InstanceState
from cells.telemetry.state import OFFLINE_AFTER

WORKING = (
    *(InstanceState.CREATING, InstanceState.WAITING_FOR_CELL, InstanceState.DEPLOYING, InstanceState.UPDATING),
    *(InstanceState.STOPPING, InstanceState.STARTING, InstanceState.BACKING_UP, InstanceState.DELETING),
)


@dataclass(frozen=True)
class Summary:
    """Numbers of what is there, and of what needs somebody."""

    instances: int
    running: int
    working: int
    failed: int
    degraded: int
    unhealthy: int
    cells: int
    ready: int
    failed_cells: int
    silent: int
    drifted: int


def summary_of(organisation: Organisation) -> Summary:
    """Two queries, once for each time that the organisation is read."""
    known: Summary | None = getattr(organisation, "fleet_summary", None)
    if known is None:
        known = Summary(**_instances(organisation), **_cells(organisation))
        organisation.fleet_summary = known  # type: ignore[attr-defined]
    return known


def _instances(organisation: Organisation) -> dict[str, int]:
    running = Q(state=InstanceState.RUNNING)
    return Instance.objects.filter(~Q(state="deleted"), organisation=organisation).aggregate(
        instances=Count("pk"),
        running=Count("pk", filter=running),
        working=Count("pk", filter=Q(state__in=WORKING)),
        failed=Count("pk", filter=Q(state=InstanceState.FAILED)),
        degraded=Count("pk", filter=running & Q(health=Health.DEGRADED)),
        unhealthy=Count("pk", filter=running & Q(health=Health.UNHEALTHY)),
    )


def _cells(organisation: Organisation) -> dict[str, int]:
    """Silent is who has been heard and is not any more: one that is being brought up has not spoken yet."""
    is_silent = Q(status__seen_at__lt=timezone.now() - OFFLINE_AFTER, is_agent_disabled=False) & ~Q(state=CellState.DELETING)
    return Cell.objects.filter(organisation=organisation, state__in=sorted(ALIVE_CELLS)).aggregate(
        cells=Count("pk"),
        ready=Count("pk", filter=Q(state=CellState.READY)),
        failed_cells=Count("pk", filter=Q(state=CellState.FAILED)),
        silent=Count("pk", filter=is_silent),
        drifted=Count("pk", filter=Q(drift="drifted")),
    )
