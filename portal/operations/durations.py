"""How long a step usually takes: percentiles of its own history, one query a kind, kept in memory for a while."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, FloatField
from django.db.models.functions import Extract
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.operations.models import Step
from portal.operations.states import StepState

FEWEST_SAMPLES = 20
HISTORY = timedelta(days=180)
KEPT_SECONDS = 600.0
MINUTE, HOUR, DAY = 60, 3600, 86400

# In this process, not in the shared cache: figures may differ by minutes between processes, a page never waits for a cache.
_known: dict[str, tuple[float, "dict[str, Usual]"]] = {}


@dataclass(frozen=True)
class Usual:
    """Seconds: half of all runs took between `low` and `high`, 95 of 100 less than `late`."""

    low: float
    high: float
    late: float


class Percentiles(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(ARRAY[0.25, 0.75, 0.95]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = ArrayField(FloatField())


def usual_durations(kind: str) -> dict[str, Usual]:
    """By step name, for steps of this kind with at least 20 finished runs in half a year."""
    until, found = _known.get(kind, (0.0, {}))
    if time.monotonic() < until:
        return found
    found = {row["name"]: Usual(*row["seconds"]) for row in _percentiles(kind)}
    _known[kind] = (time.monotonic() + KEPT_SECONDS, found)
    return found


def _percentiles(kind: str) -> Any:
    took = Extract(ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField()), "epoch", output_field=FloatField())
    runs = Step.objects.filter(operation__kind=kind, state=StepState.DONE, started_at__isnull=False, ended_at__gte=timezone.now() - HISTORY)
    return runs.values("name").annotate(samples=Count("id"), seconds=Percentiles(took)).filter(samples__gte=FEWEST_SAMPLES).order_by("name")


def forget_durations() -> None:
    """Ask the history again at the next look."""
    _known.clear()


def range_in_words(low: float, high: float) -> str:
    """`8–14 min`, `20–40 s`, `2 h`: one unit, that of the longer end, rounded outwards only as far as needed."""
    if high < 1:
        return _("under a second")
    if high < MINUTE:
        return _spread(low, high, 1, _("%(range)s s"))
    if high < 2 * HOUR:
        return _spread(low, high, MINUTE, _("%(range)s min"))
    if high < 2 * DAY:
        return _spread(low, high, HOUR, _("%(range)s h"))
    return _spread(low, high, DAY, _("%(range)s days"))


def _spread(low: float, high: float, unit: int, words: str) -> str:
    first, last = max(1, round(low / unit)), max(1, round(high / unit))
    return words % {"range": str(last) if first == last else f"{first}–{last}"}
