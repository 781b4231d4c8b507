"""What was found around an account before a cell is built there: one assessment a look, with a finding for each check."""

import uuid
from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.clouds import base
from accounts.models.cloud_accounts import CloudAccount
from accounts.models.people import User
from portal.operations.models import Operation

KEPT_ASSESSMENTS = 20  # of each account and region
# A day between two looks of the schedule, and room for one that comes late.
FRESH_FOR = timedelta(hours=36)


class AssessmentQuerySet(models.QuerySet["Assessment"]):
    def finished(self) -> "AssessmentQuerySet":
        return self.filter(finished_at__isnull=False)

    def for_region(self, region: str) -> "AssessmentQuerySet":
        return self.filter(region=region)

    def newest_first(self) -> "AssessmentQuerySet":
        return self.order_by("-started_at", "-id")


class Assessment(models.Model):
    """One look at what is around an account in one region. Without `finished_at` it is under way, or its operation has failed."""

    class Trigger(models.TextChoices):
        PERSON = "person", pgettext_lazy("why an environment was checked", "Asked for")
        CONNECTED = "connected", pgettext_lazy("why an environment was checked", "After connecting")
        SCHEDULE = "schedule", pgettext_lazy("why an environment was checked", "By schedule")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="assessments", db_index=False)
    region = models.CharField(_("region"), max_length=40)
    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="+")
    trigger = models.CharField(max_length=20, choices=Trigger.choices)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    kit_version = models.CharField(_("kit version"), max_length=20)
    # The figures that limits were held against (accounts.environment.needs).
    needs = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    # When its oldest answer was given: a look at one check keeps the other answers.
    looked_at = models.DateTimeField(null=True, blank=True)
    passed = models.PositiveSmallIntegerField(default=0)
    warned = models.PositiveSmallIntegerField(default=0)
    blocked = models.PositiveSmallIntegerField(default=0)
    unknown = models.PositiveSmallIntegerField(default=0)
    # The capability profile: what a region of this account offers (accounts.environment.capabilities).
    facts = models.JSONField(default=dict, blank=True)

    objects: ClassVar[AssessmentQuerySet] = AssessmentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-started_at"]
        verbose_name = _("assessment")
        verbose_name_plural = _("assessments")
        constraints = [
            models.CheckConstraint(condition=Q(trigger__in=["person", "connected", "schedule"]), name="assessment_trigger_known"),
            models.CheckConstraint(
                condition=Q(trigger="person", requested_by__isnull=False) | (~Q(trigger="person") & Q(requested_by__isnull=True)),
                name="assessment_person_is_named",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, looked_at__isnull=True)
                | Q(finished_at__gte=F("started_at"), looked_at__isnull=False),
                name="assessment_finished_has_looked",
            ),
        ]
        indexes = [models.Index(F("account"), F("region"), F("started_at").desc(), name="assessment_newest")]

    def __str__(self) -> str:
        return f"{self.region} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def is_fresh(self) -> bool:
        return self.looked_at is not None and timezone.now() - self.looked_at < FRESH_FOR


class EnvironmentFinding(models.Model):
    """What one check found, with what mends it."""

    class Verdict(models.TextChoices):
        PASS = base.Verdict.PASS.value, pgettext_lazy("check result", "Pass")
        WARN = base.Verdict.WARN.value, pgettext_lazy("check result", "Warning")
        BLOCK = base.Verdict.BLOCK.value, pgettext_lazy("check result", "Blocks")
        UNKNOWN = base.Verdict.UNKNOWN.value, pgettext_lazy("check result", "No answer")

    id = models.BigAutoField(primary_key=True)
    # The unique constraint below starts with the assessment: a second index would only cost.
    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="findings", db_index=False)
    name = models.CharField(max_length=60)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    evidence = models.TextField(blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    command = models.TextField(blank=True, default="")
    link = models.CharField(max_length=500, blank=True, default="")
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        verbose_name = _("finding about the environment")
        verbose_name_plural = _("findings about the environment")
        constraints = [
            models.UniqueConstraint(fields=["assessment", "name"], name="environment_finding_once"),
            models.CheckConstraint(condition=Q(verdict__in=["pass", "warn", "block", "unknown"]), name="environment_finding_verdict_known"),
        ]

    def __str__(self) -> str:
        return self.name
