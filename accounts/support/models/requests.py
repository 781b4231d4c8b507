"""A request for support access, and the grant that becomes of it: one row for the whole life."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import F, OuterRef, Q
from django.db.models.functions import JSONObject
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import CloudAccount, Organisation, User
from accounts.support.states import ENDED_AS, GRANTED, LAPSING, OPEN, OVER, WAITS_FOR_CUSTOMER, WITH_RECEIPT, AccessState, Profile

BADGES = {
    AccessState.CHECKING: "progress",
    AccessState.RETURNED: "attention",
    AccessState.REQUESTED: "attention",
    AccessState.MORE_INFO: "neutral",
    AccessState.APPROVED: "attention",
    AccessState.SCHEDULED: "progress",
    AccessState.ACTIVATING: "progress",
    AccessState.ACTIVE: "attention",
    AccessState.ENDING: "progress",
    AccessState.EXPIRED: "neutral",
    AccessState.REVOKED: "neutral",
    AccessState.COMPLETED: "neutral",
    AccessState.DECLINED: "neutral",
    AccessState.WITHDRAWN: "neutral",
    AccessState.LAPSED: "neutral",
    AccessState.ACTIVATION_FAILED: "critical",
    AccessState.CLOSE_FAILED: "critical",
}
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=48)


class ReasonType(models.TextChoices):
    CUSTOMER = "customer", pgettext_lazy("reason for access", "You asked for help")
    ALERT = "alert", pgettext_lazy("reason for access", "An alarm was raised")
    MAINTENANCE = "maintenance", pgettext_lazy("reason for access", "Maintenance")
    SECURITY = "security", pgettext_lazy("reason for access", "A security concern")


class AccessRequestQuerySet(models.QuerySet["AccessRequest"]):
    def for_customer(self) -> "AccessRequestQuerySet":
        """What the customer may know of: what has passed the provider's own check at least once."""
        return self.exclude(shown_at=None)

    def granted(self) -> "AccessRequestQuerySet":
        return self.filter(state__in=sorted(GRANTED))

    def open(self) -> "AccessRequestQuerySet":
        """Somebody may reach the customer's cloud, or may still."""
        return self.filter(state__in=sorted(OPEN))

    def over(self) -> "AccessRequestQuerySet":
        return self.filter(state__in=sorted(OVER))

    def lapsing(self) -> "AccessRequestQuerySet":
        return self.filter(state__in=sorted(LAPSING), decide_by__lte=timezone.now())

    def out_of_time(self) -> "AccessRequestQuerySet":
        """Grants whose end has come and that nobody has ended yet."""
        alive = (AccessState.SCHEDULED, AccessState.ACTIVATING, AccessState.ACTIVE)
        return self.filter(state__in=sorted(alive), granted_until__lte=timezone.now())

    def with_people(self) -> "AccessRequestQuerySet":
        return self.select_related("organisation", "account", "engineer", "checked_by", "ended_by")

    def with_text(self, text: str) -> "AccessRequestQuerySet":
        """Whose case, scope or engineer has this in it."""
        mentioned = Q(case__icontains=text) | Q(scope_label__icontains=text) | Q(engineer__name__icontains=text)
        return self.filter(mentioned | Q(engineer__email__icontains=text))

    def without_receipt(self) -> "AccessRequestQuerySet":
        """Ended, and nobody has written their receipt yet."""
        return self.filter(state__in=sorted(WITH_RECEIPT), receipts=None)

    def newest_first(self) -> "AccessRequestQuerySet":
        return self.order_by("-created_at", "-id")


class AccessRequest(models.Model):
    """Who asks for what, why and how long; what was granted of it; how it ended.

    Scope, profile and length are what is asked until the decision, and what was granted, never more, from then on; `asked` keeps
    the former.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="access_requests")
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="access_requests")
    # What of the account, by the registry of scopes; the label as it was then.
    scope_kind = models.CharField(_("kind of scope"), max_length=20)
    scope_id = models.CharField(_("ID of the scope"), max_length=64)
    scope_label = models.CharField(_("scope"), max_length=200)
    region = models.CharField(_("region"), max_length=40, blank=True, default="")
    stack = models.CharField(_("stack"), max_length=128, blank=True, default="")  # of the one cell; empty: every cell of the account
    engineer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="access_requests")
    engineer_place = models.CharField(_("where the engineer works"), max_length=80, blank=True, default="")
    case = models.CharField(_("case"), max_length=32)
    case_url = models.URLField(_("link to the case"), max_length=500, blank=True, default="")
    reason_type = models.CharField(_("kind of reason"), max_length=20, choices=ReasonType.choices)
    reason = models.TextField(_("reason"), max_length=600)
    profile = models.CharField(_("profile"), max_length=20, choices=Profile.choices)
    starts_at = models.DateTimeField(_("wished start"), null=True, blank=True)  # null: when it is approved
    length = models.DurationField(_("length"))
    is_direct = models.BooleanField(_("credentials are handed out"), default=False)
    decide_by = models.DateTimeField(_("to be decided by"))
    state = models.CharField(_("state"), max_length=20, choices=AccessState.choices, default=AccessState.CHECKING)
    state_at = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    # Grows with everything a decider reads: an offer drawn before a change is worth nothing.
    edition = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("asked at"), default=timezone.now, editable=False)
    checked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    checked_at = models.DateTimeField(_("checked at"), null=True, blank=True)
    # When it first came before the customer. Null: the customer knows nothing of it, and never will if it ends here.
    shown_at = models.DateTimeField(_("shown to the customer"), null=True, blank=True)
    # The request as it was asked, when less than that was granted: {"profile": ..., "scope": ..., "minutes": ...}.
    asked = models.JSONField(default=dict, blank=True)
    # The canonical grant document (accounts/support/proof/documents.py) that the decisions are about, and its hash.
    document = models.TextField(_("grant document"), blank=True, default="")
    sha256 = models.CharField(_("SHA-256 of the document"), max_length=64, blank=True, default="")
    policy_version = models.PositiveIntegerField(_("version of the organisation's policy"), default=0)
    granted_at = models.DateTimeField(_("granted at"), null=True, blank=True)
    granted_from = models.DateTimeField(_("granted from"), null=True, blank=True)
    granted_until = models.DateTimeField(_("granted until"), null=True, blank=True)
    # Since ENDING: what the end will be called once it is proven, who wanted it and why.
    ends_as = models.CharField(_("ends as"), max_length=20, choices=AccessState.choices, blank=True, default="")
    ending_at = models.DateTimeField(_("end asked at"), null=True, blank=True)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    end_reason = models.TextField(_("reason of the end"), max_length=600, blank=True, default="")
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    # When the cloud's own log was last held against what was done.
    compared_at = models.DateTimeField(_("compared with the cloud's log"), null=True, blank=True)
    failure_code = models.CharField(max_length=60, blank=True, default="")

    objects: ClassVar[AccessRequestQuerySet] = AccessRequestQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("support access request")
        verbose_name_plural = _("support access requests")
        constraints = [
            models.UniqueConstraint(
                fields=["engineer", "scope_kind", "scope_id"],
                condition=Q(state__in=sorted(GRANTED)),
                name="access_one_grant_per_engineer_and_scope",
            ),
            models.CheckConstraint(condition=Q(state__in=AccessState.values), name="access_state_known"),
            models.CheckConstraint(condition=Q(profile__in=Profile.values), name="access_profile_known"),
            models.CheckConstraint(condition=Q(length__gte=SHORTEST, length__lte=LONGEST), name="access_length_in_bounds"),
            # Two pairs of eyes of the provider: the database keeps it, too.
            models.CheckConstraint(condition=~Q(checked_by=F("engineer")), name="access_checked_by_another"),
            models.CheckConstraint(
                condition=Q(checked_by=None, checked_at=None) | Q(checked_by__isnull=False, checked_at__isnull=False),
                name="access_checked_at_and_by_together",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(GRANTED))
                | (~Q(document="") & ~Q(sha256="") & Q(granted_from__isnull=False) & Q(granted_until__gt=F("granted_from"))),
                name="access_granted_says_what",
            ),
            models.CheckConstraint(condition=Q(ends_as__in=["", *sorted(ENDED_AS)]), name="access_ends_as_known"),
        ]
        indexes = [
            models.Index(fields=["organisation", "-created_at"], name="access_by_organisation"),
            models.Index(fields=["organisation"], condition=Q(state__in=sorted(OPEN)), name="access_open_by_organisation"),
            models.Index(fields=["decide_by"], condition=Q(state__in=sorted(LAPSING)), name="access_lapsing"),
            models.Index(fields=["granted_until"], condition=Q(state__in=sorted(GRANTED)), name="access_granted_until"),
        ]

    def __str__(self) -> str:
        return f"{self.case}: {self.scope_label}"

    def get_absolute_url(self) -> str:
        """The customer's page of it."""
        return reverse("support:access_request", args=[self.organisation.slug, self.pk])

    def get_engineer_url(self) -> str:
        return reverse("support:case_detail", args=[self.pk])

    @property
    def badge(self) -> str:
        return BADGES[AccessState(self.state)]

    @property
    def shown_state(self) -> str:
        """As the customer knows it: while an answer is being checked once more, it is still the question that stands."""
        state = AccessState(self.state)
        return str((AccessState.MORE_INFO if state in {AccessState.CHECKING, AccessState.RETURNED} else state).label)

    @property
    def waits_for_customer(self) -> bool:
        return self.state in WAITS_FOR_CUSTOMER

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def has_receipt(self) -> bool:
        return self.state in WITH_RECEIPT

    @property
    def minutes(self) -> int:
        return int(self.length.total_seconds() // 60)

    def is_within(self, now: datetime) -> bool:
        """Whether the granted time runs."""
        return self.granted_from is not None and self.granted_until is not None and self.granted_from <= now < self.granted_until


def open_access() -> ArraySubquery:
    """The open grants of a membership's organisation, soonest end first, for the shield: what the index of open ones holds, no more."""
    rows = AccessRequest.objects.open().filter(organisation=OuterRef("organisation")).order_by("granted_until")
    return ArraySubquery(rows.values(row=JSONObject(id="id", state="state", until="granted_until")))


class RequestNote(models.Model):
    """A question about a request, or an answer to one. Internal ones stay between the people of the provider."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.CASCADE, related_name="notes")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now, editable=False)
    text = models.TextField(_("text"), max_length=600)
    is_internal = models.BooleanField(default=False)

    class Meta:
        ordering = ["at"]
        verbose_name = _("note on a request")
        verbose_name_plural = _("notes on requests")

    def __str__(self) -> str:
        return self.text[:60]
