"""The log of long-running work: operations, their steps, what the steps said. Written by `transitions` and `recorder` only."""

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from portal.operations.registry import KINDS
from portal.operations.states import ENDED_STATES, ENDED_STEP_STATES, LIVE_STATES, OperationState, Party, StepState

# Crockford's base 32: no I, L, O or U, so a reference survives being read out on the telephone.
REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_LENGTH = 6
SHOWN_LOG_LINES = 200
BADGES = {
    OperationState.QUEUED: "progress",
    OperationState.RUNNING: "progress",
    OperationState.WAITING: "progress",
    OperationState.FAILED: "critical",
    OperationState.CANCELLED: "neutral",
    OperationState.SUCCEEDED: "ok",
}

_LIVE = Q(state__in=sorted(LIVE_STATES))
_NAMES_A_PARTY = Q(waiting_on__in=Party.values) & ~Q(waiting_why="")


def new_reference() -> str:
    return "OP-" + "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(REFERENCE_LENGTH))


class OperationQuerySet(models.QuerySet["Operation"]):
    def live(self) -> "OperationQuerySet":
        return self.filter(_LIVE)

    def ended(self) -> "OperationQuerySet":
        return self.filter(state__in=sorted(ENDED_STATES))

    def due(self) -> "OperationQuerySet":
        """Ready for a worker by the database's clock: its time has come and nobody holds a running lease."""
        return self.live().filter(Q(lease_until=None) | Q(lease_until__lte=Now()), next_run_at__lte=Now())

    def for_subject(self, kind: str, subject_id: object) -> "OperationQuerySet":
        return self.filter(subject_kind=kind, subject_id=str(subject_id))

    def newest_first(self) -> "OperationQuerySet":
        return self.order_by("-created_at", "-id")

    def after(self, created_at: datetime, pk: uuid.UUID) -> "OperationQuerySet":
        """In `newest_first`, the rows beyond this one, at any depth for the same price."""
        return self.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, id__lt=pk))


class Operation(models.Model):
    """One piece of long-running work on one subject, driven by workers until it waits or ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(_("reference"), max_length=12, unique=True, default=new_reference, editable=False)
    kind = models.CharField(_("kind"), max_length=40)
    # The floor knows no product: what is worked on is named, not referred to.
    subject_kind = models.CharField(_("subject kind"), max_length=40)
    subject_id = models.CharField(_("subject id"), max_length=64)
    subject_label = models.CharField(_("subject"), max_length=200)
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="operations")

    state = models.CharField(_("state"), max_length=20, choices=OperationState.choices, default=OperationState.QUEUED)
    state_at = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    waiting_on = models.CharField(_("waiting for"), max_length=10, choices=Party.choices, blank=True, default="")
    waiting_why = models.CharField(_("why it waits"), max_length=60, blank=True, default="")
    waiting_params = models.JSONField(default=dict, blank=True)
    failure_code = models.CharField(_("failure code"), max_length=60, blank=True, default="")
    failure_params = models.JSONField(default=dict, blank=True)
    failure_evidence = models.TextField(_("in the cloud's own words"), blank=True, default="")

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    idempotency_key = models.CharField(max_length=200)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    data = models.JSONField(default=dict, blank=True)
    # Grows with every change a page could show, and only then: what polling compares.
    version = models.PositiveBigIntegerField(default=1, editable=False)

    # The lease: a worker owns the operation until `lease_until`; `fence` tells its results from those of a worker before it.
    next_run_at = models.DateTimeField(_("next look at"), default=timezone.now, null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0, editable=False)
    lost_leases = models.PositiveIntegerField(_("workers lost in a row"), default=0, editable=False)
    rung_at = models.DateTimeField(null=True, blank=True)
    check_requested_at = models.DateTimeField(null=True, blank=True)

    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    created_at = models.DateTimeField(_("asked for at"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[OperationQuerySet] = OperationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        constraints = [
            models.UniqueConstraint(fields=["subject_kind", "subject_id"], condition=_LIVE, name="operation_one_live_per_subject"),
            models.UniqueConstraint(fields=["organisation", "idempotency_key"], name="operation_idempotency_key_once"),
            models.CheckConstraint(condition=Q(state__in=OperationState.values), name="operation_state_known"),
            models.CheckConstraint(
                condition=(Q(state=OperationState.WAITING) & _NAMES_A_PARTY) | (~Q(state=OperationState.WAITING) & Q(waiting_on="")),
                name="operation_waiting_names_a_party",
            ),
            models.CheckConstraint(
                condition=(Q(state=OperationState.FAILED) & ~Q(failure_code="")) | (~Q(state=OperationState.FAILED) & Q(failure_code="")),
                name="operation_failed_has_a_code",
            ),
            models.CheckConstraint(
                # A live operation always has a next run: nothing can be forgotten by the scan for due work.
                condition=(_LIVE & Q(next_run_at__isnull=False, ended_at__isnull=True))
                | (~_LIVE & Q(next_run_at__isnull=True, lease_until__isnull=True, ended_at__isnull=False)),
                name="operation_live_is_due_some_day",
            ),
            models.CheckConstraint(
                condition=Q(cancel_requested_by__isnull=True) | Q(cancel_requested_at__isnull=False), name="operation_cancel_who_and_when"
            ),
        ]
        indexes = [
            models.Index(fields=["next_run_at"], condition=_LIVE, name="operation_due"),
            models.Index(F("organisation"), F("created_at").desc(), F("id").desc(), name="operation_newest"),
            models.Index(F("subject_kind"), F("subject_id"), F("created_at").desc(), name="operation_of_subject"),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("accounts:operation_detail", args=[self.organisation.slug, self.pk])

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def title(self) -> str:
        kind = KINDS.get(self.kind)
        return str(kind.title) if kind else self.kind

    @property
    def subject_url(self) -> str:
        """The page of what is worked on, where the kind knows one."""
        kind = KINDS.get(self.kind)
        return kind.subject_url(self) if kind else ""

    @property
    def badge(self) -> str:
        """Kind of badge: shape and colour beside the word. Only a wait for the customer asks for attention."""
        if self.state == OperationState.WAITING and self.waiting_on == Party.YOU:
            return "attention"
        return BADGES[OperationState(self.state)]

    @property
    def state_words(self) -> str:
        """The state; of a wait also whose, as far as the row alone can say."""
        if self.state == OperationState.WAITING and self.waiting_on == Party.YOU:
            return _now("Waiting for you")
        return str(OperationState(self.state).label)

    @property
    def took(self) -> timedelta:
        """From being asked for to its end, or until now."""
        return (self.ended_at or timezone.now()) - self.created_at


class StepQuerySet(models.QuerySet["Step"]):
    def in_order(self) -> "StepQuerySet":
        return self.order_by("position", "attempt")


class Step(models.Model):
    """One attempt at one step. All first attempts are written when the operation starts; a retry adds a row and keeps the old one."""

    id = models.BigAutoField(primary_key=True)
    # The unique constraint below starts with the operation: a second index would only cost.
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("step"), max_length=60)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    state = models.CharField(_("state"), max_length=20, choices=StepState.choices, default=StepState.PENDING)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    waiting_on = models.CharField(_("waiting for"), max_length=10, choices=Party.choices, blank=True, default="")
    waiting_why = models.CharField(_("why it waits"), max_length=60, blank=True, default="")
    waiting_params = models.JSONField(default=dict, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True)
    last_run_at = models.DateTimeField(_("last looked at"), null=True, blank=True)
    # Faults in a row that were tried again.
    tries = models.PositiveIntegerField(_("tries"), default=0)
    # When the budget for retries and for waiting on provider or cloud ends; stands still while the ball is with the customer.
    deadline = models.DateTimeField(null=True, blank=True)
    # When patience with the customer ends, counted from the first wait for them.
    patience_until = models.DateTimeField(null=True, blank=True)
    failure_code = models.CharField(_("failure code"), max_length=60, blank=True, default="")
    failure_params = models.JSONField(default=dict, blank=True)
    failure_evidence = models.TextField(_("in the cloud's own words"), blank=True, default="")
    log_count = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[StepQuerySet] = StepQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["position", "attempt"]
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints = [
            models.UniqueConstraint(fields=["operation", "position", "attempt"], name="step_attempt_once"),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="step_state_known"),
            models.CheckConstraint(
                condition=(Q(state=StepState.WAITING, waiting_since__isnull=False) & _NAMES_A_PARTY)
                | (~Q(state=StepState.WAITING) & Q(waiting_on="", waiting_since__isnull=True)),
                name="step_waiting_names_a_party",
            ),
            models.CheckConstraint(
                condition=(Q(state=StepState.FAILED) & ~Q(failure_code="")) | (~Q(state=StepState.FAILED) & Q(failure_code="")),
                name="step_failed_has_a_code",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(ENDED_STEP_STATES), ended_at__isnull=False)
                | (~Q(state__in=sorted(ENDED_STEP_STATES)) & Q(ended_at__isnull=True)),
                name="step_ended_has_a_time",
            ),
        ]
        # Typical durations: the finished runs of a step of this name.
        indexes = [models.Index(fields=["name", "ended_at"], condition=Q(state=StepState.DONE), name="step_done_by_name")]

    def __str__(self) -> str:
        return f"{self.position}. {self.name}"

    @property
    def is_done(self) -> bool:
        return self.state == StepState.DONE


class StepLog(models.Model):
    """One line a step said, without secrets."""

    id = models.BigAutoField(primary_key=True)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="log", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    line = models.CharField(max_length=1000)

    class Meta:
        ordering = ["id"]
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")
        indexes = [models.Index(fields=["step", "id"], name="step_log_in_order")]

    def __str__(self) -> str:
        return self.line


Columns = dict[str, Any]


def latest_attempts(steps: "list[Step]") -> "list[Step]":
    """Of rows in order (position, attempt): the newest attempt at each position."""
    return list({step.position: step for step in steps}.values())
