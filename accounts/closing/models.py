"""The closing of an organisation, and the record of what was deleted after it. Written by `actions`, `steps` and `erasing`."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.closing.states import ClosingState
from accounts.closing.terms import PEOPLE
from accounts.models import Organisation, User

# At least a weekend and a day: long enough for the other owners to read their mail.
SHORTEST_WAIT = timedelta(days=3)


class ClosingQuerySet(models.QuerySet["Closing"]):
    def planned(self) -> "ClosingQuerySet":
        """At most one an organisation."""
        return self.filter(state=ClosingState.PLANNED)

    def due(self) -> "ClosingQuerySet":
        return self.planned().filter(scheduled_for__lte=timezone.now())

    def failing(self) -> "ClosingQuerySet":
        """Those whose last try, to close or to delete, has raised."""
        return self.filter(failed_at__isnull=False)

    def closed(self) -> "ClosingQuerySet":
        return self.filter(state=ClosingState.CLOSED)


class Closing(models.Model):
    """One plan to close an organisation, called off or carried out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="closings")
    state = models.CharField(_("state"), max_length=20, choices=ClosingState.choices, default=ClosingState.PLANNED)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(_("asked for at"), default=timezone.now, editable=False)
    scheduled_for = models.DateTimeField(_("closes at"))
    # Called off by an owner; by the portal where nobody is named: something was in the way at its time.
    cancelled_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    cancelled_at = models.DateTimeField(_("called off at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    # Its last try has raised, to close or to delete after it: it is tried after the others then, and staff see it.
    failed_at = models.DateTimeField(_("last failed at"), null=True, blank=True, editable=False)

    objects: ClassVar[ClosingQuerySet] = ClosingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-requested_at"]
        verbose_name = _("closing")
        verbose_name_plural = _("closings")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=~Q(state=ClosingState.CANCELLED), name="closing_one_open_per_organisation"
            ),
            models.CheckConstraint(condition=Q(state__in=ClosingState.values), name="closing_state_known"),
            models.CheckConstraint(
                condition=Q(state=ClosingState.PLANNED, cancelled_at=None, cancelled_by=None, closed_at=None)
                | Q(state=ClosingState.CANCELLED, cancelled_at__isnull=False, closed_at=None)
                | Q(state=ClosingState.CLOSED, cancelled_at=None, cancelled_by=None, closed_at__isnull=False),
                name="closing_ended_says_when",
            ),
            models.CheckConstraint(
                condition=Q(scheduled_for__gte=models.F("requested_at") + SHORTEST_WAIT), name="closing_leaves_time_to_call_it_off"
            ),
        ]

    def __str__(self) -> str:
        return str(self.organisation)

    def get_absolute_url(self) -> str:
        return reverse("closing:closing_home", args=[self.organisation.slug])

    @property
    def export_until(self) -> datetime:
        """Until then owners can download the export, and members read the page."""
        assert self.closed_at
        return self.closed_at + PEOPLE.after


class Erasure(models.Model):
    """What was deleted of a closed organisation after one term: numbers, and nothing of anybody. It is kept for good."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # A plain UUID: the record outlives the organisation.
    organisation_id = models.UUIDField(_("organisation's ID"), editable=False)
    term = models.CharField(_("term"), max_length=20)  # its code in `terms`
    began_at = models.DateTimeField(_("began at"), default=timezone.now, editable=False)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    # How many rows of which table, as far as it has come.
    counts = models.JSONField(_("deleted rows"), default=dict, blank=True)
    # Where the activity had ended: with it a copy that somebody holds can still be proven to be whole.
    last_event = models.PositiveBigIntegerField(_("number of the last event"), null=True, blank=True)
    last_hash = models.CharField(_("its hash"), max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-began_at"]
        verbose_name = _("deletion after closing")
        verbose_name_plural = _("deletions after closing")
        constraints = [models.UniqueConstraint(fields=["organisation_id", "term"], name="erasure_once_per_term")]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.term}"
