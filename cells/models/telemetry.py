"""What agents reported last: one row a cell and an instance, overwritten. Metadata only; the protocol's schema admits nothing else.

Written by `cells.telemetry.ingest` alone, thousands of times a second at most: no column that changes is indexed, so that an update
stays on its page (the migration leaves room there).
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from cells.models.cells import Cell
from cells.models.instances import Instance
from cells.states import Health


def agent_numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of an agent's version: what it can be asked for."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isascii() and part.isdecimal())


class CellStatus(models.Model):
    cell = models.OneToOneField(Cell, on_delete=models.CASCADE, primary_key=True, related_name="status")
    seq = models.BigIntegerField(_("number of the report"))
    seen_at = models.DateTimeField(_("received at"))  # our clock
    reported_at = models.DateTimeField(_("looked at"))  # the agent's
    agent_version = models.CharField(_("version of the agent"), max_length=60)
    cluster_version = models.CharField(_("version of the cluster"), max_length=60)
    nodes_ready = models.IntegerField(_("nodes ready"))
    nodes = models.IntegerField(_("nodes"))
    cpu_used = models.BigIntegerField(_("CPU in use, thousandths of a core"))
    cpu = models.BigIntegerField(_("CPU, thousandths of a core"))
    memory_used = models.BigIntegerField(_("memory in use, MiB"))
    memory = models.BigIntegerField(_("memory, MiB"))
    components = models.JSONField(_("platform components"))
    events = models.JSONField(_("events of the last report that had any"))
    # Of everything but the figures: tells a change from a heartbeat.
    digest = models.BigIntegerField()
    sampled_at = models.DateTimeField(null=True)  # the newest five minutes that the past has a figure of

    class Meta:
        verbose_name = _("status of a cell")
        verbose_name_plural = _("status of cells")

    def __str__(self) -> str:
        return f"{self.cell_id} #{self.seq}"


class InstanceStatus(models.Model):
    instance = models.OneToOneField(Instance, on_delete=models.CASCADE, primary_key=True, related_name="status")
    seq = models.BigIntegerField(_("number of the report"))
    seen_at = models.DateTimeField(_("received at"))
    revision = models.IntegerField(_("revision"))
    state = models.CharField(_("state"), max_length=20)
    health = models.CharField(_("health"), max_length=20, choices=Health.choices)
    problem = models.CharField(_("why it could not be applied"), max_length=40, blank=True)
    ready = models.IntegerField(_("processes ready"))
    desired = models.IntegerField(_("processes wanted"))
    restarts = models.IntegerField(_("restarts"))
    cpu = models.BigIntegerField(_("CPU in use, thousandths of a core"))
    memory = models.BigIntegerField(_("memory in use, MiB"))
    # Null where nobody counts them.
    requests = models.BigIntegerField(_("requests"), null=True)
    errors = models.BigIntegerField(_("errors"), null=True)
    endpoints = models.JSONField(_("endpoints"))
    components = models.JSONField(_("components"))
    sampled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("status of an instance")
        verbose_name_plural = _("status of instances")

    def __str__(self) -> str:
        return f"{self.instance_id} #{self.seq}"
