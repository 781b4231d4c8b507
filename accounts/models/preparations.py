"""A connection that provider staff prepared for a customer, and what the customer made of it."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.cloud_accounts import Cloud, CloudAccount
from accounts.models.people import Organisation, User


class PreparationQuerySet(models.QuerySet["Preparation"]):
    def undecided(self) -> "PreparationQuerySet":
        return self.filter(accepted_at=None, declined_at=None)


class Preparation(models.Model):
    """The draft is the account's own row; this keeps who prepared it and who accepted or declined it, also when the draft is gone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="preparations")
    account = models.OneToOneField(CloudAccount, on_delete=models.SET_NULL, null=True, blank=True, related_name="preparation")
    cloud = models.CharField(_("cloud"), max_length=10, choices=Cloud.choices)
    # As staff filled them in: name, external_id, region and what the cloud asks for besides.
    values = models.JSONField(_("values"), default=dict)
    note = models.TextField(_("note to the customer"), max_length=1000, blank=True, default="")
    prepared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField(_("prepared"), default=timezone.now, editable=False)

    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    # The text as it was read, word for word, and its SHA-256.
    terms = models.TextField(_("terms"), blank=True, default="")
    terms_hash = models.CharField(_("SHA-256 of the terms"), max_length=64, blank=True, default="")
    declined_at = models.DateTimeField(_("declined"), null=True, blank=True)
    declined_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    decline_reason = models.TextField(_("reason for declining"), max_length=1000, blank=True, default="")

    objects: ClassVar[PreparationQuerySet] = PreparationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-prepared_at"]
        verbose_name = _("prepared connection")
        verbose_name_plural = _("prepared connections")
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_at=None, accepted_by=None, terms_hash="")
                | (Q(accepted_at__isnull=False, accepted_by__isnull=False) & ~Q(terms_hash="")),
                name="preparation_accepted_who_when_and_what",
            ),
            models.CheckConstraint(
                condition=Q(declined_at=None, declined_by=None, decline_reason="")
                | (Q(declined_at__isnull=False, declined_by__isnull=False) & ~Q(decline_reason="")),
                name="preparation_declined_who_when_and_why",
            ),
            models.CheckConstraint(condition=Q(accepted_at=None) | Q(declined_at=None), name="preparation_decided_once"),
        ]

    def __str__(self) -> str:
        return str(self.values.get("name") or self.get_cloud_display())
