"""A link to one step of connecting, for somebody who holds the cloud's rights and no account here."""

import uuid
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models.cloud_accounts import CloudAccount, Kit
from accounts.models.people import User
from accounts.states import PROVEN_STATES, TRUSTED_KIT_STATES, AccountState, KitState
from portal.audit.parties import Actor, ActorKind

STEP_LINK_LIFETIME = timedelta(days=3)


class StepLinkPhase(StrEnum):
    """What the link opens: the kit while it waits to be run, afterwards only the news of it, in the end nothing."""

    OPEN = "open"
    SEEN = "seen"
    STOPPED = "stopped"
    GONE = "gone"


class StepLinkQuerySet(models.QuerySet["StepLink"]):
    def unended(self) -> "StepLinkQuerySet":
        """Neither withdrawn nor replaced; may have expired."""
        return self.filter(ended_at=None)

    def open(self) -> "StepLinkQuerySet":
        return self.unended().filter(expires_at__gt=timezone.now())


class StepLink(models.Model):
    """Opens one issued kit and nothing else: expires, can be withdrawn, is over when the kit is. A kit has one at a time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kit = models.ForeignKey(Kit, on_delete=models.CASCADE, related_name="step_links")
    # SHA-256 of the token in the link: a stolen table opens nothing.
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(_("sent to"), blank=True, default="")
    sent_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(_("first opened"), null=True, blank=True)
    ended_at = models.DateTimeField(_("withdrawn or replaced"), null=True, blank=True)

    objects: ClassVar[StepLinkQuerySet] = StepLinkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("link to a step")
        verbose_name_plural = _("links to a step")
        constraints = [
            models.UniqueConstraint(fields=["kit"], condition=Q(ended_at=None), name="step_link_one_a_kit"),
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="step_link_expires_later"),
        ]

    def __str__(self) -> str:
        return self.email or str(self.pk)

    @property
    def account(self) -> CloudAccount:
        return self.kit.account

    @property
    def phase(self) -> StepLinkPhase:
        """By the rows as they were read: link, kit and account together decide."""
        is_over = self.ended_at is not None or self.expires_at <= timezone.now() or self.kit.state not in TRUSTED_KIT_STATES
        if is_over or self.account.state == AccountState.DRAFT:
            return StepLinkPhase.GONE
        if self.account.state == AccountState.WAITING_FOR_KIT or (self.kit.state == KitState.CANDIDATE and self.kit.ran_at is None):
            return StepLinkPhase.OPEN if self.kit.expires_at > timezone.now() else StepLinkPhase.GONE
        if self.account.state == AccountState.VERIFYING or self.account.state in PROVEN_STATES:
            return StepLinkPhase.SEEN
        return StepLinkPhase.STOPPED if self.account.state == AccountState.FAILED else StepLinkPhase.GONE

    @property
    def actor(self) -> Actor:
        """Whoever holds the link, as the activity log knows them."""
        return Actor(ActorKind.GUEST, self.email or f"link {self.pk}", self.email or _now("Somebody with the link"), self.email)
