"""Computers of engineers that may fetch short-lived credentials under one grant."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.support.models.requests import AccessRequest


class DeviceQuerySet(models.QuerySet["Device"]):
    def standing(self) -> "DeviceQuerySet":
        return self.filter(dropped_at=None)


class Device(models.Model):
    """One computer, bound to one grant by a code that works once, and from then on by a key that never leaves it. Hashes only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="devices")
    code_hash = models.CharField(max_length=64, unique=True)
    code_until = models.DateTimeField()
    key_hash = models.CharField(max_length=64, blank=True, default="")
    name = models.CharField(_("computer"), max_length=80, blank=True, default="")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    bound_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[DeviceQuerySet] = DeviceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["made_at"]
        verbose_name = _("engineer's computer")
        verbose_name_plural = _("engineers' computers")
        constraints = [
            models.UniqueConstraint(fields=["request"], condition=Q(dropped_at=None), name="device_one_standing_per_grant"),
            models.CheckConstraint(
                condition=Q(key_hash="", bound_at=None) | (~Q(key_hash="") & Q(bound_at__isnull=False)), name="device_key_since_bound"
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    def takes_code(self, now: datetime) -> bool:
        return self.dropped_at is None and not self.key_hash and now < self.code_until
