"""Deployment cells: one a cloud account and region while alive."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Kit, Organisation
from cells.states import ALIVE_CELLS, CellState, Drift

CELL_BADGES = {
    CellState.PLANNED: "neutral",
    CellState.BOOTSTRAPPING: "progress",
    CellState.READY: "ok",
    CellState.UPDATING: "progress",
    CellState.FAILED: "critical",
    CellState.DELETING: "progress",
    CellState.DELETED: "neutral",
}


class CellQuerySet(models.QuerySet["Cell"]):
    def alive(self) -> "CellQuerySet":
        return self.filter(state__in=sorted(ALIVE_CELLS))

    def for_organisation(self, organisation: Organisation) -> "CellQuerySet":
        """The cells in the organisation's own accounts. One that the provider hosts is nobody's to see."""
        return self.filter(organisation=organisation)


class Cell(models.Model):
    """One stack in one account and region, with its agent. Its organisation is the account's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="cells")
    # The account's own organisation: for one look-up that starts from the tenant. The provider's where the provider hosts.
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="cells")
    # The kit whose identities the cell's cluster and machines have. A newer kit makes others, which no cell can change to.
    kit = models.ForeignKey(Kit, on_delete=models.PROTECT, related_name="cells", null=True, blank=True)
    region = models.CharField(_("region"), max_length=40)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=20, choices=CellState.choices, default=CellState.PLANNED)
    state_at = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    # What failed: the state it was in before. Empty unless failed.
    failed_while = models.CharField(max_length=20, choices=CellState.choices, blank=True, default="")
    failure_code = models.CharField(max_length=60, blank=True, default="")
    # Counts enrolments: a new agent machine, or an agent that was thrown out, is enrolled under the next one.
    generation = models.PositiveIntegerField(default=1)
    stack_name = models.CharField(_("stack"), max_length=128, blank=True, default="")
    stack_version = models.CharField(_("version of the stack"), max_length=20, blank=True, default="")
    stack_token = models.CharField(max_length=60, blank=True, default="")  # of the last order
    machine_size = models.CharField(_("size of its machines"), max_length=20, default="small")
    machines = models.PositiveSmallIntegerField(_("machines"), default=2)
    cidr = models.CharField(_("address range"), max_length=18, default="10.64.0.0/16")
    zones = models.JSONField(_("zones"), default=list, blank=True)
    outputs = models.JSONField(default=dict, blank=True)
    # What stood at the last look, as `StackPart` has it: kept for the page, and for what a failure leaves behind.
    parts = models.JSONField(default=list, blank=True)
    most_instances = models.PositiveIntegerField(_("most instances"), default=50)

    drift = models.CharField(_("drift"), max_length=20, choices=Drift.choices, default=Drift.UNKNOWN)
    drift_at = models.DateTimeField(_("compared at"), null=True, blank=True)
    drift_due_at = models.DateTimeField(default=timezone.now)
    differences = models.JSONField(default=list, blank=True)

    # Grows with every change of what the agent shall do: the ETag of the desired state.
    desired_version = models.PositiveBigIntegerField(default=1, editable=False)
    # The customer has switched the agent off on purpose.
    is_agent_disabled = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ready_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[CellQuerySet] = CellQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        verbose_name = _("deployment cell")
        verbose_name_plural = _("deployment cells")
        constraints = [
            models.UniqueConstraint(fields=["account", "region"], condition=~Q(state="deleted"), name="cell_one_alive_per_place"),
            models.CheckConstraint(condition=Q(state__in=CellState.values), name="cell_state_known"),
            models.CheckConstraint(
                condition=(Q(state="failed") & ~Q(failed_while="") & ~Q(failure_code="")) | (~Q(state="failed") & Q(failed_while="")),
                name="cell_failed_says_what",
            ),
        ]
        indexes = [
            models.Index(fields=["drift_due_at"], condition=Q(state="ready"), name="cell_drift_due"),
            # Whose agents have lost their right: asked every few seconds by every process that agents speak to.
            models.Index(fields=["id"], condition=Q(is_agent_disabled=True), name="cell_agent_disabled"),
            models.Index(fields=["state_at"], condition=Q(state__in=["deleted", "planned"]), name="cell_not_served"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("cells:cell_detail", args=[self.organisation.slug, self.pk])

    @property
    def badge(self) -> str:
        return CELL_BADGES[CellState(self.state)]

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE_CELLS


def standing_cells(account: CloudAccount) -> list[str]:
    """What of an account's cells may stand in its cloud, by name: also what failed half-way or is being deleted."""
    return list(Cell.objects.filter(account=account).alive().exclude(stack_name="").values_list("stack_name", flat=True))
