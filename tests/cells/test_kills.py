"""kill -9 at every point of every step in the life of a cell and of an instance. Only the time it takes may change.

What must be there in the end, once each: the stack, the agent's key and machine, the instance's process, every event. A worker dies at
each step; each is followed by a fresh one that finds what the one before has left.
"""

import pytest

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.operations.models import Operation, Step
from tests.cells.deaths import DEATHS, NAMES, Deaths, assert_lives_once
from tests.cells.factories import make_plan
from tests.cells.living import machines, wish
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
# Acme's log of such a life, when nobody is killed.
EVENTS = [
    ("instance.created", "instance"), ("operation.succeeded", "environment"), ("cell.agent_enrolled", "cell"),
    ("operation.succeeded", "cell"), ("operation.succeeded", "instance"), ("instance.deletion_started", "instance"),
    ("operation.succeeded", "instance"), ("operation.started", "cell"), ("operation.succeeded", "cell"),
]  # fmt: skip


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=NAMES)
def test_worker_killed_at_every_step_of_a_life_changes_nothing(cloud, points, stand, killer, alice, acme, sandbox):
    flush_broker()
    standing, deaths = stand(cloud), Deaths(killer, points)
    before = Event.objects.filter(organisation_id=acme.pk).count()
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)

    deaths.play("bootstrap_cell")
    deaths.play("create_instance")
    cell = Cell.objects.get()
    assert_lives_once(cell, instance, sandbox)
    stood = {part["made"] for part in cell.parts if part["made"]}
    delete_instance(instance, by=alice)
    deaths.play("delete_instance")
    request_cell_deletion(cell, by=alice)
    deaths.play("delete_cell")

    cell.refresh_from_db()
    instance.refresh_from_db()
    assert (cell.state, cell.parts, instance.state) == (CellState.DELETED, [], InstanceState.DELETED)
    assert set(cell.resources.values_list("outcome", flat=True)) == {"removed"}
    assert stood <= set(cell.resources.values_list("made", flat=True))
    assert machines(sandbox) == []
    assert list(Step.objects.exclude(attempt=1, state="done")) == []
    assert set(Operation.objects.values_list("state", "attempt")) == {("succeeded", 1)}
    written = Event.objects.filter(organisation_id=acme.pk).order_by("sequence")
    assert list(written.values_list("action", "subject_kind")[before:]) == EVENTS
