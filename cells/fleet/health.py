"""Health and agent link of a cell as conditions of a query: the same rules as in `cells.telemetry.state`, which tests compare."""

from typing import Any

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.utils import timezone

from cells.models import Cell
from cells.states import AgentLink, Health
from cells.telemetry.state import OFFLINE_AFTER, STALE_AFTER

NOT_READY = '$[*] ? (@.state != "ready")'


class PathExists(Func):
    function = "jsonb_path_exists"
    output_field = BooleanField()


def cells_of_health(cells: QuerySet[Cell], health: Health) -> QuerySet[Cell]:
    if health == Health.UNKNOWN:
        return cells.filter(status=None)
    if health == Health.UNHEALTHY:
        return cells.filter(status__nodes_ready=0)
    path = Func(Value(NOT_READY), template="%(expressions)s::jsonpath")
    cells = cells.filter(status__nodes_ready__gt=0).annotate(has_unready=PathExists("status__components", path))
    limping = Q(status__nodes_ready__lt=F("status__nodes")) | Q(has_unready=True)
    return cells.filter(limping) if health == Health.DEGRADED else cells.exclude(limping)


def cells_of_link(cells: QuerySet[Cell], link: AgentLink) -> QuerySet[Cell]:
    """By the age of the last report, which is all that a link is."""
    now = timezone.now()
    wanted: dict[AgentLink, dict[str, Any]] = {
        AgentLink.NEVER: {"status": None},
        AgentLink.CONNECTED: {"status__seen_at__gt": now - STALE_AFTER},
        AgentLink.STALE: {"status__seen_at__lte": now - STALE_AFTER, "status__seen_at__gt": now - OFFLINE_AFTER},
        AgentLink.OFFLINE: {"status__seen_at__lte": now - OFFLINE_AFTER},
    }
    if link == AgentLink.DISABLED:
        return cells.filter(is_agent_disabled=True)
    return cells.filter(is_agent_disabled=False, **wanted[link])
