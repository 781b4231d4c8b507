"""Queries of every page: the ORM writes each once, and PostgreSQL plans it once a connection; only the values differ.

Writing a query anew takes the ORM longer than PostgreSQL takes to answer it, and planning it takes PostgreSQL as long again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import NotSupportedError, connection
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.db.models import QuerySet
from psycopg.pq import Format

# Runs of a statement on one connection before it keeps the plan. Not the number that cells.telemetry.ingest tells its own connections by.
PREPARE_AFTER = 2
# What stands in the place of a value while the ORM writes the query: of each kind one that nobody else would write.
A_KEY, ANOTHER_KEY = UUID("7a1c9d02-5e0b-4c5b-9d6e-0c8a4f6b21d7"), UUID("5b0f2a34-9c61-4d0e-8f57-1e6d3ab94c02")
A_TEXT = "\u2402a text that is put in later\u2403"
A_TIME = datetime(1871, 3, 2, 4, 5, 6, 789, tzinfo=UTC)


@dataclass(frozen=True)
class Planned:
    """A statement with a name in the place of each value. Rows are as PostgreSQL has them: no converter of a field runs."""

    statement: str

    @classmethod
    def written(cls, query: QuerySet[Any, Any], **places: UUID | str | datetime) -> "Planned":
        """By the ORM, from a query made with the stand-ins (`A_KEY`, ...) that `places` gives names to. All else in it stays as it is."""
        try:
            sql, values = query.query.sql_with_params()
        except EmptyResultSet:  # its conditions leave nothing, whatever is there
            return cls("")
        # Value by value, never by looking in the text: what somebody searches for could read like a stand-in, quotes and all.
        return cls(sql.replace("%%", "%%%%") % tuple(_place(value, places) for value in values))

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        if not self.statement:
            return []
        try:
            return self._rows(values)
        except NotSupportedError:  # a migration has meanwhile changed the type of a column that the plan was made for
            if connection.in_atomic_block:
                raise
            connection.connection.execute("DEALLOCATE ALL")
            return self._rows(values)

    def _rows(self, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with _cursor() as cursor:
            cursor.execute(self.statement, values)
            return list(cursor.fetchall())


def _place(value: Any, places: Mapping[str, Any]) -> str:
    """The name of what this value stands in for, or else the value itself, quoted."""
    for name, stand_in in places.items():
        if type(value) is type(stand_in) and value == stand_in:
            return f"%({name})s"
    return _composed("%s", [value]).replace("%", "%%")


def _composed(sql: str, values: Any) -> str:
    return str(connection.ops.compose_sql(sql, values))  # type: ignore[attr-defined]  # PostgreSQL's


def _cursor() -> Any:
    """Django's own sends values within the statement's text, which is then a new one each time; this one sends them beside it."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    session: psycopg.Connection[Any] = connection.connection
    # Behind a pooler that hands connections out anew (PORTAL_DATABASE_POOL=false) nothing is kept on them.
    if session.prepare_threshold is None and "pool" in connection.settings_dict["OPTIONS"]:
        session.prepare_threshold = PREPARE_AFTER
        # Else PostgreSQL plans some of them anew each time, in case these very values pay for it. All of them enter by an index.
        session.execute("SET plan_cache_mode = force_generic_plan")
    cursor: Any = psycopg.Cursor(session)
    cursor.format = Format.BINARY
    return _LoggedCursor(cursor, connection) if connection.queries_logged else connection.make_cursor(cursor)


class _LoggedCursor(CursorDebugWrapper):
    """Logs the statement as it was given: psycopg, which Django's asks for the text it sent, has none once the statement is prepared."""

    def execute(self, sql: Any, params: Any = None) -> Any:
        with self.debug_sql(sql, params):
            return CursorWrapper.execute(self, sql, params)
