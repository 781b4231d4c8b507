"""Which agents fell silent and which came back: one statement over all cells, each change written once.

`link_of` says the same of one cell at any moment, by the same two times. What stands here is the past of it, and what alarms are made of.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from cells.models import SweepRound
from cells.states import SERVED_CELLS, AgentLink
from cells.telemetry.state import OFFLINE_AFTER, STALE_AFTER

log = structlog.get_logger()
LOCK = "cells.telemetry.sweep"
# No round for so long: the portal stood still itself, and cannot say who else did.
LONGEST_GAP = timedelta(minutes=2)
# So many that were heard a moment ago, and now nobody: it is our own ear.
DEAF_FROM = 10


@dataclass(frozen=True)
class Swept:
    """`moved` counts cells by the link they came to. Silence counts for alarms from `listening_since` at the earliest."""

    moved: dict[AgentLink, int]
    listening_since: datetime


def sweep() -> Swept | None:
    """One round. None when another one is under way, or when nobody at all is heard: that is our fault, and nothing is written."""
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        if not take_lock():
            return None
        is_deaf = _is_deaf(now)
        since = _note_round(now, is_deaf=is_deaf)
        if is_deaf:
            log.error("sweep_hears_nobody")
            return None
        values: dict[str, Any] = {"now": now, "stale": now - STALE_AFTER, "offline": now - OFFLINE_AFTER, "served": sorted(SERVED_CELLS)}
        cursor.execute(LINKS, values)
        moved = {AgentLink(link): count for link, count in cursor.fetchall()}
    return Swept(moved, since)


def take_lock() -> bool:
    """For this transaction: rounds never overlap, whoever starts them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [LOCK])
        return bool(cursor.fetchone()[0])


def _is_deaf(now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(HEARD, [now - STALE_AFTER])
        known, heard = cursor.fetchone()
    return known >= DEAF_FROM and not heard


def _note_round(now: datetime, *, is_deaf: bool) -> datetime:
    """Since when the portal has been listening without a gap."""
    last = SweepRound.objects.first()
    is_gap = is_deaf or last is None or now - last.looked_at > LONGEST_GAP
    since = now if is_gap or last is None else last.listening_since
    SweepRound.objects.update_or_create(pk=1, defaults={"looked_at": now, "listening_since": since})
    return since


HEARD = """
SELECT count(*), count(*) FILTER (WHERE s.seen_at > %s)
FROM cells_celllink l JOIN cells_cellstatus s USING (cell_id) WHERE l.link = 'connected'
"""
# The comparison in ON CONFLICT is the fence: a round that another one has overtaken finds its change written and writes none.
LINKS = """
WITH heard AS (
    SELECT s.cell_id, CASE WHEN c.is_agent_disabled THEN 'disabled' WHEN s.seen_at > %(stale)s THEN 'connected'
                           WHEN s.seen_at > %(offline)s THEN 'stale' ELSE 'offline' END AS link
    FROM cells_cellstatus s JOIN cells_cell c ON c.id = s.cell_id WHERE c.state = ANY(%(served)s)
),
moved AS (
    INSERT INTO cells_celllink AS l (cell_id, link, since)
    SELECT h.cell_id, h.link, %(now)s FROM heard h LEFT JOIN cells_celllink was USING (cell_id)
    WHERE was.link IS DISTINCT FROM h.link ORDER BY h.cell_id
    ON CONFLICT (cell_id) DO UPDATE SET link = EXCLUDED.link, since = EXCLUDED.since WHERE l.link <> EXCLUDED.link
    RETURNING cell_id, link, since
),
kept AS (INSERT INTO cells_statuschange (cell_id, axis, value, at) SELECT cell_id, 'link', link, since FROM moved RETURNING value)
SELECT value, count(*) FROM kept GROUP BY value
"""
