"""The last backup of an instance before its deletion: that it was asked for, and where it lies. Its content never comes here."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cells.models.cells import Cell
from cells.models.instances import Instance
from portal.operations.models import Operation


class FinalBackupQuerySet(models.QuerySet["FinalBackup"]):
    def standing(self) -> "FinalBackupQuerySet":
        """Asked for, and not answered."""
        return self.filter(ended_at=None)

    def taken(self) -> "FinalBackupQuerySet":
        return self.filter(outcome=FinalBackup.Outcome.TAKEN)


class FinalBackup(models.Model):
    """One try of one deletion. Its number is what the agent knows it by: whatever is killed, the same number is the same backup."""

    class Outcome(models.TextChoices):
        NONE = "", pgettext_lazy("final backup", "Under way")
        TAKEN = "taken", pgettext_lazy("final backup", "Taken")
        FAILED = "failed", pgettext_lazy("final backup", "Failed")
        GIVEN_UP = "given_up", pgettext_lazy("final backup", "Given up")  # somebody has chosen to delete without it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="final_backups")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="+")
    # The unique constraint below starts with it: a second index would only cost.
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, related_name="+", null=True, blank=True, db_index=False)
    attempt = models.PositiveIntegerField(_("try"))
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("answered"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, blank=True, default=Outcome.NONE)
    code = models.CharField(max_length=40, blank=True, default="")  # why it failed, as the agent says
    location = models.CharField(_("where it lies"), max_length=500, blank=True, default="")
    bytes = models.PositiveBigIntegerField(_("size in bytes"), null=True, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="")
    taken_at = models.DateTimeField(_("taken"), null=True, blank=True)

    objects: ClassVar[FinalBackupQuerySet] = FinalBackupQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-asked_at"]
        verbose_name = _("final backup")
        verbose_name_plural = _("final backups")
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, outcome="") | Q(ended_at__isnull=False, outcome__in=["taken", "failed", "given_up"]),
                name="final_backup_ended_says_how",
            ),
            models.CheckConstraint(
                condition=(
                    (Q(outcome="taken", bytes__isnull=False, taken_at__isnull=False) & ~Q(location="") & ~Q(sha256=""))
                    | (~Q(outcome="taken") & Q(bytes__isnull=True, taken_at__isnull=True, location="", sha256=""))
                ),
                name="final_backup_taken_says_where",
            ),
            models.UniqueConstraint(fields=["operation", "attempt"], name="final_backup_once_per_try"),
            models.UniqueConstraint(fields=["instance"], condition=Q(ended_at=None), name="final_backup_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.attempt}"
