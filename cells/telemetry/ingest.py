"""Reports into the latest-state tables: one statement a table for a whole batch of cells, whoever received it.

`rows_of` and `write` need a psycopg cursor and nothing else: the batching server beside Django calls them with its own connection.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from django.db import connection, transaction

from cells.protocol.documents import InstanceReport, Report, Reports
from cells.telemetry.bells import ring_cells, ring_instances

MOST_EVENTS = 50


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


@dataclass(frozen=True)
class Rows:
    """Columns of the two statements: one tuple a row."""

    cells: list[tuple[Any, ...]]
    instances: list[tuple[Any, ...]]


def store(batch: Sequence[Received]) -> dict[UUID, int]:
    """Durable once it returns. The last number of each cell; reports that were stored before change nothing."""
    with transaction.atomic(), connection.cursor():
        # Django's own cursor writes values into the statement's text; this one sends them beside it, in binary.
        with psycopg.Cursor(connection.connection) as cursor:
            changed = write(cursor, rows_of(batch))
        ring_cells(changed.cells)
        ring_instances(changed.instances)
    return {received.reports.cell: max(report.seq for report in received.reports.reports) for received in batch}


def rows_of(batch: Iterable[Received]) -> Rows:
    """Only the newest reports of each cell count here; sorted, so that two batches never wait for each other."""
    by_cell: dict[UUID, list[tuple[Report, datetime]]] = defaultdict(list)
    for received in batch:
        by_cell[received.reports.cell] += [(report, received.at) for report in received.reports.reports]
    cells: list[tuple[Any, ...]] = []
    instances: dict[UUID, tuple[Any, ...]] = {}
    for cell, reports in sorted(by_cell.items()):
        reports.sort(key=lambda one: one[0].seq)
        cells.append(_cell_row(cell, reports))
        if full := next((one for one in reversed(reports) if one[0].instances is not None), None):
            report, at = full
            instances |= {instance.id: _instance_row(cell, report, at, instance) for instance in report.instances or ()}
    return Rows(cells, [instances[pk] for pk in sorted(instances)])


def write(cursor: "psycopg.Cursor[Any]", rows: Rows) -> Changed:
    """In the caller's transaction."""
    cells = _run(cursor, CELLS, rows.cells, CELL_COLUMNS)
    instances = _run(cursor, INSTANCES, rows.instances, INSTANCE_COLUMNS)
    return Changed([cell for cell, is_change in cells if is_change], [pk for (pk,) in instances])


def _run(cursor: "psycopg.Cursor[Any]", statement: str, rows: list[tuple[Any, ...]], columns: dict[str, str]) -> list[tuple[Any, ...]]:
    if not rows:
        return []
    cursor.execute(statement, [[row[number] for row in rows] for number in range(len(columns))])
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
        zlib.crc32(msgspec.json.encode(telling)),
    )  # fmt: skip


def _instance_row(cell: UUID, report: Report, at: datetime, instance: InstanceReport) -> tuple[Any, ...]:
    return (
        instance.id, cell, report.seq, at, instance.revision, instance.state, instance.health, instance.problem, instance.ready,
        instance.desired, instance.restarts, instance.cpu, instance.memory, instance.requests, instance.errors,
        _json(instance.endpoints), _json(instance.components),
    )  # fmt: skip


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# --- The statements --------------------------------------------------------------------------------------------------

# In the order of the rows: column -> its type in the arrays that are sent.
CELL_COLUMNS = {
    "cell_id": "uuid", "seq": "int8", "seen_at": "timestamptz", "reported_at": "timestamptz", "agent_version": "text",
    "cluster_version": "text", "nodes_ready": "int4", "nodes": "int4", "cpu_used": "int8", "cpu": "int8", "memory_used": "int8",
    "memory": "int8", "components": "text", "events": "text", "digest": "int8",
}  # fmt: skip
INSTANCE_COLUMNS = {
    "instance_id": "uuid", "cell_id": "uuid", "seq": "int8", "seen_at": "timestamptz", "revision": "int4", "state": "text",
    "health": "text", "problem": "text", "ready": "int4", "desired": "int4", "restarts": "int4", "cpu": "int8", "memory": "int8",
    "requests": "int8", "errors": "int8", "endpoints": "text", "components": "text",
}  # fmt: skip


def _given(columns: dict[str, str]) -> str:
    return f"unnest({', '.join(f'%b::{kind}[]' for kind in columns.values())}) AS g({', '.join(columns)})"


def _excluded(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)


_PLAIN_CELL = [column for column in CELL_COLUMNS if column not in {"cell_id", "components", "events", "digest"}]
# A brief report says nothing of components: what is known of them stays, and with it what the digest is of.
CELLS = f"""
WITH g AS MATERIALIZED (SELECT * FROM {_given(CELL_COLUMNS)}),
before AS (SELECT s.cell_id, s.digest FROM cells_cellstatus s JOIN g USING (cell_id)),
written AS (
    INSERT INTO cells_cellstatus AS s ({", ".join(CELL_COLUMNS)})
    SELECT g.cell_id, {", ".join(f"g.{column}" for column in _PLAIN_CELL)},
           CASE WHEN g.components IS NULL THEN coalesce(old.components, '[]'::jsonb) ELSE g.components::jsonb END,
           CASE WHEN g.events = '[]' THEN coalesce(old.events, '[]'::jsonb) ELSE g.events::jsonb END,
           CASE WHEN g.components IS NULL THEN coalesce(old.digest, 0) ELSE g.digest END
    FROM g JOIN cells_cell c ON c.id = g.cell_id LEFT JOIN cells_cellstatus old ON old.cell_id = g.cell_id
    ORDER BY g.cell_id
    ON CONFLICT (cell_id) DO UPDATE SET {_excluded([*_PLAIN_CELL, "components", "events", "digest"])}
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.cell_id, s.digest
)
SELECT w.cell_id, before.digest IS DISTINCT FROM w.digest FROM written w LEFT JOIN before USING (cell_id)
"""  # noqa: S608  only our own column names

_STORED_INSTANCE = [column for column in INSTANCE_COLUMNS if column != "cell_id"]
_JSON = {"endpoints", "components"}
# An instance of another cell is not there: the agent of one cell cannot speak for another.
INSTANCES = f"""
WITH g AS MATERIALIZED (
    SELECT g.* FROM {_given(INSTANCE_COLUMNS)} JOIN cells_instance i ON i.id = g.instance_id AND i.cell_id = g.cell_id
    WHERE i.state <> 'deleted'
),
before AS (SELECT s.instance_id, s.state, s.revision, s.problem FROM cells_instancestatus s JOIN g USING (instance_id)),
written AS (
    INSERT INTO cells_instancestatus AS s ({", ".join(_STORED_INSTANCE)})
    SELECT {", ".join(f"g.{column}::jsonb" if column in _JSON else f"g.{column}" for column in _STORED_INSTANCE)} FROM g
    ORDER BY g.instance_id
    ON CONFLICT (instance_id) DO UPDATE SET {_excluded(column for column in _STORED_INSTANCE if column != "instance_id")}
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.instance_id
),
wanted AS (
    SELECT g.instance_id, g.seen_at, g.health, g.endpoints::jsonb AS endpoints,
           CASE WHEN g.state = 'absent' OR g.problem <> '' THEN i.applied_revision ELSE g.revision END AS revision
    FROM g JOIN written USING (instance_id) JOIN cells_instance i ON i.id = g.instance_id
),
changed AS (
    UPDATE cells_instance i SET applied_revision = w.revision, health = w.health, endpoints = w.endpoints,
           health_at = CASE WHEN i.health = w.health THEN i.health_at ELSE w.seen_at END
    FROM wanted w
    WHERE i.id = w.instance_id AND (i.applied_revision, i.health, i.endpoints) IS DISTINCT FROM (w.revision, w.health, w.endpoints)
    RETURNING i.id
)
SELECT id FROM changed
UNION
SELECT g.instance_id FROM g JOIN written USING (instance_id) LEFT JOIN before USING (instance_id)
WHERE (g.state, g.revision, g.problem) IS DISTINCT FROM (before.state, before.revision, before.problem)
"""  # noqa: S608
