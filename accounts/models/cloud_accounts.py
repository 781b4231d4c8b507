"""Cloud accounts, the kits issued for them, and what verification found."""

import json
import uuid
from datetime import timedelta
from hashlib import sha256
from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Organisation, User
from accounts.states import (
    ALLOWED_USES,
    CLAIMING_STATES,
    CONNECTING_STATES,
    LEAVING_STATES,
    PROVEN_STATES,
    SWITCHABLE_USES,
    TERMINAL_STATES,
    TRUSTED_KIT_STATES,
    WATCHED_STATES,
    AccountState,
    KitState,
    Obstacle,
    Use,
    obstacle_to,
)

KIT_LIFETIME = timedelta(days=7)


BADGES = {
    AccountState.DRAFT: "neutral",
    AccountState.WAITING_FOR_KIT: "attention",
    AccountState.VERIFYING: "progress",
    AccountState.FAILED: "critical",
    AccountState.CONNECTED: "ok",
    AccountState.NEEDS_ATTENTION: "attention",
    AccountState.DISCONNECTED: "attention",
    AccountState.OFFBOARDING: "progress",
    AccountState.READY_TO_OFFBOARD: "attention",
    AccountState.OFFBOARDED: "neutral",
}


class Cloud(models.TextChoices):
    AWS = "aws", "AWS"
    GCP = "gcp", "Google Cloud"
    AZURE = "azure", "Azure"


class SwitchedOff(models.TextChoices):
    CHANGES = "changes", _("Changes are switched off")
    KIT = "kit", _("The kit is deleted")


# What a list of accounts calls some of them instead of their state.
PREPARED, DISABLED = "prepared", "disabled"
SHOWN_STATES = [(PREPARED, _("Prepared for you")), *AccountState.choices, (DISABLED, _("Disabled by you"))]


class CloudAccountQuerySet(models.QuerySet["CloudAccount"]):
    def connecting(self) -> "CloudAccountQuerySet":
        return self.filter(state__in=CONNECTING_STATES)

    def proven(self) -> "CloudAccountQuerySet":
        return self.filter(state__in=PROVEN_STATES)

    def live(self) -> "CloudAccountQuerySet":
        return self.exclude(state__in=TERMINAL_STATES)

    def usable_for(self, use: Use) -> "CloudAccountQuerySet":
        """Those with no obstacle to this use."""
        allowed = self.filter(state__in=sorted(state for state, uses in ALLOWED_USES.items() if use in uses))
        return allowed.filter(switched_off="") if use in SWITCHABLE_USES else allowed

    def shown_as(self, word: str) -> "CloudAccountQuerySet":
        """Those whose badge says this (one of SHOWN_STATES): a filter finds what the list calls by its words."""
        prepared = models.Q(state=AccountState.DRAFT, wizard_step="terms")
        disabled = models.Q(state=AccountState.CONNECTED) & ~models.Q(switched_off="")
        if word in {PREPARED, DISABLED}:
            return self.filter(prepared if word == PREPARED else disabled)
        return self.filter(state=word).exclude(prepared).exclude(disabled)


class CloudAccount(models.Model):
    """A customer's AWS account, GCP project or Azure subscription, from first draft to offboarded. One record for its whole life."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="cloud_accounts")
    cloud = models.CharField(_("cloud"), max_length=10, choices=Cloud.choices)
    name = models.CharField(_("name"), max_length=80, blank=True, default="")
    # The cloud's own id: an AWS account number, a GCP project id, an Azure subscription id. Empty until the Account step is saved.
    external_id = models.CharField(_("account number"), max_length=64, blank=True, default="")
    # Where it belongs, as far as the cloud's sign-in needs it: {"project_number": "..."}, {"tenant_id": "..."}.
    identity = models.JSONField(_("identity"), default=dict, blank=True)
    home_region = models.CharField(_("region"), max_length=40, blank=True, default="")
    state = models.CharField(_("state"), max_length=20, choices=AccountState.choices, default=AccountState.DRAFT)
    state_at = models.DateTimeField(default=timezone.now, editable=False)
    # Furthest wizard step reached: where "Continue" leads on any device.
    wizard_step = models.CharField(max_length=20, default="account")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    connected_at = models.DateTimeField(null=True, blank=True)
    # When the customer ended the connection, also while it is tried again; `state_at` is of the last try then.
    disconnected_at = models.DateTimeField(null=True, blank=True)
    last_contact_at = models.DateTimeField(null=True, blank=True)
    # Why connecting failed, or why a connected account needs attention.
    failure_code = models.CharField(max_length=60, blank=True, default="")
    # The newest kit version that the customer has read about and does not want now; a newer one is offered again.
    stays_on_kit_until = models.CharField(max_length=20, blank=True, default="")
    # What the customer has switched off on purpose: a flag on a connected account, never an outage.
    switched_off = models.CharField(_("disabled by the customer"), max_length=20, choices=SwitchedOff.choices, blank=True, default="")

    objects: ClassVar[CloudAccountQuerySet] = CloudAccountQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name", "created_at"]
        verbose_name = _("cloud account")
        verbose_name_plural = _("cloud accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["cloud", "external_id"],
                # Also while a connected account is being reconnected, or leaves: the claim does not lapse on the way.
                condition=(models.Q(state__in=sorted(CLAIMING_STATES)) | models.Q(connected_at__isnull=False))
                & ~models.Q(state__in=sorted(TERMINAL_STATES)),
                name="cloud_account_proven_once",
            ),
            models.UniqueConstraint(
                fields=["organisation", "cloud", "external_id"],
                condition=~models.Q(state__in=sorted(TERMINAL_STATES)) & ~models.Q(external_id=""),
                name="cloud_account_live_once_per_organisation",
            ),
            # The name is what is typed to end access: it must mean one account.
            models.UniqueConstraint(
                models.F("organisation"),
                Lower("name"),
                condition=~models.Q(state__in=sorted(TERMINAL_STATES)) & ~models.Q(name=""),
                name="cloud_account_name_once_per_organisation",
            ),
            models.CheckConstraint(condition=models.Q(state__in=AccountState.values), name="cloud_account_state_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id or self.get_cloud_display()

    def get_absolute_url(self) -> str:
        return reverse("accounts:account_detail", args=[self.organisation.slug, self.pk])

    @property
    def answers_mark(self) -> str:
        """Stands for the answers as they are now: a page that shows another one was opened before somebody changed them."""
        answers = [self.cloud, self.name, self.external_id, self.identity, self.home_region]
        return sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def is_connecting(self) -> bool:
        return self.state in CONNECTING_STATES

    @property
    def is_watched(self) -> bool:
        """Its trust stands, or stood a moment ago, and is looked at. What was found of any other account is history."""
        return self.state in WATCHED_STATES

    @property
    def is_leaving(self) -> bool:
        """It is being offboarded, or has left."""
        return self.state in LEAVING_STATES

    @property
    def is_awaiting_terms(self) -> bool:
        """Prepared by provider staff, and neither accepted nor declined by the customer."""
        return self.state == AccountState.DRAFT and self.wizard_step == "terms"

    @property
    def was_connected(self) -> bool:
        return self.connected_at is not None

    @property
    def rests_as(self) -> AccountState:
        """What it is again when connecting is stopped: a draft, or the disconnected account that it was."""
        return AccountState.DISCONNECTED if self.was_connected else AccountState.DRAFT

    @property
    def badge(self) -> str:
        """Kind of the status badge (UX d): what the state looks like."""
        if self.is_awaiting_terms:
            return "attention"
        return "neutral" if self.is_disabled else BADGES[AccountState(self.state)]

    @property
    def is_disabled(self) -> bool:
        """The customer has switched us off on purpose."""
        return bool(self.switched_off) and self.state == AccountState.CONNECTED

    def obstacle_to(self, use: Use) -> Obstacle | None:
        """What is in the way of this use of the account, or nothing."""
        return obstacle_to(use, AccountState(self.state), is_switched_off=bool(self.switched_off))

    @property
    def needs_restoring(self) -> bool:
        """Its trust was lost, or its kit deleted: a new kit restores it. What a switch has switched off is switched on again instead."""
        is_deleted = self.is_disabled and self.switched_off == SwitchedOff.KIT
        return self.state == AccountState.NEEDS_ATTENTION or is_deleted

    @property
    def state_words(self) -> str:
        """The state; "Disabled by you" where the customer's own switch stands before it."""
        if self.is_awaiting_terms:
            return _now("Prepared for you")
        return _now("Disabled by you") if self.is_disabled else str(self.get_state_display())


class KitQuerySet(models.QuerySet["Kit"]):
    def trusted(self) -> "KitQuerySet":
        """Those that tokens are made for: the current one, and a candidate within its days. A renewal left half-way ends by itself."""
        in_time = models.Q(state=KitState.CANDIDATE, expires_at__gt=timezone.now())
        return self.filter(models.Q(state=KitState.CURRENT) | in_time)

    def waiting(self) -> "KitQuerySet":
        """Those that somebody may be asked to run now: the first of an account, or the one that is to replace another."""
        first = models.Q(state=KitState.CURRENT, account__state=AccountState.WAITING_FOR_KIT)
        next_one = models.Q(state=KitState.CANDIDATE, ran_at=None, account__state__in=WATCHED_STATES)
        return self.filter(first | next_one, expires_at__gt=timezone.now())

    def standing(self) -> "KitQuerySet":
        """Those that were run and are over: what they made may still be in the cloud.

        One that nobody saw running may have been run after its time all the same: whoever leaves is asked about every kit.
        """
        return self.exclude(state__in=TRUSTED_KIT_STATES).filter(ran_at__isnull=False, removed_at=None)

    def regions(self) -> set[str]:
        """Where any of them was run."""
        return {region for home, places in self.values_list("region", "places") for region in (home, *places)}


class Kit(models.Model):
    """One issued onboarding kit: a version of the template with this account's parameters. A retry issues the next generation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="kits")
    generation = models.PositiveIntegerField(_("generation"))
    version = models.CharField(_("kit version"), max_length=20)
    content_hash = models.CharField(_("SHA-256 of the kit"), max_length=64)
    region = models.CharField(_("region"), max_length=40)
    # Further regions that the customer has run it for, where a kit makes the place of a cell in one region at a time: as last seen.
    places = models.JSONField(_("further regions"), default=list, blank=True)
    # Others where something of it was seen, but not all that a cell needs: good for nothing, and to be removed with the rest.
    begun = models.JSONField(_("regions it was begun in"), default=list, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=KitState.choices, default=KitState.CURRENT)
    state_at = models.DateTimeField(default=timezone.now, editable=False)
    # What was said about the kit when it had run, by its own last line or by the customer: kept to look at, never believed.
    reported = models.JSONField(_("as reported"), default=dict, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    # The first time that its cloud let us in with it, or that somebody told what it had made.
    ran_at = models.DateTimeField(_("first seen to have run"), null=True, blank=True)
    # The customer's word, after its trust had ended: we cannot look any more.
    removed_at = models.DateTimeField(_("said to be removed"), null=True, blank=True)

    objects: ClassVar[KitQuerySet] = KitQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-generation"]
        verbose_name = _("kit")
        verbose_name_plural = _("kits")
        constraints = [
            models.UniqueConstraint(fields=["account", "generation"], name="kit_generation_once"),
            models.UniqueConstraint(fields=["account"], condition=models.Q(state="current"), name="kit_one_current"),
            models.UniqueConstraint(fields=["account"], condition=models.Q(state="candidate"), name="kit_one_candidate"),
        ]

    def __str__(self) -> str:
        return f"{self.version} g{self.generation}"

    @property
    def regions(self) -> list[str]:
        """Where it was run: its own region, then further ones, where a kit is run for one at a time."""
        return [self.region, *self.places]

    @property
    def suffix(self) -> str:
        """What every resource name of this kit ends with, unique per account and generation: `3f9a1c2e-g1`."""
        return f"{self.account_id.hex[:8]}-g{self.generation}"

    @property
    def differing(self) -> str:
        """What the kit found to be another than the customer said, by its name in the account's identity: it stopped before it made
        anything. Empty where nothing differs.
        """
        given = self.account.identity
        return next((name for name in given if self.reported.get(name) and self.reported[name] != given[name]), "")


class TrustCheck(models.Model):
    """What the last verification found: one permission we hold or lack, or one sign-in that must be refused."""

    class Kind(models.TextChoices):
        PERMISSION = "permission", _("Permission")
        REFUSAL = "refusal", _("Refusal")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="trust_checks")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=160)
    is_ok = models.BooleanField()
    since = models.DateTimeField(default=timezone.now)
    detail = models.CharField(max_length=500, blank=True, default="")
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "name"]
        verbose_name = _("trust check")
        verbose_name_plural = _("trust checks")
        constraints = [models.UniqueConstraint(fields=["account", "kind", "name"], name="trust_check_once")]

    def __str__(self) -> str:
        return self.name
