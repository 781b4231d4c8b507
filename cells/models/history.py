"""What is kept of the past: a figure every five minutes for some days, and every change of health and link for a year.

Samples lie in one partition a day (the migration and `cells.telemetry.partitions`): what is too old is dropped as a table, not as rows.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cells.models.cells import Cell
from cells.models.instances import Instance
from cells.states import AgentLink


class CellSample(models.Model):
    """One look at a cell, the first of five minutes."""

    pk = models.CompositePrimaryKey("cell_id", "at")
    # Without a constraint: it would be looked up for every row, and the statement that writes has joined the cell already.
    cell = models.ForeignKey(Cell, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="samples")
    at = models.DateTimeField(_("five minutes from"))
    nodes_ready = models.IntegerField(_("nodes ready"))
    nodes = models.IntegerField(_("nodes"))
    cpu_used = models.BigIntegerField(_("CPU in use, thousandths of a core"))
    cpu = models.BigIntegerField(_("CPU, thousandths of a core"))
    memory_used = models.BigIntegerField(_("memory in use, MiB"))
    memory = models.BigIntegerField(_("memory, MiB"))

    class Meta:
        verbose_name = _("sample of a cell")
        verbose_name_plural = _("samples of cells")

    def __str__(self) -> str:
        return f"{self.cell_id} {self.at:%Y-%m-%d %H:%M}"


class InstanceSample(models.Model):
    pk = models.CompositePrimaryKey("instance_id", "at")
    instance = models.ForeignKey(Instance, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="samples")
    at = models.DateTimeField(_("five minutes from"))
    ready = models.IntegerField(_("processes ready"))
    desired = models.IntegerField(_("processes wanted"))
    restarts = models.IntegerField(_("restarts"))
    cpu = models.BigIntegerField(_("CPU in use, thousandths of a core"))
    memory = models.BigIntegerField(_("memory in use, MiB"))
    # Since the processes started: they fall back to nothing with a restart.
    requests = models.BigIntegerField(_("requests"), null=True)
    errors = models.BigIntegerField(_("errors"), null=True)

    class Meta:
        verbose_name = _("sample of an instance")
        verbose_name_plural = _("samples of instances")

    def __str__(self) -> str:
        return f"{self.instance_id} {self.at:%Y-%m-%d %H:%M}"


class StatusChange(models.Model):
    """From this moment on one axis of a cell or an instance had this value."""

    class Axis(models.TextChoices):
        HEALTH = "health", pgettext_lazy("axis", "Health")
        LINK = "link", pgettext_lazy("axis", "Agent link")

    id = models.BigAutoField(primary_key=True)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="changes", null=True, blank=True, db_index=False)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="changes", null=True, blank=True, db_index=False)
    axis = models.CharField(_("what"), max_length=10, choices=Axis.choices)
    value = models.CharField(_("became"), max_length=20)
    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["at", "id"]
        verbose_name = _("change of a status")
        verbose_name_plural = _("changes of status")
        constraints = [
            models.CheckConstraint(
                condition=Q(cell__isnull=True, instance__isnull=False) | Q(cell__isnull=False, instance__isnull=True),
                name="change_is_of_one_thing",
            )
        ]
        indexes = [
            models.Index(fields=["cell", "axis", "at"], name="change_of_cell", condition=Q(cell__isnull=False)),
            models.Index(fields=["instance", "axis", "at"], name="change_of_instance", condition=Q(instance__isnull=False)),
            models.Index(fields=["at"], name="change_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id or self.instance_id} {self.axis} {self.value}"


# --- The sweep over silent agents ------------------------------------------------------------------------------------


class CellLink(models.Model):
    """The link as the last sweep found it: tells a change from what was known. Pages ask `link_of`."""

    cell = models.OneToOneField(Cell, on_delete=models.CASCADE, primary_key=True, related_name="link")
    link = models.CharField(_("agent link"), max_length=20, choices=AgentLink.choices)
    since = models.DateTimeField(_("so since"))

    class Meta:
        verbose_name = _("link of a cell")
        verbose_name_plural = _("links of cells")

    def __str__(self) -> str:
        return f"{self.cell_id} {self.link}"


class Alarm(models.Model):
    """A silence or an illness that somebody was told of: from the mail that it began to the mail that it is over."""

    id = models.BigAutoField(primary_key=True)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="alarms", null=True, blank=True)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="alarms", null=True, blank=True)
    since = models.DateTimeField(_("since"))  # when it began, not when it was noticed
    told_at = models.DateTimeField(_("told"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("over since"), null=True, blank=True)

    class Meta:
        ordering = ["-told_at"]
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints = [
            models.CheckConstraint(
                condition=Q(cell__isnull=True, instance__isnull=False) | Q(cell__isnull=False, instance__isnull=True),
                name="alarm_is_of_one_thing",
            ),
            models.UniqueConstraint(fields=["cell"], condition=Q(ended_at__isnull=True), name="alarm_once_per_cell"),
            models.UniqueConstraint(fields=["instance"], condition=Q(ended_at__isnull=True), name="alarm_once_per_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id or self.instance_id} {self.told_at:%Y-%m-%d %H:%M}"


class SweepRound(models.Model):
    """One row: when the sweep last looked, and since when the portal has been listening without a gap."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    looked_at = models.DateTimeField()
    listening_since = models.DateTimeField()

    class Meta:
        verbose_name = _("round of the sweep")
        verbose_name_plural = _("rounds of the sweep")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_row_of_the_sweep")]

    def __str__(self) -> str:
        return f"{self.looked_at:%Y-%m-%d %H:%M:%S}"
