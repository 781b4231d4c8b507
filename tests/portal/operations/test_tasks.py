"""The bell and the round."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
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
    monkeypatch.setattr(tasks.advance_all, "delay", rung.extend)
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


def test_round_sends_one_bell_for_many_and_takes_back_what_was_not_sent(monkeypatch):
    bells = []

    def send(bell):
        if bells:
            raise BrokerGone("no broker any more")
        bells.append(bell)

    monkeypatch.setattr(tasks.advance_all, "delay", send)
    monkeypatch.setattr(tasks, "BELL_SIZE", 2)
    operations = [begin() for _ in range(4)]
    for minutes, operation in enumerate(operations, start=1):
        Operation.objects.filter(pk=operation.pk).update(next_run_at=timezone.now() - timedelta(minutes=minutes))

    assert ring_due_operations() == 2

    oldest = operations[:1:-1]
    assert bells == [[str(operation.pk) for operation in oldest]]
    assert set(Operation.objects.filter(rung_at=None)) == set(operations[:2])


@pytest.mark.django_db(transaction=True)
def test_operations_of_one_bell_are_driven_side_by_side():
    meeting = threading.Barrier(3)

    def meet(_ctx):
        meeting.wait(timeout=20)
        return Done()

    operations = [begin(scripted(first=meet, second=meet)) for _ in range(3)]
    for operation in operations:
        make_due(operation)

    tasks.advance_all([str(operation.pk) for operation in operations])

    assert set(Operation.objects.values_list("state", flat=True)) == {OperationState.SUCCEEDED}


@pytest.mark.django_db(transaction=True)
def test_operation_that_breaks_harms_no_other_of_its_bell():
    broken, good = begin(scripted(only=OperationalError("the server went away"))), begin(scripted(only=[Done()]))
    make_due(broken)
    make_due(good)

    with pytest.raises(ExceptionGroup) as caught:
        tasks.advance_all([str(broken.pk), str(good.pk)])

    assert [str(error) for error in caught.value.exceptions] == ["the server went away"]
    assert set(Operation.objects.values_list("pk", "state")) == {(broken.pk, "running"), (good.pk, "succeeded")}


@pytest.mark.django_db(transaction=True)
def test_long_turns_of_one_bell_are_rung_again_together(monkeypatch):
    monkeypatch.setattr("portal.operations.driver.LONGEST_TURN_SECONDS", 0)
    rung = []
    operations = [begin(scripted(first=Done(), second=Done())) for _ in range(2)]
    for operation in operations:
        make_due(operation)
    monkeypatch.setattr(tasks.advance_all, "delay", rung.append)

    ids = [str(operation.pk) for operation in operations]
    tasks.advance_all(ids)

    assert rung == [ids]


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
    for task in (tasks.advance, tasks.advance_all, tasks.ring_due_operations):
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
