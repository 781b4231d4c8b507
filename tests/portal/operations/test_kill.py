"""kill -9 of a worker at every point of every step: nothing is lost, nothing happens twice."""

import time
from pathlib import Path

import pytest
from django.db import transaction

from portal.audit import Subject
from portal.audit.models import Event
from portal.celery import app
from portal.operations.engine import start
from portal.operations.models import Operation
from portal.operations.recorder import LEASE
from portal.operations.registry import KINDS, register
from portal.operations.states import OperationState
from portal.operations.tasks import ring_due_operations
from tests.factories import make_organisation
from tests.kill import POINTS, ring_until_ended, run_until_killed
from tests.portal.operations.killed_kind import KIND, STEPS
from tests.portal.operations.operation_kinds import states

pytestmark = pytest.mark.django_db(transaction=True)
MODULES = ["tests.portal.operations.killed_kind"]
KINDS.pop(KIND.name)  # importing registers it, for the process that dies; here only these tests may see it


@pytest.fixture
def operation(tmp_path: Path) -> Operation:
    register(KIND)
    with transaction.atomic():
        return start(
            kind=KIND.name,
            subject=Subject("thing", "1", "The thing"),
            organisation_id=make_organisation().pk,
            by=None,
            data={"cloud": str(tmp_path)},
        )


def assert_complete(operation: Operation, cloud: Path) -> None:
    assert operation.state == OperationState.SUCCEEDED
    assert states(operation) == [(name, 1, "done") for name in STEPS]
    assert sorted(thing.name for thing in cloud.glob("*.thing")) == ["confirm-yes.thing", "create.thing", "reserve.thing"]
    actions = list(Event.objects.filter(organisation_id=operation.organisation_id).order_by("sequence").values_list("action", flat=True))
    assert actions == ["operation.started", "operation.succeeded"]


# The step that waits is called once to start and once to look; a death between call and commit costs one more call.
CALLS = {"before_effect": 0, "after_effect": 1, "at_commit": 0, "after_commit": 0}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("point", POINTS)
def test_killed_worker_loses_nothing_and_repeats_nothing(operation: Operation, tmp_path: Path, point: str, step: str) -> None:
    run_until_killed(operation.pk, point=point, step=step, kinds=MODULES)

    ring_until_ended(operation)

    assert_complete(operation, tmp_path)
    calls = (tmp_path / "calls.log").read_text().split()
    usual = 2 if step == "create" else 1
    # The call that died unrecorded made its thing: the next one finds it, and needs no other look.
    repeated = 0 if step == "create" else CALLS[point]
    assert sum(call.startswith(step) for call in calls) == usual + repeated


def test_worker_killed_at_every_step_in_turn(operation: Operation, tmp_path: Path) -> None:
    from tests.kill import lose_lease

    for step, point in zip(STEPS, ("before_effect", "after_effect", "after_commit"), strict=True):
        run_until_killed(operation.pk, point=point, step=step, kinds=MODULES)
        lose_lease(operation.pk)
    ring_until_ended(operation)
    assert_complete(operation, tmp_path)


def test_recovery_needs_no_more_than_the_lease(operation: Operation, tmp_path: Path) -> None:
    run_until_killed(operation.pk, point="after_effect", step="reserve", kinds=MODULES)
    began = time.monotonic()
    app.conf.task_always_eager = True
    try:
        while not operation.steps.filter(name="reserve", state="done").exists():
            assert time.monotonic() - began < LEASE.total_seconds() + 2
            ring_due_operations()
            time.sleep(0.2)
    finally:
        app.conf.task_always_eager = False
    ring_until_ended(operation)
    assert_complete(operation, tmp_path)
