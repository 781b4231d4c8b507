"""Instances: what a customer runs, and every revision of what was asked for."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import CloudAccount, Organisation, User
from accounts.support.models import AccessRequest
from cells.models.cells import Cell
from cells.models.plans import Plan, PlanSize, Release
from cells.states import ALIVE_INSTANCES, BEFORE_THEIR_CELL, DEPLOYED_INSTANCES, Health, InstanceState

INSTANCE_BADGES = {
    InstanceState.CREATING: "progress",
    InstanceState.WAITING_FOR_CELL: "progress",
    InstanceState.DEPLOYING: "progress",
    InstanceState.RUNNING: "ok",
    InstanceState.UPDATING: "progress",
    InstanceState.STOPPING: "progress",
    InstanceState.STOPPED: "neutral",
    InstanceState.STARTING: "progress",
    InstanceState.FAILED: "critical",
    InstanceState.BACKING_UP: "progress",
    InstanceState.DELETING: "progress",
    InstanceState.DELETED: "neutral",
}


class InstanceQuerySet(models.QuerySet["Instance"]):
    def alive(self) -> "InstanceQuerySet":
        return self.filter(state__in=sorted(ALIVE_INSTANCES))

    def left_behind(self) -> "InstanceQuerySet":
        """Their agent was to remove them, and did not. What is left of them goes with their cell."""
        return self.filter(state=InstanceState.FAILED, failed_while=InstanceState.DELETING)

    def holding_their_cell(self) -> "InstanceQuerySet":
        """Of a cell: as long as one of these is there, it is not deleted."""
        return self.alive().exclude(state=InstanceState.FAILED, failed_while=InstanceState.DELETING)

    def waiting_for_their_cell(self) -> "InstanceQuerySet":
        return self.filter(state__in=sorted(BEFORE_THEIR_CELL))

    def in_their_cell(self) -> "InstanceQuerySet":
        """Without those that have not got as far: where the cell has failed, nothing of them is there, nor will be."""
        before = sorted(BEFORE_THEIR_CELL)
        return self.holding_their_cell().exclude(Q(state__in=before) | Q(state=InstanceState.FAILED, failed_while__in=before))

    def deployed(self) -> "InstanceQuerySet":
        """Those that the agent of their cell is told about."""
        return self.filter(state__in=sorted(DEPLOYED_INSTANCES))


class Instance(models.Model):
    """One running copy of a plan for one organisation. What it shall be stands in its newest revision."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="instances")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="instances")
    name = models.CharField(_("name"), max_length=60)
    # Where: the account is null and the cell not the customer's to see where the provider hosts.
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="instances", null=True, blank=True)
    cloud = models.CharField(_("cloud"), max_length=10)
    region = models.CharField(_("region"), max_length=40)
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="instances", null=True, blank=True)

    state = models.CharField(_("state"), max_length=20, choices=InstanceState.choices, default=InstanceState.CREATING)
    state_at = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    failed_while = models.CharField(max_length=20, choices=InstanceState.choices, blank=True, default="")
    failure_code = models.CharField(max_length=60, blank=True, default="")
    health = models.CharField(_("health"), max_length=20, choices=Health.choices, default=Health.UNKNOWN)
    health_at = models.DateTimeField(_("so since"), null=True, blank=True)

    revision = models.PositiveIntegerField(_("revision"), default=1)  # the newest one asked for
    applied_revision = models.PositiveIntegerField(_("revision that runs"), default=0)  # the newest one that the agent reported as applied
    endpoints = models.JSONField(_("endpoints"), default=list, blank=True)  # as the agent reports: [{"name": "web", "url": "https://..."}]
    is_protected = models.BooleanField(_("protected from deletion"), default=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[InstanceQuerySet] = InstanceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        verbose_name = _("instance")
        verbose_name_plural = _("instances")
        constraints = [
            models.UniqueConstraint(
                "organisation", Lower("name"), condition=~Q(state="deleted"), name="instance_name_once_per_organisation"
            ),
            models.CheckConstraint(condition=Q(state__in=InstanceState.values), name="instance_state_known"),
            models.CheckConstraint(condition=Q(health__in=Health.values), name="instance_health_known"),
            models.CheckConstraint(
                condition=(Q(state="failed") & ~Q(failed_while="") & ~Q(failure_code="")) | (~Q(state="failed") & Q(failed_while="")),
                name="instance_failed_says_what",
            ),
        ]
        indexes = [
            # The three orders of the list, at the same price on its last page as on its first; and what its filters offer, with counts.
            models.Index(fields=["organisation", "name", "id"], name="instance_by_name"),
            models.Index(fields=["organisation", "region", "id"], name="instance_by_region"),
            models.Index(fields=["organisation", "created_at", "id"], name="instance_by_creation"),
            models.Index(
                fields=["organisation", "cloud", "region", "account", "plan"], name="instance_facets", condition=~Q(state="deleted")
            ),
            models.Index(fields=["cell"], name="instance_of_cell", condition=~Q(state="deleted")),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("cells:instance_detail", args=[self.organisation.slug, self.pk])

    @property
    def badge(self) -> str:
        return INSTANCE_BADGES[InstanceState(self.state)]


class InstanceRevision(models.Model):
    """One state of wishes: who asked for what, and when. Never changed, only followed."""

    class Reason(models.TextChoices):
        CREATED = "created", pgettext_lazy("what a revision is for", "Created")
        MODIFIED = "modified", pgettext_lazy("what a revision is for", "Changed")
        UPGRADED = "upgraded", pgettext_lazy("what a revision is for", "Upgraded")
        DOWNGRADED = "downgraded", pgettext_lazy("what a revision is for", "Taken back to an earlier version")
        STOPPED = "stopped", pgettext_lazy("what a revision is for", "Stopped")
        STARTED = "started", pgettext_lazy("what a revision is for", "Started")
        RESTARTED = "restarted", pgettext_lazy("what a revision is for", "Restarted")
        ROLLED_BACK = "rolled_back", pgettext_lazy("what a revision is for", "Rolled back")

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField(_("revision"))
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="+")
    size = models.ForeignKey(PlanSize, on_delete=models.PROTECT, related_name="+")
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    is_running = models.BooleanField(_("shall run"), default=True)
    # Grows with every restart: the agent starts the processes anew when it changes.
    restarts = models.PositiveIntegerField(default=0)
    reason = models.CharField(_("what for"), max_length=20, choices=Reason.choices)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    at = models.DateTimeField(default=timezone.now, editable=False)
    # The support access under which it was made, where an engineer of the provider has asked for it.
    grant = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="revisions", null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        constraints = [models.UniqueConstraint(fields=["instance", "number"], name="instance_revision_once")]

    def __str__(self) -> str:
        return f"{self.instance_id} r{self.number}"

    def changes_since(self, before: "InstanceRevision | None") -> dict[str, Any]:
        """What differs: version and size as before and after, of parameters the names alone."""
        changes: dict[str, Any] = {}
        if before is None:
            return changes
        if before.release_id != self.release_id:
            changes["version"] = [before.release.version, self.release.version]
        if before.size_id != self.size_id:
            changes["size"] = [before.size.name, self.size.name]
        names = {*before.parameters, *self.parameters}
        if changed := sorted(name for name in names if before.parameters.get(name) != self.parameters.get(name)):
            changes["parameters"] = ", ".join(changed)
        return changes
