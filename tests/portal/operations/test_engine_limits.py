"""Budgets end, nothing loops for ever, a late result is ignored, and logs hold no secrets."""

import logging
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from portal.operations import driver
from portal.operations.engine import StepContext
from portal.operations.models import Operation, StepLog
from portal.operations.outcomes import Done, Outcome, Retry, Wait
from portal.operations.recorder import KEPT_LOG_LINES, MAX_LOST_LEASES, claim, record, write_log
from portal.operations.states import OperationState, Party
from portal.operations.transitions import LostRace
from tests.portal.operations.driving import ON_CLOUD
from tests.portal.operations.operation_kinds import advance, begin, make_due, scripted, states

pytestmark = pytest.mark.django_db
ON_YOU = Wait(5, on=Party.YOU, why="run_kit")


# --- Limits --------------------------------------------------------------------------------------------------------------


def pass_time(operation: Operation, time: timedelta) -> None:
    """As if this much had passed since the last look."""
    step = operation.steps.filter(started_at__isnull=False).last()
    for name in ("started_at", "deadline", "patience_until", "last_run_at", "waiting_since"):
        if value := getattr(step, name):
            setattr(step, name, value - time)
    step.save()


def test_retry_past_the_budget_fails_with_its_own_code() -> None:
    operation = begin(scripted(only=Retry("throttled", {"x": "1"}, "Rate exceeded")))
    advance(operation)
    pass_time(operation, timedelta(minutes=16))

    advance(operation)

    assert (operation.state, operation.failure_code) == ("failed", "throttled")
    assert operation.failure_evidence == "Rate exceeded"


def test_wait_on_the_cloud_past_the_budget_fails_with_the_late_code() -> None:
    operation = begin(scripted(only=ON_CLOUD, specs={"only": {"late_code": "stack_late"}}))
    advance(operation)
    pass_time(operation, timedelta(minutes=16))

    advance(operation)

    assert (operation.state, operation.failure_code) == ("failed", "stack_late")


def test_wait_on_you_does_not_use_up_the_budget() -> None:
    operation = begin(scripted(only=[ON_YOU, ON_CLOUD, ON_CLOUD]))
    advance(operation)
    pass_time(operation, timedelta(hours=20))

    advance(operation)
    assert operation.state == OperationState.WAITING
    left = operation.steps.get().deadline - timezone.now()
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)

    pass_time(operation, timedelta(minutes=16))
    advance(operation)
    assert operation.failure_code == "step_took_too_long"


def test_patience_with_you_ends_too() -> None:
    operation = begin(scripted(only=ON_YOU, specs={"only": {"patience": timedelta(days=7)}}))
    advance(operation)
    pass_time(operation, timedelta(days=6))
    advance(operation)
    assert operation.state == OperationState.WAITING

    pass_time(operation, timedelta(days=2))
    advance(operation)
    assert operation.failure_code == "waited_too_long"


def test_last_look_falls_on_the_deadline() -> None:
    operation = begin(scripted(only=Wait(3600, on=Party.CLOUD, why="stack")))
    advance(operation)
    assert operation.next_run_at == operation.steps.get().deadline


def test_wait_of_no_time_does_not_spin() -> None:
    operation = begin(scripted(only=Wait(0, on=Party.CLOUD, why="stack")))
    advance(operation)
    assert (operation.next_run_at - operation.steps.get().last_run_at).total_seconds() >= 1


def test_unexpected_exception_is_logged_tried_five_times_then_fails(caplog: pytest.LogCaptureFixture) -> None:
    operation = begin(scripted(only=ValueError("broken")))

    for tries in range(1, 6):
        advance(operation)
        assert (operation.state, operation.waiting_on, operation.steps.get().tries) == ("waiting", "provider", tries)
    advance(operation)

    assert (operation.state, operation.failure_code, operation.failure_evidence) == ("failed", "internal_error", "")
    raised = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert len(raised) == 6
    assert all(entry.exc_info and operation.reference in entry.getMessage() for entry in raised)


def test_worker_that_dies_in_the_step_again_and_again_fails_it() -> None:
    kind = scripted(only=Done())
    operation = begin(kind)
    for _death in range(MAX_LOST_LEASES + 1):
        assert claim(operation.pk) is not None
        Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    advance(operation)

    assert (operation.state, operation.failure_code) == ("failed", "worker_lost")
    assert kind.calls == []


def test_database_gone_in_a_step_is_no_fault_of_the_step() -> None:
    operation = begin(scripted(only=OperationalError("server closed the connection")))
    make_due(operation)

    with pytest.raises(OperationalError):
        driver.advance(operation.pk)

    operation.refresh_from_db()
    assert (operation.state, operation.steps.get().tries) == ("running", 0)
    assert operation.lease_until is not None


def test_step_of_an_older_release_fails_by_its_own_code() -> None:
    operation = begin()
    operation.steps.update(name="gone")
    advance(operation)
    assert operation.failure_code == "step_unknown"


def test_kind_of_an_older_release_fails_by_its_own_code() -> None:
    operation = begin()
    Operation.objects.update(kind="gone")
    advance(operation)
    assert operation.failure_code == "step_unknown"


def test_long_turn_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LONGEST_TURN_SECONDS", 0)
    kind = scripted(first=Done(), second=Done())
    operation = begin(kind)

    more = advance(operation)

    assert more is True
    assert states(operation) == [("first", 1, "done"), ("second", 1, "running")]
    assert operation.lease_until is None
    assert driver.advance(operation.pk) is False
    assert kind.calls == ["first", "second"]
    assert operation.lost_leases == 0


# --- Hooks that raise ----------------------------------------------------------------------------------------------------


def raising(_operation: Operation) -> None:
    raise ValueError("the hook is broken")


def test_hook_that_raises_undoes_the_end_and_ends_as_failed_at_last() -> None:
    operation = begin(scripted(only=Done(), fields={"on_succeeded": raising, "on_failed": raising}))

    for tries in range(1, 6):
        advance(operation)
        assert (operation.state, operation.steps.get().tries) == ("waiting", tries)
    advance(operation)

    assert (operation.state, operation.failure_code) == ("failed", "internal_error")
    assert states(operation) == [("only", 1, "failed")]


def test_hook_that_works_the_second_time_loses_nothing() -> None:
    raised: list[str] = []

    def once(operation: Operation) -> None:
        if not raised:
            raised.append(operation.state)
            raise ValueError

    operation = begin(scripted(only=Done({"x": 1}), fields={"on_succeeded": once}))
    advance(operation)
    advance(operation)
    assert (operation.state, operation.data) == ("succeeded", {"x": 1})


# --- Fence ---------------------------------------------------------------------------------------------------------------


def test_late_result_of_a_lost_lease_is_ignored() -> None:
    operation = begin(scripted(only=Done()))
    make_due(operation)
    slow, slow_steps = claim(operation.pk)
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    fast, fast_steps = claim(operation.pk)
    assert (slow.fence, fast.fence) == (1, 2)

    record(fast, fast_steps[0], ON_CLOUD, following=None, lines=[])
    with pytest.raises(LostRace), transaction.atomic():
        record(slow, slow_steps[0], Done(), following=None, lines=[])

    operation.refresh_from_db()
    assert operation.state == OperationState.WAITING
    assert states(operation) == [("only", 1, "waiting")]


def test_running_lease_keeps_everybody_else_out() -> None:
    operation = begin()
    make_due(operation)
    assert claim(operation.pk) is not None
    assert claim(operation.pk) is None
    assert driver.advance(operation.pk) is False


# --- Log -----------------------------------------------------------------------------------------------------------------


def test_log_keeps_lines_without_secrets() -> None:
    def talk(ctx: StepContext) -> Outcome:
        ctx.log("Created role\n\n  password: hunter2hunter2  ")
        return Done()

    operation = begin(scripted(only=talk))
    advance(operation)
    assert [line.line for line in operation.steps.get().log.all()] == ["Created role", "  password: [removed]  "]


def test_log_of_a_long_step_can_be_read_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LOG_FLUSH_SECONDS", 0)
    seen: list[int] = []

    def talk(ctx: StepContext) -> Outcome:
        ctx.log("Half way")
        seen.append(StepLog.objects.count())
        return Done()

    advance(begin(scripted(only=talk)))
    assert seen == [1]
    assert StepLog.objects.count() == 1


def test_log_of_a_step_that_never_ends_is_capped() -> None:
    step = begin().steps.get()
    for start_at in range(0, 2 * KEPT_LOG_LINES + 200, 100):
        write_log(step, [StepLog(step=step, line=str(number)) for number in range(start_at, start_at + 100)])

    kept = list(StepLog.objects.values_list("line", flat=True))
    assert kept == [str(number) for number in range(KEPT_LOG_LINES, 2 * KEPT_LOG_LINES + 200)]
