"""The reference agent against the live portal, end to end: enrolled, told, done, reported. Nothing in between is played."""

import urllib.request

import pytest

from cells.models import CellStatus, Instance, InstanceRevision, InstanceStatus
from cells.states import InstanceState
from cells.transitions import touch_desired
from portal.audit.models import Event
from tests.cells.agents import running_agent, until
from tests.cells.factories import make_cell, make_instance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cell(settings, live_server):
    settings.AGENT_URL = live_server.url
    settings.PLATFORM_COMPONENTS = [{"name": "ingress", "chart": "oci://x.example/ingress", "chart_version": "4.1.0", "digest": "1" * 64}]
    return make_cell(most_instances=10)


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
    assert (reported.agent_version, reported.nodes_ready, reported.nodes) == ("1.0.0", 1, 1)
    assert reported.components == [{"name": "ingress", "version": "4.1.0", "state": "ready"}]
    assert [event.action for event in Event.objects.order_by("pk")] == ["cell.agent_enrolled"]
