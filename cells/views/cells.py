"""Deployment cells: one cell with its tabs, and what may be done with it."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.availability import live_operation, why_not_delete_cell, why_not_update_cell
from cells.forms.instances import TypedNameForm
from cells.models import Cell, CellStatus
from cells.place_words import region_name
from cells.states import AgentLink, CellState, Drift
from cells.telemetry.state import health_of, link_of
from cells.views.instances import HEALTH_BADGES, LINK_BADGES, OPERATIONS_SHOWN
from portal.operations.availability import NotAllowed
from portal.operations.transitions import LostRace

gate = requires(Permission.VIEW)
manage = requires(Permission.MANAGE_INSTANCES)
DRIFT_BADGES = {Drift.IN_SYNC: "ok", Drift.DRIFTED: "attention", Drift.UNKNOWN: "neutral"}


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
    return cell_tab(request, cell, "cell_resources")


@gate
@require_GET
def cell_activity(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    return cell_tab(request, cell, "cell_activity")


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_delete(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """GET counts what goes; POST, with the name typed, starts it."""
    cell = find_cell(request, pk)
    form = TypedNameForm(request.POST or None, expected=cell.name)
    reason = why_not_delete_cell(cell)
    if request.method == "POST" and (reason or form.is_valid()):
        try:
            if reason:
                raise NotAllowed(reason)
            return redirect(request_cell_deletion(cell, by=request.user, retain=request.POST.getlist("retain")))
        except NotAllowed as refused:
            reason = refused.reason
        except LostRace:
            reason = _("Somebody else acted on this cell first. Look at it again.")
    title = _("Delete cell %(name)s") % {"name": cell.name}
    stuck = [part for part in cell.parts if part["state"] == "failed"]
    context = {"cell": cell, "form": form, "reason": reason, "title": title, "crumbs": cell_crumbs(cell, title), "stuck": stuck}
    return render(request, "cells/cells/cell_delete.html", context, status=409 if reason and request.method == "POST" else 200)


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_update(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    reason = why_not_update_cell(cell)
    if request.method == "POST":
        try:
            return redirect(request_cell_update(cell, by=request.user))
        except NotAllowed as refused:
            reason = refused.reason
        except LostRace:
            reason = _("Somebody else acted on this cell first. Look at it again.")
    title = _("Update cell %(name)s") % {"name": cell.name}
    context = {"cell": cell, "reason": reason, "title": title, "crumbs": cell_crumbs(cell, title)}
    return render(request, "cells/cells/cell_update.html", context, status=409 if reason and request.method == "POST" else 200)


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
        "link": {"kind": LINK_BADGES[link], "label": link.label, "is_silent": link in {AgentLink.STALE, AgentLink.OFFLINE}},
        "health": {"kind": HEALTH_BADGES[health], "label": health.label} if health else None,
        "drift": {"kind": DRIFT_BADGES[drift], "label": drift.label},
        "is_gone": cell.state == CellState.DELETED,
    }


def cell_crumbs(cell: Cell, below: str = "") -> list[dict[str, str]]:
    crumbs = [{"label": _("Deployment cells"), "url": reverse("cells:cell_list", args=[cell.organisation.slug])}]
    if below:
        return [*crumbs, {"label": cell.name, "url": cell.get_absolute_url()}, {"label": below}]
    return [*crumbs, {"label": cell.name}]
