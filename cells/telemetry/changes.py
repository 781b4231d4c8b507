"""The past of one axis, a day at a time: what was the worst of each day, and for how much of the time all was well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from cells.models import Cell, Instance, StatusChange

KEPT = timedelta(days=400)
DAYS = 90
# From the best to the worst of a day.
ORDER = {
    StatusChange.Axis.HEALTH: ("healthy", "unknown", "degraded", "unhealthy"),
    StatusChange.Axis.LINK: ("connected", "never", "disabled", "stale", "offline"),
}


@dataclass(frozen=True)
class Day:
    day: date
    worst: str  # empty: nothing was known yet


@dataclass(frozen=True)
class Span:
    """One value, from one change to the next."""

    value: str
    start: datetime
    end: datetime


def spans_of(subject: Cell | Instance, axis: StatusChange.Axis, since: datetime, until: datetime) -> list[Span]:
    """Without a gap from the first change on; two queries."""
    of = Q(cell=subject) if isinstance(subject, Cell) else Q(instance=subject)
    changes = StatusChange.objects.filter(of, axis=axis)
    before = changes.filter(at__lte=since).order_by("-at", "-id").values_list("value", flat=True).first()
    found = [*([(since, before)] if before else []), *changes.filter(at__gt=since, at__lt=until).values_list("at", "value")]
    ends = [*(at for at, _ in found[1:]), until]
    return [Span(value, at, end) for (at, value), end in zip(found, ends, strict=False)]


def days_of(spans: Sequence[Span], axis: StatusChange.Axis, zone: tzinfo, today: date, days: int = DAYS) -> list[Day]:
    """Oldest first, each day as the reader's clock has it."""
    worst: dict[date, str] = {}
    rank = {value: number for number, value in enumerate(ORDER[axis])}
    for span in spans:
        last = max(span.start, span.end - timedelta(microseconds=1))
        day, end = span.start.astimezone(zone).date(), last.astimezone(zone).date()
        while day <= end:
            worst[day] = max(worst.get(day, span.value), span.value, key=lambda value: rank.get(value, 0))
            day += timedelta(days=1)
    first = today - timedelta(days=days - 1)
    return [Day(day, worst.get(day, "")) for day in (first + timedelta(days=number) for number in range(days))]


def begin_of(zone: tzinfo, today: date, days: int = DAYS) -> datetime:
    return datetime.combine(today - timedelta(days=days - 1), time(), zone)


def share_of(spans: Sequence[Span], good: str) -> float | None:
    """Of the time that is known, how much had this value; None where nothing is known."""
    known = sum((span.end - span.start).total_seconds() for span in spans)
    return sum((span.end - span.start).total_seconds() for span in spans if span.value == good) / known if known else None


def forget_old() -> int:
    """Changes that are too old go, but never the newest of a thing before that day: it still says how the thing is."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [timezone.now() - KEPT] * 2)
        return int(cursor.rowcount)


FORGET = """
DELETE FROM cells_statuschange c USING cells_statuschange later
WHERE c.at < %s AND later.axis = c.axis AND later.at < %s AND (later.at, later.id) > (c.at, c.id)
  AND (later.cell_id = c.cell_id OR later.instance_id = c.instance_id)
"""
