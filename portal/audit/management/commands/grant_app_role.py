"""Give the running product's database role exactly what it needs. Run as the owner of the tables, after every `migrate`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from portal.audit.models import ChainEnd, ChainHead, Event

ALL = "SELECT, INSERT, UPDATE, DELETE"
RIGHTS = {
    Event._meta.db_table: "SELECT, INSERT",
    ChainHead._meta.db_table: "SELECT, INSERT, UPDATE",
    ChainEnd._meta.db_table: "SELECT, INSERT",
    "django_migrations": "SELECT",
}
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
ROLE = """
    SELECT rolsuper, pg_has_role(rolname, tableowner, 'MEMBER')
    FROM pg_roles, pg_tables
    WHERE schemaname = current_schema() AND tablename = %s AND rolname = %s
"""


class Command(BaseCommand):
    help = (
        "Grants a database role what the running product needs and takes away everything else: rows of all tables, but of the activity log "
        "only reading and appending. The role exists already (CREATE ROLE … LOGIN). Can be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="name of the role in DATABASE_URL of the web and worker processes")

    @transaction.atomic
    def handle(self, *_args: Any, **options: Any) -> None:
        role = options["role"]
        with connection.cursor() as cursor:
            refuse_powerful(cursor, role)
            cursor.execute("SELECT current_schema(), current_database()")
            schema, database = (sql.Identifier(name) for name in cursor.fetchone())
            names = {"role": sql.Identifier(role), "schema": schema, "database": database}
            for statement in SCHEMA_STATEMENTS:
                cursor.execute(sql.SQL(statement).format(**names))
            cursor.execute(TABLES)
            tables = [row[0] for row in cursor.fetchall()]
            for table in tables:
                rights = sql.SQL(RIGHTS.get(table, ALL))
                cursor.execute(sql.SQL("GRANT {} ON {}.{} TO {}").format(rights, schema, sql.Identifier(table), names["role"]))
        self.stdout.write(f"{role}: {len(tables)} tables, the activity log append-only.")


SCHEMA_STATEMENTS = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
    "REVOKE ALL ON SCHEMA {schema} FROM {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON FUNCTION {schema}.audit_delete_ended(uuid, integer) TO {role}",
    "GRANT EXECUTE ON FUNCTION {schema}.closing_close(uuid) TO {role}",
)


def refuse_powerful(cursor: CursorWrapper, role: str) -> None:
    """Raise CommandError for a role that does not exist, or to which no grant could mean anything."""
    cursor.execute(ROLE, [Event._meta.db_table, role])
    found = cursor.fetchone()
    if found is None:
        raise CommandError(f"There is no role {role!r}. Make it first: CREATE ROLE … LOGIN PASSWORD …")
    is_superuser, is_owner = found
    if is_superuser or is_owner:
        raise CommandError(f"{role!r} is a superuser or owns the tables: nothing can be kept from it. Use a role of its own.")
