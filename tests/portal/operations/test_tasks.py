"""The bell and the round."""

from datetime import timedelta

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerGone

from portal.celery import app
from portal.operations import tasks
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Wait
from portal.operations.states import OperationState, Party
from portal.operations.tasks import ring_due_operations
from tests.portal.operations.operation_kinds import begin, make_due, scripted

pytestmark = pytest.mark.django_db


@pytest.fixture
def eager():
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def test_round_drives_every_due_operation_and_no_other(eager):
    due, waiting = begin(), begin(scripted(only=Wait(60, on=Party.YOU, why="x")))
    make_due(due)
    Operation.objects.filter(pk=waiting.pk).update(next_run_at=timezone.now() + timedelta(minutes=1))

    assert ring_due_operations() == 1

    due.refresh_from_db()
    waiting.refresh_from_db()
    assert (due.state, waiting.state) == (OperationState.SUCCEEDED, OperationState.QUEUED)


def test_round_with_nothing_due_asks_once(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert ring_due_operations() == 0


def test_round_rings_again_only_after_a_while(monkeypatch):
    rung = []
    monkeypatch.setattr(tasks.advance, "delay", rung.append)
    operation = begin()
    make_due(operation)

    assert (ring_due_operations(), ring_due_operations()) == (1, 0)

    Operation.objects.update(rung_at=timezone.now() - timedelta(seconds=11))
    assert ring_due_operations() == 1
    assert rung == [str(operation.pk)] * 2


def test_round_is_bounded_and_oldest_first(monkeypatch):
    rung = []
    monkeypatch.setattr(tasks.advance, "delay", rung.append)
    monkeypatch.setattr(tasks, "RING_BATCH", 2)
    operations = [begin() for _ in range(3)]
    for minutes, operation in enumerate(operations, start=1):
        Operation.objects.filter(pk=operation.pk).update(next_run_at=timezone.now() - timedelta(minutes=minutes))

    assert (ring_due_operations(), ring_due_operations()) == (2, 1)
    assert rung == [str(operation.pk) for operation in reversed(operations)]


def test_bad_operation_harms_no_other(eager, caplog):
    bad, good = begin(), begin(scripted(only=[ValueError("broken"), Done()]))
    Operation.objects.filter(pk=bad.pk).update(kind="gone")
    make_due(bad)
    make_due(good)
    assert ring_due_operations() == 2
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.failure_code, good.waiting_why) == ("step_unknown", "retrying")


def test_broker_that_is_away_costs_time_only(monkeypatch, django_capture_on_commit_callbacks):
    def gone(_operation_id):
        raise BrokerGone("no broker")

    monkeypatch.setattr(tasks.advance, "delay", gone)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        operation = begin()
    make_due(operation)

    assert len(callbacks) == 1
    assert ring_due_operations() == 0
    operation.refresh_from_db()
    assert (operation.state, operation.rung_at) == (OperationState.QUEUED, None)


def test_start_rings_after_the_commit(eager, django_capture_on_commit_callbacks):
    kind = scripted()
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        operation = begin(kind)
        make_due(operation)
    assert kind.calls == []
    callbacks[0]()
    assert kind.calls == ["only"]


def test_long_turn_rings_itself_again(eager, monkeypatch):
    monkeypatch.setattr("portal.operations.driver.LONGEST_TURN_SECONDS", 0)
    operation = begin(scripted(first=Done(), second=Done(), third=Done()))
    make_due(operation)
    tasks.advance(str(operation.pk))
    operation.refresh_from_db()
    assert operation.state == OperationState.SUCCEEDED


def test_every_task_has_time_limits_and_acknowledges_late():
    for task in (tasks.advance, tasks.ring_due_operations):
        assert task.acks_late is True
        assert task.soft_time_limit < task.time_limit
        assert task.ignore_result is True


def test_turn_is_cheap(django_assert_num_queries):
    """One claim, one commit a step: a change that adds a statement to every step shows here."""
    operation = begin(scripted(**{f"step{number}": Done() for number in range(10)}))
    make_due(operation)
    # Claim: row, steps, two updates. Each step: one statement. End: is it ours, operation, this step, the event's three.
    # Claim and end are transactions, here pairs of savepoints.
    with django_assert_num_queries(4 + 9 * 1 + 3 + 3 + 2 * 2):
        tasks.advance(str(operation.pk))
