"""Cells and instances end to end on every cloud: the real adapters, the strict local clouds, the real agent that their machine starts.

Nothing in between is played: the stack is ordered under the kit's own permissions, its machine starts the agent from its user data,
the agent enrols at the live server, fetches what is wanted, runs it, and reports.
"""

import time
import urllib.request
from collections.abc import Callable
from io import StringIO

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import (
    Wish,
    create_instance,
    delete_instance,
    modify_instance,
    restart_instance,
    start_instance,
    stop_instance,
    upgrade_instance,
)
from cells.models import Cell, Instance
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.operations.driver import advance
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.activity import assert_one_event
from tests.cells.factories import make_plan, make_release
from tests.clouds.gcp.cells import addresses
from tests.factories import make_contact
from tests.hands import HANDS, process
from tests.kill import lose_lease
from tests.standing import Standing

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


@pytest.fixture
def stand(acme, alice, sandbox, monkeypatch, mailoutbox, settings, live_server):
    settings.AGENT_URL = live_server.url
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())

    def connect(cloud: str) -> Standing:
        if cloud == "gcp":
            publish_plan(sandbox, monkeypatch)
        return Standing(cloud, organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)

    return connect


def publish_plan(sandbox, monkeypatch):
    """Infrastructure Manager reads a plan from the provider's bucket."""
    for name, value in addresses(process(sandbox)).items():
        monkeypatch.setenv(name, value)
    call_command("publish_plans", stdout=StringIO())


def wish(standing, plan, **values) -> Wish:
    account = standing.account
    given = {"release": plan.releases.get(version="1.0.0"), "size": plan.sizes.first(), "parameters": {"edition": "team"}}
    return Wish(plan, given["release"], given["size"], given["parameters"], account.cloud, account.home_region, account, **values)


def drive(until: Callable[[], bool], seconds: float = 90.0) -> None:
    """Workers at work on everything that is due, until this is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pk in Operation.objects.live().values_list("pk", flat=True):
            lose_lease(pk)
            advance(pk)
        if until():
            return
        time.sleep(0.2)
    columns = ("kind", "state", "waiting_why", "waiting_params", "failure_code", "failure_params", "failure_evidence")
    raise AssertionError(f"not reached: {list(Operation.objects.values_list(*columns))}")


def drive_to_end() -> None:
    drive(lambda: not Operation.objects.live().exists())
    failed = [(o.kind, o.failure_code, o.failure_params, o.failure_evidence) for o in Operation.objects.filter(state=OperationState.FAILED)]
    assert not failed, "\n".join(map(str, failed))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_two_instances_make_one_cell_live_and_leave_nothing_behind(cloud, stand, alice, acme):
    standing = stand(cloud)
    plan = make_plan(parameters={"type": "object", "properties": {"edition": {"type": "string"}}})
    make_release(plan=plan, version="1.1.0")

    with assert_one_event(acme, action="instance.created"):
        one = create_instance(acme, name="orders", wish=wish(standing, plan), by=alice)
    two = create_instance(acme, name="billing", wish=wish(standing, plan), by=alice)
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
