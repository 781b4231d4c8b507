"""`check --deploy --database default` proves that the running product cannot change or delete an event."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

CAN_CHANGE = "SELECT has_table_privilege('audit_event', 'UPDATE') OR has_table_privilege('audit_event', 'DELETE') OR has_table_privilege('audit_event', 'TRUNCATE')"  # noqa: E501


@register(Tags.database, deploy=True)
def database_role_only_appends(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    return [message for alias in databases or () for message in _check(alias)]


def _check(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT to_regclass('audit_event') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(CAN_CHANGE)
        if not cursor.fetchone()[0]:
            return []
    hint = "Run the product as a role of its own, not as the owner of the tables: `manage.py grant_app_role <role>`."
    return [Error("The database role of the product may change or delete events of the activity log.", hint=hint, id="audit.E001")]
