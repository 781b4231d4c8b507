"""Cells and instances end to end on every cloud: the real adapters, the strict local clouds, the real agent that their machine starts.

Nothing in between is played: the stack is ordered under the kit's own permissions, its machine starts the agent from its user data,
the agent enrols at the live server, fetches what is wanted, runs it, and reports.
"""

import urllib.request

import pytest
from django.conf import settings as django_settings

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import (
    create_instance,
    delete_instance,
    modify_instance,
    restart_instance,
    start_instance,
    stop_instance,
    upgrade_instance,
)
from cells.models import Cell, CellStatus, Instance
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from tests.activity import assert_one_event
from tests.cells.factories import make_plan, make_release
from tests.cells.living import drive_to_end, wish
from tests.hands import HANDS

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_two_instances_make_one_cell_live_and_leave_nothing_behind(cloud, stand, alice, acme):
    standing = stand(cloud)
    plan = make_plan(parameters={"type": "object", "properties": {"edition": {"type": "string"}}})
    make_release(plan=plan, version="1.1.0")

    with assert_one_event(acme, action="instance.created"):
        one = create_instance(acme, name="orders", wish=wish(standing.account, plan, parameters={"edition": "team"}), by=alice)
    two = create_instance(acme, name="billing", wish=wish(standing.account, plan, parameters={"edition": "team"}), by=alice)
    assert Cell.objects.get().state == CellState.PLANNED
    assert one.cell_id == two.cell_id

    drive_to_end()
    cell = Cell.objects.get()
    assert cell.state == CellState.READY
    assert {part["state"] for part in cell.parts} == {"ready"}
    assert set(Instance.objects.values_list("state", "health")) == {("running", "healthy")}
    one.refresh_from_db()
    with urllib.request.urlopen(one.endpoints[0]["url"], timeout=5) as answer:
        assert str(one.pk) in answer.read().decode()

    # Every act, one after the other.
    for act in (
        lambda: upgrade_instance(one, release=plan.releases.get(version="1.1.0"), by=alice),
        lambda: modify_instance(one, size=plan.sizes.first(), parameters={"edition": "large"}, by=alice),
        lambda: restart_instance(one, by=alice),
    ):
        act()
        drive_to_end()
        one.refresh_from_db()
        assert (one.state, one.applied_revision) == (InstanceState.RUNNING, one.revision)
    stop_instance(one, by=alice)
    drive_to_end()
    one.refresh_from_db()
    assert one.state == InstanceState.STOPPED
    start_instance(one, by=alice)
    drive_to_end()
    assert [r.reason for r in one.revisions.all()] == ["started", "stopped", "restarted", "modified", "upgraded", "created"]

    # And out again: nothing with our tag is left.
    for instance in (one, two):
        delete_instance(instance, by=alice)
    drive_to_end()
    request_cell_deletion(cell, by=alice)
    drive_to_end()
    cell.refresh_from_db()
    assert (cell.state, cell.parts) == (CellState.DELETED, [])
    assert Event.objects.filter(organisation_id=acme.pk, action__startswith="instance.").count() >= 9


def test_clouds_are_all_of_them():
    assert set(CLOUDS) == set(HANDS)
    assert django_settings.PLATFORM_COMPONENTS is not None


def test_components_leave_before_the_agent_does(stand, alice, acme, settings):
    """What they made in the cloud would hold on to the network, and only the agent can take it away."""
    settings.PLATFORM_COMPONENTS = [{"name": "ingress", "chart": "oci://x.example/ingress", "chart_version": "4.1.0", "digest": "1" * 64}]
    standing = stand("azure")
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    assert [component["name"] for component in CellStatus.objects.get().components] == ["ingress"]
    delete_instance(instance, by=alice)
    drive_to_end()

    request_cell_deletion(Cell.objects.get(), by=alice)
    drive_to_end()

    assert CellStatus.objects.get().components == []
    assert Cell.objects.get().state == CellState.DELETED
