"""Silent agents are found by one statement, each change once, with the same two times that pages have."""

from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cells.models import Cell, CellLink, CellStatus, StatusChange, SweepRound
from cells.states import AgentLink, CellState
from cells.telemetry.state import link_of
from cells.telemetry.sweep import LOCK, sweep
from tests.cells.factories import make_cell

pytestmark = pytest.mark.django_db


def heard(ago, **values):
    """A cell whose agent was heard so long ago."""
    cell = make_cell(**values)
    seen_at = timezone.now() - ago
    CellStatus.objects.create(
        cell=cell, seq=1, seen_at=seen_at, reported_at=seen_at, agent_version="1", cluster_version="1", nodes_ready=1, nodes=1, cpu_used=1,
        cpu=1, memory_used=1, memory=1, components=[], events=[], digest=1,
    )  # fmt: skip
    return cell


def links(cell):
    return list(StatusChange.objects.filter(cell=cell, axis="link").values_list("value", flat=True))


SILENCES = [timedelta(seconds=seconds) for seconds in (0, 74, 76, 299, 301, 86400)]


def test_sweep_finds_what_the_page_says():
    cells = [heard(silence) for silence in SILENCES] + [heard(timedelta(hours=1), is_agent_disabled=True)]

    sweep()

    for cell in cells:
        fresh = Cell.objects.select_related("status").get(pk=cell.pk)
        assert links(cell) == [link_of(fresh)]
        assert cell.link.link == link_of(fresh)
    assert sorted(CellLink.objects.values_list("link", flat=True)) == sorted(
        ["connected", "connected", "stale", "stale", "offline", "offline", "disabled"]
    )


def test_each_change_is_written_once(time_machine):
    begun = timezone.now()
    time_machine.move_to(begun, tick=False)
    cell = heard(timedelta(0))
    for seconds in range(0, 400, 15):
        time_machine.move_to(begun + timedelta(seconds=seconds), tick=False)
        sweep()
        sweep()

    assert links(cell) == ["connected", "stale", "offline"]
    CellStatus.objects.update(seen_at=timezone.now())
    assert sweep().moved == {AgentLink.CONNECTED: 1}
    assert sweep().moved == {}


@pytest.mark.parametrize("state", [CellState.PLANNED, CellState.DELETED])
def test_cell_without_a_served_agent_is_left_alone(state):
    heard(timedelta(hours=1), state=state)

    assert sweep().moved == {}


def test_cell_that_was_never_heard_is_not_silent():
    make_cell()

    assert sweep().moved == {}


def test_any_number_of_cells_is_one_statement():
    for number in range(4):
        heard(timedelta(minutes=number))
    with CaptureQueriesContext(
        connection,
    ) as few:
        sweep()
    CellLink.objects.all().delete()
    for number in range(20):
        heard(timedelta(minutes=number))
    with CaptureQueriesContext(connection) as many:
        sweep()

    assert len([query for query in many if "cells_celllink AS l" in query["sql"]]) == 1
    assert len(many) <= len(few)


def test_nobody_heard_at_all_is_our_own_fault():
    """A portal that cannot hear does not call a hundred thousand customers."""
    cells = [heard(timedelta(0)) for _ in range(10)]
    assert sweep().moved == {AgentLink.CONNECTED: 10}
    CellStatus.objects.update(seen_at=timezone.now() - timedelta(minutes=7))

    assert sweep() is None
    assert StatusChange.objects.exclude(value="connected").count() == 0

    CellStatus.objects.filter(cell=cells[0]).update(seen_at=timezone.now())
    swept = sweep()
    assert swept.moved == {AgentLink.OFFLINE: 9}
    assert timezone.now() - swept.listening_since < timedelta(minutes=1)


def test_standstill_of_the_sweep_begins_the_listening_anew(time_machine):
    begun = timezone.now()
    time_machine.move_to(begun, tick=False)
    assert sweep().listening_since == begun
    time_machine.move_to(begun + timedelta(seconds=100), tick=False)
    assert sweep().listening_since == begun
    time_machine.move_to(begun + timedelta(seconds=300), tick=False)
    assert sweep().listening_since == begun + timedelta(seconds=300)
    assert SweepRound.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_second_round_at_the_same_time_does_nothing():
    heard(timedelta(hours=1))
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext(%s))", [LOCK])
            assert sweep() is None
            cursor.execute("COMMIT")
    finally:
        other.close()
    with transaction.atomic():
        assert sweep().moved == {AgentLink.OFFLINE: 1}
