"""What a person asks: retry, cancel, check again. Each leaves one event, a second click changes nothing."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from portal.audit import Subject
from portal.operations import driver
from portal.operations.actions import cancel_live, request_cancel, request_check, request_retry
from portal.operations.availability import NotAllowed, why_not_cancel, why_not_check, why_not_retry
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.recorder import claim, record
from portal.operations.states import OperationState, Party
from portal.operations.transitions import LostRace
from tests.factories import make_user
from tests.portal.operations.operation_kinds import advance, begin, events, make_due, scripted, states

pytestmark = pytest.mark.django_db
ON_YOU = Wait(60, on=Party.YOU, why="run_kit")


# --- Retry -----------------------------------------------------------------------------------------------------------


def test_retry_adds_an_attempt_and_keeps_the_old_one() -> None:
    kind = scripted(first=Done(), second=[Fail("denied", evidence="no"), Done()], third=Done())
    operation, user = begin(kind), make_user()
    advance(operation)

    request_retry(operation, by=user)

    operation.refresh_from_db()
    assert (operation.state, operation.attempt, operation.failure_code, operation.failure_evidence) == ("queued", 2, "", "")
    assert states(operation) == [("first", 1, "done"), ("second", 1, "failed"), ("second", 2, "pending"), ("third", 1, "pending")]
    assert events(operation.organisation_id)[2:] == [("operation.retried", "user")]
    advance(operation)
    assert operation.state == OperationState.SUCCEEDED
    assert kind.calls == ["first", "second", "second", "third"]
    assert [ctx.attempt for ctx in kind.contexts] == [1, 1, 2, 1]
    assert kind.hooks == [("on_failed", "failed"), ("on_retried", "queued"), ("on_succeeded", "succeeded")]


def test_retry_from_an_earlier_step_runs_the_way_again() -> None:
    kind = scripted(first=Done(), second=Done(), third=[Fail("denied"), Done()], specs={"third": {"retry_from": "second"}})
    operation = begin(kind)
    advance(operation)

    request_retry(operation, by=make_user())

    assert [(name, attempt) for name, attempt, state in states(operation) if state == "pending"] == [("second", 2), ("third", 2)]
    assert len(states(operation)) == 5
    advance(operation)
    assert kind.calls == ["first", "second", "third", "second", "third"]


def test_retry_twice_makes_one_attempt() -> None:
    operation = begin(scripted(only=Fail("denied")))
    advance(operation)
    other_tab = Operation.objects.get(pk=operation.pk)
    request_retry(operation, by=make_user())

    with pytest.raises(LostRace):
        request_retry(other_tab, by=make_user())
    with pytest.raises(NotAllowed):
        request_retry(operation, by=make_user())

    assert states(operation) == [("only", 1, "failed"), ("only", 2, "pending")]
    assert [action for action, _ in events(operation.organisation_id)].count("operation.retried") == 1


def test_retry_has_a_fresh_budget_and_forgets_an_old_wish_to_cancel() -> None:
    operation = begin(scripted(only=Fail("denied")))
    advance(operation)
    Operation.objects.update(cancel_requested_at=timezone.now())
    operation.refresh_from_db()
    request_retry(operation, by=make_user())
    advance(operation)
    assert operation.cancel_requested_at is None
    first, second = operation.steps.in_order()
    assert second.deadline > first.deadline


@pytest.mark.parametrize("script", [Done(), ON_YOU])
def test_retry_of_what_did_not_fail_is_refused(script: Outcome) -> None:
    operation = begin(scripted(only=script))
    advance(operation)
    assert why_not_retry(operation) == "Only a failed operation can be retried."
    with pytest.raises(NotAllowed, match="Only a failed operation"):
        request_retry(operation, by=make_user())


# --- Cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_of_a_parked_operation_is_at_once() -> None:
    kind = scripted(first=Done(), second=ON_YOU, third=Done())
    operation, user = begin(kind), make_user()
    advance(operation)

    request_cancel(operation, by=user)

    assert operation.state == OperationState.CANCELLED
    assert operation.cancel_requested_by_id == user.pk
    assert states(operation) == [("first", 1, "done"), ("second", 1, "cancelled"), ("third", 1, "cancelled")]
    assert kind.hooks == [("on_cancelled", "cancelled")]
    assert events(operation.organisation_id)[1:] == [("operation.cancelled", "user")]
    assert driver.advance(operation.pk) is False


def test_cancel_of_a_running_operation_waits_for_its_step_and_runs_no_other() -> None:
    user = make_user()

    def cancelled_meanwhile(ctx: StepContext) -> Outcome:
        request_cancel(Operation.objects.get(pk=ctx.operation.pk), by=user)
        assert Operation.objects.get(pk=ctx.operation.pk).state == OperationState.RUNNING
        return Done({"made": "yes"})

    kind = scripted(first=cancelled_meanwhile, second=Done())
    operation = begin(kind)

    advance(operation)

    assert operation.state == OperationState.CANCELLED
    assert kind.calls == ["first"]
    assert states(operation) == [("first", 1, "done"), ("second", 1, "cancelled")]
    assert events(operation.organisation_id)[1:] == [("operation.cancel_requested", "user"), ("operation.cancelled", "worker")]


@pytest.mark.parametrize("answer", [Done(), ON_YOU, Fail("denied")])
def test_cancel_asked_during_the_last_step_holds_whatever_it_answers(answer: Outcome) -> None:
    def cancelled_meanwhile(ctx: StepContext) -> Outcome:
        request_cancel(Operation.objects.get(pk=ctx.operation.pk), by=make_user())
        return answer

    kind = scripted(only=cancelled_meanwhile)
    operation = begin(kind)
    advance(operation)
    assert operation.state == OperationState.CANCELLED
    assert kind.hooks == [("on_cancelled", "cancelled")]


def test_cancel_survives_the_worker_that_would_have_honoured_it() -> None:
    kind = scripted(only=Done())
    operation = begin(kind)
    make_due(operation)
    claim(operation.pk)
    request_cancel(operation, by=make_user())
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    advance(operation)

    assert operation.state == OperationState.CANCELLED
    assert kind.calls == []


def test_cancel_after_the_worker_died_is_at_once() -> None:
    operation = begin()
    make_due(operation)
    claim(operation.pk)
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    operation.refresh_from_db()
    request_cancel(operation, by=make_user())
    assert operation.state == OperationState.CANCELLED


def test_cancel_twice_is_refused_with_the_reason() -> None:
    operation = begin()
    request_cancel(operation, by=make_user())
    with pytest.raises(NotAllowed, match="The operation has ended"):
        request_cancel(operation, by=make_user())


def test_cancel_is_refused_where_the_kind_says_so() -> None:
    operation = begin(scripted(only=ON_YOU, fields={"is_cancellable": False}))
    assert why_not_cancel(operation) == "This kind of operation cannot be cancelled once it has started."


def test_cancel_live_ignores_what_the_worker_still_answers() -> None:
    operation = begin(scripted(only=Done()))
    make_due(operation)
    held, steps = claim(operation.pk)

    with transaction.atomic():
        found = cancel_live(Subject("thing", operation.subject_id), by=make_user(), is_recorded=False)

    assert found == operation
    with pytest.raises(LostRace):
        record(held, steps[0], Done({"late": "yes"}), following=None, lines=[])
    operation.refresh_from_db()
    assert (operation.state, operation.data) == ("cancelled", {})
    assert [action for action, _ in events(operation.organisation_id)] == ["operation.started"]


def test_cancel_live_of_an_idle_subject_is_nothing() -> None:
    with transaction.atomic():
        assert cancel_live(Subject("thing", "nobody"), by=None) is None


# --- Check again -----------------------------------------------------------------------------------------------------


def test_check_makes_it_due_now_and_not_again_at_once() -> None:
    operation = begin(scripted(only=ON_YOU))
    advance(operation)
    assert operation.next_run_at > timezone.now() + timedelta(seconds=50)

    assert request_check(operation) is True
    assert request_check(operation) is False

    operation.refresh_from_db()
    assert Operation.objects.due().get() == operation
    Operation.objects.update(check_requested_at=F("check_requested_at") - timedelta(seconds=4))
    assert request_check(operation) is True


def test_check_of_what_does_not_wait_is_refused() -> None:
    operation = begin()
    assert why_not_check(operation) == "The operation is not waiting for anything."
    with pytest.raises(NotAllowed):
        request_check(operation)
