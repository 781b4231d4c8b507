"""Diagnostic bundles: collected and redacted by the agent, looked through by the customer, released, gone again."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation, User
from accounts.support.states import BundleState

BUNDLE_BADGES = {
    BundleState.REQUESTED: "attention",
    BundleState.COLLECTING: "progress",
    BundleState.COLLECTED: "attention",
    BundleState.RELEASED: "ok",
    BundleState.DECLINED: "neutral",
    BundleState.FAILED: "critical",
    BundleState.EXPIRED: "neutral",
    BundleState.DELETED: "neutral",
}


class BundleQuerySet(models.QuerySet["Bundle"]):
    def newest_first(self) -> "BundleQuerySet":
        return self.order_by("-asked_at", "-id")


class Bundle(models.Model):
    """One diagnostic bundle of a cell or an instance. Nothing of it reaches the provider's people before the customer releases it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="support_bundles")
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="support_bundles")
    scope_kind = models.CharField(_("kind of scope"), max_length=20)
    scope_id = models.CharField(_("ID of the scope"), max_length=64)
    scope_label = models.CharField(_("scope"), max_length=200)
    region = models.CharField(_("region"), max_length=40, blank=True, default="")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    is_by_customer = models.BooleanField(_("started by the customer"), default=False)
    case = models.CharField(_("case"), max_length=32, blank=True, default="")
    reason = models.TextField(_("reason"), max_length=600, blank=True, default="")
    state = models.CharField(_("state"), max_length=20, choices=BundleState.choices, default=BundleState.REQUESTED)
    state_at = models.DateTimeField(default=timezone.now, editable=False)
    collected_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, default="")  # of what was released
    failure_code = models.CharField(max_length=60, blank=True, default="")

    objects: ClassVar[BundleQuerySet] = BundleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-asked_at"]
        verbose_name = _("diagnostic bundle")
        verbose_name_plural = _("diagnostic bundles")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BundleState.values), name="bundle_state_known"),
            models.CheckConstraint(
                condition=Q(released_by=None, released_at=None) | Q(released_by__isnull=False, released_at__isnull=False),
                name="bundle_released_at_and_by_together",
            ),
        ]

    def __str__(self) -> str:
        return self.scope_label

    def get_absolute_url(self) -> str:
        """The customer's page of it."""
        return reverse("support:bundle", args=[self.organisation.slug, self.pk])

    def get_engineer_url(self) -> str:
        return reverse("support:case_bundle", args=[self.pk])

    @property
    def badge(self) -> str:
        return BUNDLE_BADGES[BundleState(self.state)]

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class BundleFile(models.Model):
    """One file of a bundle, redacted by the agent before it left the cell. Sealed at rest; erased when the bundle ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(_("name"), max_length=200)
    sealed_text = models.TextField(blank=True, default="")
    sha256 = models.CharField(max_length=64)
    bytes = models.PositiveIntegerField(default=0)
    is_cut = models.BooleanField(default=False)
    redactions = models.JSONField(default=dict, blank=True)  # name of a rule: how often it struck
    code = models.CharField(max_length=60, blank=True, default="")  # why it could not be read
    is_excluded = models.BooleanField(_("left out by the customer"), default=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("file of a bundle")
        verbose_name_plural = _("files of bundles")
        constraints = [models.UniqueConstraint(fields=["bundle", "name"], name="bundle_file_once")]

    def __str__(self) -> str:
        return self.name
