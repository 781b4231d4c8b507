"""Orders to the agent of a cell: each for one act of support or one diagnostic bundle, with an end, handed out to one agent."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.support.models import Act, Bundle
from cells.models.cells import Cell
from cells.models.instances import Instance
from cells.models.plans import PlanSize


class AgentOrderQuerySet(models.QuerySet["AgentOrder"]):
    def standing(self) -> "AgentOrderQuerySet":
        return self.filter(ended_at=None)


class AgentOrder(models.Model):
    """What the agent shall do once, and what became of it. Its content goes with the act or the bundle that it is for."""

    class Name(models.TextChoices):
        ROLLOUT_STATUS = "rollout_status", pgettext_lazy("agent order", "Rollout status")
        EVENTS = "list_instance_events", pgettext_lazy("agent order", "Events")
        LOG = "tail_log", pgettext_lazy("agent order", "Log lines")
        RESTART = "restart", pgettext_lazy("agent order", "Restart")
        SCALE = "scale", pgettext_lazy("agent order", "Scale")
        ROLLBACK = "rollback", pgettext_lazy("agent order", "Roll back")
        RESYNC = "resync", pgettext_lazy("agent order", "Resync")
        BUNDLE = "collect_bundle", pgettext_lazy("agent order", "Diagnostic bundle")

    class Outcome(models.TextChoices):
        NONE = "", pgettext_lazy("agent order", "Under way")
        KEPT = "kept", pgettext_lazy("agent order", "Done")
        DROPPED = "dropped", pgettext_lazy("agent order", "Dropped")  # failed, too late, or not wanted any more

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="agent_orders")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="agent_orders", null=True, blank=True)
    name = models.CharField(_("order"), max_length=40, choices=Name.choices)
    act = models.OneToOneField(Act, on_delete=models.CASCADE, related_name="agent_order", null=True, blank=True)
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="agent_orders", null=True, blank=True)
    lines = models.PositiveIntegerField(null=True, blank=True)
    size = models.ForeignKey(PlanSize, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    take_by = models.DateTimeField(_("to be fetched by"))
    not_after = models.DateTimeField(_("to be done by"))
    # The enrolment of the agent that has fetched it: another one, which knows nothing of what was begun, never gets it.
    handed_at = models.DateTimeField(_("fetched"), null=True, blank=True)
    handed_to = models.PositiveIntegerField(null=True, blank=True)
    # What it changes: from this revision to that one, which is written once it is done. The number is nobody else's any more.
    base = models.PositiveIntegerField(null=True, blank=True)
    revision = models.PositiveIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default=Outcome.NONE)

    objects: ClassVar[AgentOrderQuerySet] = AgentOrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["created_at"]
        verbose_name = _("order to an agent")
        verbose_name_plural = _("orders to agents")
        constraints = [
            models.CheckConstraint(
                condition=Q(act__isnull=False, bundle__isnull=True) | Q(act__isnull=True, bundle__isnull=False), name="agent_order_for_one"
            ),
            models.CheckConstraint(
                condition=Q(handed_at__isnull=True, handed_to__isnull=True) | Q(handed_at__isnull=False, handed_to__isnull=False),
                name="agent_order_handed_when_and_to",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, outcome="") | Q(ended_at__isnull=False, outcome__in=["kept", "dropped"]),
                name="agent_order_ended_says_how",
            ),
            models.UniqueConstraint(
                fields=["instance"],
                condition=Q(ended_at=None, name__in=["restart", "scale", "rollback", "resync"]),
                name="agent_order_one_change_at_a_time",
            ),
            models.UniqueConstraint(fields=["instance", "revision"], name="agent_order_revision_once"),
        ]
        indexes = [models.Index(fields=["cell"], condition=Q(ended_at=None), name="agent_order_standing")]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"
