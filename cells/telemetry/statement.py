"""The one statement that a batch of reports is: the latest state, samples for the past, changes, and the bells of what waits for them."""

from collections.abc import Iterable, Sequence

# An agent counts on one by one. Who could leap to the last number there is would silence the cell's next agents for ever.
LONGEST_LEAP = 1_000_000

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

# The arrays that are sent, in this order.
GIVEN = (CELL_COLUMNS, PAST_CELL_COLUMNS, INSTANCE_COLUMNS, PAST_INSTANCE_COLUMNS)


def _given(columns: dict[str, str], name: str) -> str:
    """Its place among the parameters follows from the order of `GIVEN`."""
    before = sum(len(other) for other in GIVEN[: [other is columns for other in GIVEN].index(True)])
    arrays = (f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), before + 1))
    return f"unnest({', '.join(arrays)}) AS {name}({', '.join(columns)})"


def _excluded(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)


def _listed(columns: Iterable[str], of: str) -> str:
    return ", ".join(f"{of}.{column}" for column in columns)


def _is_written(of: str, key: str) -> str:
    """Whether this batch wrote it. As a look into a set, never as a join: the planner takes arrays for ten rows and would loop in loops."""
    return f"({of}.{key} IN (SELECT {key} FROM {WRITTEN[key]})) IS TRUE"  # noqa: S608  only our own names


def _samples(key: str, came: str, columns: Sequence[str], past: dict[str, str]) -> str:
    """The newest look where it is the first of its five minutes, and those before it that are of later minutes than any kept."""
    table = f"cells_{key.removesuffix('_id')}sample"
    return f"""
    INSERT INTO {table} ({key}, at, {", ".join(columns)})
    SELECT n.{key}, n.sampled_at, {_listed(columns, "n")} FROM {came} n
    WHERE (n.old_sampled_at IS NULL OR n.old_sampled_at < n.sampled_at) AND {_is_written("n", key)}
    UNION ALL
    SELECT p.{key}, p.at, {_listed(columns, "p")} FROM {_given(past, "p")} JOIN {came} n ON n.{key} = p.{key} AND n.cell_id = p.cell_id
    WHERE p.seq > n.old_seq AND p.at < n.sampled_at AND {_is_written("p", key)}
    ON CONFLICT DO NOTHING
    """  # noqa: S608  only our own names


def _health(of: str) -> str:
    """`cells.telemetry.state.health_of`, in the database; a test compares the two."""
    return f"""CASE WHEN g.{of}nodes_ready IS NULL THEN NULL WHEN g.{of}nodes_ready = 0 THEN 'unhealthy'
        WHEN g.{of}nodes_ready < g.{of}nodes OR jsonb_path_exists(g.{of}components, '$[*] ? (@.state != "ready")') THEN 'degraded'
        ELSE 'healthy' END"""


WRITTEN = {"cell_id": "written", "instance_id": "written_instances"}
_PLAIN_CELL = [column for column in CELL_COLUMNS if column not in {"cell_id", "components", "events", "digest"}]
_JSON = {"components", "events", "endpoints"}
_CELL_SAMPLE = [column for column in PAST_CELL_COLUMNS if column not in {"cell_id", "seq", "at"}]
_STORED_INSTANCE = [column for column in INSTANCE_COLUMNS if column != "cell_id"]
_INSTANCE_SAMPLE = [column for column in PAST_INSTANCE_COLUMNS if column not in {"instance_id", "cell_id", "seq", "at"}]
_IS_TAKEN = f"g.seq <= g.old_seq + {LONGEST_LEAP}"

# `g` is what came of cells, beside what stood there. A brief report says nothing of components: what is known of them stays, and with it
# what the digest is of.
_CELLS = f"""
g AS MATERIALIZED (
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
    SELECT {_listed(CELL_COLUMNS, "g")} FROM g WHERE {_IS_TAKEN} ORDER BY g.cell_id
    ON CONFLICT (cell_id) DO UPDATE SET {_excluded(column for column in CELL_COLUMNS if column not in {"cell_id", "sampled_at"})},
        sampled_at = greatest(s.sampled_at, EXCLUDED.sampled_at)
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.cell_id
),
sampled AS ({_samples("cell_id", "g", _CELL_SAMPLE, PAST_CELL_COLUMNS)}),
turned AS (
    INSERT INTO cells_statuschange (cell_id, axis, value, at)
    SELECT t.cell_id, 'health', t.became, t.seen_at FROM (
        SELECT g.cell_id, g.seen_at, {_health("")} AS became, {_health("old_")} AS was FROM g
        WHERE (g.digest, g.nodes_ready, g.nodes) IS DISTINCT FROM (g.old_digest, g.old_nodes_ready, g.old_nodes)
          AND {_is_written("g", "cell_id")}
    ) t WHERE t.became IS DISTINCT FROM t.was
)"""  # noqa: S608  only our own names, here and below

# `h` is what came of instances. One of another cell is not there: the agent of one cell cannot speak for another. Nor is one of a cell
# whose numbers are refused.
_INSTANCES = f"""
h AS MATERIALIZED (
    SELECT {", ".join(f"n.{column}::jsonb AS {column}" if column in _JSON else f"n.{column}" for column in INSTANCE_COLUMNS)},
           coalesce(old.seq, 0) AS old_seq, old.state AS old_state, old.revision AS old_revision, old.problem AS old_problem,
           old.sampled_at AS old_sampled_at, i.applied_revision AS was_applied, i.health AS was_health, i.endpoints AS was_endpoints,
           CASE WHEN n.state = 'absent' OR n.problem <> '' THEN i.applied_revision ELSE n.revision END AS applied
    FROM {_given(INSTANCE_COLUMNS, "n")} JOIN cells_instance i ON i.id = n.instance_id AND i.cell_id = n.cell_id AND i.state <> 'deleted'
    LEFT JOIN cells_instancestatus old ON old.instance_id = n.instance_id
    WHERE (n.cell_id IN (SELECT g.cell_id FROM g WHERE {_IS_TAKEN})) IS TRUE
),
written_instances AS (
    INSERT INTO cells_instancestatus AS s ({", ".join(_STORED_INSTANCE)})
    SELECT {_listed(_STORED_INSTANCE, "h")} FROM h ORDER BY h.instance_id
    ON CONFLICT (instance_id) DO UPDATE SET
        {_excluded(column for column in _STORED_INSTANCE if column not in {"instance_id", "sampled_at"})},
        sampled_at = greatest(s.sampled_at, EXCLUDED.sampled_at)
    WHERE EXCLUDED.seq > s.seq
    RETURNING s.instance_id
),
sampled_instances AS ({_samples("instance_id", "h", _INSTANCE_SAMPLE, PAST_INSTANCE_COLUMNS)}),
turned_instances AS (
    INSERT INTO cells_statuschange (instance_id, axis, value, at)
    SELECT h.instance_id, 'health', h.health, h.seen_at FROM h WHERE h.health <> h.was_health AND {_is_written("h", "instance_id")}
),
changed AS (
    UPDATE cells_instance i SET applied_revision = h.applied, health = h.health, endpoints = h.endpoints,
           health_at = CASE WHEN h.was_health = h.health THEN i.health_at ELSE h.seen_at END
    FROM h
    WHERE i.id = h.instance_id AND (h.was_applied, h.was_health, h.was_endpoints) IS DISTINCT FROM (h.applied, h.health, h.endpoints)
      AND {_is_written("h", "instance_id")}
    RETURNING i.id
)"""  # noqa: S608

# Operations that wait for one of these are due at once: as `cells.telemetry.bells` does it, in the transaction of what they wait for.
_BELLS = f"""
news AS (
    SELECT 'cell' AS kind, g.cell_id::text AS id FROM g WHERE g.digest IS DISTINCT FROM g.old_digest AND {_is_written("g", "cell_id")}
    UNION
    SELECT 'instance', id::text FROM changed
    UNION
    SELECT 'instance', h.instance_id::text FROM h
    WHERE (h.state, h.revision, h.problem) IS DISTINCT FROM (h.old_state, h.old_revision, h.old_problem)
      AND {_is_written("h", "instance_id")}
),
rung AS (
    UPDATE operations_operation o SET next_run_at = now() FROM news
    WHERE o.subject_kind = news.kind AND o.subject_id = news.id AND o.state = 'waiting'
    RETURNING o.id
)"""  # noqa: S608

# The last number of each cell, 0 where it was refused; and, without a number, each operation that was rung for.
STORE = f"""WITH {_CELLS}, {_INSTANCES}, {_BELLS}
SELECT g.cell_id, CASE WHEN {_IS_TAKEN} THEN greatest(g.old_seq, g.seq) ELSE 0 END FROM g
UNION ALL
SELECT rung.id, NULL FROM rung
"""  # noqa: S608
