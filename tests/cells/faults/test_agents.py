"""What goes wrong with a cell's agent and with the instances that it runs."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.actions.instances import create_instance, delete_instance, modify_instance, upgrade_instance
from cells.models import AgentKey, CellStatus, Instance
from cells.stacks.aws.stack import STACK as AWS_STACK
from cells.states import CellState, InstanceState
from portal.operations.models import Operation
from tests.cells.factories import make_release
from tests.cells.living import drive, drive_to_end, drive_to_failure, drive_to_wait, let_time_pass, machines, newest, wish, workloads

pytestmark = pytest.mark.django_db(transaction=True)


def test_agent_that_cannot_reach_the_portal_is_built_anew_by_the_retry(case, settings):
    """Its network lets nothing out, or its file is not the one that it was told: a machine that was told the same again would end alike."""
    case = case()
    right, settings.AGENT_URL = settings.AGENT_URL, "http://127.0.0.1:9"
    case.order()
    waiting = drive_to_wait("bootstrap_cell", "agent_starting")
    case.says(waiting, "The agent's machine is starting.")
    (before,) = machines(case.sandbox)
    let_time_pass(waiting, 25)
    failed = drive_to_failure("bootstrap_cell")
    assert failed.failure_code == "agent_not_heard"
    case.says(failed, "The infrastructure stands, but its agent has not reported in.")

    settings.AGENT_URL = right
    case.press_retry(failed)
    case.until_done(failed)

    (after,) = machines(case.sandbox)
    assert after["machine"] != before["machine"]
    assert (case.cell.state, AgentKey.objects.count()) == (CellState.READY, 1)


def test_agent_machine_that_is_stopped_is_said_and_comes_back_by_itself(case):
    case = case()
    instance = case.live()
    (host,) = machines(case.sandbox)
    case.sandbox.control("POST", "agents", {"act": "stop", "machine": host["machine"]})
    modify_instance(instance, size=case.plan.sizes.first(), parameters={"a": 1}, by=case.alice)
    CellStatus.objects.update(seen_at=timezone.now() - timedelta(minutes=4))
    waiting = drive_to_wait("modify_instance", "agent_silent")
    case.says(waiting, "The cell's agent has not been heard for some minutes. What runs goes on")
    assert workloads(case.sandbox) == [str(instance.pk)]

    case.sandbox.control("POST", "agents", {"act": "start", "machine": host["machine"]})
    drive_to_end()
    instance.refresh_from_db()
    assert (instance.state, instance.applied_revision) == (InstanceState.RUNNING, 2)


def test_update_brings_the_cell_a_new_agent_and_waits_for_it(case, monkeypatch, settings):
    """A stack with another content: the machine of the agent is told a token that nobody has used."""
    case = case()
    instance = case.live()
    monkeypatch.setattr(AWS_STACK, "version", "9.9.9")
    settings.AGENT_CHARTS = ["oci://registry.fernhill.example/charts"]
    request_cell_update(case.cell, by=case.alice)
    drive_to_end()

    cell = case.cell
    assert (cell.state, cell.stack_version, len(machines(case.sandbox))) == (CellState.READY, "9.9.9", 1)
    assert AgentKey.objects.valid().get().generation == cell.generation == 2
    drive(lambda: workloads(case.sandbox) == [str(instance.pk)])
    modify_instance(instance, size=case.plan.sizes.first(), parameters={"a": 1}, by=case.alice)
    drive_to_end()


# --- instances ---


def test_instance_whose_chart_never_starts_fails_and_another_release_mends_it(case):
    case = case()
    case.live()
    broken = make_release(plan=case.plan, version="2.0.0", chart="oci://registry.fernhill.example/charts/broken")
    place = wish(case.standing.account, case.plan, release=broken)
    bad = create_instance(case.acme, name="bad", wish=place, by=case.alice)
    waiting = drive_to_wait("create_instance", "instance_settling")
    let_time_pass(waiting, 25)

    failed = drive_to_failure("create_instance")

    assert failed.failure_code == "not_healthy"
    case.says(failed, "The instance was applied, but does not report that it is healthy.")
    upgrade_instance(bad, release=case.plan.releases.get(version="1.0.0"), by=case.alice)
    drive(lambda: not Operation.objects.live().exists())
    bad.refresh_from_db()
    assert bad.state == InstanceState.RUNNING
    assert sorted(Instance.objects.values_list("state", flat=True)) == ["running", "running"]


def test_instance_that_its_agent_cannot_remove_goes_with_the_cell(case):
    """The agent is gone for good. Nobody is left without a way out: what it left goes with the cell."""
    case = case()
    instance = case.live()
    (host,) = machines(case.sandbox)
    case.sandbox.control("POST", "agents", {"act": "stop", "machine": host["machine"]})
    delete_instance(instance, by=case.alice)
    waiting = drive_to_wait("delete_instance", "instance_removing")
    let_time_pass(waiting, 40)
    failed = drive_to_failure("delete_instance")
    assert failed.failure_code == "not_removed"
    case.says(failed, "The cell's agent has not said that the instance is gone.", "delete the cell")

    request_cell_deletion(case.cell, by=case.alice)
    case.until_done(newest("delete_cell"))

    instance.refresh_from_db()
    assert (case.cell.state, instance.state) == (CellState.DELETED, InstanceState.DELETED)
