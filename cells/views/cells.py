"""Deployment cells: one cell with its tabs, and what may be done with it."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.availability import live_operation, why_not_delete_cell, why_not_replace_agent, why_not_switch_agent, why_not_update_cell
from cells.fleet.rows import DRIFT_BADGES, HEALTH_BADGES, LINK_BADGES, SILENT
from cells.forms.instances import TypedNameForm
from cells.models import Cell, CellStatus
from cells.place_words import region_name
from cells.states import CellState, Drift, Health
from cells.telemetry.state import health_of, link_of
from cells.views.instances import OPERATIONS_SHOWN
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data

gate = requires(Permission.VIEW)
manage = requires(Permission.MANAGE_INSTANCES)


# States of a resource, as `StackPart` has them.
PART_BADGES = {
    "working": ("progress", pgettext_lazy("resource", "Being made")),
    "ready": ("ok", pgettext_lazy("resource", "Ready")),
    "failed": ("critical", pgettext_lazy("resource", "Failed")),
    "deleting": ("progress", pgettext_lazy("resource", "Being removed")),
    "deleted": ("neutral", pgettext_lazy("resource", "Removed")),
}


def find_cell(request: OrganisationRequest, pk: uuid.UUID) -> Cell:
    """Only cells in the organisation's own accounts exist here."""
    cells = Cell.objects.for_organisation(request.organisation).select_related("account", "organisation", "status")
    return get_object_or_404(cells, pk=pk)


@gate
@require_GET
def cell_detail(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    operations = request.organisation.operations.for_subject("cell", cell.pk).newest_first()[:OPERATIONS_SHOWN]
    instances = list(cell.instances.alive().select_related("organisation", "plan").filter(organisation=request.organisation))
    context = {
        "operations": operations,
        "live": live_operation("cell", cell.pk),
        "instances": instances,
        "why_not_delete": why_not_delete_cell(cell),
        "why_not_update": why_not_update_cell(cell),
        "why_not_replace_agent": why_not_replace_agent(cell),
        "why_not_switch_agent": why_not_switch_agent(cell, is_on=cell.is_agent_disabled),
    }
    return cell_tab(request, cell, "cell_detail", **context)


@gate
@require_GET
def cell_live(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live fragment of the overview, polled."""
    cell = find_cell(request, pk)
    return render(request, "cells/cells/_cell_live.html", _axes(cell) | {"live": live_operation("cell", cell.pk)})


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
        return done(request, cell, lambda: request_cell_deletion(cell, by=request.user, retain=_retained(request, cell)))
    title = _("Delete cell %(name)s") % {"name": cell.name}
    context = {"cell": cell, "form": form, "reason": why_not_delete_cell(cell), "title": title, "crumbs": cell_crumbs(cell, title)}
    context["waiting"] = cell.instances.waiting_for_their_cell().count()
    return render(request, "cells/cells/cell_delete.html", context | {"stuck": _stuck(cell)})


def _stuck(cell: Cell) -> list[dict[str, str]]:
    """What could not be removed last time: only that may be kept on purpose."""
    return [part for part in cell.parts if part["state"] == "failed"]


def _retained(request: OrganisationRequest, cell: Cell) -> list[str]:
    offered = {part["name"] for part in _stuck(cell)}
    return [name for name in request.POST.getlist("retain") if name in offered]


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_update(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    if request.method == "POST":
        return done(request, cell, lambda: request_cell_update(cell, by=request.user))
    title = _("Update cell %(name)s") % {"name": cell.name}
    context = {"cell": cell, "reason": why_not_update_cell(cell), "title": title, "crumbs": cell_crumbs(cell, title)}
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
    context |= _axes(cell) | {
        "cloud_words": kits.load(cell.account.cloud).words,
        "region": region_name(cell.account.cloud, cell.region),
        "tabs": items,
        "tab_title": next(item["label"] for item in items if item["is_current"]),
        "crumbs": cell_crumbs(cell),
        "can_manage": request.membership.can(Permission.MANAGE_INSTANCES),
    }
    return render(request, f"cells/cells/{name}.html", context)


def _axes(cell: Cell) -> dict[str, Any]:
    """Health, agent link and drift, each for itself."""
    status: CellStatus | None = getattr(cell, "status", None)
    link, health, drift = link_of(cell), health_of(status) if status else None, Drift(cell.drift)
    return {
        "cell": cell,
        "status": status,
        "link": {"kind": LINK_BADGES[link], "label": link.label, "is_silent": link in SILENT},
        "health": {"kind": HEALTH_BADGES[health], "label": health.label, "is_good": health == Health.HEALTHY} if health else None,
        "drift": {"kind": DRIFT_BADGES[drift], "label": drift.label},
        "is_gone": cell.state == CellState.DELETED,
    }


def cell_crumbs(cell: Cell, below: str = "") -> list[dict[str, str]]:
    crumbs = [{"label": _("Deployment cells"), "url": reverse("cells:cell_list", args=[cell.organisation.slug])}]
    if below:
        return [*crumbs, {"label": cell.name, "url": cell.get_absolute_url()}, {"label": below}]
    return [*crumbs, {"label": cell.name}]
