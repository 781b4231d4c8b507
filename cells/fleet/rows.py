"""A row of a list as its page shows it: words and addresses. Every badge and name is drawn once, not once a row."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache, partial
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext_lazy

from accounts.models.cloud_accounts import Cloud
from cells.models import Cell, CellStatus, Instance
from cells.models.cells import CELL_BADGES
from cells.models.instances import INSTANCE_BADGES
from cells.states import AgentLink, CellState, Drift, Health, InstanceState
from cells.telemetry.state import health_of, link_since
from portal.templatetags.components import badge, date_words, machine_time

HEALTH_BADGES = {Health.HEALTHY: "ok", Health.DEGRADED: "attention", Health.UNHEALTHY: "critical", Health.UNKNOWN: "unknown"}
LINK_BADGES = {
    AgentLink.NEVER: "neutral",
    AgentLink.CONNECTED: "ok",
    AgentLink.STALE: "attention",
    AgentLink.OFFLINE: "unknown",
    AgentLink.DISABLED: "neutral",
}
DRIFT_BADGES = {Drift.IN_SYNC: "ok", Drift.DRIFTED: "attention", Drift.UNKNOWN: "neutral"}
BADGES: dict[str, Mapping[Any, str]] = {
    "instance": INSTANCE_BADGES,
    "cell": CELL_BADGES,
    "health": HEALTH_BADGES,
    "link": LINK_BADGES,
    "drift": DRIFT_BADGES,
}
# Of these nothing runs that could be healthy. By value, as rows have them.
QUIET = {state.value for state in (InstanceState.CREATING, InstanceState.WAITING_FOR_CELL, InstanceState.STOPPED, InstanceState.DELETED)}
NOT_HEARD = pgettext_lazy("health", "Not heard")
SILENT = {AgentLink.STALE, AgentLink.OFFLINE}
INSTANCE_COLUMNS = (
    *("name", "state", "health", "health_at", "cloud", "region", "created_at", "account_id"),
    *("plan_name", "account_name", "account_number", "seen_at", "is_disabled"),
)
CELL_COLUMNS = (
    *("name", "state", "region", "created_at", "drift", "account__cloud", "account__name", "account__external_id"),
    *("is_agent_disabled", "status__seen_at", "status__nodes", "status__nodes_ready", "status__components", "number"),
)


# By name, what a row shows of other tables.
NAMES = {
    "plan_name": F("plan__name"),
    "account_name": F("account__name"),
    "account_number": F("account__external_id"),
    "seen_at": F("cell__status__seen_at"),
    "is_disabled": F("cell__is_agent_disabled"),
}


def with_names(instances: QuerySet[Instance]) -> QuerySet[Instance]:
    return instances.annotate(**NAMES)


@lru_cache(maxsize=4096)
def _place(slug: str, name: str) -> tuple[str, str]:
    """The address of a row before and after its key: resolving it anew for each row would cost more than the row."""
    before, _key, after = reverse(name, args=[slug, UUID(int=0)]).partition(str(UUID(int=0)))
    return before, after


def _badges(axis: str) -> dict[str, SafeString]:
    """By value, each with its word in the reader's language."""
    return _badges_in(axis, get_language() or "")


@lru_cache(maxsize=256)
def _badges_in(axis: str, language: str) -> dict[str, SafeString]:
    return {state.value: badge(kind, state.label) for state, kind in BADGES[axis].items()}


@lru_cache(maxsize=1024)
def _day(_language: str, day: date) -> str:
    return date_words(day)


def _number(text: str) -> SafeString | str:
    """The account's number, below its name."""
    return format_html('<span class="sub mono">{}</span>', text) if text else ""


def instance_rows(rows: Iterable[dict[str, Any]], slug: str, provider: str) -> list[dict[str, Any]]:
    before, after = _place(slug, "cells:instance_detail")
    zone = timezone.get_current_timezone()
    states, healths, clouds = _badges("instance"), _badges("health"), {cloud.value: str(cloud.label) for cloud in Cloud}
    not_heard, number, day = cache(lambda: badge("unknown", NOT_HEARD)), cache(_number), partial(_day, get_language() or "")

    def health(row: dict[str, Any]) -> SafeString | str:
        if row["health_at"] is None or row["state"] in QUIET:
            return ""
        link = link_since(row["seen_at"], is_disabled=bool(row["is_disabled"]))
        return not_heard() if link in SILENT else healths[row["health"]]

    return [
        {
            "url": f"{before}{row['id']}{after}",
            "name": row["name"],
            "plan": row["plan_name"],
            "state": states[row["state"]],
            "health": health(row),
            "cloud": clouds[row["cloud"]],
            "region": row["region"],
            "account": name or account_number,
            "number": number(account_number if name else ""),
            "created": day(row["created_at"].astimezone(zone).date()),
            "created_at": machine_time(row["created_at"]),
        }
        for row in rows
        for name, account_number in [(row["account_name"], row["account_number"]) if row["account_id"] else (provider, "")]
    ]


def with_number(cells: QuerySet[Cell]) -> QuerySet[Cell]:
    """`number`: the instances that each cell holds."""
    alive = Instance.objects.alive().filter(cell=OuterRef("pk")).order_by().values("cell").annotate(number=Count("pk"))
    return cells.annotate(number=Coalesce(Subquery(alive.values("number")), 0))


def cell_rows(rows: Iterable[dict[str, Any]], slug: str) -> list[dict[str, Any]]:
    before, after = _place(slug, "cells:cell_detail")
    not_heard, number = cache(lambda: badge("unknown", NOT_HEARD)), cache(_number)
    states, healths, links, drifts = _badges("cell"), _badges("health"), _badges("link"), _badges("drift")
    shown = []
    for row in rows:
        state, drift = CellState(row["state"]), Drift(row["drift"])
        is_gone = state == CellState.DELETED
        link = link_since(None if is_gone else row["status__seen_at"], is_disabled=row["is_agent_disabled"])
        health = None if is_gone else _health(row)
        shown.append(
            {
                "url": f"{before}{row['id']}{after}",
                "name": row["name"],
                "state": states[state.value],
                "health": "" if health is None else not_heard() if link in SILENT else healths[health.value],
                "link": links[link.value] if row["status__seen_at"] and not is_gone else "",
                "drift": drifts[drift.value] if drift == Drift.DRIFTED else "",
                "cloud": str(Cloud(row["account__cloud"]).label),
                "region": row["region"],
                "account": row["account__name"] or row["account__external_id"],
                "number": number(row["account__external_id"] if row["account__name"] else ""),
                "instances": row["number"],
            }
        )
    return shown


def _health(row: dict[str, Any]) -> Health | None:
    if row["status__seen_at"] is None:
        return None
    fields = ("nodes", "nodes_ready", "components")
    return health_of(CellStatus(**{name: row[f"status__{name}"] for name in fields}))
