"""Workers that die at each step of an operation of cells and instances, and what every life must come to all the same."""

from cells.models import AgentKey, CellOrder, Instance, InstanceRevision
from cells.states import CellState, InstanceState
from portal.operations.models import Operation
from portal.operations.registry import KINDS
from tests.cells.living import drive, machines, newest, turn
from tests.kill import ENDS, POINTS, lose_lease

ALL = (*POINTS, *ENDS)
# In one cloud every point of every step, in the others another point at each: twice, so that each step has met two of them.
DEATHS = [("aws", (point,)) for point in ALL] + [(cloud, points) for cloud in ("azure", "gcp") for points in (ALL, ALL[::-1])]
NAMES = [f"{cloud}-{points[0]}" for cloud, points in DEATHS]


class Deaths:
    """The points at which the workers of one life die: one each step."""

    def __init__(self, killer, points) -> None:
        self.killer, self.points = killer, points
        self.number = 0

    def play(self, kind: str) -> Operation:
        """The newest operation of this kind to its end, with a death at each of its steps."""
        operation = newest(kind)
        for step in KINDS[kind].steps:
            point = self.points[self.number % len(self.points)]
            self.number += 1
            self.killer.run_until_killed(operation.pk, point=point, step=step.name, seconds=60, meanwhile=check_environment)
            lose_lease(operation.pk)
        drive(lambda: not Operation.objects.live().filter(kind=kind).exists(), only=kind)
        operation.refresh_from_db()
        assert operation.state == "succeeded", (kind, operation.failure_code, operation.failure_params, operation.failure_evidence)
        return operation


def check_environment() -> None:
    turn("check_environment")


def processes(sandbox) -> list[str]:
    """Which instance each process belongs to; one that is stopped has none."""
    return [load["instance"] for host in machines(sandbox) for load in host["workloads"] if load["pid"]]


def assert_lives_once(cell, instance, sandbox, *, generation: int = 1, revision: int = 1, runs: bool = True) -> None:
    """The stack, the agent's key and machine, the process and each wish: once."""
    cell.refresh_from_db()
    instance.refresh_from_db()
    # Azure goes on naming what an update has taken away.
    parts = {part["state"] for part in cell.parts} - {"deleted"}
    assert (cell.state, cell.generation, parts) == (CellState.READY, generation, {"ready"})
    assert [(host["cell"], host["is_stopped"]) for host in machines(sandbox)] == [(str(cell.pk), False)]
    drive(lambda: processes(sandbox) == [str(instance.pk)] * runs)
    assert (AgentKey.objects.valid().get().generation, AgentKey.objects.count()) == (generation, generation)
    assert list(cell.enrolments.order_by("generation").values_list("generation", flat=True)) == list(range(1, generation + 1))
    assert list(CellOrder.objects.order_by("id").values_list("generation", "outcome")) == [(n + 1, "stands") for n in range(generation)]
    state = InstanceState.RUNNING if runs else InstanceState.STOPPED
    assert (Instance.objects.get().state, InstanceRevision.objects.count(), instance.applied_revision) == (state, revision, revision)
