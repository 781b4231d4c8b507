"""Group commit: many threads, few statements, and nobody pays for another's fault or waits for another's lock."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError, OperationalError, transaction

from portal.audit import Subject
from portal.embedded.process import wait_until
from portal.operations import driver, recorder, tasks
from portal.operations.engine import start
from portal.operations.group import GroupCommit, NotWritten
from portal.operations.models import Operation
from portal.operations.outcomes import Done
from portal.operations.registry import KINDS, Kind, StepSpec, register
from tests import kill
from tests.factories import make_organisation
from tests.kill import ring_until_ended
from tests.portal.operations.killed_many_kind import KIND, STEPS
from tests.portal.operations.operation_kinds import begin, events, make_due, scripted, states
from tests.portal.operations.test_concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Writer:
    """Doubles numbers in groups. The first group waits until `more` have come behind it."""

    def __init__(self, more: int = 0) -> None:
        self.groups: list[list[int]] = []
        self.more = more
        self.commit: GroupCommit[int, int] = GroupCommit(self.write, gather_seconds=0.01)

    def write(self, items: Any) -> list[int]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            assert wait_until(lambda: len(self.commit._queue) >= self.more, 20)
        if any(item < 0 for item in items):
            raise DataError("less than nothing")
        if any(item == 666 for item in items):
            raise OperationalError("the server went away")
        if any(item == 13 for item in items):
            raise SystemExit
        return [2 * item for item in items]

    def submit(self, *items: int) -> list[Any]:
        return at_once(*[lambda item=item: self.commit.submit(item) for item in items])


def test_alone_is_written_at_once() -> None:
    writer = Writer()
    assert [writer.commit.submit(1), writer.commit.submit(2)] == [2, 4]
    assert writer.groups == [[1], [2]]


def test_who_comes_meanwhile_is_written_together() -> None:
    writer = Writer(more=9)
    assert writer.submit(*range(10)) == [2 * number for number in range(10)]
    assert [len(group) for group in writer.groups] == [1, 9]


def test_largest_group_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.operations.group.LARGEST_GROUP", 4)
    writer = Writer(more=9)
    assert writer.submit(*range(10)) == [2 * number for number in range(10)]
    assert max(map(len, writer.groups)) == 4


def test_refused_item_costs_the_others_nothing() -> None:
    writer = Writer(more=5)
    answers = writer.submit(1, 2, -3, 4, 5, 6)
    assert [type(answer) for answer in answers] == [int, int, DataError, int, int, int]


def test_database_that_went_away_is_told_to_everybody_of_the_group() -> None:
    writer = Writer(more=4)
    answers = writer.submit(666, 666, 666, 666, 666)
    assert {type(answer) for answer in answers} == {OperationalError}
    assert [len(group) for group in writer.groups] == [1, 4]
    assert writer.commit.submit(7) == 14


def test_writer_that_dies_leaves_nobody_waiting() -> None:
    writer = Writer(more=4)
    caught: list[type[BaseException]] = []

    def submit() -> None:
        try:
            writer.commit.submit(13)
        except (SystemExit, NotWritten) as error:
            caught.append(type(error))

    threads = [threading.Thread(target=submit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(kind.__name__ for kind in caught) == ["NotWritten"] * 3 + ["SystemExit"] * 2
    assert writer.commit.submit(7) == 14


def test_inside_a_transaction_is_written_in_it() -> None:
    writer = Writer()
    with transaction.atomic():
        assert writer.commit.submit(3) == 6
    assert writer.groups == [[3]]


def drive_all(operations: list[Operation]) -> None:
    for operation in operations:
        make_due(operation)
    tasks.advance_all([str(operation.pk) for operation in operations])


def hookless(name: str, *steps: Any) -> Kind:
    kind = Kind(name, "Work", tuple(StepSpec(f"step{number}", "Step", step) for number, step in enumerate(steps)))
    register(kind)
    return kind


def begin_many(kind: Kind, number: int) -> list[Operation]:
    organisations = [make_organisation(), make_organisation()]
    with transaction.atomic():
        return [
            start(kind=kind.name, subject=Subject("thing", str(at), "x"), organisation_id=organisations[at % 2].pk, by=None)
            for at in range(number)
        ]


def test_many_operations_end_each_with_its_own_data_and_one_event() -> None:
    meeting = threading.Barrier(12)

    def meet(ctx: driver.StepContext) -> Done:
        meeting.wait(timeout=20)
        return Done({"mine": ctx.operation.subject_id})

    def look(ctx: driver.StepContext) -> Done:
        assert ctx.data == {"mine": ctx.operation.subject_id}
        return Done()

    operations = begin_many(hookless("together", meet, look, look), 12)
    drive_all(operations)

    for operation in operations:
        operation.refresh_from_db()
        assert (operation.state, operation.data) == ("succeeded", {"mine": operation.subject_id})
        assert (operation.fence, operation.lease_until, operation.next_run_at, operation.lost_leases) == (2, None, None, 0)
        assert states(operation) == [(f"step{number}", 1, "done") for number in range(3)]
    for organisation_id in {operation.organisation_id for operation in operations}:
        assert events(organisation_id) == [("operation.started", "system")] * 6 + [("operation.succeeded", "worker")] * 6


def test_data_the_database_refuses_is_the_fault_of_its_own_step() -> None:
    meeting = threading.Barrier(4)

    def meet(ctx: driver.StepContext) -> Done:
        meeting.wait(timeout=20)
        return Done({"said": "\0" if ctx.operation.subject_id == "2" else "yes"})

    operations = begin_many(hookless("refused", meet, lambda _ctx: Done()), 4)
    drive_all(operations)

    assert dict(Operation.objects.values_list("subject_id", "state")) == {
        "0": "succeeded",
        "1": "succeeded",
        "2": "waiting",
        "3": "succeeded",
    }
    assert Operation.objects.get(subject_id="2").waiting_params == {"code": "internal_error"}


def test_operation_that_a_person_holds_keeps_no_other_waiting() -> None:
    meeting, is_held, was_free = threading.Barrier(4), threading.Event(), []

    def meet(ctx: driver.StepContext) -> Done:
        meeting.wait(20)
        assert is_held.wait(20)
        if ctx.operation.subject_id != "0":
            time.sleep(0.3)  # the one that is held comes first, alone, and must not keep those behind it
        return Done()

    held, *others = begin_many(hookless("held", meet, lambda _ctx: Done()), 3)

    def person() -> None:
        meeting.wait(20)
        with transaction.atomic():
            Operation.objects.select_for_update().get(pk=held.pk)
            is_held.set()
            was_free.append(wait_until(lambda: Operation.objects.filter(state="succeeded").count() == 2, 15))

    assert at_once(lambda: drive_all([held, *others]), person) == [None, None]

    assert was_free == [True]
    assert set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}


def test_cancelled_meanwhile_is_honoured_in_a_group() -> None:
    meeting = threading.Barrier(5)
    user_asks = threading.Event()

    def meet(_ctx: driver.StepContext) -> Done:
        meeting.wait(timeout=20)
        assert user_asks.wait(20)
        return Done()

    operations = begin_many(hookless("cancelled", meet, lambda _ctx: Done()), 4)

    def person() -> None:
        meeting.wait(timeout=20)
        Operation.objects.filter(subject_id="1").update(cancel_requested_at=operations[0].created_at)
        user_asks.set()

    assert at_once(lambda: drive_all(operations), person) == [None, None]

    ended = dict(Operation.objects.values_list("subject_id", "state"))
    assert ended == {"0": "succeeded", "1": "cancelled", "2": "succeeded", "3": "succeeded"}


def test_leases_are_renewed_together_and_only_ours() -> None:
    first, second, ended = [begin(scripted(first=Done(), second=Done())) for _ in range(3)]
    for operation in (first, second):
        make_due(operation)
        recorder.claim(operation.pk)
    drive_all([ended])

    assert recorder.renew_leases({first.pk: 1, second.pk: 7, ended.pk: 2}) == 1


def test_two_bells_of_one_operation_in_a_group_claim_it_once() -> None:
    operation = begin()
    make_due(operation)

    claimed = recorder._claim_group([operation.pk, operation.pk])

    assert [claim is None for claim in claimed] == [False, True]


MEET_WITH_TWO_CONNECTIONS = """
import sys, threading, django
django.setup()
from portal.operations.outcomes import Done
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.tasks import advance_all
meeting = threading.Barrier(8)
def meet(ctx):
    meeting.wait(timeout=20)
    return Done()
register(Kind("meets", "Meets", (StepSpec("one", "One", meet), StepSpec("two", "Two", meet))))
advance_all(sys.argv[1:])
"""


def test_no_connection_is_held_while_steps_run() -> None:
    """Eight operations are inside a step at one time, with two connections between them."""
    register(Kind("meets", "Meets", (StepSpec("one", "One", lambda _ctx: Done()), StepSpec("two", "Two", lambda _ctx: Done()))))
    operations = begin_many(KINDS["meets"], 8)
    env = {**kill.environment(), "PORTAL_DATABASE_POOL": "true", "PORTAL_DATABASE_POOL_SIZE": "2"}
    for operation in operations:
        make_due(operation)

    command = [sys.executable, "-c", MEET_WITH_TWO_CONNECTIONS, *[str(operation.pk) for operation in operations]]
    done = subprocess.run(command, cwd=kill.ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("place", ["claims", "steps_done", "ends"])
def test_killed_while_a_group_is_written_loses_and_repeats_nothing(tmp_path: Path, place: str, point: str) -> None:
    register(KIND)
    clouds = [tmp_path / str(number) for number in range(10)]
    operations = []
    for cloud in clouds:
        cloud.mkdir()
        with transaction.atomic():
            subject = Subject("thing", cloud.name, "The thing")
            organisation_id = make_organisation().pk
            operations.append(start(kind=KIND.name, subject=subject, organisation_id=organisation_id, by=None, data={"cloud": str(cloud)}))
    ids = [str(operation.pk) for operation in operations]

    command = [sys.executable, "-m", "tests.portal.operations.killed_group", place, point, *ids]
    died = subprocess.run(command, cwd=kill.ROOT, env=kill.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    for operation in operations:
        ring_until_ended(operation)

    for operation, cloud in zip(operations, clouds, strict=True):
        assert operation.state == "succeeded"
        assert states(operation) == [(name, 1, "done") for name in STEPS]
        assert sorted(thing.name for thing in cloud.iterdir()) == sorted(STEPS)
        assert [action for action, _kind in events(operation.organisation_id)] == ["operation.started", "operation.succeeded"]
