"""Starting and driving: outcomes become rows."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.audit import Subject
from portal.audit.models import Event
from portal.operations import catalogue, driver
from portal.operations.actions import request_retry
from portal.operations.engine import OperationInProgress, StepContext, start
from portal.operations.models import Operation, StepLog
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.recorder import backoff_seconds
from portal.operations.states import OperationState, Party, StepState
from tests.factories import make_organisation, make_user
from tests.portal.operations.driving import ON_CLOUD
from tests.portal.operations.operation_kinds import advance, begin, events, scripted, states

pytestmark = pytest.mark.django_db


# --- Start ---------------------------------------------------------------------------------------------------------------


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


# --- Outcomes ------------------------------------------------------------------------------------------------------------


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
