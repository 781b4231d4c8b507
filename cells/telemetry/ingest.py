"""Reports into the tables of the latest state and of the past: one statement for a whole batch of cells, whoever received it."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from django.db import connection

from cells.protocol.documents import InstanceReport, Report, Reports
from cells.telemetry.arrays import Array, ArrayDumper, arrays
from cells.telemetry.statement import GIVEN, STORE
from portal.operations.tasks import ring

MOST_EVENTS = 50
# Runs of the statement on one connection. Planning its two dozen parts costs more than running them for one report.
PREPARE_AFTER = 1
# The past keeps the first look of each five minutes, and takes what an agent kept while the portal was away, up to some days.
SAMPLE_EVERY_S = 300
OLDEST_SAMPLE = timedelta(days=7)


@dataclass(frozen=True)
class Received:
    """One batch of one cell, and when it came."""

    reports: Reports
    at: datetime


@dataclass(frozen=True)
class Rows:
    """Of the statement: a tuple a row. The past ones are of looks before the newest, after an absence."""

    cells: list[tuple[Any, ...]]
    instances: list[tuple[Any, ...]]
    past_cells: list[tuple[Any, ...]]
    past_instances: list[tuple[Any, ...]]


def store(batch: Sequence[Received]) -> dict[UUID, int]:
    """Durable once it returns: the last number of each cell that is stored; 0 where its numbers leap ahead, and nothing was.

    Reports that were stored before change nothing. One statement is the whole transaction, unless the caller has begun one.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        last, rung = _write(connection.connection, rows_of(batch))
    for operation in rung:
        ring(operation)
    sent = {received.reports.cell: max(report.seq for report in received.reports.reports) for received in batch}
    return {**sent, **last}


def _write(session: "psycopg.Connection[Any]", rows: Rows) -> tuple[dict[UUID, int], list[UUID]]:
    """The last number of each cell that stands, 0 where the numbers were refused; and the operations that waited for a change."""
    if session.prepare_threshold != PREPARE_AFTER:
        session.prepare_threshold = PREPARE_AFTER
        session.adapters.register_dumper(Array, ArrayDumper)
        # One plan for arrays of any length, by index and never by reading the tables.
        session.execute("SET plan_cache_mode = force_generic_plan")
    tables = (rows.cells, rows.past_cells, rows.instances, rows.past_instances)
    columns = [array for table, kinds in zip(tables, GIVEN, strict=True) for array in arrays(table, list(kinds.values()))]
    # Django's own cursor writes values into the statement's text; this one sends them beside it, and does not read the statement anew.
    with psycopg.RawCursor(session) as cursor:
        found = cursor.execute(STORE, columns, binary=True).fetchall()
    return {pk: seq for pk, seq in found if seq is not None}, [pk for pk, seq in found if seq is None]


def rows_of(batch: Iterable[Received]) -> Rows:
    """Only the newest reports of each cell say how it is; sorted, so that two batches never wait for each other."""
    by_cell: dict[UUID, list[tuple[Report, datetime]]] = defaultdict(list)
    for received in batch:
        by_cell[received.reports.cell] += [(report, received.at) for report in received.reports.reports]
    cells: list[tuple[Any, ...]] = []
    # By the cell too: what one agent says of another's instance must not stand in the place of what its own says.
    instances: dict[tuple[UUID, UUID], tuple[Any, ...]] = {}
    past = Past()
    for cell, reports in sorted(by_cell.items()):
        reports.sort(key=lambda one: one[0].seq)
        cells.append(_cell_row(cell, reports))
        if len(reports) > 1:
            past.add(cell, reports)
        if full := next((one for one in reversed(reports) if one[0].instances is not None), None):
            report, at = full
            instances |= {(instance.id, cell): _instance_row(cell, report, at, instance) for instance in report.instances or ()}
    return Rows(cells, [instances[key] for key in sorted(instances)], past.cells(), past.instances())


class Past:
    """Samples of the looks that were not the newest of their batch: the first of each five minutes, once."""

    def __init__(self) -> None:
        self._cells: dict[tuple[UUID, datetime], tuple[Any, ...]] = {}
        self._instances: dict[tuple[UUID, UUID, datetime], tuple[Any, ...]] = {}

    def add(self, cell: UUID, reports: list[tuple[Report, datetime]]) -> None:
        for report, received in reports[:-1]:
            at = sampled_at(report.at, received)
            if at < received - OLDEST_SAMPLE:
                continue
            cluster = report.cluster
            row: tuple[Any, ...] = (
                cell,
                report.seq,
                at,
                cluster.nodes_ready,
                cluster.nodes,
                cluster.cpu_used,
                cluster.cpu,
                cluster.memory_used,
            )
            self._cells.setdefault((cell, at), (*row, cluster.memory))
            for one in report.instances or ():
                row = (one.id, cell, report.seq, at, one.ready, one.desired, one.restarts, one.cpu, one.memory, one.requests, one.errors)
                self._instances.setdefault((one.id, cell, at), row)

    def cells(self) -> list[tuple[Any, ...]]:
        return [row for _, row in sorted(self._cells.items())]

    def instances(self) -> list[tuple[Any, ...]]:
        return [row for _, row in sorted(self._instances.items())]


def sampled_at(at: datetime, received: datetime) -> datetime:
    """The five minutes that a look falls into. A clock that runs ahead does not write into the future."""
    seconds = int(min(at, received).timestamp())
    return datetime.fromtimestamp(seconds - seconds % SAMPLE_EVERY_S, UTC)


def _newest_sampled_at(at: datetime, received: datetime) -> datetime:
    """Of a look that says how it is now: a clock that is days late is not believed."""
    return sampled_at(at if at > received - OLDEST_SAMPLE else received, received)


def _cell_row(cell: UUID, reports: list[tuple[Report, datetime]]) -> tuple[Any, ...]:
    """Of reports in order: the newest, with what an earlier one had in more detail."""
    report, at = reports[-1]
    cluster = report.cluster
    components = next((one.components for one, _ in reversed(reports) if one.components is not None), None)
    events = [event for one, _ in reports for event in one.events][-MOST_EVENTS:]
    telling = [report.agent.version, cluster.version, cluster.nodes_ready, cluster.nodes, components]
    return (
        cell, report.seq, at, report.at, report.agent.version, cluster.version, cluster.nodes_ready, cluster.nodes, cluster.cpu_used,
        cluster.cpu, cluster.memory_used, cluster.memory, None if components is None else _json(components), _json(events),
        zlib.crc32(msgspec.json.encode(telling)), _newest_sampled_at(report.at, at),
    )  # fmt: skip


def _instance_row(cell: UUID, report: Report, at: datetime, instance: InstanceReport) -> tuple[Any, ...]:
    return (
        instance.id, cell, report.seq, at, instance.revision, instance.state, instance.health, instance.problem, instance.ready,
        instance.desired, instance.restarts, instance.cpu, instance.memory, instance.requests, instance.errors,
        _json(instance.endpoints), _json(instance.components), _newest_sampled_at(report.at, at),
    )  # fmt: skip


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
