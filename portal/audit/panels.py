"""Events as pages show them: newest first, grouped by the reader's day. One query each, however many events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from uuid import UUID

from django.utils import timezone

from portal.audit.models import Event, EventQuerySet


@dataclass(frozen=True)
class Day:
    """The events of one day in the current time zone, newest first."""

    day: date
    events: Sequence[Event]


@dataclass(frozen=True)
class Panel:
    """Some events by day. `older_than` is the number to continue before, or None at the end. For `audit/_events.html`."""

    days: Sequence[Day]
    older_than: int | None

    @property
    def is_empty(self) -> bool:
        return not self.days


def subject_activity(organisation_id: UUID, kind: str, subject_id: object, limit: int = 20) -> Panel:
    """The latest events on one thing of one organisation, for a tab of its page; one query."""
    return panel_of(Event.objects.for_chain(organisation_id).for_subject(kind, subject_id), limit)


def panel_of(events: EventQuerySet, limit: int, before: int | None = None) -> Panel:
    """The newest `limit` of the events, or of those before a number; one query."""
    if before is not None:
        events = events.filter(sequence__lt=before)
    found = list(events.newest_first()[: limit + 1])
    shown = found[:limit]
    days = [Day(day, list(group)) for day, group in groupby(shown, key=lambda event: timezone.localdate(event.at))]
    return Panel(days, shown[-1].sequence if len(found) > limit else None)
