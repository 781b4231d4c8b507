"""Emptying the database after a transactional test, quickly: only tables that hold rows, and nothing that would be put back.

Django's own way truncates every table, which makes PostgreSQL replace the files of each and of its indexes, and then writes all
content types and permissions anew. What is left behind is the same here.
"""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase

KEPT = ("django_content_type", "auth_permission")
# Those of the closing bind the product's role alone, and let the owner of the tables delete.
WITH_TRIGGERS = r"SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgname NOT LIKE 'closing\_guard\_%'"
_django_empties = TransactionTestCase._fixture_teardown
_left_by_django: list[Any] = []


def empty_quickly(case: TransactionTestCase) -> None:
    """In place of TransactionTestCase._fixture_teardown."""
    if case.available_apps is not None or case.serialized_rollback or not _left_by_django or _kept() != _left_by_django:
        _django_empties(case)
        _left_by_django[:] = _kept()
        return
    tables = [name for name in connection.introspection.django_table_names(only_existing=True, include_views=False) if name not in KEPT]
    with transaction.atomic(), connection.cursor() as cursor:
        # TRUNCATE would wait, too, for a transaction that another process or thread has not ended yet.
        cursor.execute(f"LOCK TABLE {', '.join(map(_quoted, tables))} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {_quoted(name)})" for name in tables))
        filled = {name for (name,) in cursor.fetchall()}
        cursor.execute(WITH_TRIGGERS)
        guarded = filled & {name for (name,) in cursor.fetchall()}  # the activity log refuses DELETE, in tests too
        if guarded:
            cursor.execute(f"TRUNCATE {', '.join(map(_quoted, guarded))}")
        for name in filled - guarded:
            cursor.execute(f"DELETE FROM {_quoted(name)}")  # foreign keys are looked at when all are empty
    ContentType.objects.clear_cache()


def _kept() -> list[Any]:
    """Content of the tables that are kept; a test that changed it has Django make it anew."""
    with connection.cursor() as cursor:
        found = []
        for name in KEPT:
            cursor.execute(f"SELECT md5(string_agg(kept::text, '|' ORDER BY id)) FROM {_quoted(name)} kept")
            found.append(cursor.fetchone())
    return found


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
