"""kill -9 at every point of every step of what is asked of an instance that runs, and of the retry of each: done once, as if nobody died.

Nothing of it is a cloud's own: the agent does the work, so one cloud stands for all.
"""

import pytest

from cells.actions.instances import (
    create_instance,
    delete_instance,
    modify_instance,
    restart_instance,
    start_instance,
    stop_instance,
    upgrade_instance,
)
from cells.models import Cell, Instance, InstanceRevision
from cells.states import InstanceState
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.models import Operation, Step
from tests.cells.deaths import ALL, Deaths, assert_lives_once
from tests.cells.factories import make_plan, make_release
from tests.cells.living import drive_to_end, drive_to_failure, drive_to_wait, let_time_pass, machines, wish, workloads
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
# What is asked, how, its event, and whether the instance runs afterwards.
ACTS = [
    ("modify_instance", lambda instance, **by: modify_instance(instance, size=size(instance), parameters={"a": 1}, **by), "modified", True),
    ("upgrade_instance", lambda instance, **by: upgrade_instance(instance, release=newer(instance), **by), "upgraded", True),
    ("restart_instance", restart_instance, "restarted", True),
    ("stop_instance", stop_instance, "stopped", False),
    ("modify_instance", lambda instance, **by: modify_instance(instance, size=size(instance), parameters={}, **by), "modified", False),
    ("start_instance", start_instance, "started", True),
]


def size(instance):
    return instance.plan.sizes.get()


def newer(instance):
    return instance.plan.releases.get(version="1.1.0")


@pytest.fixture
def running(stand, acme, alice):
    """An instance that runs, in a cell that nobody has died in."""
    flush_broker()
    standing, plan = stand("aws"), make_plan()
    make_release(plan=plan, version="1.1.0")
    instance = create_instance(acme, name="orders", wish=wish(standing.account, plan), by=alice)
    drive_to_end()
    instance.refresh_from_db()
    return instance


def events(instance) -> list[str]:
    written = Event.objects.filter(subject_kind="instance", subject_id=str(instance.pk)).order_by("sequence")
    return list(written.values_list("action", flat=True))[2:]


def assert_stands(instance, revision, sandbox, *, runs, attempt) -> None:
    assert_lives_once(Cell.objects.get(), instance, sandbox, revision=revision, runs=runs)
    assert set(Operation.objects.exclude(kind__in=["bootstrap_cell", "create_instance", "check_environment"]).filter(
        subject_kind="instance").values_list("state", "attempt")) == {("succeeded", attempt)}  # fmt: skip


@pytest.mark.parametrize("point", ALL)
def test_worker_killed_at_every_step_of_every_act_changes_nothing(point, running, killer, alice, sandbox):
    deaths, said = Deaths(killer, (point,)), []

    for revision, (kind, ask, event, runs) in enumerate(ACTS, start=2):
        ask(running, by=alice)
        deaths.play(kind)
        assert_stands(running, revision, sandbox, runs=runs, attempt=1)
        said += [f"instance.{event}", "operation.succeeded"]
        assert events(running) == said
    delete_instance(running, by=alice)
    deaths.play("delete_instance")

    assert Instance.objects.get().state == InstanceState.DELETED
    assert (workloads(sandbox), InstanceRevision.objects.count()) == ([], 1 + len(ACTS))
    assert events(running) == [*said, "instance.deletion_started", "operation.succeeded"]
    assert InstanceRevision.objects.get(instance=running, number=1 + len(ACTS)).restarts == 1
    assert not Step.objects.exclude(attempt=1, state="done").exists()


def fail(kind, why, sandbox) -> Operation:
    """The agent is away for longer than the step may take, and comes back once it has failed."""
    operation = drive_to_wait(kind, why)
    let_time_pass(operation, 40)
    drive_to_failure(kind)
    switch_agent("start", sandbox)
    return operation


def switch_agent(act, sandbox) -> None:
    (host,) = machines(sandbox)
    sandbox.control("POST", "agents", {"act": act, "machine": host["machine"]})


@pytest.mark.parametrize("point", ALL)
def test_worker_killed_at_every_step_of_every_retry_changes_nothing(point, running, killer, alice, sandbox):
    deaths, said = Deaths(killer, (point,)), []

    for revision, (kind, ask, event, runs) in enumerate(ACTS, start=2):
        switch_agent("stop", sandbox)
        ask(running, by=alice)
        operation = fail(kind, "agent_applying", sandbox)
        request_retry(Operation.objects.get(pk=operation.pk), by=alice)
        deaths.play(kind)
        assert_stands(running, revision, sandbox, runs=runs, attempt=2)
        said += [f"instance.{event}", "operation.failed", "operation.retried", "operation.succeeded"]
        assert events(running) == said
    switch_agent("stop", sandbox)
    delete_instance(running, by=alice)
    operation = fail("delete_instance", "instance_removing", sandbox)
    request_retry(Operation.objects.get(pk=operation.pk), by=alice)
    deaths.play("delete_instance")

    assert Instance.objects.get().state == InstanceState.DELETED
    assert (workloads(sandbox), InstanceRevision.objects.count()) == ([], 1 + len(ACTS))
    assert events(running)[len(said) :] == ["instance.deletion_started", "operation.failed", "operation.retried", "operation.succeeded"]
