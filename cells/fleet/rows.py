"""A row of a list as its page shows it: words and addresses. Every badge is drawn once a page, not once a row."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import pgettext_lazy

from accounts.models.cloud_accounts import Cloud
from cells.models import Cell, CellStatus, Instance
from cells.models.cells import CELL_BADGES
from cells.models.instances import INSTANCE_BADGES
from cells.states import AgentLink, CellState, Drift, Health, InstanceState
from cells.telemetry.state import health_of, link_since
from portal.templatetags.components import badge

HEALTH_BADGES = {Health.HEALTHY: "ok", Health.DEGRADED: "attention", Health.UNHEALTHY: "critical", Health.UNKNOWN: "unknown"}
LINK_BADGES = {
    AgentLink.NEVER: "neutral",
    AgentLink.CONNECTED: "ok",
    AgentLink.STALE: "attention",
    AgentLink.OFFLINE: "unknown",
    AgentLink.DISABLED: "neutral",
}
DRIFT_BADGES = {Drift.IN_SYNC: "ok", Drift.DRIFTED: "attention", Drift.UNKNOWN: "neutral"}
# Of these nothing runs that could be healthy.
QUIET = {InstanceState.CREATING, InstanceState.WAITING_FOR_CELL, InstanceState.STOPPED, InstanceState.DELETED}
NOT_HEARD = pgettext_lazy("health", "Not heard")
SILENT = {AgentLink.STALE, AgentLink.OFFLINE}
INSTANCE_COLUMNS = (
    *("name", "state", "health", "health_at", "cloud", "region", "created_at", "plan__name", "account_id", "account__name"),
    *("account__external_id", "cell__status__seen_at", "cell__is_agent_disabled"),
)
CELL_COLUMNS = (
    *("name", "state", "region", "created_at", "drift", "stack_version", "account__cloud", "account__name", "account__external_id"),
    *("is_agent_disabled", "status__seen_at", "status__nodes", "status__nodes_ready", "status__components", "number"),
)


def _place(slug: str, name: str) -> tuple[str, str]:
    """The address of a row before and after its key: resolving it anew for each row would cost more than the row."""
    before, _key, after = reverse(name, args=[slug, UUID(int=0)]).partition(str(UUID(int=0)))
    return before, after


def instance_rows(rows: Iterable[dict[str, Any]], slug: str, provider: str) -> list[dict[str, Any]]:
    before, after = _place(slug, "cells:instance_detail")
    draw = cache(badge)
    shown = []
    for row in rows:
        state, health = InstanceState(row["state"]), Health(row["health"])
        link = link_since(row["cell__status__seen_at"], is_disabled=bool(row["cell__is_agent_disabled"]))
        is_known = row["health_at"] is not None and state not in QUIET
        shown.append(
            {
                "url": f"{before}{row['id']}{after}",
                "name": row["name"],
                "plan": row["plan__name"],
                "state": draw(INSTANCE_BADGES[state], state.label),
                "health": (draw("unknown", NOT_HEARD) if link in SILENT else draw(HEALTH_BADGES[health], health.label)) if is_known else "",
                "cloud": Cloud(row["cloud"]).label,
                "region": row["region"],
                "account": (row["account__name"] or row["account__external_id"]) if row["account_id"] else provider,
                "number": row["account__external_id"] if row["account_id"] and row["account__name"] else "",
                "created_at": row["created_at"],
            }
        )
    return shown


def with_number(cells: QuerySet[Cell]) -> QuerySet[Cell]:
    """`number`: the instances that each cell holds."""
    alive = Instance.objects.alive().filter(cell=OuterRef("pk")).order_by().values("cell").annotate(number=Count("pk"))
    return cells.annotate(number=Coalesce(Subquery(alive.values("number")), 0))


def cell_rows(rows: Iterable[dict[str, Any]], slug: str) -> list[dict[str, Any]]:
    before, after = _place(slug, "cells:cell_detail")
    draw = cache(badge)
    shown = []
    for row in rows:
        state, drift = CellState(row["state"]), Drift(row["drift"])
        is_gone = state == CellState.DELETED
        link = link_since(None if is_gone else row["status__seen_at"], is_disabled=row["is_agent_disabled"])
        health = _health(row)
        shown.append(
            {
                "url": f"{before}{row['id']}{after}",
                "name": row["name"],
                "state": draw(CELL_BADGES[state], state.label),
                "health": draw(HEALTH_BADGES[health], health.label) if health and link not in SILENT and not is_gone else "",
                "link": draw(LINK_BADGES[link], link.label) if row["status__seen_at"] and not is_gone else "",
                "drift": draw(DRIFT_BADGES[drift], drift.label) if drift == Drift.DRIFTED else "",
                "cloud": Cloud(row["account__cloud"]).label,
                "region": row["region"],
                "account": row["account__name"] or row["account__external_id"],
                "number": row["account__external_id"] if row["account__name"] else "",
                "instances": row["number"],
                "version": row["stack_version"],
            }
        )
    return shown


def _health(row: dict[str, Any]) -> Health | None:
    if row["status__seen_at"] is None:
        return None
    fields = ("nodes", "nodes_ready", "components")
    return health_of(CellStatus(**{name: row[f"status__{name}"] for name in fields}))
