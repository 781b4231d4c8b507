"""Several workers and people at once, on real connections."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from portal.audit import Subject
from portal.operations import driver, recorder
from portal.operations.actions import request_cancel, request_retry
from portal.operations.availability import NotAllowed
from portal.operations.engine import OperationInProgress, start
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.recorder import claim, hand_back, renew_leases
from portal.operations.states import OperationState, Party
from portal.operations.transitions import LostRace
from tests.factories import make_organisation, make_user
from tests.portal.operations.operation_kinds import advance, begin, events, make_due, scripted, states

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """All acts in threads that start together; each answer, or the exception it raised."""
    barrier, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[index] = act()
        except Exception as error:  # noqa: BLE001
            answers[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, act)) for index, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return answers


def slowly(_ctx: Any) -> Outcome:
    time.sleep(0.05)
    return Done()


def test_two_workers_run_each_step_once() -> None:
    kind = scripted(first=slowly, second=slowly, third=slowly)
    operation = begin(kind)
    make_due(operation)

    at_once(*[lambda: driver.advance(operation.pk)] * 4)

    operation.refresh_from_db()
    assert operation.state == OperationState.SUCCEEDED
    assert kind.calls == ["first", "second", "third"]
    assert operation.fence == 2  # one claim, one end


def test_started_twice_at_once_is_one_operation() -> None:
    organisation, kind = make_organisation(), scripted()

    def click() -> Operation:
        with transaction.atomic():
            subject = Subject("thing", "1", "The thing")
            return start(kind=kind.kind.name, subject=subject, organisation_id=organisation.pk, by=None, idempotency_key="click")

    answers = at_once(click, click, click)

    assert len({answer.pk for answer in answers}) == 1
    assert Operation.objects.count() == 1
    assert len(events(organisation.pk)) == 1


def test_started_at_once_on_one_subject_by_two_is_told() -> None:
    organisation, kind = make_organisation(), scripted()

    def click() -> Operation:
        with transaction.atomic():
            return start(kind=kind.kind.name, subject=Subject("thing", "1", "x"), organisation_id=organisation.pk, by=None)

    answers = at_once(click, click)

    assert sorted(type(answer) for answer in answers if isinstance(answer, Exception)) == [OperationInProgress]
    assert Operation.objects.count() == 1


def test_retried_twice_at_once_is_one_attempt() -> None:
    operation, user = begin(scripted(only=Fail("denied"))), make_user()
    advance(operation)

    answers = at_once(*[lambda: request_retry(Operation.objects.get(pk=operation.pk), by=user)] * 2)

    assert [type(answer) for answer in answers if answer is not None] in ([LostRace], [NotAllowed])
    assert states(operation) == [("only", 1, "failed"), ("only", 2, "pending")]


def test_cancelled_while_workers_drive_it_ends_cancelled_or_done_before() -> None:
    user = make_user()
    for pause in (0, 0.02, 0.06, 0.12):
        kind = scripted(first=slowly, second=slowly)
        operation = begin(kind)
        make_due(operation)

        def cancel(pause: float = pause, operation: Operation = operation) -> None:
            time.sleep(pause)
            request_cancel(Operation.objects.get(pk=operation.pk), by=user)

        worker, person = at_once(lambda operation=operation: driver.advance(operation.pk), cancel)

        assert not isinstance(worker, Exception)
        operation.refresh_from_db()
        if person is None:
            assert operation.state == OperationState.CANCELLED
            # A hook may also have run for an end that lost the race; what that wrote was rolled back, its event too.
            assert ("on_cancelled", "cancelled") in kind.hooks
            ends = [action for action, _kind in events(operation.organisation_id)]
            assert (ends.count("operation.cancelled"), ends.count("operation.succeeded")) == (1, 0)
        else:
            assert isinstance(person, NotAllowed)
            assert operation.state == OperationState.SUCCEEDED
        assert not operation.steps.filter(ended_at=None).exists()


def test_lease_of_a_long_step_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(driver, "RENEW_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(driver, "leases", driver.Leases())
    others: list[Any] = []

    def long(ctx: Any) -> Outcome:
        for _ in range(4):
            time.sleep(0.3)
            others.append(claim(ctx.operation.pk))
        return Done()

    operation = begin(scripted(only=long))
    advance(operation)
    assert others == [None] * 4
    assert operation.state == OperationState.SUCCEEDED


def test_lease_given_back_is_not_taken_again_by_a_late_renewal() -> None:
    kind = scripted(only=Wait(60, on=Party.YOU, why="kit_not_run"))
    operation = begin(kind)
    advance(operation)

    assert renew_leases({operation.pk: operation.fence}) == 0

    operation.refresh_from_db()
    assert operation.lease_until is None
    hand_back(operation)
    assert renew_leases({operation.pk: operation.fence}) == 0


def test_renewals_between_two_looks_hold_up_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "RENEW_EVERY_SECONDS", 0.001)
    monkeypatch.setattr(driver, "leases", driver.Leases())
    kind = scripted(only=Wait(60, on=Party.YOU, why="kit_not_run"))
    operation = begin(kind)

    for look in range(1, 60):
        advance(operation)
        assert (len(kind.calls), operation.lost_leases) == (look, 0)


def test_hung_step_loses_its_lease_and_its_late_result_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LEASE", timedelta(seconds=0.3))
    monkeypatch.setattr(driver, "RENEW_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(driver, "leases", driver.Leases())
    monkeypatch.setattr(driver, "LONGEST_STEP_SECONDS", 0.2)

    def hung(_ctx: Any) -> Outcome:
        time.sleep(1.5)
        return Fail("too_late")

    operation = begin(scripted(only=[hung, Done({"by": "the second"})]))
    make_due(operation)

    def second() -> bool:
        time.sleep(0.9)
        return driver.advance(operation.pk)

    answers = at_once(lambda: driver.advance(operation.pk), second)

    operation.refresh_from_db()
    assert answers == [False, False]
    assert (operation.state, operation.data) == ("succeeded", {"by": "the second"})
    assert operation.lost_leases == 0


def test_hooks_and_people_lock_in_one_order() -> None:
    """A person holds the subject and wants the operation; a worker's hook wants the subject: nobody is killed by the database."""
    organisation = make_organisation()

    def hook(operation: Operation) -> None:
        type(organisation).objects.select_for_update().get(pk=organisation.pk)

    operation = begin(scripted(only=slowly, fields={"on_succeeded": hook, "on_cancelled": hook}), organisation=organisation)
    make_due(operation)

    def person() -> None:
        from portal.operations.actions import cancel_live

        with transaction.atomic():
            type(organisation).objects.select_for_update().get(pk=organisation.pk)
            time.sleep(0.15)
            cancel_live(Subject(operation.subject_kind, operation.subject_id), by=None)

    assert at_once(lambda: driver.advance(operation.pk), person) == [False, None]
    operation.refresh_from_db()
    assert operation.state == OperationState.CANCELLED


def test_waiting_operation_checked_by_two_is_looked_at_once() -> None:
    kind = scripted(only=Wait(60, on=Party.YOU, why="x"))
    operation = begin(kind)
    make_due(operation)
    at_once(*[lambda: driver.advance(operation.pk)] * 3)
    assert kind.calls == ["only"]
