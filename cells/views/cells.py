"""Deployment cells: one cell with its tabs, and what may be done with it."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from cells import stacks
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.availability import (
    is_of_earlier_kit,
    why_not_delete_cell,
    why_not_replace_agent,
    why_not_switch_agent,
    why_not_update_cell,
)
from cells.fleet.rows import DRIFT_BADGES, HEALTH_BADGES, LINK_BADGES, NOT_HEARD, QUIET, SILENT
from cells.forms.instances import TypedNameForm
from cells.models import Cell, CellStatus, Instance
from cells.place_words import region_name
from cells.states import AgentLink, CellState, Drift, Health
from cells.telemetry.state import health_of, link_of
from cells.views.live import (
    CALM_CELLS,
    CALM_INSTANCES,
    CALM_LINKS,
    failed_of,
    live_answer,
    live_of,
    operations_of,
    pulse_of,
    said,
    seen_operations,
    seen_words,
)
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data
from portal.templatetags.components import relative

gate = requires(Permission.VIEW)
manage = requires(Permission.MANAGE_INSTANCES)
INSTANCES_SHOWN = 50

# States of a resource, as `StackPart` has them.
PART_BADGES = {
    "working": ("progress", pgettext_lazy("resource", "Being made")),
    "ready": ("ok", pgettext_lazy("resource", "Ready")),
    "failed": ("critical", pgettext_lazy("resource", "Failed")),
    "deleting": ("progress", pgettext_lazy("resource", "Being removed")),
    "deleted": ("neutral", pgettext_lazy("resource", "Removed")),
}


# What is said aloud when it becomes so.
MILESTONES = {
    CellState.PLANNED.value: gettext_lazy("%(name)s is planned now."),
    CellState.BOOTSTRAPPING.value: gettext_lazy("%(name)s is being brought up now."),
    Health.HEALTHY.value: gettext_lazy("%(name)s is ready now."),
    Health.DEGRADED.value: gettext_lazy("%(name)s is ready now, but only in part."),
    Health.UNHEALTHY.value: gettext_lazy("%(name)s is ready now, but it is not healthy."),
    Health.UNKNOWN.value: gettext_lazy("%(name)s is ready now. It has not reported yet."),
    "silent": gettext_lazy("%(name)s is not heard now. What this page shows may be old."),
    CellState.UPDATING.value: gettext_lazy("%(name)s is being updated now."),
    CellState.FAILED.value: gettext_lazy("The last operation on %(name)s failed."),
    CellState.DELETING.value: gettext_lazy("%(name)s is being deleted now."),
    CellState.DELETED.value: gettext_lazy("%(name)s is deleted now."),
}


def find_cell(request: OrganisationRequest, pk: uuid.UUID) -> Cell:
    """Only cells in the organisation's own accounts exist here."""
    cells = Cell.objects.for_organisation(request.organisation).select_related("account", "kit", "organisation", "status")
    return get_object_or_404(cells, pk=pk)


@gate
@require_GET
def cell_detail(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    return cell_tab(request, cell, "cell_detail", **_live(request, cell))


@gate
@require_GET
def cell_live(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live fragment of the overview, polled; with it what else of the page has changed."""
    cell = find_cell(request, pk)
    return live_answer(request, "cells/cells/_cell_update.html", _axes(cell) | _named(cell) | _live(request, cell))


def _live(request: OrganisationRequest, cell: Cell) -> dict[str, Any]:
    status: CellStatus | None = getattr(cell, "status", None)
    link, health, state = link_of(cell), health_of(status) if status else Health.UNKNOWN, CellState(cell.state)
    operations, acts = operations_of(request.organisation, "cell", cell.pk), _acts(request, cell)
    live, failed = live_of(operations), failed_of(operations) if state == CellState.FAILED else None
    instances = [_row(instance, link) for instance in _instances(request, cell)[: INSTANCES_SHOWN + 1]]
    is_busy = any(row["instance"].state not in CALM_INSTANCES for row in instances)
    milestone = state.value if state != CellState.READY else "silent" if link in SILENT else health.value
    machines = (status.nodes_ready, status.nodes) if status else ()
    pulse = pulse_of(
        *(seen_words(status), health.value, link.value, cell.drift, cell.drift_at and relative(cell.drift_at), machines),
        milestone=milestone,
        parts={
            "acts": acts,
            "facts": (cell.stack_name, cell.stack_version, cell.kit_id, is_of_earlier_kit(cell), _versions(status)),
            "instances": [(row["instance"].pk, row["instance"].state, str(row["health"])) for row in instances],
            "operations": seen_operations(operations),
        },
        is_calm=state in CALM_CELLS and live is None and link in CALM_LINKS and not is_busy,
        is_over=state == CellState.DELETED and live is None,
    )
    return {
        "live": live,
        "failed": failed,
        "acts": acts,
        "instances": instances[:INSTANCES_SHOWN],
        "has_more": len(instances) > INSTANCES_SHOWN,
        "is_of_earlier_kit": is_of_earlier_kit(cell),
        "operations": operations,
        "pulse": pulse,
        "said": said(MILESTONES, milestone, cell.name),
    }


def _instances(request: OrganisationRequest, cell: Cell) -> QuerySet[Instance]:
    return cell.instances.alive().filter(organisation=request.organisation).select_related("organisation", "plan")


def _versions(status: CellStatus | None) -> tuple[str, ...]:
    return (status.agent_version, status.cluster_version) if status else ()


def _acts(request: OrganisationRequest, cell: Cell) -> list[dict[str, str]]:
    """Every act with the reason why not, the same that the request behind it is refused with."""
    if cell.state == CellState.DELETED or not request.membership.can(Permission.MANAGE_INSTANCES):
        return []
    if cell.is_agent_disabled:
        switch = ("cell_agent_on", _("Switch the agent on"), _("It is switched off: the portal takes nothing from it."))
    else:
        about = _("Take nothing from it until it is switched on again. Instances go on running.")
        switch = ("cell_agent_off", _("Switch the agent off"), about)
    replacing = _("End its access, and have a new machine built for it.")
    acts = (
        ("cell_update", _("Update cell"), _about_update(cell), why_not_update_cell(cell)),
        ("cell_agent_replace", _("Replace the agent"), replacing, why_not_replace_agent(cell)),
        (*switch, why_not_switch_agent(cell, is_on=cell.is_agent_disabled)),
        ("cell_delete", _("Delete cell"), _("Remove what it has made in your cloud."), why_not_delete_cell(cell)),
    )
    args = [request.organisation.slug, cell.pk]
    return [
        {"name": name.replace("_", "-"), "label": label, "about": about, "url": reverse(f"cells:{name}", args=args), "reason": reason}
        for name, label, about, reason in acts
    ]


def _about_update(cell: Cell) -> str:
    if is_of_earlier_kit(cell):
        return _(
            "Give it the identities of the kit in use, and bring its stack to its newest version. "
            "The earlier kit can be removed afterwards."
        )
    return _("Bring its stack to its newest version.")


@gate
@require_GET
def cell_resources(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    parts = [part | {"badge": PART_BADGES.get(part["state"], ("unknown", part["state"]))} for part in cell.parts]
    return cell_tab(request, cell, "cell_resources", parts=parts)


@gate
@require_GET
def cell_activity(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    return cell_tab(request, cell, "cell_activity")


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_delete(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """GET counts what goes, or says why not; POST, with the name typed, starts it."""
    cell = find_cell(request, pk)
    form = TypedNameForm(sent_data(request), expected=cell.name)
    if request.method == "POST":
        if why_not_delete_cell(cell):
            return reject(request)
        if not form.is_valid():
            return reject(request, form)
        return done(request, cell, lambda: request_cell_deletion(cell, by=request.user))
    title = _("Delete cell %(name)s") % {"name": cell.name}
    context = {"cell": cell, "form": form, "reason": why_not_delete_cell(cell), "title": title, "crumbs": cell_crumbs(cell, title)}
    context["waiting"] = cell.instances.waiting_for_their_cell().count()
    return render(request, "cells/cells/cell_delete.html", context | {"kept": cell.resources.kept().count()})


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_update(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    if request.method == "POST":
        return done(request, cell, lambda: request_cell_update(cell, by=request.user))
    title = _("Update cell %(name)s") % {"name": cell.name}
    context = {"cell": cell, "reason": why_not_update_cell(cell), "title": title, "crumbs": cell_crumbs(cell, title)}
    if is_of_earlier_kit(cell):
        context["moving"] = stacks.load(cell.account.cloud).moving
    return render(request, "cells/cells/cell_update.html", context)


def done(request: OrganisationRequest, cell: Cell, do: Callable[[], Operation]) -> HttpResponse:
    """Somebody may have acted since this page looked: the action looks again, and what it says is shown beside the cell."""
    try:
        return redirect(do())
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    except LostRace:
        messages.warning(request, _("Somebody else acted on this cell first. This is how it stands now."))
    return redirect(cell)


def cell_tab(request: OrganisationRequest, cell: Cell, name: str, **context: Any) -> HttpResponse:
    tabs = (
        ("cell_detail", _("Overview")),
        ("cell_resources", _("Resources")),
        ("cell_metrics", _("Metrics")),
        ("cell_activity", _("Activity")),
    )
    args = [request.organisation.slug, cell.pk]
    items = [{"label": label, "url": reverse(f"cells:{tab}", args=args), "is_current": tab == name} for tab, label in tabs]
    context |= (
        _axes(cell)
        | _named(cell)
        | {
            "tabs": items,
            "tab_title": next(item["label"] for item in items if item["is_current"]),
            "crumbs": cell_crumbs(cell),
            "can_manage": request.membership.can(Permission.MANAGE_INSTANCES),
        }
    )
    return render(request, f"cells/cells/{name}.html", context)


def _axes(cell: Cell) -> dict[str, Any]:
    """Health, agent link and drift, each for itself."""
    status: CellStatus | None = getattr(cell, "status", None)
    link, drift = link_of(cell), Drift(cell.drift)
    return {
        "cell": cell,
        "status": status,
        "link": {"kind": LINK_BADGES[link], "label": link.label, "is_silent": link in SILENT},
        "health": _health(status, link) if status else None,
        "drift": {"kind": DRIFT_BADGES[drift], "label": drift.label},
        "is_gone": cell.state == CellState.DELETED,
        "is_leaving": is_leaving(cell),
    }


def is_leaving(cell: Cell) -> bool:
    """Its agent has lost its access, or will: that it is silent is meant so, and what it said last is no news."""
    return cell.state in {CellState.DELETING, CellState.DELETED} or cell.failed_while == CellState.DELETING


def _health(status: CellStatus, link: AgentLink) -> dict[str, Any]:
    """What was healthy when it was last heard is not said to be so now."""
    if link in SILENT:
        return {"kind": "unknown", "label": NOT_HEARD, "is_good": False}
    health = health_of(status)
    return {"kind": HEALTH_BADGES[health], "label": health.label, "is_good": health == Health.HEALTHY}


def _row(instance: Instance, link: AgentLink) -> dict[str, Any]:
    """Of an instance that has not come to run nothing is said to be healthy."""
    if instance.health_at is None or instance.state in QUIET:
        return {"instance": instance, "health": None}
    if link in SILENT:
        return {"instance": instance, "health": {"kind": "unknown", "label": NOT_HEARD}}
    health = Health(instance.health)
    return {"instance": instance, "health": {"kind": HEALTH_BADGES[health], "label": health.label}}


def _named(cell: Cell) -> dict[str, Any]:
    return {"cloud_words": kits.load(cell.account.cloud).words, "region": region_name(cell.account.cloud, cell.region)}


def cell_crumbs(cell: Cell, below: str = "") -> list[dict[str, str]]:
    crumbs = [{"label": _("Deployment cells"), "url": reverse("cells:cell_list", args=[cell.organisation.slug])}]
    if below:
        return [*crumbs, {"label": cell.name, "url": cell.get_absolute_url()}, {"label": below}]
    return [*crumbs, {"label": cell.name}]
