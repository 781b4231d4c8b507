"""Cloud accounts, the kits issued for them, and what verification found."""

import uuid
from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Organisation, User
from accounts.states import CONNECTING_STATES, PROVEN_STATES, TERMINAL_STATES, AccountState, KitState

KIT_LIFETIME = timedelta(days=7)


class Cloud(models.TextChoices):
    AWS = "aws", "AWS"


class CloudAccountQuerySet(models.QuerySet["CloudAccount"]):
    def connecting(self) -> "CloudAccountQuerySet":
        return self.filter(state__in=CONNECTING_STATES)

    def proven(self) -> "CloudAccountQuerySet":
        return self.filter(state__in=PROVEN_STATES)

    def live(self) -> "CloudAccountQuerySet":
        return self.exclude(state__in=TERMINAL_STATES)


class CloudAccount(models.Model):
    """A customer's AWS account, from first draft to offboarded. One record for its whole life."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="cloud_accounts")
    cloud = models.CharField(_("cloud"), max_length=10, choices=Cloud.choices)
    name = models.CharField(_("name"), max_length=80, blank=True, default="")
    # The cloud's own number of the account: 12 digits on AWS. Empty until the Account step is saved.
    external_id = models.CharField(_("account number"), max_length=64, blank=True, default="")
    home_region = models.CharField(_("kit region"), max_length=40, blank=True, default="")
    state = models.CharField(_("state"), max_length=20, choices=AccountState.choices, default=AccountState.DRAFT)
    state_at = models.DateTimeField(default=timezone.now, editable=False)
    # Furthest wizard step reached: where "Continue" leads on any device.
    wizard_step = models.CharField(max_length=20, default="account")
    terms_accepted_at = models.DateTimeField(null=True, blank=True)
    terms_accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    connected_at = models.DateTimeField(null=True, blank=True)
    last_contact_at = models.DateTimeField(null=True, blank=True)
    failure_code = models.CharField(max_length=60, blank=True, default="")

    objects: ClassVar[CloudAccountQuerySet] = CloudAccountQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name", "created_at"]
        verbose_name = _("cloud account")
        verbose_name_plural = _("cloud accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["cloud", "external_id"],
                condition=models.Q(state__in=sorted(PROVEN_STATES)),
                name="cloud_account_proven_once",
            ),
            models.UniqueConstraint(
                fields=["organisation", "cloud", "external_id"],
                condition=~models.Q(state__in=sorted(TERMINAL_STATES)) & ~models.Q(external_id=""),
                name="cloud_account_live_once_per_organisation",
            ),
            models.CheckConstraint(condition=models.Q(state__in=AccountState.values), name="cloud_account_state_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id or str(self.id)


class Kit(models.Model):
    """One issued onboarding kit: a version of the template with this account's parameters. A retry issues the next generation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="kits")
    generation = models.PositiveIntegerField(_("generation"))
    version = models.CharField(_("kit version"), max_length=20)
    content_hash = models.CharField(_("SHA-256 of the template"), max_length=64)
    region = models.CharField(_("region"), max_length=40)
    state = models.CharField(_("state"), max_length=20, choices=KitState.choices, default=KitState.CURRENT)
    state_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-generation"]
        verbose_name = _("kit")
        verbose_name_plural = _("kits")
        constraints = [
            models.UniqueConstraint(fields=["account", "generation"], name="kit_generation_once"),
            models.UniqueConstraint(fields=["account"], condition=models.Q(state="current"), name="kit_one_current"),
        ]

    def __str__(self) -> str:
        return f"{self.version} g{self.generation}"

    @property
    def suffix(self) -> str:
        """What every resource name of this kit ends with, unique per account and generation: `3f9a1c2e-g1`."""
        return f"{self.account_id.hex[:8]}-g{self.generation}"


class PermissionCheck(models.Model):
    """What the last verification found for one permission of the manifest."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="permission_checks")
    permission = models.CharField(max_length=160)
    is_granted = models.BooleanField()
    detail = models.CharField(max_length=300, blank=True, default="")
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["permission"]
        constraints = [models.UniqueConstraint(fields=["account", "permission"], name="permission_check_once")]

    def __str__(self) -> str:
        return self.permission
