"""One leave of an account, and the sign-ins that prove its end. Written by `transitions`, `actions` and `steps`."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Kit, Organisation, User
from accounts.offboarding.states import BEGUN, CANCELLABLE, OPEN, OffboardingState

BADGES = {
    OffboardingState.PLANNED: "progress",
    OffboardingState.BLOCKED: "attention",
    OffboardingState.IN_PROGRESS: "progress",
    OffboardingState.WAITING_FOR_YOU: "attention",
    OffboardingState.STUCK: "critical",
    OffboardingState.COMPLETE: "ok",
    OffboardingState.CANCELLED: "neutral",
}


def mark_of_listing(remainder: Sequence[Any], reason: str) -> str:
    """What tells one list with its reason from another: goes with the page that a consent is given on."""
    return hashlib.sha256(json.dumps([list(remainder), reason], sort_keys=True).encode()).hexdigest()


_COMPLETE = Q(state=OffboardingState.COMPLETE)


class OffboardingQuerySet(models.QuerySet["Offboarding"]):
    def open(self) -> "OffboardingQuerySet":
        """Not at its end: at most one an account."""
        return self.filter(state__in=sorted(OPEN))

    def newest_first(self) -> "OffboardingQuerySet":
        return self.order_by("-requested_at", "-id")


class Offboarding(models.Model):
    """One leave, from the day it was asked for to its certificate."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="offboardings")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="offboardings")
    state = models.CharField(_("state"), max_length=20, choices=OffboardingState.choices, default=OffboardingState.PLANNED)
    state_at = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(_("asked for at"), default=timezone.now, editable=False)
    scheduled_for = models.DateTimeField(_("begins at"))
    # When the account began to be emptied: from then on it cannot be called off.
    irreversible_at = models.DateTimeField(_("cannot be called off since"), null=True, blank=True)
    # Why it is stuck: a code of the catalogue and what its words need; and what is in the way, as `parts.Obstruction` has it.
    code = models.CharField(_("why it is stuck"), max_length=60, blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    obstructions = models.JSONField(default=list, blank=True)

    # Closing with leftovers: one of the provider asks, the customer consents to the very list, another one of the provider closes.
    remainder = models.JSONField(_("what is left, as it was listed"), default=list, blank=True)
    closing_asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    closing_asked_at = models.DateTimeField(_("closing asked for at"), null=True, blank=True)
    closing_reason = models.CharField(_("why it is closed with leftovers"), max_length=600, blank=True, default="")
    consent_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    consent_at = models.DateTimeField(_("consent given at"), null=True, blank=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)

    # Where no identity of a kit was ever told, the cloud cannot be asked: then an owner's word stands, and is named as that.
    never_told_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    never_told_at = models.DateTimeField(_("said to be never run, or removed, at"), null=True, blank=True)
    # Region -> when the cloud was last asked there for what bears the account's mark; and why it was not asked elsewhere.
    swept = models.JSONField(_("regions that were looked at"), default=dict, blank=True)

    completed_at = models.DateTimeField(_("complete at"), null=True, blank=True)
    # Canonical JSON (`portal/audit/verify_certificate.py`) and its hash, which is in the activity log, too.
    certificate = models.TextField(_("certificate"), blank=True, default="")
    sha256 = models.CharField(_("SHA-256 of the certificate"), max_length=64, blank=True, default="")

    objects: ClassVar[OffboardingQuerySet] = OffboardingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-requested_at"]
        verbose_name = _("offboarding")
        verbose_name_plural = _("offboardings")
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(state__in=sorted(OPEN)), name="offboarding_one_open_per_account"),
            models.CheckConstraint(condition=Q(state__in=OffboardingState.values), name="offboarding_state_known"),
            models.CheckConstraint(
                condition=(_COMPLETE & ~Q(certificate="") & ~Q(sha256="") & Q(completed_at__isnull=False))
                | (~_COMPLETE & Q(certificate="", sha256="", completed_at=None)),
                name="offboarding_complete_has_a_certificate",
            ),
            models.CheckConstraint(
                condition=(Q(state__in=sorted({*CANCELLABLE, OffboardingState.CANCELLED})) & Q(irreversible_at=None))
                | (Q(state__in=sorted({*BEGUN, OffboardingState.COMPLETE})) & Q(irreversible_at__isnull=False)),
                name="offboarding_begun_says_when",
            ),
            models.CheckConstraint(
                condition=(Q(state=OffboardingState.STUCK) & ~Q(code="")) | (~Q(state=OffboardingState.STUCK) & Q(code="")),
                name="offboarding_stuck_has_a_code",
            ),
            models.CheckConstraint(
                condition=Q(closed_by=None)
                | (
                    Q(closing_asked_by__isnull=False, consent_by__isnull=False)
                    & ~Q(closed_by=models.F("closing_asked_by"))
                    & ~Q(closed_by=models.F("consent_by"))
                    & ~Q(consent_by=models.F("closing_asked_by"))
                ),
                name="offboarding_closed_by_two_with_consent",
            ),
        ]

    def __str__(self) -> str:
        return str(self.account)

    def get_absolute_url(self) -> str:
        return reverse("offboarding:offboarding_plan", args=[self.organisation.slug, self.account_id])

    @property
    def badge(self) -> str:
        # Closed with leftovers is over, and not as it should be.
        return "neutral" if self.was_closed_with_leftovers else BADGES[OffboardingState(self.state)]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def has_begun(self) -> bool:
        """From here on it goes to its end."""
        return self.state in BEGUN

    @property
    def is_cancellable(self) -> bool:
        return self.state in CANCELLABLE

    @property
    def listing(self) -> str:
        return mark_of_listing(self.remainder, self.closing_reason)

    @property
    def was_closed_with_leftovers(self) -> bool:
        return self.closed_by_id is not None


class SignInQuerySet(models.QuerySet["SignIn"]):
    def refused(self) -> "SignInQuerySet":
        return self.filter(is_refused=True).order_by("asked_at")

    def accepted(self) -> "SignInQuerySet":
        return self.filter(is_refused=False).order_by("asked_at")


class SignIn(models.Model):
    """A sign-in that the portal tried at the end: the last one that the cloud accepted, and those that it refused since.

    Refused means that the cloud no longer knows the identity, and nothing else: no answer, a fault or a policy in the way is no row.
    """

    id = models.BigAutoField(primary_key=True)
    offboarding = models.ForeignKey(Offboarding, on_delete=models.PROTECT, related_name="sign_ins")
    kit = models.ForeignKey(Kit, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    is_refused = models.BooleanField(_("refused"))
    call = models.CharField(_("what was called"), max_length=200, blank=True, default="")
    code = models.CharField(_("reason"), max_length=60, blank=True, default="")
    evidence = models.TextField(_("in the cloud's own words"), blank=True, default="")

    objects: ClassVar[SignInQuerySet] = SignInQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["asked_at"]
        verbose_name = _("sign-in at the end")
        verbose_name_plural = _("sign-ins at the end")
        constraints = [
            models.UniqueConstraint(fields=["offboarding", "kit"], condition=Q(is_refused=False), name="sign_in_last_accepted_once"),
            models.CheckConstraint(
                condition=Q(is_refused=False, code="") | (Q(is_refused=True) & ~Q(code="")), name="sign_in_refused_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kit} {'refused' if self.is_refused else 'accepted'}"


# How long an offboarding may lie ahead, and how far apart the two refusals are that prove the end.
DEFAULT_DELAY = timedelta(hours=24)
LONGEST_DELAY = timedelta(days=30)
BETWEEN_REFUSALS = timedelta(seconds=30)
