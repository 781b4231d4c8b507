"""What the clouds were asked for: every order of a cell's stack."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Kit
from cells.models.cells import Cell
from portal.operations.models import Operation


class CellOrderQuerySet(models.QuerySet["CellOrder"]):
    def newest_first(self) -> "CellOrderQuerySet":
        return self.order_by("-id")

    def not_followed(self) -> "CellOrderQuerySet":
        """Whose parts may be there: no later order of the same cell has been carried out."""
        later = CellOrder.objects.filter(cell=OuterRef("cell"), id__gt=OuterRef("id"), outcome=CellOrder.Outcome.STANDS)
        return self.filter(~Exists(later))


class CellOrder(models.Model):
    """One order: what exactly was asked for, by which attempt, and how it ended. Written before the cloud is asked; holds no secret."""

    class Outcome(models.TextChoices):
        STANDS = "stands", pgettext_lazy("order of a stack", "Stands")
        FAILED = "failed", pgettext_lazy("order of a stack", "Failed")
        REFUSED = "refused", pgettext_lazy("order of a stack", "Refused")

    id = models.BigAutoField(primary_key=True)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="orders")
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    attempt = models.PositiveIntegerField(_("attempt"))  # of the operation's step
    token = models.CharField(max_length=60)
    # Whose identities the cluster and the machines shall have.
    kit = models.ForeignKey(Kit, on_delete=models.PROTECT, related_name="+")
    kit_version = models.CharField(_("version of the kit"), max_length=20)
    generation = models.PositiveIntegerField(_("enrolment"))
    stack_name = models.CharField(_("stack"), max_length=128)
    stack_version = models.CharField(_("version of the stack"), max_length=20)
    document_sha256 = models.CharField(max_length=64)  # of the document and the files beside it
    agent_sha256 = models.CharField(max_length=64)  # of the agent's own file
    parameters = models.JSONField(default=dict, blank=True)
    # How the stack had failed before, as `StackLook.mark` has it: one that has failed in the same way since has not heard of this order.
    mark_before = models.TextField(blank=True, default="")
    ordered_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)
    failure_code = models.CharField(max_length=60, blank=True, default="")

    objects: ClassVar[CellOrderQuerySet] = CellOrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        verbose_name = _("order of a stack")
        verbose_name_plural = _("orders of stacks")
        constraints = [
            models.UniqueConstraint(fields=["operation", "attempt", "token"], name="cell_order_once_an_attempt"),
            models.CheckConstraint(
                condition=Q(outcome="", ended_at__isnull=True) | (~Q(outcome="") & Q(ended_at__isnull=False)),
                name="cell_order_ended_when_and_how",
            ),
        ]

    def __str__(self) -> str:
        return self.token

    def is_of(self, operation_id: UUID, attempt: int) -> bool:
        return (self.operation_id, self.attempt) == (operation_id, attempt)
