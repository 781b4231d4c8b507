"""Acts of support through the real agent: the program as it runs on the cell's machine, against the live portal and its database."""

import json
import time
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.support.actions.bundles import start_bundle
from accounts.support.actions.endings import revoke
from accounts.support.brokering.bundles import text_of
from accounts.support.models import Act
from accounts.support.rules.scopes import find
from cells.models import AgentOrder, Cell, InstanceStatus
from cells.support.results import tend_orders
from cells.transitions import touch_desired
from cells.views import agent as views
from tests.cells.agents import running_agent, until
from tests.cells.factories import make_instance
from tests.cells.orders import actions_about, ask, is_over, make_grant, make_ready_cell, make_second_revision
from tests.support.factories import make_approver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cell(settings, live_server, acme):
    settings.AGENT_URL = live_server.url
    settings.PLATFORM_COMPONENTS = []
    views.of_cells.clear()
    yield make_ready_cell(acme, most_instances=10)
    # A line that is still held for an agent that has gone would outlive the test's database.
    for cell in Cell.objects.all():
        touch_desired(cell.pk)
    until(lambda: views.holding.inside == 0)


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, name="orders")


@pytest.fixture
def machine(cell, instance, live_server, tmp_path):
    """With the instance up."""
    with running_agent(tmp_path / "machine", live_server.url, cell) as made:
        until(lambda: InstanceStatus.objects.filter(pk=instance.pk, health="healthy").exists())
        yield made


def test_reading_acts_answer_and_tell_nothing_secret(instance, machine):
    url = machine.workload(instance)["url"]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}fail?password=hunter2", timeout=5)
    grant = make_grant(instance, profile="logs")

    rollout, events, log = (ask(grant, name) for name in ("rollout_status", "list_instance_events", "tail_log"))
    for act in (rollout, events, log):
        until(is_over(act))

    assert (rollout.state, rollout.output.splitlines()[0]) == ("done", "process app: running, healthy, up")
    assert "started with revision 1" in events.output
    assert "ERROR a request has failed: /fail?password=[removed]" in log.output
    assert log.redactions == {"named_secret": 1}
    assert log.bytes == len(log.output.encode())
    assert {order.outcome for order in AgentOrder.objects.all()} == {"kept"}


def test_restart_is_a_revision_under_the_grant_and_happens_once(instance, machine):
    before = machine.workload(instance)["pid"]
    grant = make_grant(instance, profile="operate")

    act = until(is_over(ask(grant, "restart")))

    assert act.state == "done", (act.code, act.raw_error)
    newest = instance.revisions.get(number=2)
    assert (newest.reason, newest.restarts, newest.by, newest.grant) == ("restarted", 1, grant.engineer, grant)
    instance.refresh_from_db()
    assert (instance.state, instance.revision) == ("running", 2)
    after = until(lambda: machine.workload(instance)["pid"])
    assert after != before
    # What is wanted now says the same: the agent does not start it once more.
    until(lambda: "desired_state_fetched version=4" in machine.log or machine.log.count("desired_state_fetched") >= 3)
    time.sleep(1.5)
    assert machine.workload(instance)["pid"] == after
    assert "instance.restarted" in actions_about(instance)


def test_scale_within_the_plan_is_what_is_wanted_from_then_on(instance, machine):
    large = instance.plan.sizes.create(code="large", name="Large", cpu=1000, memory=1024, cost_from=80, cost_to=90)
    grant = make_grant(instance, profile="operate")

    act = until(is_over(ask(grant, "scale", size="Large")))

    assert act.state == "done", act.code
    newest = instance.revisions.first()
    assert (newest.number, newest.reason, newest.size, newest.grant) == (2, "modified", large, grant)
    assert (act.arguments, act.state) == ({"size": "Large"}, "done")


def test_roll_back_goes_back_and_history_keeps_both(instance, machine):
    first = instance.revisions.get().size
    large = instance.plan.sizes.create(code="large", name="Large", cpu=1000, memory=1024, cost_from=80, cost_to=90)
    make_second_revision(instance, size=large)
    touch_desired(instance.cell_id)
    until(lambda: InstanceStatus.objects.filter(pk=instance.pk, revision=2, state="running").exists())
    grant = make_grant(instance, profile="repair")

    act = until(is_over(ask(grant, "rollback")))

    assert act.state == "done", act.code
    assert [(one.number, one.reason, one.size) for one in instance.revisions.all()] == [
        (3, "rolled_back", first),
        (2, "modified", large),
        (1, "created", first),
    ]
    until(lambda: InstanceStatus.objects.filter(pk=instance.pk, revision=3, state="running").exists())


def test_resync_changes_no_revision_and_is_on_record(instance, machine):
    grant = make_grant(instance, profile="repair")

    act = until(is_over(ask(grant, "resync")))

    assert (act.state, instance.revisions.count()) == ("done", 1)
    assert "instance.resynced" in actions_about(instance)


def test_agent_that_is_gone_is_told_as_offline(instance, machine):
    grant = make_grant(instance, profile="operate")
    machine.kill()

    act = ask(grant, "restart")
    AgentOrder.objects.update(take_by=timezone.now() - timedelta(seconds=1))
    assert tend_orders() == 1

    act.refresh_from_db()
    assert (act.state, act.code) == ("failed", "agent_offline")
    machine.start()
    until(lambda: machine.log.count("desired_state_fetched") >= 2)
    time.sleep(1)
    assert (AgentOrder.objects.get().handed_at, instance.revisions.count()) == (None, 1)


def test_agent_with_a_wrong_clock_counts_by_the_portals(instance, live_server, tmp_path, cell):
    """An hour behind, and by its own clock an order would have an hour more."""
    with running_agent(tmp_path / "machine", live_server.url, cell) as machine:
        until(lambda: InstanceStatus.objects.filter(pk=instance.pk, health="healthy").exists())
        machine.kill()
        machine.start(clock=-3600)
        act = until(is_over(ask(make_grant(instance, profile="diagnose"), "rollout_status")))
        left = int(machine.log.rpartition("order_begun")[2].partition("seconds_left=")[2].split()[0])

    assert (act.state, act.code) == ("done", "")
    assert 0 < left <= 60


def test_end_of_access_while_the_agent_works_undoes_the_change(instance, machine):
    """The agent is stopped mid-act; access ends; what it says afterwards is dropped, and the process serves the old revision again."""
    grant = make_grant(instance, profile="operate")
    approver = make_approver(instance.organisation)
    act = ask(grant, "restart")
    until(lambda: AgentOrder.objects.exclude(handed_at=None).exists())
    revoke(grant, by=approver, reason="")

    until(lambda: AgentOrder.objects.standing().count() == 0)

    act.refresh_from_db()
    if act.state != "done":  # the agent may have been quicker than the hand that ended it
        assert act.state == "cut_short"
        assert instance.revisions.count() == 1
        until(lambda: machine.workload(instance)["revision"] == 1 and machine.workload(instance)["state"] == "running")
        assert act.output == ""


@pytest.mark.parametrize("die_after", range(1, 15))
def test_restart_with_an_agent_killed_after_any_effect_happens_once_or_not_at_all(instance, machine, die_after):
    """Whatever the agent was at: the act ends, the record is true, and no process is started for the order twice."""
    grant = make_grant(instance, profile="operate")
    machine.kill()
    machine.start(die_after=die_after)
    act = ask(grant, "restart")
    until(lambda: machine.agent.poll() is not None or act_is_over(act))
    if machine.agent.poll() is not None:
        machine.start()

    def ended():
        tend_orders()
        return act_is_over(act)

    until(ended, 40)
    act.refresh_from_db()
    wanted = 2 if act.state == "done" else 1
    assert (act.state, act.code) in {("done", ""), ("failed", "agent_interrupted")}
    assert instance.revisions.count() == wanted
    until(lambda: machine.workload(instance)["revision"] == wanted and machine.workload(instance)["state"] == "running")
    assert AgentOrder.objects.standing().count() == 0
    begun = machine.log.count("order_begun")
    assert begun <= 1


def act_is_over(act) -> bool:
    return Act.objects.filter(pk=act.pk, finished_at__isnull=False).exists()


def test_roll_back_that_never_comes_up_is_over_at_its_end_and_taken_back(instance, machine):
    """The version before cannot start. At the order's end the agent stops trying by itself, and what was wanted runs again."""
    broken = instance.plan.releases.create(version="0.9.0", chart="oci://registry.example/broken", chart_version="0.9.0", digest="0" * 64)
    good = instance.revisions.get().release
    instance.revisions.update(release=broken)
    make_second_revision(instance, release=good)
    touch_desired(instance.cell_id)
    until(lambda: InstanceStatus.objects.filter(pk=instance.pk, revision=2, state="running").exists())
    grant = make_grant(instance, profile="repair")
    act = ask(grant, "rollback")
    AgentOrder.objects.filter(handed_at=None).update(not_after=timezone.now() + timedelta(seconds=4))

    until(is_over(act))

    assert (act.state, act.code) == ("failed", "order_expired")
    assert [(one.number, one.release) for one in instance.revisions.all()] == [(2, good), (1, broken)]
    until(lambda: machine.workload(instance)["revision"] == 2 and machine.workload(instance)["state"] == "running")


def test_result_that_waits_for_the_portal_is_told_once_it_is_back(instance, machine, live_server):
    """The answer to a result is lost: the agent tells it again, and it counts once."""
    grant = make_grant(instance, profile="operate")
    act = until(is_over(ask(grant, "restart")))
    order = AgentOrder.objects.get()
    entry = machine.folder / "agent" / "orders" / f"{order.pk}.json"
    before = machine.workload(instance)["pid"]
    machine.kill()
    kept = json.loads(entry.read_text())
    entry.write_text(json.dumps({**kept, "outcome": ""}))  # as it was before the answer came

    machine.start()
    until(lambda: json.loads(entry.read_text())["outcome"] == "kept")

    assert (act.state, instance.revisions.count(), actions_about(instance).count("instance.restarted")) == ("done", 2, 1)
    assert machine.workload(instance)["pid"] == before


def test_bundle_is_collected_redacted_and_waits_for_the_customer(instance, machine):
    url = machine.workload(instance)["url"]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}fail?password=hunter2&from=ann@people.example", timeout=5)
    scope = find(instance.organisation, f"instance:{instance.pk}")

    bundle = start_bundle(scope=scope, reason="It fails.", by=make_approver(instance.organisation))
    until(lambda: bundle.files.count() == 5)

    bundle.refresh_from_db()
    assert bundle.state == "collected"
    files = {file.name: file for file in bundle.files.all()}
    assert files["log"].redactions == {"named_secret": 1, "mail_address": 1}
    log = text_of(files["log"])
    assert "hunter2" not in log
    assert "ann@" not in log
    assert text_of(files["versions"]).splitlines()[0] == "cluster local"
    assert "process app: running, healthy, up" in text_of(files["rollout"])


def test_bundle_of_a_whole_cell_whose_agent_is_away_fails_with_its_reason(instance, machine):
    machine.kill()
    scope = find(instance.organisation, f"cell:{instance.cell_id}")
    bundle = start_bundle(scope=scope, reason="", by=make_approver(instance.organisation))
    AgentOrder.objects.update(take_by=timezone.now())

    assert tend_orders() == 1

    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure_code, bundle.files.count()) == ("failed", "agent_offline", 0)
