"""Partitions of the past: made ahead and dropped by a function of the database, as the running product does not own its tables."""

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import connection, transaction

log = structlog.get_logger()
DAYS_AHEAD = 7


@dataclass(frozen=True)
class Kept:
    made: int
    dropped: int
    strays: int  # rows that fit no day's partition


def keep_partitions(ahead: int = DAYS_AHEAD) -> Kept:
    """Safe to run twice, and by two at once. Rows outside of every day are no loss and never silent: somebody has to look why."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT made, dropped, strays FROM cells_keep_partitions(%s, %s)", [ahead, settings.HISTORY_DAYS])
        kept = Kept(*cursor.fetchone())
    if kept.strays:
        log.error("history_outside_partitions", rows=kept.strays)
    return kept
