"""Figures and their past of a cell and an instance, and what the provider learns from a cell."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET

from accounts.access import OrganisationRequest, Permission, requires
from cells.fleet.rows import HEALTH_BADGES, LINK_BADGES
from cells.models import Cell, FinalBackup, Instance, InstanceStatus, StatusChange
from cells.states import AgentLink, Health
from cells.telemetry.changes import DAYS, Day, begin_of, days_of, share_of, spans_of
from cells.telemetry.series import error_rate, of_cell, of_instance
from cells.telemetry.visible import of_backups, of_orders, of_sign_in
from cells.telemetry.visible import of_cell as visible_of_cell
from cells.telemetry.visible import of_instance as visible_of_instance
from cells.views.cells import cell_crumbs, cell_tab, find_cell
from cells.views.instances import find_instance, instance_tab

gate = requires(Permission.VIEW)
Axis = StatusChange.Axis
MOST_INSTANCES = 50


@gate
@require_GET
def instance_metrics(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    periods = of_instance(instance, timezone.now())
    strips = [_strip(instance, Axis.HEALTH, _("Healthy"))]
    return instance_tab(request, instance, "instance_metrics", periods=periods, strips=strips, error_rate=error_rate(periods[0]))


@gate
@require_GET
def cell_metrics(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    strips = [_strip(cell, Axis.HEALTH, _("Healthy")), _strip(cell, Axis.LINK, _("Agent connected"))]
    return cell_tab(request, cell, "cell_metrics", periods=of_cell(cell, timezone.now()), strips=strips)


@gate
@require_GET
def cell_visible(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Every field with its last value. Of instances, the organisation's own."""
    cell = find_cell(request, pk)
    status = getattr(cell, "status", None)
    statuses = InstanceStatus.objects.filter(instance__cell=cell, instance__organisation=request.organisation)
    statuses = statuses.exclude(instance__state="deleted").select_related("instance").order_by("instance__name")
    title = _("What your provider can see")
    last_backup = _last_backup(request, cell)
    context = {
        "cell": cell,
        "status": status,
        "fields": visible_of_cell(status),
        "instances": [(row, visible_of_instance(row)) for row in statuses[:MOST_INSTANCES]],
        "backups": of_backups(last_backup),
        "has_backup": last_backup is not None,
        "orders": of_orders(),
        "sign_in": of_sign_in(),
        "title": title,
        "crumbs": cell_crumbs(cell, title),
    }
    return render(request, "cells/metrics/cell_visible.html", context)


@gate
@require_GET
def visible(request: OrganisationRequest) -> HttpResponse:
    """The same fields without values, before there is any cell; and the way to each cell's own page."""
    cells = Cell.objects.for_organisation(request.organisation).alive().select_related("organisation")
    fields = {"fields": visible_of_cell(None), "instance_fields": visible_of_instance(None), "backups": of_backups()}
    return render(request, "cells/metrics/visible.html", {**fields, "orders": of_orders(), "sign_in": of_sign_in(), "cells": cells})


def _last_backup(request: OrganisationRequest, cell: Cell) -> FinalBackup | None:
    """The newest that the agent has answered for, of the organisation's own."""
    answered = FinalBackup.objects.filter(cell=cell, instance__organisation=request.organisation).filter(outcome__in=["taken", "failed"])
    return answered.order_by("-ended_at").first()


def _strip(subject: Cell | Instance, axis: StatusChange.Axis, good: str) -> dict[str, Any]:
    zone, now = timezone.get_current_timezone(), timezone.now()
    today = timezone.localdate()
    spans = spans_of(subject, axis, begin_of(zone, today), now)
    days = days_of(spans, axis, zone, today)
    share = share_of(spans, axis_good(axis))
    return {"title": axis.label, "days": [_shown(axis, day) for day in days], "label": _conclusion(good, share, days, axis)}


def axis_good(axis: StatusChange.Axis) -> str:
    return Health.HEALTHY.value if axis == Axis.HEALTH else AgentLink.CONNECTED.value


def _conclusion(good: str, share: float | None, days: Sequence[Day], axis: StatusChange.Axis) -> str:
    if share is None:
        return _("Nothing is known of the last %(days)d days.") % {"days": DAYS}
    bad = sum(day.worst not in {"", axis_good(axis)} for day in days)
    # Never rounded up: 100 % means always.
    percent = number_format(int(share * 10000) / 100, decimal_pos=2)
    words = ngettext(
        "%(good)s for %(percent)s %% of the time that is known; something else on %(bad)d day.",
        "%(good)s for %(percent)s %% of the time that is known; something else on %(bad)d days.",
        bad,
    )
    return words % {"good": good, "percent": percent, "bad": bad}


def _shown(axis: StatusChange.Axis, day: Day) -> dict[str, str]:
    label = date_format(day.day, pgettext("date format", "j M Y"))
    if not day.worst:
        return {"label": label, "kind": "neutral", "word": _("Nothing known")}
    value = Health(day.worst) if axis == Axis.HEALTH else AgentLink(day.worst)
    kind = HEALTH_BADGES[value] if isinstance(value, Health) else LINK_BADGES[value]
    return {"label": label, "kind": kind, "word": str(value.label)}
