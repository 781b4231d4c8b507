"""What somebody has begun to ask for: an instance, page by page, to be resumed on any device."""

import uuid
from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation, User
from cells.models.plans import Plan, PlanSize, Release

KEPT_FOR = timedelta(days=7)


class InstanceDraftQuerySet(models.QuerySet["InstanceDraft"]):
    def abandoned(self) -> "InstanceDraftQuerySet":
        """Begun so long ago that nobody comes back to it."""
        return self.filter(created_at__lt=timezone.now() - KEPT_FOR)


class InstanceDraft(models.Model):
    """An instance that is not yet asked for. Its id is the idempotency key of asking: pressed twice it makes one instance."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="instance_drafts")
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="+")
    cloud = models.CharField(_("cloud"), max_length=10, blank=True, default="")
    region = models.CharField(_("region"), max_length=40, blank=True, default="")
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="+", null=True, blank=True)
    name = models.CharField(_("name"), max_length=60, blank=True, default="")
    size = models.ForeignKey(PlanSize, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    release = models.ForeignKey(Release, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    is_protected = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[InstanceDraftQuerySet] = InstanceDraftQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("draft of an instance")
        verbose_name_plural = _("drafts of instances")

    def __str__(self) -> str:
        return self.name or str(self.plan)

    def get_absolute_url(self) -> str:
        """The first page that is not answered yet."""
        page = "check" if self.is_complete else "settings" if self.is_placed else "place"
        return reverse(f"cells:instance_new_{page}", args=[self.organisation.slug, self.pk])

    @property
    def is_placed(self) -> bool:
        return bool(self.cloud and self.region)

    @property
    def is_complete(self) -> bool:
        return bool(self.is_placed and self.name and self.size_id and self.release_id)
