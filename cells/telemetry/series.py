"""Figures of the last hours and days as lines, each with its conclusion in words and with rows for a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cells.models import Cell, CellSample, Instance, InstanceSample
from cells.telemetry.ingest import SAMPLE_EVERY_S

DAY, WEEK = timedelta(hours=24), timedelta(days=7)
SAMPLE = timedelta(seconds=SAMPLE_EVERY_S)
LITTLE_CPU = 100  # thousandths of a core
Point = tuple[datetime, float]


@dataclass(frozen=True)
class Metric:
    """`values` as points of a line, oldest first; empty where nothing was reported. `unit` stands beside the name."""

    name: str
    unit: str
    conclusion: str
    values: list[float]


@dataclass(frozen=True)
class Period:
    """Some hours or days: metrics side by side, and the same as rows of a table: when, and one text a metric."""

    title: str
    metrics: list[Metric]
    rows: list[tuple[str, list[str]]]

    @property
    def is_known(self) -> bool:
        return any(metric.values for metric in self.metrics)


@dataclass(frozen=True)
class Figure:
    """How one column of samples is read, shown and put in a sentence."""

    name: str
    unit: str
    read: Callable[[Sequence[Any]], list[Point]]
    say: Callable[[float], str]
    conclude: Callable[[list[float], "Words"], str]
    fold: Callable[[Sequence[float]], float]


@dataclass(frozen=True)
class Words:
    """Of a period: how long it is, and what one point of its lines stands for."""

    span: str
    point: str


def of_instance(instance: Instance, now: datetime) -> list[Period]:
    samples = list(InstanceSample.objects.filter(instance=instance, at__gt=now - WEEK, at__lte=now).order_by("at"))
    gauges = [_gauge(_("CPU"), _("cores in use"), "cpu", cores), _gauge(_("Memory"), _("MiB in use"), "memory", mebibytes)]
    counters = [_counter(_("Requests"), _("answered"), "requests"), _counter(_("Errors"), _("requests that failed"), "errors")]
    return _periods([*gauges, *counters], samples, now)


def of_cell(cell: Cell, now: datetime) -> list[Period]:
    samples = list(CellSample.objects.filter(cell=cell, at__gt=now - WEEK, at__lte=now).order_by("at"))
    gauges = [_gauge(_("CPU"), _("cores in use"), "cpu_used", cores), _gauge(_("Memory"), _("MiB in use"), "memory_used", mebibytes)]
    return _periods(gauges, samples, now)


def _periods(figures: Sequence[Figure], samples: Sequence[Any], now: datetime) -> list[Period]:
    recent = [sample for sample in samples if sample.at > now - DAY]
    day, week = Words(_("24 hours"), _("five minutes")), Words(_("7 days"), _("an hour"))
    return [
        _period(_("Last 24 hours"), day, figures, recent, each=SAMPLE, row=timedelta(hours=1), style="H:i"),
        _period(_("Last 7 days"), week, figures, samples, each=timedelta(hours=1), row=timedelta(days=1), style="j M"),
    ]


def _period(
    title: str, words: Words, figures: Sequence[Figure], samples: Sequence[Any], *, each: timedelta, row: timedelta, style: str
) -> Period:
    metrics, columns = [], []
    for figure in figures:
        points = figure.read(samples)
        values = [figure.fold(group) for _, group in _grouped(points, each)]
        conclusion = figure.conclude(values, words) if values else _("Nothing was reported.")
        metrics.append(Metric(figure.name, figure.unit, conclusion, values))
        columns.append({start: figure.say(figure.fold(group)) for start, group in _grouped(points, row)})
    starts = sorted({start for column in columns for start in column})
    return Period(title, metrics, [(date_format(start, style), [column.get(start, "") for column in columns]) for start in starts])


def _grouped(points: Sequence[Point], each: timedelta) -> list[tuple[datetime, list[float]]]:
    """By the hour or the day of the reader's clock."""
    groups: dict[datetime, list[float]] = {}
    for at, value in points:
        groups.setdefault(_floor(timezone.localtime(at), each), []).append(value)
    return sorted(groups.items())


def _floor(local: datetime, each: timedelta) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if each >= timedelta(days=1) else midnight + (local - midnight) // each * each


# --- Kinds of figures ------------------------------------------------------------------------------------------------


def _gauge(name: str, unit: str, column: str, say: Callable[[float], str]) -> Figure:
    def conclude(values: list[float], words: Words) -> str:
        text = _("%(name)s in %(span)s: %(mean)s on average, at most %(most)s over %(point)s, %(last)s at the end.")
        figures = {"mean": say(_mean(values)), "most": say(max(values)), "last": say(values[-1])}
        return text % {"name": name, "span": words.span, "point": words.point, **figures}

    return Figure(name, unit, lambda samples: [(sample.at, float(getattr(sample, column))) for sample in samples], say, conclude, _mean)


def _counter(name: str, unit: str, column: str) -> Figure:
    def conclude(values: list[float], words: Words) -> str:
        text = _("%(name)s in %(span)s: %(total)s in all, at most %(most)s in %(point)s.")
        return text % {"name": name, "span": words.span, "point": words.point, "total": count(int(sum(values))), "most": count(max(values))}

    return Figure(name, unit, lambda samples: _growth(samples, column), count, conclude, sum)


def _growth(samples: Sequence[Any], column: str) -> list[Point]:
    """What was added from one sample to the next. A counter that fell began anew with its process; nobody counts where it is empty."""
    known = [(sample.at, getattr(sample, column)) for sample in samples if getattr(sample, column) is not None]
    return [(at, float(value - before if value >= before else value)) for (_at, before), (at, value) in pairwise(known)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def cores(value: float) -> str:
    """Of thousandths. What is next to nothing keeps its thousandths, and does not become nothing."""
    places = 2 if value >= LITTLE_CPU else 3
    return _("%(cores)s cores") % {"cores": number_format(value / 1000, decimal_pos=places if value else 0)}


def mebibytes(value: float) -> str:
    return _("%(size)s MiB") % {"size": number_format(value, decimal_pos=0)}


def count(value: float) -> str:
    return number_format(int(value), decimal_pos=0)


def error_rate(period: Period) -> str:
    """Of the last 24 hours, in a sentence; empty where nobody counts requests."""
    totals = {metric.name: sum(metric.values) for metric in period.metrics if metric.values}
    requests, errors = totals.get(_("Requests")), totals.get(_("Errors"), 0)
    if not requests:
        return ""
    share = number_format(100 * errors / requests, decimal_pos=1)
    words = ngettext(
        "%(share)s %% of %(count)s request failed in the last 24 hours.",
        "%(share)s %% of %(count)s requests failed in the last 24 hours.",
        int(requests),
    )
    return words % {"share": share, "count": count(requests)}
