"""kill -9 at every point of every step in the life of a cell and of an instance. Only the time it takes may change.

What must be there in the end, once each: the stack, the agent's key and machine, the instance's process, every event. A worker dies at
each step; each is followed by a fresh one that finds what the one before has left.
"""

import pytest

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import create_instance, delete_instance
from cells.models import AgentKey, Cell, Enrolment, Instance, InstanceRevision
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.operations.models import Operation, Step
from portal.operations.registry import KINDS
from tests import kill_server
from tests.cells.factories import make_plan
from tests.cells.living import drive, machines, newest, turn, wish, workloads
from tests.clouds.gcp.cells import addresses
from tests.hands import HANDS, process
from tests.kill import ENDS, POINTS, lose_lease
from tests.worker import flush_broker, process_environment

pytestmark = pytest.mark.django_db(transaction=True)
ALL = (*POINTS, *ENDS)
# Acme's log of such a life, when nobody is killed.
EVENTS = [
    ("instance.created", "instance"), ("operation.succeeded", "environment"), ("cell.agent_enrolled", "cell"),
    ("operation.succeeded", "cell"), ("operation.succeeded", "instance"), ("instance.deletion_started", "instance"),
    ("operation.succeeded", "instance"), ("operation.started", "cell"), ("operation.succeeded", "cell"),
]  # fmt: skip


@pytest.fixture(scope="module")
def killer(sandbox_process, live_server, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        found = [hand.environment(sandbox_process) for hand in HANDS.values()] + [addresses(process(sandbox_process))]
        more = {name: value for one in found for name, value in one.items()}
        environment = process_environment(sandbox_process, PORTAL_AGENT_URL=live_server.url, **more)
    with kill_server.running(environment) as server:
        yield server


class Deaths:
    """The points at which the workers of one life die: one each step."""

    def __init__(self, killer, points) -> None:
        self.killer, self.points = killer, points
        self.number = 0

    def play(self, kind: str) -> None:
        operation = newest(kind)
        for step in KINDS[kind].steps:
            point = self.points[self.number % len(self.points)]
            self.number += 1
            self.killer.run_until_killed(operation.pk, point=point, step=step.name, seconds=60, meanwhile=check_environment)
            lose_lease(operation.pk)
        drive(lambda: not Operation.objects.live().filter(kind=kind).exists(), only=kind)


def check_environment() -> None:
    turn("check_environment")


# In one cloud every point of every step, in the others another point at each: twice, so that each step has met two of them.
DEATHS = [("aws", (point,)) for point in ALL] + [(cloud, points) for cloud in ("azure", "gcp") for points in (ALL, ALL[::-1])]


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=[f"{cloud}-{points[0]}" for cloud, points in DEATHS])
def test_worker_killed_at_every_step_of_a_life_changes_nothing(cloud, points, stand, killer, alice, acme, sandbox):
    flush_broker()
    standing, deaths = stand(cloud), Deaths(killer, points)
    before = Event.objects.filter(organisation_id=acme.pk).count()
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)

    deaths.play("bootstrap_cell")
    deaths.play("create_instance")
    cell = Cell.objects.get()
    assert_lives_once(cell, instance, sandbox)
    delete_instance(instance, by=alice)
    deaths.play("delete_instance")
    request_cell_deletion(cell, by=alice)
    deaths.play("delete_cell")

    cell.refresh_from_db()
    instance.refresh_from_db()
    assert (cell.state, cell.parts, instance.state) == (CellState.DELETED, [], InstanceState.DELETED)
    assert machines(sandbox) == []
    assert list(Step.objects.exclude(attempt=1, state="done")) == []
    assert set(Operation.objects.values_list("state", "attempt")) == {("succeeded", 1)}
    written = Event.objects.filter(organisation_id=acme.pk).order_by("sequence")
    assert list(written.values_list("action", "subject_kind")[before:]) == EVENTS


def assert_lives_once(cell, instance, sandbox) -> None:
    assert (cell.state, cell.generation, {part["state"] for part in cell.parts}) == (CellState.READY, 1, {"ready"})
    assert [(host["cell"], host["is_stopped"]) for host in machines(sandbox)] == [(str(cell.pk), False)]
    assert workloads(sandbox) == [str(instance.pk)]
    assert (AgentKey.objects.count(), Enrolment.objects.count()) == (1, 1)
    assert (Instance.objects.get().state, InstanceRevision.objects.count()) == (InstanceState.RUNNING, 1)
