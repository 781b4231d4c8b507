"""Rows by the hundred thousand: one is made as the tests make it, the others are copies of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from django.db import connection

from accounts.models import Organisation
from cells.models import Cell, Instance
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_organisation


def make_cells(number: int) -> tuple[list[UUID], list[UUID]]:
    """Cells of one organisation with an instance each: ids, side by side."""
    account = make_cloud_account(organisation=make_organisation(name="Bench", slug="bench"), state="connected")
    cell = make_cell(account=account, name="cell")
    instance = make_instance(cell=cell, name="first")
    copy(Cell, cell.pk, f"generate_series(1, {number}) n", region="'r' || n", name="'cell ' || n")
    others = f"(SELECT id, name, region FROM cells_cell WHERE id <> '{cell.pk}') n"
    copy(Instance, instance.pk, others, name="n.name", region="n.region", cell_id="n.id")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT cell_id, id FROM cells_instance WHERE cell_id IS NOT NULL ORDER BY cell_id")
        rows = cursor.fetchall()
    return [cell for cell, _ in rows], [instance for _, instance in rows]


def make_fleet(total: int, own: int) -> Organisation:
    """An organisation with `own` instances in a table of `total`; the others belong to a hundred others."""
    ours = _with_instances(own, "fleet")
    for number in range(100):
        _with_instances((total - own) // 100, f"other-{number}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE cells_instance")
    return ours


def _with_instances(number: int, slug: str) -> Organisation:
    organisation = make_organisation(name=slug.title(), slug=slug)
    first = make_instance(account=make_cloud_account(organisation=organisation, state="connected"), name="orders")
    series = f"generate_series(1, {max(0, number - 1)}) n"
    copy(Instance, first.pk, series, name="'orders-' || lpad(n::text, 7, '0')", region="'r' || n % 20")
    return organisation


def copy(model, pk: UUID, source: str, **other: str) -> None:
    """One copy a row of `source`, which is called n; what is not named in `other` is as in the row `pk`."""
    table, fields = model._meta.db_table, [field.column for field in model._meta.concrete_fields]
    values = {name: f"t.{name}" for name in fields} | {"id": "gen_random_uuid()"} | other
    with quick() as session:
        session.execute(
            f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {table} t, {source} WHERE t.id = '{pk}'"
        )


@contextmanager
def quick() -> Iterator[psycopg.Connection]:
    """Without looking up what every copy refers to: that exists."""
    settings = connection.settings_dict
    host = settings["HOST"] or settings["OPTIONS"]["host"]
    with psycopg.connect(host=host, user="postgres", dbname=settings["NAME"], autocommit=True) as session:
        session.execute("SET session_replication_role = replica")
        yield session
