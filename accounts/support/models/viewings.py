"""Provider staff looking at a customer's pages: when, why, until when."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, User


class ViewingQuerySet(models.QuerySet["Viewing"]):
    def running(self, now: datetime) -> "ViewingQuerySet":
        return self.filter(ended_at=None, until__gt=now)


class Viewing(models.Model):
    """One person of the provider looks on as the customer does. Reads, and nothing else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="viewings")
    staff = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    case = models.CharField(_("case"), max_length=32)
    reason = models.TextField(_("reason"), max_length=600)
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    until = models.DateTimeField(_("until"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects: ClassVar[ViewingQuerySet] = ViewingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-started_at"]
        verbose_name = _("viewing as a customer")
        verbose_name_plural = _("viewings as a customer")
        constraints = [models.CheckConstraint(condition=Q(until__gt=F("started_at")), name="viewing_ends_after_it_started")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.organisation_id}"
