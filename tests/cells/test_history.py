"""The past of cells and instances: one sample each five minutes, every change of health, partitions that come and go."""

import secrets
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from cells.models import CellSample, CellStatus, InstanceSample, StatusChange
from cells.protocol.documents import Reports
from cells.telemetry.ingest import Received, store
from cells.telemetry.partitions import keep_partitions
from cells.telemetry.state import health_of
from tests.cells.factories import make_cell, make_instance
from tests.cells.spoken import a_report, an_instance

pytestmark = pytest.mark.django_db
SUPERUSER = "postgres"
NOW = datetime.now(UTC).replace(hour=12, minute=2, second=0, microsecond=0)


@pytest.fixture
def cell():
    return make_cell()


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell)


def look(seq, at, *instances, **values):
    return a_report(seq, *instances, **{"at": at.isoformat(), **values})


def send(cell, *reports, at):
    store([Received(msgspec.convert({"cell": str(cell.pk), "reports": reports}, Reports), at)])


def minutes(rows):
    return [int((at - NOW).total_seconds() // 60) for at in rows.order_by("at").values_list("at", flat=True)]


def test_first_look_of_five_minutes_is_kept(cell, instance):
    for seq, minute in enumerate([0, 1, 2, 3, 9, 10], 1):
        at = NOW + timedelta(minutes=minute)
        send(cell, look(seq, at, an_instance(instance, cpu=seq)), at=at)

    # 12:02 stands for 12:00 to 12:05, 12:05 comes at minute 3, 12:10 at minute 9.
    assert minutes(CellSample.objects.filter(cell=cell)) == [-2, 3, 8]
    assert list(InstanceSample.objects.order_by("at").values_list("cpu", flat=True)) == [1, 4, 5]
    sample = InstanceSample.objects.earliest("at")
    assert (sample.ready, sample.desired, sample.restarts, sample.memory, sample.requests, sample.errors) == (1, 1, 0, 20, 7, 1)


def test_what_an_agent_kept_while_we_were_away_fills_the_gap(cell, instance):
    send(cell, look(1, NOW, an_instance(instance)), at=NOW)
    back = NOW + timedelta(hours=1)
    for first in (2, 62):
        batch = [
            look(seq, NOW + timedelta(seconds=30 * seq), an_instance(instance, cpu=seq), cluster=a_report()["cluster"] | {"cpu_used": seq})
            for seq in range(first, first + 60)
        ]
        send(cell, *batch, at=back)

    assert minutes(CellSample.objects.all()) == [-2, *range(3, 60, 5)]
    assert minutes(InstanceSample.objects.all()) == [-2, *range(3, 60, 5)]
    assert list(CellSample.objects.order_by("at").values_list("cpu_used", flat=True))[1:3] == [6, 16]


def test_repeated_and_older_reports_leave_the_past_alone(cell, instance):
    send(cell, look(5, NOW, an_instance(instance)), at=NOW)
    again = NOW + timedelta(minutes=20)

    send(cell, look(5, again, an_instance(instance)), at=again)
    send(cell, look(4, again, an_instance(instance)), look(5, again), at=again)

    assert (CellSample.objects.count(), InstanceSample.objects.count()) == (1, 1)


def test_wrong_clock_writes_neither_the_future_nor_the_long_past(cell, instance):
    send(cell, look(1, NOW + timedelta(seconds=110), an_instance(instance)), at=NOW)
    later = NOW + timedelta(minutes=10)
    send(cell, look(2, datetime(1970, 1, 1, tzinfo=UTC), an_instance(instance)), look(3, datetime(1970, 1, 2, tzinfo=UTC)), at=later)

    assert minutes(CellSample.objects.all()) == [-2, 8]


def test_instance_of_another_cell_has_no_past_written_for_it(cell):
    foreign = make_instance(cell=make_cell(region="us-east-1"))

    send(cell, look(1, NOW, an_instance(foreign)), look(2, NOW + timedelta(minutes=6), an_instance(foreign)), at=NOW + timedelta(minutes=6))

    assert InstanceSample.objects.count() == 0


# --- Changes -------------------------------------------------------------------------------------------------------------


def test_change_of_an_instance_is_kept_once(cell, instance):
    for seq, health in enumerate(["healthy", "healthy", "unhealthy", "healthy"], 1):
        at = NOW + timedelta(minutes=seq)
        send(cell, look(seq, at, an_instance(instance, health=health)), at=at)

    changes = StatusChange.objects.filter(instance=instance, axis="health").values_list("value", "at")
    assert list(changes) == [
        (value, NOW + timedelta(minutes=minute)) for value, minute in (("healthy", 1), ("unhealthy", 3), ("healthy", 4))
    ]


CLUSTERS = [(2, "ready"), (1, "ready"), (1, "failed"), (2, "failed"), (0, "ready"), (2, "ready")]


def test_change_of_a_cell_follows_the_one_rule(cell):
    """The database's expression and `health_of` are the same rule."""
    seen = []
    for seq, (ready, state) in enumerate(CLUSTERS, 1):
        cluster = a_report()["cluster"] | {"nodes_ready": ready}
        send(cell, look(seq, NOW, cluster=cluster, components=[{"name": "x", "version": "1", "state": state}]), at=NOW)
        health = health_of(CellStatus.objects.get(cell=cell))
        if not seen or seen[-1] != health:
            seen.append(health)

    assert list(StatusChange.objects.filter(cell=cell).values_list("value", flat=True)) == seen
    assert [health.value for health in seen] == ["healthy", "degraded", "unhealthy", "healthy"]


def test_brief_report_with_a_machine_less_is_a_change(cell):
    send(cell, look(1, NOW, components=[]), at=NOW)
    brief = look(2, NOW, cluster=a_report()["cluster"] | {"nodes_ready": 1})
    send(cell, {name: value for name, value in brief.items() if name not in {"components", "instances"}}, at=NOW)

    assert list(StatusChange.objects.filter(cell=cell).values_list("value", flat=True)) == ["healthy", "degraded"]


# --- Partitions ----------------------------------------------------------------------------------------------------------


def partitions(table="cells_cellsample"):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass ORDER BY 1", [table]
        )
        return [name.removeprefix(f"{table}_") for (name,) in cursor.fetchall()]


def day(offset):
    return (timezone.now().astimezone(UTC).date() + timedelta(days=offset)).strftime("%Y%m%d")


def test_partitions_are_made_ahead_once(cell):
    first = keep_partitions(ahead=12)
    again = keep_partitions(ahead=12)

    assert (first.made > 0, again.made, again.dropped) == (True, 0, 0)
    for table in ("cells_cellsample", "cells_instancesample"):
        assert {day(offset) for offset in range(13)} | {"rest"} <= set(partitions(table))


def test_partition_that_is_too_old_is_dropped_with_its_rows(cell):
    old = day(-20)
    with connection.cursor() as cursor:
        bounds = [timezone.now() - timedelta(days=days) for days in (20, 19)]
        literals = [f"'{bound:%Y-%m-%d} 00:00+00'" for bound in bounds]
        cursor.execute(
            f"CREATE TABLE cells_cellsample_{old} PARTITION OF cells_cellsample FOR VALUES FROM ({literals[0]}) TO ({literals[1]})"
        )
    CellSample.objects.create(cell=cell, at=bounds[0], nodes_ready=1, nodes=1, cpu_used=1, cpu=1, memory_used=1, memory=1)

    assert keep_partitions().dropped == 1
    assert (old in partitions(), CellSample.objects.count()) == (False, 0)


def test_row_without_a_partition_waits_is_counted_and_moves_in_when_its_day_comes(cell):
    at = timezone.now() + timedelta(days=25)
    CellSample.objects.create(cell=cell, at=at, nodes_ready=1, nodes=1, cpu_used=1, cpu=1, memory_used=1, memory=1)

    assert keep_partitions().strays == 1
    kept = keep_partitions(ahead=26)

    assert (kept.strays, CellSample.objects.get().at) == (0, at)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM cells_cellsample")
        assert cursor.fetchall() == [(f"cells_cellsample_{day(25)}",)]


@pytest.fixture
def product_role(transactional_db):
    """A login role with what `grant_app_role` gives."""
    name = f"portal_history_{secrets.token_hex(4)}"
    with psycopg.connect(**{**connection.get_connection_params(), "user": SUPERUSER}, autocommit=True) as session:
        session.execute(f"CREATE ROLE {name} LOGIN")
        call_command("grant_app_role", name, verbosity=0)
        yield name
        session.execute(f"DROP OWNED BY {name}")
        session.execute(f"DROP ROLE {name}")


def test_product_role_keeps_partitions_without_owning_tables(product_role):
    """In production the portal's role may neither make nor drop a table."""
    cell, at = make_cell(), timezone.now() + timedelta(days=9)
    owner = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = product_role
    try:
        with pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE of_my_own ()")
        keep_partitions(ahead=9)
        CellSample.objects.create(cell=cell, at=at, nodes_ready=1, nodes=1, cpu_used=1, cpu=1, memory_used=1, memory=1)
        assert CellSample.objects.get().at == at
    finally:
        connection.close()
        connection.settings_dict["USER"] = owner
    assert day(9) in partitions()
