"""What happens under a grant: doors that a cloud opened, acts through them, the proof that a door is shut, lines of the cloud's own log."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.clouds.support import NOTHING_GIVEN
from accounts.models import User
from accounts.support.models.requests import AccessRequest


class OpeningQuerySet(models.QuerySet["Opening"]):
    def under_way(self) -> "OpeningQuerySet":
        """A worker may be in the cloud at this moment."""
        return self.filter(reported_at=None, until__gt=timezone.now())

    def that_may_stand(self) -> "OpeningQuerySet":
        """The cloud may hold something that was given, whether a session is known or not."""
        return self.exclude(code__in=sorted(NOTHING_GIVEN))


class Opening(models.Model):
    """One try to open a grant's door: committed before the cloud hears of it, so that an end knows of it even if the worker dies."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="openings")
    begun_at = models.DateTimeField(default=timezone.now, editable=False)
    until = models.DateTimeField(_("until"))  # by then the worker is done or dead
    reported_at = models.DateTimeField(_("reported at"), null=True, blank=True)
    code = models.CharField(max_length=60, blank=True, default="")  # of what the cloud answered; empty: it was opened, or nobody knows

    objects: ClassVar[OpeningQuerySet] = OpeningQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["begun_at"]
        verbose_name = _("try to open a session")
        verbose_name_plural = _("tries to open a session")
        constraints = [models.CheckConstraint(condition=Q(until__gt=models.F("begun_at")), name="opening_ends_after_it_began")]

    def __str__(self) -> str:
        return f"{self.request_id} {self.begun_at:%Y-%m-%dT%H:%M:%SZ}"


class DoorQuerySet(models.QuerySet["Door"]):
    def standing(self) -> "DoorQuerySet":
        return self.filter(shut_at=None)


class Door(models.Model):
    """A session that a cloud opened for a grant. Its secret lies sealed, and is erased once the end is proven."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="doors")
    handle = models.CharField(_("name in the cloud's log"), max_length=200)
    policy = models.TextField(_("policy the cloud holds it to"))
    sealed_secret = models.TextField(blank=True, default="")
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    shut_at = models.DateTimeField(_("shut at"), null=True, blank=True)

    objects: ClassVar[DoorQuerySet] = DoorQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["opened_at"]
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [models.UniqueConstraint(fields=["request"], condition=Q(shut_at=None), name="door_one_standing_per_grant")]

    def __str__(self) -> str:
        return self.handle


class ActState(models.TextChoices):
    ASKED = "asked", pgettext_lazy("act", "Waiting")
    RUNNING = "running", pgettext_lazy("act", "Running")
    DONE = "done", pgettext_lazy("act", "Done")
    FAILED = "failed", pgettext_lazy("act", "Failed")
    REFUSED = "refused", pgettext_lazy("act", "Refused")
    CUT_SHORT = "cut_short", pgettext_lazy("act", "Cut short")


ACTS_UNDER_WAY = frozenset({ActState.ASKED, ActState.RUNNING})


class Via(models.TextChoices):
    CLOUD = "cloud", pgettext_lazy("act", "Read from the cloud")
    AGENT = "agent", pgettext_lazy("act", "Done by the cell's agent")
    DIRECT = "direct", pgettext_lazy("act", "What is done with them stands in your cloud's own log")


class Act(models.Model):
    """One typed thing that an engineer did under a grant: written before it is done, completed with its redacted result."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="acts")
    door = models.ForeignKey(Door, on_delete=models.PROTECT, related_name="acts", null=True, blank=True)  # none: by the agent
    name = models.CharField(_("act"), max_length=60)
    arguments = models.JSONField(default=dict, blank=True)
    via = models.CharField(_("way"), max_length=10, choices=Via.choices)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=ActState.choices, default=ActState.ASKED)
    # Redacted before it is stored; the hash is of this text.
    output = models.TextField(blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    bytes = models.PositiveIntegerField(default=0)
    is_cut = models.BooleanField(default=False)
    redactions = models.JSONField(default=dict, blank=True)  # name of a rule: how often it struck
    traces = models.JSONField(default=list, blank=True)  # calls by which the cloud's own log names it
    code = models.CharField(max_length=60, blank=True, default="")
    raw_error = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["asked_at"]
        verbose_name = _("act of support")
        verbose_name_plural = _("acts of support")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ActState.values), name="act_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(ACTS_UNDER_WAY), finished_at=None)
                | (~Q(state__in=sorted(ACTS_UNDER_WAY)) & Q(finished_at__isnull=False)),
                name="act_finished_when_over",
            ),
        ]
        indexes = [models.Index(fields=["request", "asked_at"], name="act_by_grant")]

    def __str__(self) -> str:
        return self.name


class EndProof(models.Model):
    """One try with the old session after the end, and what the cloud answered. A refusal is the proof."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="proofs")
    door = models.ForeignKey(Door, on_delete=models.PROTECT, related_name="proofs", null=True, blank=True)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    is_refused = models.BooleanField(_("refused"))
    evidence = models.TextField(_("the cloud's own words"), blank=True, default="")
    cloud_request = models.CharField(_("request ID of the cloud"), max_length=120, blank=True, default="")

    class Meta:
        ordering = ["asked_at"]
        verbose_name = _("proof of the end")
        verbose_name_plural = _("proofs of the end")

    def __str__(self) -> str:
        return f"{self.request_id} {self.is_refused}"


class TraceMatch(models.Model):
    """A line of the cloud's own log that names a grant, and the act it belongs to. Without an act it is an alarm."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="traces")
    act = models.ForeignKey(Act, on_delete=models.PROTECT, related_name="matches", null=True, blank=True)
    # Explained without an act: opening the door, the probe of the end. Empty and no act: nobody knows who did that.
    explained = models.CharField(max_length=20, blank=True, default="")
    trace = models.CharField(_("ID in the cloud's log"), max_length=200)
    at = models.DateTimeField(_("time"))
    call = models.CharField(_("call"), max_length=200)
    principal = models.CharField(_("principal"), max_length=300, blank=True, default="")
    is_refused = models.BooleanField(default=False)
    raw = models.TextField(max_length=4000, blank=True, default="")
    seen_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["at"]
        verbose_name = _("line of the cloud's log")
        verbose_name_plural = _("lines of the cloud's log")
        constraints = [models.UniqueConstraint(fields=["request", "trace"], name="trace_once_per_grant")]

    def __str__(self) -> str:
        return self.call


class Receipt(models.Model):
    """The receipt of a grant that has ended, as it was written down: its text is never changed, a later one follows it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="receipts")
    number = models.PositiveIntegerField(default=1)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    written_at = models.DateTimeField(default=timezone.now, editable=False)
    # The event of the organisation's activity log that holds the hash.
    event_number = models.PositiveBigIntegerField()
    event_hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]
        verbose_name = _("access receipt")
        verbose_name_plural = _("access receipts")
        constraints = [models.UniqueConstraint(fields=["request", "number"], name="receipt_once_per_number")]

    def __str__(self) -> str:
        return self.sha256

    @property
    def event(self) -> str:
        """As the verifiers take it."""
        return f"{self.event_number}:{self.event_hash}"
