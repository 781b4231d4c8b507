"""The reference agent against the live portal, end to end: enrolled, told, done, reported. Nothing in between is played."""

import time
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from cells.models import AgentKey, Cell, CellStatus, Instance, InstanceRevision, InstanceStatus
from cells.states import InstanceState
from cells.transitions import touch_desired
from cells.views import agent as views
from portal.audit.models import Event
from tests.cells.agents import Line, RunningAgent, running_agent, until
from tests.cells.factories import make_cell, make_instance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cell(settings, live_server):
    settings.AGENT_URL = live_server.url
    settings.PLATFORM_COMPONENTS = [{"name": "ingress", "chart": "oci://x.example/ingress", "chart_version": "4.1.0", "digest": "1" * 64}]
    views.of_cells.clear()
    yield make_cell(most_instances=10)
    # A line that is still held for an agent that has gone would outlive the test's database.
    for cell in Cell.objects.all():
        touch_desired(cell.pk)
    until(lambda: views.holding.inside == 0)


def status(instance):
    return InstanceStatus.objects.filter(pk=instance.pk).first()


def is_reported(instance, **wanted):
    """The instance's status row, once it says this."""

    def look():
        row = status(instance)
        return row if row and all(getattr(row, name) == value for name, value in wanted.items()) else None

    return look


def revise(instance, **values):
    last = instance.revisions.first()
    kept = {"release": last.release, "size": last.size, "is_running": last.is_running, "restarts": last.restarts}
    InstanceRevision.objects.create(instance=instance, number=last.number + 1, reason="modified", **{**kept, **values})
    Instance.objects.filter(pk=instance.pk).update(revision=last.number + 1)
    touch_desired(instance.cell_id)


def test_agent_enrols_deploys_and_reports(cell, live_server, tmp_path):
    instance = make_instance(cell=cell, state=InstanceState.DEPLOYING)

    with running_agent(tmp_path / "machine", live_server.url, cell):
        row = until(is_reported(instance, state="running", health="healthy"))
        instance.refresh_from_db()
        with urllib.request.urlopen(row.endpoints[0]["url"], timeout=5) as answer:
            page = answer.read().decode()

    assert (row.revision, row.ready, row.desired, row.restarts) == (1, 1, 1, 0)
    assert (instance.applied_revision, instance.health, instance.endpoints) == (1, "healthy", row.endpoints)
    assert str(instance.pk) in page
    reported = CellStatus.objects.get(pk=cell.pk)
    assert (reported.agent_version, reported.nodes_ready, reported.nodes) == ("1.2.0", 1, 1)
    assert reported.components == [{"name": "ingress", "version": "4.1.0", "state": "ready"}]
    assert [event.action for event in Event.objects.order_by("pk")] == ["cell.agent_enrolled"]


def test_killed_process_degrades_and_recovers(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "machine", live_server.url, cell) as machine:
        before = until(is_reported(instance, health="healthy"))
        machine.kill_workload(instance)
        down = until(is_reported(instance, state="restarting", health="degraded"))
        up = until(is_reported(instance, state="running", health="healthy"))

    assert (down.ready, down.desired) == (0, 1)
    assert (up.restarts, up.endpoints) == (before.restarts + 1, before.endpoints)
    codes = [event["code"] for event in CellStatus.objects.get().events]
    assert {"health_healthy", "state_running"} <= set(codes)


def test_revisions_are_applied_as_they_come(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "machine", live_server.url, cell) as machine:
        until(is_reported(instance, revision=1, state="running"))
        first = machine.workload(instance)["pid"]
        revise(instance, restarts=1)
        until(is_reported(instance, revision=2, state="running"))
        second = machine.workload(instance)["pid"]
        revise(instance, is_running=False)
        stopped = until(is_reported(instance, revision=3, state="stopped"))
        assert not Path(f"/proc/{second}").exists()
        revise(instance, is_running=True)
        until(is_reported(instance, revision=4, state="running"))
        Instance.objects.filter(pk=instance.pk).update(state=InstanceState.DELETING)
        touch_desired(cell.pk)
        until(is_reported(instance, state="absent"))

    assert second != first
    assert (stopped.ready, stopped.desired, stopped.endpoints) == (0, 0, [])


def test_chart_that_never_starts_is_reported_as_failed(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)
    release = instance.revisions.get().release
    type(release).objects.filter(pk=release.pk).update(chart="oci://registry.fernhill.example/charts/broken")

    with running_agent(tmp_path / "machine", live_server.url, cell):
        row = until(is_reported(instance, state="failed", health="unhealthy"), 40)

    assert row.restarts >= 3


def test_workload_goes_on_without_the_agent(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "machine", live_server.url, cell) as machine:
        until(is_reported(instance, health="healthy"))
        pid, seq = machine.workload(instance)["pid"], CellStatus.objects.get().seq
        assert machine.kill() == -9
        machine.kill_workload(instance)
        until(lambda: machine.workload(instance)["restarts"] == 1 and machine.workload(instance)["health"] == "healthy")
        assert status(instance).restarts == 0
        machine.start()
        row = until(is_reported(instance, restarts=1, health="healthy"))

    assert machine.workload(instance)["pid"] != pid
    assert row.seq > seq
    assert (AgentKey.objects.count(), Event.objects.count()) == (1, 1)


def test_agent_catches_up_after_the_portal_was_away(cell, settings, live_server, tmp_path):
    line = Line(live_server.thread.port)
    settings.AGENT_URL = line.url
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "machine", line.url, cell, "--report-every", "0.3") as machine:
        until(is_reported(instance, health="healthy"))
        line.cut()
        time.sleep(0.5)
        missed_from = CellStatus.objects.get().seq
        machine.kill_workload(instance)
        until(lambda: machine.waiting_reports > 10)
        assert CellStatus.objects.get().seq == missed_from
        until(lambda: machine.workload(instance)["health"] == "healthy")
        line.mend()
        row = until(is_reported(instance, restarts=1, health="healthy"))
        until(lambda: machine.waiting_reports < 3)

    assert row.seq > missed_from + 10


def test_agent_changes_its_key(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "machine", live_server.url, cell, "--rotate-every", "0"):
        until(is_reported(instance, health="healthy"))

    assert AgentKey.objects.count() > 1
    assert AgentKey.objects.valid().count() == 1
    assert AgentKey.objects.valid().get().used_at is not None


def test_second_agent_with_the_same_token_stays_out(cell, live_server, tmp_path):
    instance = make_instance(cell=cell)

    with running_agent(tmp_path / "one", live_server.url, cell) as one:
        until(is_reported(instance, health="healthy"))
        with running_agent(tmp_path / "two", live_server.url, cell) as two:
            until(lambda: "enrolment_used" in two.log)
            time.sleep(0.5)
            assert two.workloads() == {}
        assert one.agent.poll() is None

    assert AgentKey.objects.count() == 1


def test_second_agent_in_the_same_directory_does_not_start(cell, live_server, tmp_path):
    with running_agent(tmp_path / "machine", live_server.url, cell) as machine:
        until((tmp_path / "machine" / "agent" / "lock").exists)
        first = machine.agent
        machine.start()
        assert machine.agent.wait(20) == 2
        machine.agent = first

    assert "Another agent works in" in machine.log


@pytest.mark.parametrize("seconds", [-86400, 86400])
def test_agent_with_a_wrong_clock_learns_the_right_time(cell, live_server, tmp_path, seconds):
    instance = make_instance(cell=cell)
    machine = RunningAgent(tmp_path / "machine", live_server.url, cell)
    machine.start_cluster()
    machine.start(clock=seconds)
    try:
        until(lambda: CellStatus.objects.filter(pk=cell.pk).first())
    finally:
        machine.stop()

    assert abs(CellStatus.objects.get().reported_at - timezone.now()) < timedelta(minutes=1)
    assert instance.pk


@pytest.mark.parametrize("effects", range(1, 17))
def test_agent_killed_after_any_effect_loses_and_doubles_nothing(cell, live_server, tmp_path, effects):
    """It enrols, takes its first token, changes its key, fetches, applies, reports: killed after each of these in turn."""
    instance = make_instance(cell=cell)
    machine = RunningAgent(tmp_path / "machine", live_server.url, cell)
    machine.start_cluster()
    machine.start("--rotate-every", "0", die_after=effects)
    try:
        assert machine.agent.wait(30) == -9
        machine.start()
        row = until(is_reported(instance, state="running", health="healthy"))
        until(lambda: machine.waiting_reports == 0)
        last = int((tmp_path / "machine/agent/reports/last").read_text().split(":")[1].rstrip("}"))
        until(lambda: CellStatus.objects.get().seq == last)
    finally:
        machine.stop()

    assert row.restarts == 0
    assert [event.action for event in Event.objects.all()].count("cell.agent_enrolled") == 1
    assert AgentKey.objects.valid().exclude(used_at=None).count() == 1
    left = {path.name for path in (tmp_path / "machine/agent").iterdir()}
    assert left == {"lock", "identity.json", "desired.json", "reports", "orders", "backups"}
