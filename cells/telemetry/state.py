"""What was reported last, as operations and pages ask for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Subquery
from django.utils import timezone

from cells.models import Cell, CellStatus, Enrolment, InstanceStatus
from cells.states import AgentLink, CellState, Health

# The agent reports every 30 seconds. Two missed reports may be the network; ten are a silence that somebody should know of.
STALE_AFTER = timedelta(seconds=75)
OFFLINE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class InstanceReport:
    """What the agent said of one instance."""

    revision: int  # the one that was applied last, or tried
    state: str
    health: Health
    problem: str  # a code: why that revision could not be applied

    @property
    def is_running(self) -> bool:
        """Meant to run, and not gone: whether it does well is its health."""
        return self.state not in {"stopped", "absent"}

    @property
    def is_removed(self) -> bool:
        return self.state == "absent"


def cell_health(cell_id: UUID) -> Health | None:
    """From its machines and the platform's components; None until its agent has been heard for the first time."""
    status = CellStatus.objects.filter(cell=cell_id).first()
    return health_of(status) if status else None


def newest_agent_is_heard(cell_id: UUID) -> bool:
    """The agent of the machine that was ordered last has enrolled and reported: what an earlier one said does not count."""
    enrolled = Enrolment.objects.filter(cell=cell_id, generation=F("cell__generation"), used_at__isnull=False)
    return CellStatus.objects.filter(cell=cell_id, seen_at__gte=Subquery(enrolled.values("used_at")[:1])).exists()


def health_of(status: CellStatus) -> Health:
    """As last reported. How old that is, is the link's to say."""
    if not status.nodes_ready:
        return Health.UNHEALTHY
    if status.nodes_ready < status.nodes or any(component["state"] != "ready" for component in status.components):
        return Health.DEGRADED
    return Health.HEALTHY


def standing_components(cell_id: UUID) -> list[str]:
    """Names of the platform's components that the agent still reports."""
    components = CellStatus.objects.filter(cell=cell_id).values_list("components", flat=True).first() or []
    return [component["name"] for component in components]


def missing_components(cell_id: UUID) -> list[str]:
    """Names of the platform's components that are not ready in this cell, in the version that is wanted."""
    components = CellStatus.objects.filter(cell=cell_id).values_list("components", flat=True).first() or []
    ready = {(component["name"], component["version"]) for component in components if component["state"] == "ready"}
    wanted = [(component["name"], component["chart_version"]) for component in settings.PLATFORM_COMPONENTS]
    return [name for name, version in wanted if (name, version) not in ready]


def instance_report(instance_id: UUID) -> InstanceReport | None:
    status = InstanceStatus.objects.filter(instance=instance_id).only("revision", "state", "health", "problem").first()
    return InstanceReport(status.revision, status.state, Health(status.health), status.problem) if status else None


def cell_is_heard(cell_id: UUID, *, within: timedelta) -> bool:
    return CellStatus.objects.filter(cell=cell_id, seen_at__gte=timezone.now() - within).exists()


def link_of(cell: Cell) -> AgentLink:
    status: CellStatus | None = getattr(cell, "status", None)
    seen_at = status.seen_at if status and cell.state != CellState.DELETED else None
    return link_since(seen_at, is_disabled=cell.is_agent_disabled)


def link_since(seen_at: datetime | None, *, is_disabled: bool) -> AgentLink:
    """From the time of the last report alone: nothing has to run for a silent agent to look silent."""
    if is_disabled:
        return AgentLink.DISABLED
    if seen_at is None:
        return AgentLink.NEVER
    silent = timezone.now() - seen_at
    if silent < STALE_AFTER:
        return AgentLink.CONNECTED
    return AgentLink.STALE if silent < OFFLINE_AFTER else AgentLink.OFFLINE
