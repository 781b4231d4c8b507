"""Starting and driving: outcomes become rows, budgets end, nothing loops for ever."""

import logging
import re
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from portal.audit import Subject
from portal.audit.models import Event
from portal.operations import catalogue, driver
from portal.operations.actions import request_retry
from portal.operations.engine import OperationInProgress, StepContext, start
from portal.operations.models import Operation, StepLog
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.recorder import KEPT_LOG_LINES, MAX_LOST_LEASES, backoff_seconds, claim, record, write_log
from portal.operations.states import OperationState, Party, StepState
from portal.operations.transitions import LostRace
from tests.factories import make_organisation, make_user
from tests.portal.operations.operation_kinds import advance, begin, events, make_due, scripted, states

pytestmark = pytest.mark.django_db
ON_CLOUD = Wait(5, on=Party.CLOUD, why="stack", params={"name": "kit"})
ON_YOU = Wait(5, on=Party.YOU, why="run_kit")


# --- Start -----------------------------------------------------------------------------------------------------------


def test_start_writes_operation_steps_and_event() -> None:
    organisation, user = make_organisation(), make_user()
    kind = scripted(first=Done(), second=Done())

    operation = begin(kind, organisation=organisation, by=user, data={"kit": "7"})

    assert re.fullmatch("OP-[0-9A-HJKMNP-TV-Z]{6}", operation.reference)
    assert operation.state == OperationState.QUEUED
    assert operation.requested_by_id == user.pk
    assert operation.data == {"kit": "7"}
    assert states(operation) == [("first", 1, "pending"), ("second", 1, "pending")]
    assert events(organisation.pk) == [("operation.started", "user")]


def test_start_unrecorded_leaves_the_event_to_the_caller() -> None:
    organisation = make_organisation()
    begin(organisation=organisation, is_recorded=False)
    assert events(organisation.pk) == []


def test_start_outside_a_transaction_is_refused(transactional_db: None) -> None:
    with pytest.raises(RuntimeError, match="atomic"):
        start(kind=scripted().kind.name, subject=Subject("thing", "1", "x"), organisation_id=make_organisation().pk, by=None)


def test_start_with_the_same_key_returns_the_operation_already_there() -> None:
    organisation = make_organisation()
    kind = scripted()
    first = begin(kind, organisation=organisation, idempotency_key="click")
    advance(first)

    again = begin(kind, organisation=organisation, idempotency_key="click")

    assert again.pk == first.pk
    assert again.state == OperationState.SUCCEEDED
    assert Operation.objects.count() == 1
    assert [action for action, _ in events(organisation.pk)] == ["operation.started", "operation.succeeded"]


def test_start_with_the_same_key_elsewhere_is_another_operation() -> None:
    assert begin(idempotency_key="click").pk != begin(idempotency_key="click").pk


def test_start_on_a_busy_subject_names_the_live_operation() -> None:
    organisation = make_organisation()
    live = begin(organisation=organisation, subject_id="a")

    with pytest.raises(OperationInProgress) as caught:
        begin(organisation=organisation, subject_id="a")

    assert caught.value.operation == live
    advance(live)
    assert begin(organisation=organisation, subject_id="a").pk != live.pk


# --- Outcomes --------------------------------------------------------------------------------------------------------


def test_advance_runs_all_steps_in_one_turn() -> None:
    kind = scripted(first=Done({"stack": "s-1"}), second=lambda ctx: Done({"seen": ctx.data["stack"]}))
    operation = begin(kind)

    more = advance(operation)

    assert more is False
    assert operation.state == OperationState.SUCCEEDED
    assert operation.data == {"stack": "s-1", "seen": "s-1"}
    assert (operation.lease_until, operation.next_run_at) == (None, None)
    assert states(operation) == [("first", 1, "done"), ("second", 1, "done")]
    assert kind.calls == ["first", "second"]
    assert kind.hooks == [("on_succeeded", "succeeded")]
    assert events(operation.organisation_id) == [("operation.started", "system"), ("operation.succeeded", "worker")]


def test_step_may_not_write_the_data_it_reads() -> None:
    kind = scripted(only=lambda ctx: ctx.data.update(x=1))
    operation = begin(kind)
    advance(operation)
    assert operation.waiting_params == {"code": "internal_error"}


def test_wait_parks_and_names_who_acts_next() -> None:
    operation = begin(scripted(first=[ON_CLOUD, Done()], second=Done()))

    advance(operation)

    step = operation.steps.get(position=1)
    assert (operation.state, operation.waiting_on, operation.waiting_why) == ("waiting", "cloud", "stack")
    assert operation.waiting_params == step.waiting_params == {"name": "kit"}
    assert (step.state, step.waiting_on) == (StepState.WAITING, Party.CLOUD)
    assert operation.lease_until is None
    assert 3 < (operation.next_run_at - timezone.now()).total_seconds() <= 5

    advance(operation)
    assert operation.state == OperationState.SUCCEEDED
    assert operation.waiting_on == ""


def test_waiting_operation_is_left_alone_until_its_time() -> None:
    kind = scripted(only=ON_CLOUD)
    operation = begin(kind)
    advance(operation)
    driver.advance(operation.pk)
    assert kind.calls == ["only"]


def test_same_wait_again_is_no_visible_change() -> None:
    operation = begin(scripted(only=ON_CLOUD))
    advance(operation)
    version, since = operation.version, operation.steps.get().waiting_since

    advance(operation)

    assert operation.version == version
    assert operation.steps.get().waiting_since == since


def test_other_params_are_a_visible_change_of_the_same_wait() -> None:
    operation = begin(scripted(only=[ON_CLOUD, Wait(5, on=Party.CLOUD, why="stack", params={"name": "other"})]))
    advance(operation)
    version, since = operation.version, operation.steps.get().waiting_since

    advance(operation)

    assert operation.version == version + 1
    assert operation.steps.get().waiting_since == since


def test_waited_for_counts_one_reason() -> None:
    heard: list[timedelta] = []

    def look(ctx: StepContext) -> Outcome:
        heard.append(ctx.waited_for("stack"))
        return ON_CLOUD

    operation = begin(scripted(only=look))
    advance(operation)
    operation.steps.update(waiting_since=timezone.now() - timedelta(minutes=4))
    advance(operation)

    assert heard[0] == timedelta()
    assert timedelta(minutes=4) <= heard[1] < timedelta(minutes=5)


def test_fail_ends_with_code_evidence_and_event() -> None:
    kind = scripted(first=Fail("denied", {"action": "iam:CreateRole"}, "AccessDenied: token=abc123"), second=Done())
    operation = begin(kind)

    advance(operation)

    step = operation.steps.get(position=1)
    assert (operation.state, operation.failure_code) == ("failed", "denied")
    assert operation.failure_params == step.failure_params == {"action": "iam:CreateRole"}
    assert operation.failure_evidence == step.failure_evidence == "AccessDenied: token=[removed]"
    assert states(operation) == [("first", 1, "failed"), ("second", 1, "pending")]
    assert kind.hooks == [("on_failed", "failed")]
    assert events(operation.organisation_id)[-1] == ("operation.failed", "worker")


def test_event_of_a_failure_keeps_what_its_words_need_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    happened = "%(cloud)s denied %(action)s."
    monkeypatch.setitem(catalogue.FAILURES, "denied@small", catalogue.FailureText(happened=happened, means="", act=""))
    fields = {"names": lambda operation: {"cloud": "Small Cloud", "variant": "small"}}
    operation = begin(scripted(only=Fail("denied", {"action": "iam:CreateRole", "secret_of_the_cloud": "x"}), fields=fields))

    advance(operation)
    request_retry(operation, by=make_user())

    failed, retried = Event.objects.filter(action__in=["operation.failed", "operation.retried"]).order_by("sequence")
    params = {"action": "iam:CreateRole", "cloud": "Small Cloud", "variant": "small"}
    assert (failed.details["params"], retried.details["params"]) == (params, params)
    assert failed.sentence.endswith("failed: Small Cloud denied iam:CreateRole.")


def test_retry_backs_off_longer_each_time_then_goes_on() -> None:
    operation = begin(scripted(only=[Retry("throttled"), Retry("throttled"), Done()], specs={"only": {"actor": Party.CLOUD}}))

    advance(operation)
    assert (operation.state, operation.waiting_on, operation.waiting_why) == ("waiting", "cloud", "retrying")
    assert operation.waiting_params == {"code": "throttled"}
    assert operation.steps.get().tries == 1
    first = operation.next_run_at - timezone.now()
    advance(operation)
    second = operation.next_run_at - timezone.now()

    assert 0.5 < first.total_seconds() <= 2 < second.total_seconds() + 0.5 <= 4.5
    assert [line.line for line in StepLog.objects.all()] == ["throttled", "throttled"]
    advance(operation)
    assert operation.state == OperationState.SUCCEEDED


def test_backoff_doubles_with_jitter_up_to_a_minute() -> None:
    for tries, longest in [(0, 2), (1, 4), (4, 32), (5, 60), (5000, 60)]:
        drawn = [backoff_seconds(tries) for _ in range(50)]
        assert longest / 2 <= min(drawn) < max(drawn) <= longest


# --- Limits ----------------------------------------------------------------------------------------------------------


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


# --- Hooks that raise -------------------------------------------------------------------------------------------------


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


# --- Fence -----------------------------------------------------------------------------------------------------------


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


# --- Log -------------------------------------------------------------------------------------------------------------


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
