"""Reports into the tables of the latest state and of the past: one statement a table for a whole batch of cells, whoever received it.

`rows_of` and `write` need a psycopg cursor and nothing else: the batching server beside Django calls them with its own connection.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from django.db import connection, transaction

from cells.protocol.documents import InstanceReport, Report, Reports
from cells.telemetry.bells import ring_cells, ring_instances

MOST_EVENTS = 50
# Runs of a statement on one connection. Planning these two, of a dozen parts each, costs more than running them for one report.
PREPARE_AFTER = 2
# The past keeps the first look of each five minutes, and takes what an agent kept while the portal was away, up to some days.
SAMPLE_EVERY_S = 300
OLDEST_SAMPLE = timedelta(days=7)
# An agent counts on one by one. Who could leap to the last number there is would silence the cell's next agents for ever.
LONGEST_LEAP = 1_000_000


@dataclass(frozen=True)
class Received:
    """One batch of one cell, and when it came."""

    reports: Reports
    at: datetime


@dataclass(frozen=True)
class Changed:
    """What somebody may wait for."""

    cells: list[UUID]
    instances: list[UUID]
    last: dict[UUID, int]  # the last number of each cell that stands; 0 where the numbers were refused


@dataclass(frozen=True)
class Rows:
    """Columns of the two statements: one tuple a row. The past ones are of looks before the newest, after an absence."""

    cells: list[tuple[Any, ...]]
    instances: list[tuple[Any, ...]]
    past_cells: list[tuple[Any, ...]]
    past_instances: list[tuple[Any, ...]]


def store(batch: Sequence[Received]) -> dict[UUID, int]:
    """Durable once it returns: the last number of each cell that is stored; 0 where its numbers leap ahead, and nothing was.

    Reports that were stored before change nothing.
    """
    with transaction.atomic(), connection.cursor():
        # Django's own cursor writes values into the statement's text; this one sends them beside it, in binary.
        connection.connection.prepare_threshold = PREPARE_AFTER
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            changed = write(cursor, rows_of(batch))
        ring_cells(changed.cells)
        ring_instances(changed.instances)
    sent = {received.reports.cell: max(report.seq for report in received.reports.reports) for received in batch}
    return {**sent, **changed.last}


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


def write(cursor: "psycopg.Cursor[Any]", rows: Rows) -> Changed:
    """In the caller's transaction."""
    cells = _run(cursor, CELLS, (rows.cells, CELL_COLUMNS), (rows.past_cells, PAST_CELL_COLUMNS))
    last = {cell: seq for cell, _, seq in cells}
    taken, past = ([row for row in given if last.get(row[1])] for given in (rows.instances, rows.past_instances))
    instances = _run(cursor, INSTANCES, (taken, INSTANCE_COLUMNS), (past, PAST_INSTANCE_COLUMNS))
    return Changed([cell for cell, is_change, _ in cells if is_change], [pk for (pk,) in instances], last)


Given = tuple[list[tuple[Any, ...]], dict[str, str]]


def _run(cursor: "psycopg.Cursor[Any]", statement: str, newest: Given, past: Given) -> list[tuple[Any, ...]]:
    if not newest[0]:
        return []
    cursor.execute(statement, [[row[number] for row in rows] for rows, columns in (newest, past) for number in range(len(columns))])
    return cursor.fetchall()


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


# --- The statements --------------------------------------------------------------------------------------------------

# In the order of the rows: column -> its type in the arrays that are sent.
CELL_COLUMNS = {
    "cell_id": "uuid", "seq": "int8", "seen_at": "timestamptz", "reported_at": "timestamptz", "agent_version": "text",
    "cluster_version": "text", "nodes_ready": "int4", "nodes": "int4", "cpu_used": "int8", "cpu": "int8", "memory_used": "int8",
    "memory": "int8", "components": "text", "events": "text", "digest": "int8", "sampled_at": "timestamptz",
}  # fmt: skip
INSTANCE_COLUMNS = {
    "instance_id": "uuid", "cell_id": "uuid", "seq": "int8", "seen_at": "timestamptz", "revision": "int4", "state": "text",
    "health": "text", "problem": "text", "ready": "int4", "desired": "int4", "restarts": "int4", "cpu": "int8", "memory": "int8",
    "requests": "int8", "errors": "int8", "endpoints": "text", "components": "text", "sampled_at": "timestamptz",
}  # fmt: skip
PAST_CELL_COLUMNS = {
    "cell_id": "uuid", "seq": "int8", "at": "timestamptz", "nodes_ready": "int4", "nodes": "int4", "cpu_used": "int8", "cpu": "int8",
    "memory_used": "int8", "memory": "int8",
}  # fmt: skip
PAST_INSTANCE_COLUMNS = {
    "instance_id": "uuid", "cell_id": "uuid", "seq": "int8", "at": "timestamptz", "ready": "int4", "desired": "int4", "restarts": "int4",
    "cpu": "int8", "memory": "int8", "requests": "int8", "errors": "int8",
}  # fmt: skip


def _given(columns: dict[str, str], name: str) -> str:
    return f"unnest({', '.join(f'%b::{kind}[]' for kind in columns.values())}) AS {name}({', '.join(columns)})"


def _excluded(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)


def _listed(columns: Iterable[str], of: str) -> str:
    return ", ".join(f"{of}.{column}" for column in columns)


def _is_written(of: str, key: str) -> str:
    """Whether this batch wrote it. As a look into a set, never as a join: the planner takes arrays for ten rows and would loop in loops."""
    return f"({of}.{key} IN (SELECT {key} FROM written)) IS TRUE"  # noqa: S608  only our own names


def _samples(key: str, columns: Sequence[str]) -> str:
    """The newest look where it is the first of its five minutes, and those before it that are of later minutes than any kept."""
    table = f"cells_{key.removesuffix('_id')}sample"
    return f"""
    INSERT INTO {table} ({key}, at, {", ".join(columns)})
    SELECT g.{key}, g.sampled_at, {_listed(columns, "g")} FROM g
    WHERE (g.old_sampled_at IS NULL OR g.old_sampled_at < g.sampled_at) AND {_is_written("g", key)}
    UNION ALL
    SELECT p.{key}, p.at, {_listed(columns, "p")} FROM {_given(PAST_CELL_COLUMNS if key == "cell_id" else PAST_INSTANCE_COLUMNS, "p")}
    JOIN g ON g.{key} = p.{key} AND g.cell_id = p.cell_id
    WHERE p.seq > g.old_seq AND p.at < g.sampled_at AND {_is_written("p", key)}
    ON CONFLICT DO NOTHING
    """  # noqa: S608  only our own names


def _health(of: str) -> str:
    """`cells.telemetry.state.health_of`, in the database; a test compares the two."""
    return f"""CASE WHEN g.{of}nodes_ready IS NULL THEN NULL WHEN g.{of}nodes_ready = 0 THEN 'unhealthy'
        WHEN g.{of}nodes_ready < g.{of}nodes OR jsonb_path_exists(g.{of}components, '$[*] ? (@.state != "ready")') THEN 'degraded'
        ELSE 'healthy' END"""


def _short(statement: str) -> str:
    """Without its margins: psycopg remembers a statement it has read only up to 4,096 characters, and reading one takes a millisecond."""
    return " ".join(statement.split())


_PLAIN_CELL = [column for column in CELL_COLUMNS if column not in {"cell_id", "components", "events", "digest"}]
_JSON = {"components", "events", "endpoints"}
_CELL_SAMPLE = [column for column in PAST_CELL_COLUMNS if column not in {"cell_id", "seq", "at"}]
# `g` is what came, beside what stood there. A brief report says nothing of components: what is known of them stays, and with it
# what the digest is of.
CELLS = _short(f"""
WITH g AS MATERIALIZED (
    SELECT n.cell_id, {_listed(_PLAIN_CELL, "n")},
           CASE WHEN n.components IS NULL THEN coalesce(old.components, '[]') ELSE n.components::jsonb END AS components,
           CASE WHEN n.events = '[]' THEN coalesce(old.events, '[]') ELSE n.events::jsonb END AS events,
           CASE WHEN n.components IS NULL THEN coalesce(old.digest, 0) ELSE n.digest END AS digest,
           coalesce(old.seq, 0) AS old_seq, old.digest AS old_digest, old.nodes_ready AS old_nodes_ready, old.nodes AS old_nodes,
           old.components AS old_components, old.sampled_at AS old_sampled_at
    FROM {_given(CELL_COLUMNS, "n")} JOIN cells_cell c ON c.id = n.cell_id LEFT JOIN cells_cellstatus old ON old.cell_id = n.cell_id
),
written AS (
    INSERT INTO cells_cellstatus AS s ({", ".join(CELL_COLUMNS)})
    SELECT {_listed(CELL_COLUMNS, "g")} FROM g WHERE g.seq <= g.old_seq + {LONGEST_LEAP} ORDER BY g.cell_id
    ON CONFLICT (cell_id) DO UPDATE SET {_excluded(column for column in CELL_COLUMNS if column not in {"cell_id", "sampled_at"})},
        sampled_at = greatest(s.sampled_at, EXCLUDED.sampled_at)
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.cell_id
),
sampled AS ({_samples("cell_id", _CELL_SAMPLE)}),
turned AS (
    INSERT INTO cells_statuschange (cell_id, axis, value, at)
    SELECT t.cell_id, 'health', t.became, t.seen_at FROM (
        SELECT g.cell_id, g.seen_at, {_health("")} AS became, {_health("old_")} AS was FROM g
        WHERE (g.digest, g.nodes_ready, g.nodes) IS DISTINCT FROM (g.old_digest, g.old_nodes_ready, g.old_nodes)
          AND {_is_written("g", "cell_id")}
    ) t WHERE t.became IS DISTINCT FROM t.was
)
SELECT g.cell_id, g.digest IS DISTINCT FROM g.old_digest AND {_is_written("g", "cell_id")},
       CASE WHEN g.seq > g.old_seq + {LONGEST_LEAP} THEN 0 ELSE greatest(g.old_seq, g.seq) END
FROM g
""")  # noqa: S608  only our own column names

_STORED_INSTANCE = [column for column in INSTANCE_COLUMNS if column != "cell_id"]
_INSTANCE_SAMPLE = [column for column in PAST_INSTANCE_COLUMNS if column not in {"instance_id", "cell_id", "seq", "at"}]
# An instance of another cell is not there: the agent of one cell cannot speak for another.
INSTANCES = _short(f"""
WITH g AS MATERIALIZED (
    SELECT {", ".join(f"n.{column}::jsonb AS {column}" if column in _JSON else f"n.{column}" for column in INSTANCE_COLUMNS)},
           coalesce(old.seq, 0) AS old_seq, old.state AS old_state, old.revision AS old_revision, old.problem AS old_problem,
           old.sampled_at AS old_sampled_at, i.applied_revision AS was_applied, i.health AS was_health, i.endpoints AS was_endpoints,
           CASE WHEN n.state = 'absent' OR n.problem <> '' THEN i.applied_revision ELSE n.revision END AS applied
    FROM {_given(INSTANCE_COLUMNS, "n")} JOIN cells_instance i ON i.id = n.instance_id AND i.cell_id = n.cell_id AND i.state <> 'deleted'
    LEFT JOIN cells_instancestatus old ON old.instance_id = n.instance_id
),
written AS (
    INSERT INTO cells_instancestatus AS s ({", ".join(_STORED_INSTANCE)})
    SELECT {_listed(_STORED_INSTANCE, "g")} FROM g ORDER BY g.instance_id
    ON CONFLICT (instance_id) DO UPDATE SET
        {_excluded(column for column in _STORED_INSTANCE if column not in {"instance_id", "sampled_at"})},
        sampled_at = greatest(s.sampled_at, EXCLUDED.sampled_at)
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.instance_id
),
sampled AS ({_samples("instance_id", _INSTANCE_SAMPLE)}),
turned AS (
    INSERT INTO cells_statuschange (instance_id, axis, value, at)
    SELECT g.instance_id, 'health', g.health, g.seen_at FROM g WHERE g.health <> g.was_health AND {_is_written("g", "instance_id")}
),
changed AS (
    UPDATE cells_instance i SET applied_revision = g.applied, health = g.health, endpoints = g.endpoints,
           health_at = CASE WHEN g.was_health = g.health THEN i.health_at ELSE g.seen_at END
    FROM g
    WHERE i.id = g.instance_id AND (g.was_applied, g.was_health, g.was_endpoints) IS DISTINCT FROM (g.applied, g.health, g.endpoints)
      AND {_is_written("g", "instance_id")}
    RETURNING i.id
)
SELECT id FROM changed
UNION
SELECT g.instance_id FROM g
WHERE (g.state, g.revision, g.problem) IS DISTINCT FROM (g.old_state, g.old_revision, g.old_problem) AND {_is_written("g", "instance_id")}
""")  # noqa: S608
