"""Instances: the list, and one instance with its tabs."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from accounts.access import OrganisationRequest, Permission, requires
from cells.availability import Act, why_not, why_not_protect
from cells.fleet.rows import HEALTH_BADGES, LINK_BADGES, SILENT
from cells.forms.parameters import label_of
from cells.forms.parameters import said as said_value
from cells.models import Cell, Instance, InstanceRevision, InstanceStatus
from cells.place_words import region_name
from cells.states import LEAVING_INSTANCES, AgentLink, Health, InstanceState
from cells.telemetry.state import link_of
from cells.views.live import (
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

gate = requires(Permission.VIEW)
HEALTH_SENTENCES = {
    Health.HEALTHY: gettext_lazy("Running and healthy."),
    Health.DEGRADED: gettext_lazy("Running, but only in part."),
    Health.UNHEALTHY: gettext_lazy("Running, but not healthy."),
    Health.UNKNOWN: gettext_lazy("Running. Its health is not known yet."),
}
# What is said aloud when it becomes so.
MILESTONES = {
    InstanceState.CREATING.value: gettext_lazy("%(name)s is being created now."),
    InstanceState.WAITING_FOR_CELL.value: gettext_lazy("%(name)s is waiting for its cell now."),
    InstanceState.DEPLOYING.value: gettext_lazy("%(name)s is being deployed now."),
    Health.HEALTHY.value: gettext_lazy("%(name)s is running now."),
    Health.DEGRADED.value: gettext_lazy("%(name)s is running now, but only in part."),
    Health.UNHEALTHY.value: gettext_lazy("%(name)s is running now, but it is not healthy."),
    Health.UNKNOWN.value: gettext_lazy("%(name)s is running now. Its health is not known yet."),
    "silent": gettext_lazy("%(name)s is not heard now. What this page shows may be old."),
    InstanceState.UPDATING.value: gettext_lazy("%(name)s is being changed now."),
    InstanceState.STOPPING.value: gettext_lazy("%(name)s is being stopped now."),
    InstanceState.STOPPED.value: gettext_lazy("%(name)s is stopped now."),
    InstanceState.STARTING.value: gettext_lazy("%(name)s is being started now."),
    InstanceState.FAILED.value: gettext_lazy("The last operation on %(name)s failed."),
    InstanceState.BACKING_UP.value: gettext_lazy("A final backup of %(name)s is being taken now. Then it is deleted."),
    InstanceState.DELETING.value: gettext_lazy("%(name)s is being deleted now."),
    InstanceState.DELETED.value: gettext_lazy("%(name)s is deleted now."),
}
# What each act means, in the order of the page: what it is called, and what it does.
ACTS = {
    Act.KEEP: (gettext_lazy("Keep instance"), gettext_lazy("Call its deletion off. Nothing of it was removed.")),
    Act.MODIFY: (gettext_lazy("Change"), gettext_lazy("Another size, or other settings.")),
    Act.UPGRADE: (gettext_lazy("Upgrade"), gettext_lazy("Another version. An earlier one is possible too.")),
    Act.RESTART: (gettext_lazy("Restart"), gettext_lazy("End its processes and start them anew.")),
    Act.STOP: (gettext_lazy("Stop"), gettext_lazy("End its processes and keep its data.")),
    Act.START: (gettext_lazy("Start"), gettext_lazy("Start its processes again.")),
    Act.DELETE: (gettext_lazy("Delete instance"), gettext_lazy("Take it away for good, with the data it keeps in the cell.")),
}
# In other states one was asked for only if the instance was kept after all.
MAY_HAVE_BACKUPS = LEAVING_INSTANCES | {InstanceState.FAILED, InstanceState.DELETED}


def find_instance(request: OrganisationRequest, pk: uuid.UUID) -> Instance:
    """Every look-up starts from the tenant."""
    instances = request.organisation.instances.select_related("organisation", "plan", "account", "cell", "cell__status", "created_by")
    return get_object_or_404(instances, pk=pk)


def own_cell(instance: Instance) -> Cell | None:
    """The cell, where it is the customer's to see: not where the provider hosts."""
    return instance.cell if instance.cell and instance.account_id else None


@gate
@require_GET
def instance_detail(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return instance_tab(request, instance, "instance_detail", **_live(request, instance))


@gate
@require_GET
def instance_live(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live fragment of the overview, polled; with it what else of the page has changed."""
    instance = find_instance(request, pk)
    context = {"instance": instance, "cell": own_cell(instance), "region": region_name(instance.cloud, instance.region)}
    return live_answer(request, "cells/instances/_instance_update.html", _live(request, instance) | context)


def _live(request: OrganisationRequest, instance: Instance) -> dict[str, Any]:
    link = link_of(instance.cell) if instance.cell else AgentLink.NEVER
    health, state = Health(instance.health), InstanceState(instance.state)
    status, operations = InstanceStatus.objects.filter(pk=instance.pk).first(), operations_of(request.organisation, "instance", instance.pk)
    live, failed = live_of(operations), failed_of(operations) if state == InstanceState.FAILED else None
    acts, milestone = _acts(request, instance), _milestone(state, health, link)
    trouble = _trouble(status, health)
    endpoints = instance.endpoints if state != InstanceState.DELETED else []
    was_kept = any(operation.kind == "keep_instance" for operation in operations)
    backups = list(instance.final_backups.all()) if was_kept or state in MAY_HAVE_BACKUPS else []
    pulse = pulse_of(
        *(seen_words(status), trouble),
        milestone=milestone,
        parts={
            "acts": (acts, instance.is_protected),
            "endpoints": endpoints,
            "backups": [(backup.pk, backup.outcome) for backup in backups],
            "facts": (instance.cell_id, instance.revision, instance.applied_revision),
            "operations": seen_operations(operations),
        },
        is_calm=state in CALM_INSTANCES and live is None and link in CALM_LINKS,
        is_over=state == InstanceState.DELETED and live is None,
    )
    return {
        "status": status,
        "backups": backups,
        "live": live,
        "failed": failed,
        "health": {"kind": HEALTH_BADGES[health], "sentence": HEALTH_SENTENCES[health]},
        "link": {"kind": LINK_BADGES[link], "label": link.label, "is_silent": link in SILENT},
        "acts": acts,
        "why_not_protect": why_not_protect(instance),
        "trouble": trouble,
        "endpoints": endpoints,
        "operations": operations,
        # Mostly nothing has changed, and nothing is drawn.
        "revision": SimpleLazyObject(lambda: instance.revisions.select_related("release", "size").get(number=instance.revision)),
        "pulse": pulse,
        "said": said(MILESTONES, milestone, instance.name),
    }


def _trouble(status: InstanceStatus | None, health: Health) -> str:
    """How many of its processes are there, where that is not all of them."""
    if status is None or health not in {Health.DEGRADED, Health.UNHEALTHY}:
        return ""
    numbers = {"ready": status.ready, "desired": status.desired, "again": status.restarts}
    ready = ngettext("%(ready)d of %(desired)d process is ready.", "%(ready)d of %(desired)d processes are ready.", status.desired)
    again = ngettext("Processes were started again %(again)d time.", "Processes were started again %(again)d times.", status.restarts)
    return " ".join(words % numbers for words in (ready, again if status.restarts else "") if words)


def _milestone(state: InstanceState, health: Health, link: AgentLink) -> str:
    if state != InstanceState.RUNNING:
        return state.value
    return "silent" if link in SILENT else health.value


@gate
@require_GET
def instance_configuration(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """What was asked for, now and before: who, when, what changed."""
    instance = find_instance(request, pk)
    revisions = list(instance.revisions.select_related("release", "size", "by", "grant__organisation"))
    schema = instance.plan.parameters
    rows = [
        {"revision": revision, "changes": _changes(revision, before, schema)}
        for revision, before in zip(revisions, [*revisions[1:], None], strict=True)
    ]
    parameters = [(label_of(schema, name), said_value(value)) for name, value in revisions[0].parameters.items()]
    return instance_tab(request, instance, "instance_configuration", rows=rows, parameters=parameters, current=revisions[0])


def _changes(revision: InstanceRevision, before: InstanceRevision | None, schema: Mapping[str, Any]) -> list[str]:
    """What differs from the revision before, from which to which."""
    if before is None:
        return []
    names = sorted({*before.parameters, *revision.parameters})
    pairs = [
        (_("Version"), before.release.version, revision.release.version),
        (_("Size"), before.size.name, revision.size.name),
        *((label_of(schema, name), said_value(before.parameters.get(name)), said_value(revision.parameters.get(name))) for name in names),
    ]
    return [_("%(label)s: %(was)s to %(now)s") % {"label": label, "was": was, "now": now} for label, was, now in pairs if was != now]


@gate
@require_GET
def instance_activity(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return instance_tab(request, instance, "instance_activity")


def _acts(request: OrganisationRequest, instance: Instance) -> list[dict[str, str]]:
    """Every act with the reason why not, the same that the request behind it is refused with."""
    if instance.state == InstanceState.DELETED or not request.membership.can(Permission.MANAGE_INSTANCES):
        return []
    args = [request.organisation.slug, instance.pk]
    return [
        {
            "name": act.value,
            "label": str(label),
            "about": str(about),
            "url": reverse(f"cells:instance_{act.value}", args=args),
            "reason": why_not(act, instance),
        }
        for act, (label, about) in ACTS.items()
        # What is not leaving is not offered to be kept.
        if act != Act.KEEP or not why_not(act, instance)
    ]


def instance_tab(request: OrganisationRequest, instance: Instance, name: str, **context: Any) -> HttpResponse:
    tabs = (
        ("instance_detail", _("Overview")),
        ("instance_configuration", _("Configuration")),
        ("instance_metrics", _("Metrics")),
        ("instance_activity", _("Activity")),
    )
    args = [request.organisation.slug, instance.pk]
    items = [{"label": label, "url": reverse(f"cells:{tab}", args=args), "is_current": tab == name} for tab, label in tabs]
    context |= {
        "instance": instance,
        "cell": own_cell(instance),
        "region": region_name(instance.cloud, instance.region),
        "tabs": items,
        "tab_title": next(item["label"] for item in items if item["is_current"]),
        "crumbs": instance_crumbs(instance),
        "can_manage": request.membership.can(Permission.MANAGE_INSTANCES),
    }
    return render(request, f"cells/instances/{name}.html", context)


def instance_crumbs(instance: Instance, below: str = "") -> list[dict[str, str]]:
    crumbs = [{"label": _("Instances"), "url": reverse("cells:instance_list", args=[instance.organisation.slug])}]
    if below:
        return [*crumbs, {"label": instance.name, "url": instance.get_absolute_url()}, {"label": below}]
    return [*crumbs, {"label": instance.name}]
