"""An organisation's own rules for support access. Tightening them is instant; loosening waits for a second owner."""

import uuid
from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Organisation, User
from accounts.support.states import WRITING_PROFILES


class Mode(models.TextChoices):
    """From the strictest."""

    OFF = "off", pgettext_lazy("support policy", "Off: no support access at all")
    TWO = "two", pgettext_lazy("support policy", "Two approvers for every access")
    TWO_FOR_WRITES = "two_for_writes", pgettext_lazy("support policy", "One approver, two for access that changes something")
    ONE = "one", pgettext_lazy("support policy", "One approver for every access")


class Outside(models.TextChoices):
    REFUSE = "refuse", pgettext_lazy("support policy", "Refuse it")
    WAIT = "wait", pgettext_lazy("support policy", "Let it wait for the next opening")


class AccessPolicy(models.Model):
    """The rules in force. An organisation without a row has the defaults, in version 0."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.OneToOneField(Organisation, on_delete=models.PROTECT, related_name="access_policy")
    version = models.PositiveIntegerField(default=0, editable=False)
    mode = models.CharField(_("who approves"), max_length=20, choices=Mode.choices, default=Mode.TWO_FOR_WRITES)
    longest_minutes = models.PositiveIntegerField(
        _("longest access"), default=480, validators=[MinValueValidator(15), MaxValueValidator(2880)]
    )
    decide_hours = models.PositiveIntegerField(_("time to decide"), default=72, validators=[MinValueValidator(1), MaxValueValidator(336)])
    # Weekdays (0 is Monday) and hours within which access may be open. No days: at any time.
    days = models.JSONField(_("days"), default=list, blank=True)
    opens = models.TimeField(_("from"), null=True, blank=True)
    closes = models.TimeField(_("until"), null=True, blank=True)  # before `opens`: on the next morning
    zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    outside = models.CharField(_("what is asked for other times"), max_length=10, choices=Outside.choices, default=Outside.WAIT)
    allows_direct = models.BooleanField(_("credentials may be handed to the engineer"), default=False)
    changed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("support access policy")
        verbose_name_plural = _("support access policies")
        constraints = [
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="access_policy_mode_known"),
            models.CheckConstraint(condition=Q(longest_minutes__gte=15, longest_minutes__lte=2880), name="access_policy_longest_in_bounds"),
            models.CheckConstraint(condition=Q(decide_hours__gte=1, decide_hours__lte=336), name="access_policy_decide_in_bounds"),
            models.CheckConstraint(
                condition=Q(days=[], opens=None, closes=None) | (~Q(days=[]) & Q(opens__isnull=False, closes__isnull=False) & ~Q(zone="")),
                name="access_policy_hours_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} v{self.version}"

    @property
    def longest(self) -> timedelta:
        return timedelta(minutes=self.longest_minutes)

    @property
    def decide_within(self) -> timedelta:
        return timedelta(hours=self.decide_hours)

    def approvals_for(self, profile: str) -> int:
        """How many different people have to approve."""
        if self.mode == Mode.TWO or (self.mode == Mode.TWO_FOR_WRITES and profile in WRITING_PROFILES):
            return 2
        return 1


class PolicyChange(models.Model):
    """A loosening that one owner wants and a second one has not confirmed yet."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("policy change", "Waiting for a second owner")
        CONFIRMED = "confirmed", pgettext_lazy("policy change", "Confirmed")
        REFUSED = "refused", pgettext_lazy("policy change", "Refused")
        WITHDRAWN = "withdrawn", pgettext_lazy("policy change", "Withdrawn")
        OVERTAKEN = "overtaken", pgettext_lazy("policy change", "Overtaken by a later change")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="access_policy_changes")
    # The values to come, as `accounts.support.rules.policy.values_of` writes them, and the version they were compared with.
    values = models.JSONField(default=dict)
    of_version = models.PositiveIntegerField(default=0)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.WAITING)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at"]
        verbose_name = _("change of a support access policy")
        verbose_name_plural = _("changes of support access policies")
        constraints = [
            models.UniqueConstraint(fields=["organisation"], condition=Q(state="waiting"), name="policy_change_one_waiting"),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | (Q(decided_by__isnull=False) & ~Q(decided_by=models.F("asked_by"))),
                name="policy_change_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.state}"
