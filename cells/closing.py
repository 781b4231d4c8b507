"""What of the fleet stands in the way of a closing, goes into its export, and is deleted after it."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.closing.export.contents import BATCH, plain_table
from accounts.closing.parts import ENDINGS, Blocker, File, Section, harmless, register_blockers, register_section, table
from accounts.closing.terms import FLEET, PEOPLE, hold
from accounts.models import Organisation
from cells.models import (
    Alarm,
    Cell,
    CellResource,
    CellSample,
    FinalBackup,
    HostingAccount,
    Instance,
    InstanceRevision,
    InstanceSample,
    StatusChange,
)

CELL = "cell__organisation"
EITHER = (CELL, "instance__organisation")


def _instances(organisation: Organisation) -> Iterator[Blocker]:
    """All of them, also those that the provider hosts and no account of the customer stands behind."""
    if count := Instance.objects.filter(organisation=organisation).alive().count():
        sentence = ngettext("%(count)s instance is not deleted.", "%(count)s instances are not deleted.", count) % {"count": count}
        yield Blocker(sentence, _("See the instances"), reverse("cells:instance_list", args=[organisation.slug]))


def _release_hosts(organisation: Organisation) -> None:
    """Accounts of the provider that were reserved for it: staff decide what they are for next."""
    HostingAccount.objects.filter(reserved_for=organisation).update(reserved_for=None, is_open=False)


def _cells_files(organisation: Organisation) -> Iterator[File]:
    cells = Cell.objects.filter(organisation=organisation).order_by("created_at", "id")
    columns = (
        *("id", "name", "account_id", "region", "state", "state_at", "stack_name", "stack_version", "machine_size", "machines", "cidr"),
        *("zones", "drift", "drift_at", "differences", "created_at", "ready_at", "deleted_at"),
    )
    yield from plain_table("deployment-cells/cells", cells, columns)
    resources = CellResource.objects.filter(account__organisation=organisation).order_by("found_at", "id")
    of_resources = (
        *("id", "cell_id", "account_id", "region", "kind", "name", "made", "origin", "found_at", "outcome", "outcome_at"),
        *("kept_by__email", "kept_why"),
    )
    yield from plain_table("deployment-cells/resources", resources, of_resources)
    changes = StatusChange.objects.filter(cell__organisation=organisation).order_by("at", "id")
    yield from plain_table("deployment-cells/changes", changes, ("cell_id", "at", "axis", "value"))
    alarms = Alarm.objects.filter(cell__organisation=organisation).order_by("since", "id")
    yield from plain_table("deployment-cells/alarms", alarms, ("cell_id", "since", "told_at", "ended_at"))
    samples = CellSample.objects.filter(cell__organisation=organisation).order_by("cell_id", "at")
    of_samples = ("cell_id", "at", "nodes_ready", "nodes", "cpu_used", "cpu", "memory_used", "memory")
    yield from plain_table("deployment-cells/measurements", samples, of_samples)


def _instance_files(organisation: Organisation) -> Iterator[File]:
    instances = Instance.objects.filter(organisation=organisation).order_by("created_at", "id")
    columns = (
        *("id", "name", "plan__code", "account_id", "cloud", "region", "state", "state_at", "health", "revision", "endpoints"),
        *("is_protected", "created_by__email", "created_at", "deleted_at"),
    )
    yield from plain_table("instances/instances", instances, columns)
    backups = FinalBackup.objects.filter(instance__organisation=organisation).order_by("asked_at", "id")
    yield from plain_table("instances/final-backups", backups, BACKUPS)
    revisions = InstanceRevision.objects.filter(instance__organisation=organisation).order_by("instance_id", "number")
    yield from table("instances/history", lambda: _history(revisions), HISTORY)
    changes = StatusChange.objects.filter(instance__organisation=organisation).order_by("at", "id")
    yield from plain_table("instances/changes", changes, ("instance_id", "at", "axis", "value"))
    alarms = Alarm.objects.filter(instance__organisation=organisation).order_by("since", "id")
    yield from plain_table("instances/alarms", alarms, ("instance_id", "since", "told_at", "ended_at"))
    samples = InstanceSample.objects.filter(instance__organisation=organisation).order_by("instance_id", "at")
    of_samples = ("instance_id", "at", "ready", "desired", "restarts", "cpu", "memory", "requests", "errors")
    yield from plain_table("instances/measurements", samples, of_samples)


BACKUPS = ("instance_id", "instance__name", "asked_at", "outcome", "code", "location", "bytes", "sha256", "taken_at")
HISTORY = ("instance_id", "number", "at", "by", "reason", "version", "size", "shall_run", "parameters")


def _history(revisions: QuerySet[InstanceRevision]) -> Iterator[list[Any]]:
    rows = revisions.select_related("release", "size", "by")
    for one in rows.iterator(chunk_size=BATCH):
        by = one.by.email if one.by else ""
        asked = [one.release.version, one.size.code, one.is_running, harmless(one.parameters)]
        yield [str(one.instance_id), one.number, one.at, by, one.reason, *asked]


register_blockers(_instances, order=20)
ENDINGS.append(_release_hosts)
register_section(
    Section(
        "deployment-cells/",
        30,
        gettext_lazy(
            "Deployment cells with their settings, what was measured, when they were not well; each resource that a deletion found in your "
            "cloud, and what became of it."
        ),
        _cells_files,
    )
)
register_section(
    Section(
        "instances/",
        40,
        gettext_lazy(
            "Instances, each setting that was ever asked for (when, by whom, what for), what was measured, and when they were not well."
        ),
        _instance_files,
    )
)
hold(PEOPLE, 10, ("cells.InstanceDraft", "organisation"))
hold(
    FLEET,
    10,
    ("cells.SeenAssertion", "key__cell__organisation"),
    ("cells.Enrolment", CELL),
    ("cells.AgentKey", CELL),
    ("cells.AgentOrder", EITHER),
    ("cells.FinalBackup", "instance__organisation"),
    ("cells.CellOrder", CELL),
    ("cells.CellResource", "account__organisation"),
    ("cells.InstanceSample", "instance__organisation"),
    ("cells.CellSample", CELL),
    ("cells.InstanceStatus", "instance__organisation"),
    ("cells.CellStatus", CELL),
    ("cells.StatusChange", EITHER),
    ("cells.Alarm", EITHER),
    ("cells.CellLink", CELL),
    ("cells.InstanceRevision", "instance__organisation"),
    ("cells.Instance", "organisation"),
    ("cells.Cell", "organisation"),
    ("cells.HostingAccount", "account__organisation"),
)
