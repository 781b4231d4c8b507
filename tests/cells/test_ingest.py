"""Reports into the latest-state tables: in order, once, only where they belong, and with what changed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cells.models import CellStatus, InstanceSample, InstanceStatus
from cells.protocol.documents import Reports
from cells.states import Health, InstanceState
from cells.telemetry.ingest import Received, store
from cells.telemetry.intake.batching import store_all
from cells.telemetry.state import cell_health, cell_is_heard, instance_report, missing_components
from cells.telemetry.statement import LONGEST_LEAP, STORE
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.cells.factories import make_cell, make_instance
from tests.cells.spoken import a_report, an_instance

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def received(cell, *reports, at=NOW):
    return Received(msgspec.convert({"cell": str(cell.pk), "reports": reports}, Reports), at)


@pytest.fixture
def cell():
    return make_cell()


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell)


def test_stored_report_says_what_the_agent_said(cell, instance):
    assert store([received(cell, a_report(7, an_instance(instance)))]) == {cell.pk: 7}

    status = CellStatus.objects.get(pk=cell.pk)
    assert (status.seq, status.seen_at, status.agent_version, status.cluster_version) == (7, NOW, "1.0.0", "v1.35.0")
    assert (status.nodes_ready, status.nodes, status.cpu_used, status.cpu, status.memory_used, status.memory) == (
        2,
        2,
        100,
        4000,
        900,
        8000,
    )
    row = InstanceStatus.objects.get(pk=instance.pk)
    assert (row.seq, row.revision, row.state, row.health, row.ready, row.desired, row.restarts) == (7, 1, "running", "healthy", 1, 1, 0)
    assert (row.cpu, row.memory, row.requests, row.errors, row.problem) == (5, 20, 7, 1, "")
    assert row.endpoints == [{"name": "web", "url": "https://orders.example/"}]
    assert row.components == [{"name": "app", "version": "1.0.0", "state": "running"}]


def test_instance_takes_over_what_changed(cell, instance):
    store([received(cell, a_report(1, an_instance(instance)))])

    instance.refresh_from_db()
    assert (instance.applied_revision, instance.health, instance.health_at) == (1, "healthy", NOW)
    assert instance.endpoints == [{"name": "web", "url": "https://orders.example/"}]

    later = NOW + timedelta(minutes=1)
    store([received(cell, a_report(2, an_instance(instance, restarts=1)), at=later)])
    instance.refresh_from_db()
    assert instance.health_at == NOW
    store([received(cell, a_report(3, an_instance(instance, health="degraded")), at=later)])
    instance.refresh_from_db()
    assert (instance.health, instance.health_at) == ("degraded", later)


def test_repeated_report_changes_nothing(cell, instance):
    store([received(cell, a_report(5, an_instance(instance)))])

    again = store([received(cell, a_report(5, an_instance(instance, health="unhealthy")), at=NOW + timedelta(hours=1))])

    assert again == {cell.pk: 5}
    assert (CellStatus.objects.get().seen_at, InstanceStatus.objects.get().health) == (NOW, "healthy")


def test_older_report_changes_nothing(cell, instance):
    store([received(cell, a_report(5, an_instance(instance)))])
    store([received(cell, a_report(4, an_instance(instance, health="unhealthy")))])

    instance.refresh_from_db()
    assert (CellStatus.objects.get().seq, instance.health) == (5, "healthy")


def test_newest_of_a_batch_counts_in_whatever_order(cell, instance):
    late, early = a_report(9, an_instance(instance)), a_report(8, an_instance(instance, health="unhealthy"))
    store([received(cell, late, early)])

    assert (CellStatus.objects.get().seq, InstanceStatus.objects.get().health) == (9, "healthy")


def test_brief_report_leaves_what_is_known_of_instances(cell, instance):
    store([received(cell, a_report(1, an_instance(instance), components=[{"name": "x", "version": "1", "state": "ready"}]))])
    brief = {name: value for name, value in a_report(3).items() if name in {"seq", "at", "agent", "cluster"}}
    store([received(cell, a_report(2, an_instance(instance, health="degraded")), brief)])

    status = CellStatus.objects.get()
    assert (status.seq, status.components) == (3, [])
    assert InstanceStatus.objects.get().health == "degraded"


def test_last_events_stay_until_there_are_others(cell):
    event = {"at": "2026-05-01T12:00:00Z", "code": "agent_started"}
    store([received(cell, a_report(1, events=[event]))])
    store([received(cell, a_report(2))])

    assert [entry["code"] for entry in CellStatus.objects.get().events] == ["agent_started"]


def test_revision_that_was_refused_is_not_applied(cell, instance):
    store([received(cell, a_report(1, an_instance(instance)))])
    store([received(cell, a_report(2, an_instance(instance, revision=2, problem="chart_not_found", state="failed")))])

    instance.refresh_from_db()
    assert instance.applied_revision == 1
    assert instance_report(instance.pk).problem == "chart_not_found"


def test_instance_that_is_gone_is_removed(cell, instance):
    store([received(cell, a_report(1, an_instance(instance)))])
    store([received(cell, a_report(2, an_instance(instance, revision=0, state="absent", health="unknown", endpoints=[])))])

    report = instance_report(instance.pk)
    instance.refresh_from_db()
    assert (report.is_removed, report.is_running, instance.applied_revision, instance.endpoints) == (True, False, 1, [])


def test_deleted_and_foreign_instances_are_left_alone(cell):
    gone, foreign = make_instance(cell=cell, state=InstanceState.DELETED), make_instance(cell=make_cell(region="us-east-1"))

    store([received(cell, a_report(1, an_instance(gone), an_instance(foreign)))])

    assert InstanceStatus.objects.count() == 0


def test_many_cells_are_two_statements(django_assert_max_num_queries):
    cells = [make_cell() for _ in range(12)]
    instances = [make_instance(cell=cell) for cell in cells]
    batch = [received(cell, a_report(1, an_instance(instance))) for cell, instance in zip(cells, instances, strict=True)]
    store(batch[:1])

    with CaptureQueriesContext(
        connection,
    ) as seen:
        stored = store(batch)

    assert len(stored) == 12
    assert (CellStatus.objects.count(), InstanceStatus.objects.count()) == (12, 12)
    # Savepoint, the two bells, release; the two statements go by a cursor of their own.
    assert len(seen) <= 4


def test_updates_stay_on_their_page(cell, instance):
    """No index is touched: what changes all the time is not indexed, and the page has room."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reloptions FROM pg_class WHERE relname IN ('cells_cellstatus', 'cells_instancestatus')")
        assert dict(cursor.fetchall()) == {"cells_cellstatus": ["fillfactor=70"], "cells_instancestatus": ["fillfactor=70"]}
        cursor.execute(
            "SELECT tablename, count(*) FROM pg_indexes WHERE tablename IN ('cells_cellstatus', 'cells_instancestatus') GROUP BY 1"
        )
        assert dict(cursor.fetchall()) == {"cells_cellstatus": 1, "cells_instancestatus": 1}


# --- Bells ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(cell, instance):
    later = timezone.now() + timedelta(hours=1)
    common = {"kind": "x", "organisation": cell.organisation, "state": OperationState.WAITING, "waiting_on": "cloud", "waiting_why": "x"}
    return [
        Operation.objects.create(subject_kind=kind, subject_id=str(pk), idempotency_key=kind, next_run_at=later, **common)
        for kind, pk in (("cell", cell.pk), ("instance", instance.pk))
    ]


def is_due(operation):
    operation.refresh_from_db()
    return operation.next_run_at <= timezone.now()


def test_what_waits_is_rung_for_by_a_change_and_not_by_a_heartbeat(cell, instance, waiting):
    of_cell, of_instance = waiting
    store([received(cell, a_report(1, an_instance(instance)))])
    assert (is_due(of_cell), is_due(of_instance)) == (True, True)

    later = timezone.now() + timedelta(hours=1)
    Operation.objects.update(next_run_at=later)
    store([received(cell, a_report(2, an_instance(instance, cpu=900, requests=8)))])
    assert (is_due(of_cell), is_due(of_instance)) == (False, False)

    store([received(cell, a_report(3, an_instance(instance, state="restarting")))])
    assert (is_due(of_cell), is_due(of_instance)) == (False, True)


def test_new_component_rings_for_the_cell(cell, instance, waiting):
    store([received(cell, a_report(1, an_instance(instance)))])
    Operation.objects.update(next_run_at=timezone.now() + timedelta(hours=1))

    store([received(cell, a_report(2, an_instance(instance), components=[{"name": "x", "version": "1", "state": "ready"}]))])

    assert [is_due(operation) for operation in waiting] == [True, False]


# --- What operations ask ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ready", "state", "health"),
    [(2, "ready", Health.HEALTHY), (1, "ready", Health.DEGRADED), (2, "failed", Health.DEGRADED), (0, "ready", Health.UNHEALTHY)],
)
def test_health_of_a_cell_follows_from_its_machines_and_components(cell, ready, state, health):
    assert cell_health(cell.pk) is None
    cluster = a_report()["cluster"] | {"nodes_ready": ready}

    store([received(cell, a_report(1, cluster=cluster, components=[{"name": "x", "version": "1", "state": state}]))])

    assert cell_health(cell.pk) == health


def test_component_is_missing_until_it_is_ready_in_the_wanted_version(cell, settings):
    settings.PLATFORM_COMPONENTS = [{"name": "ingress", "chart": "oci://c.example/i", "chart_version": "2.0.0", "digest": "1" * 64}]
    assert missing_components(cell.pk) == ["ingress"]
    for seq, (version, state, missing) in enumerate(
        [("1.0.0", "ready", ["ingress"]), ("2.0.0", "failed", ["ingress"]), ("2.0.0", "ready", [])], 1
    ):
        store([received(cell, a_report(seq, components=[{"name": "ingress", "version": version, "state": state}]))])
        assert missing_components(cell.pk) == missing


def test_cell_is_heard_within_a_time(cell):
    store([received(cell, a_report(), at=timezone.now() - timedelta(minutes=2))])

    assert cell_is_heard(cell.pk, within=timedelta(minutes=3))
    assert not cell_is_heard(cell.pk, within=timedelta(minutes=1))


# --- What one agent cannot do to others, nor to those after it ----------------------------------------------------------


def pair():
    """Cells of two customers, the one with the smaller id first: the rows of a batch stand in that order."""
    return sorted((make_cell(), make_cell(region="us-east-1")), key=lambda cell: cell.pk)


@pytest.mark.parametrize("is_first", [True, False])
def test_word_of_another_cell_does_not_take_the_place_of_the_own_ones(is_first):
    victim, other = pair() if is_first else pair()[::-1]
    instance = make_instance(cell=victim)
    mine = received(victim, a_report(2, an_instance(instance, health="unhealthy")))

    store([mine, received(other, a_report(1, an_instance(instance)))])

    assert list(InstanceStatus.objects.values_list("seq", "health")) == [(2, "unhealthy")]


@pytest.mark.parametrize("is_first", [True, False])
def test_past_of_an_instance_is_written_by_its_own_cell_alone(is_first):
    victim, other = pair() if is_first else pair()[::-1]
    instance = make_instance(cell=victim)
    store([received(victim, a_report(1, an_instance(instance, cpu=5), at=NOW.isoformat()))])
    later = NOW + timedelta(minutes=10)
    forged = a_report(900, an_instance(instance, cpu=999_999), at=(NOW - timedelta(hours=1)).isoformat())
    between = a_report(901, an_instance(instance, cpu=999_999), at=(NOW + timedelta(minutes=5)).isoformat())

    mine = received(victim, a_report(2, an_instance(instance, cpu=6), at=later.isoformat()), at=later)
    store([received(other, forged, between, a_report(902, at=later.isoformat()), at=later), mine])

    assert list(InstanceSample.objects.order_by("at").values_list("cpu", flat=True)) == [5, 6]


def test_numbers_that_leap_ahead_are_refused_whole(cell, instance):
    store([received(cell, a_report(5, an_instance(instance)))])

    leapt = store([received(cell, a_report(6 + LONGEST_LEAP, an_instance(instance, health="unhealthy")))])
    near = store([received(cell, a_report(5 + LONGEST_LEAP))])

    assert (leapt, near) == ({cell.pk: 0}, {cell.pk: 5 + LONGEST_LEAP})
    assert list(InstanceStatus.objects.values_list("seq", "health")) == [(5, "healthy")]


def test_first_report_of_a_cell_cannot_be_its_last(cell, instance):
    assert store([received(cell, a_report(9_007_199_254_740_991, an_instance(instance)))]) == {cell.pk: 0}

    assert not CellStatus.objects.exists()
    assert not InstanceStatus.objects.exists()


def test_answer_tells_how_far_the_cell_is(cell):
    store([received(cell, a_report(70))])

    assert store([received(cell, a_report(3))]) == {cell.pk: 70}


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_batch_is_written_at_once_beside_a_report_of_another_age(cell, at):
    good = [make_cell(region=region) for region in ("us-east-1", "eu-west-2")]
    batch = [received(cell, a_report(1, at=at)), *(received(one, a_report(4, at=NOW.isoformat())) for one in good)]

    with CaptureQueriesContext(connection) as queries:
        assert store_all(batch) == [None, 4, 4]

    assert len([query for query in queries if "INSERT INTO cells_cellstatus" in query["sql"]]) <= 1
    assert set(CellStatus.objects.values_list("pk", flat=True)) == {one.pk for one in good}


@pytest.mark.django_db(transaction=True)
def test_statement_is_planned_once_a_connection(cell, instance):
    """Planning it costs more than running it for one report."""
    connection.close()  # a new one: what another test's connection was told went with that test's transaction
    for seq in range(1, 5):
        store([received(cell, *(a_report(seq * 10 + number, an_instance(instance)) for number in range(seq)))])

    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = %s", [STORE])
        [(generic, custom)] = cursor.fetchall()
    assert (generic >= 3, custom) == (True, 0)


def test_nothing_of_a_report_is_its_transaction_but_one_statement(cell, instance):
    """What stands, samples, changes and bells: no word before it, none after it."""
    store([received(cell, a_report(1, an_instance(instance)))])
    with connection.execute_wrapper(no_query):
        assert store([received(cell, a_report(2, an_instance(instance, health="degraded")))]) == {cell.pk: 2}


def no_query(*_):
    raise AssertionError("Django was asked for a query")
