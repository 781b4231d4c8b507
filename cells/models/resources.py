"""What a deletion found of a cell in its cloud, and what became of each: the proof of a clean leave, kept when the cell is gone."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import CloudAccount, User
from cells.models.cells import Cell


class Outcome(models.TextChoices):
    FOUND = "found", pgettext_lazy("what became of a resource", "Still there")
    REMOVED = "removed", pgettext_lazy("what became of a resource", "Removed")
    KEPT = "kept", pgettext_lazy("what became of a resource", "Kept on purpose")


class Origin(models.TextChoices):
    STACK = "stack", pgettext_lazy("how a resource was found", "Part of the stack")
    TAG = "tag", pgettext_lazy("how a resource was found", "Found by its tag")


OUTCOME_BADGES = {Outcome.FOUND: "attention", Outcome.REMOVED: "ok", Outcome.KEPT: "neutral"}


class CellResourceQuerySet(models.QuerySet["CellResource"]):
    def standing(self) -> "CellResourceQuerySet":
        """What still costs: nobody has removed it."""
        return self.exclude(outcome=Outcome.REMOVED)

    def remaining(self) -> "CellResourceQuerySet":
        """What keeps a deletion from its end: there, and nobody decided to keep it."""
        return self.filter(outcome=Outcome.FOUND)

    def kept(self) -> "CellResourceQuerySet":
        return self.filter(outcome=Outcome.KEPT)


class CellResource(models.Model):
    """One resource in the cloud. Written when a deletion finds it, and never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Null: found by the mark of the account alone, when it left; no cell knows of it.
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="resources", db_index=False, null=True, blank=True)
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="cell_resources")
    region = models.CharField(_("region"), max_length=40)
    kind = models.CharField(_("kind"), max_length=120)  # the cloud's own type
    name = models.CharField(_("name"), max_length=300)  # in the stack; else the cloud's
    made = models.CharField(_("ID"), max_length=800)  # the cloud's own id
    link = models.CharField(_("page in the cloud's console"), max_length=1000, blank=True, default="")
    origin = models.CharField(_("found how"), max_length=10, choices=Origin.choices)
    found_at = models.DateTimeField(_("found at"), default=timezone.now, editable=False)
    # The sweep by tag has seen it: then it also sees when somebody removes it by hand.
    is_listed = models.BooleanField(default=False)
    # As the cloud called it at the last look: working | ready | failed | deleting | deleted.
    state = models.CharField(max_length=20, blank=True, default="")
    outcome = models.CharField(_("what became of it"), max_length=10, choices=Outcome.choices, default=Outcome.FOUND)
    outcome_at = models.DateTimeField(_("since"), null=True, blank=True)
    evidence = models.TextField(_("what the cloud said"), blank=True, default="")
    held_by = models.CharField(_("what holds it"), max_length=500, blank=True, default="")
    # The decision stays on record, also when the resource is removed later.
    kept_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    kept_why = models.CharField(_("why it is kept"), max_length=300, blank=True, default="")

    objects: ClassVar[CellResourceQuerySet] = CellResourceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["region", "kind", "name", "made"]
        verbose_name = _("resource of a cell")
        verbose_name_plural = _("resources of cells")
        constraints = [
            models.UniqueConstraint(fields=["cell", "kind", "made"], name="cell_resource_once"),
            models.UniqueConstraint(fields=["account", "kind", "made"], condition=Q(cell=None), name="cell_resource_without_a_cell_once"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="cell_resource_outcome_known"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="cell_resource_origin_known"),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.FOUND, outcome_at=None) | (~Q(outcome=Outcome.FOUND) & Q(outcome_at__isnull=False)),
                name="cell_resource_outcome_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(outcome=Outcome.KEPT) | (Q(kept_by__isnull=False) & ~Q(kept_why="")),
                name="cell_resource_kept_says_who_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"

    @property
    def badge(self) -> str:
        return "critical" if self.is_stuck else OUTCOME_BADGES[Outcome(self.outcome)]

    @property
    def is_stuck(self) -> bool:
        """The cloud has tried to remove it, and could not."""
        return self.outcome == Outcome.FOUND and self.state == "failed"
