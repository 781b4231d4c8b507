"""kill -9 at the steps of a deletion that is blocked, decided upon and retried: the list of what stood loses and doubles nothing."""

import pytest

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import create_instance, delete_instance
from cells.actions.resources import keep_resources
from cells.models import Cell
from cells.states import CellState
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.registry import KINDS
from tests.cells.byhand import Hand
from tests.cells.deaths import check_environment
from tests.cells.factories import make_plan
from tests.cells.living import drive_to_end, drive_to_failure, newest, wish
from tests.kill import POINTS, lose_lease
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
DEATHS = [("aws", point) for point in POINTS] + [("azure", POINTS[0]), ("azure", POINTS[-1]), ("gcp", POINTS[0]), ("gcp", POINTS[-1])]


STEPS = [step.name for step in KINDS["delete_cell"].steps]
HELD = STEPS.index("infrastructure_goes")  # where what is held is found


def die(killer, point: str, *steps: str) -> None:
    operation = newest("delete_cell")
    for step in steps:
        killer.run_until_killed(operation.pk, point=point, step=step, seconds=60, meanwhile=check_environment)
        lose_lease(operation.pk)


@pytest.mark.parametrize(("cloud", "point"), DEATHS)
def test_worker_killed_while_a_cell_is_taken_away_keeps_the_list_true(cloud, point, stand, killer, alice, acme, sandbox):
    flush_broker()
    standing = stand(cloud)
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    delete_instance(instance, by=alice)
    drive_to_end()
    cell = Cell.objects.get()
    stood = {part["made"] for part in cell.parts if part["made"]}
    hand = Hand(standing, cell, sandbox)
    hand.do("hold")
    hand.do("leave")

    request_cell_deletion(cell, by=alice)
    die(killer, point, *STEPS[: HELD + 1])
    failed = drive_to_failure("delete_cell")
    remaining = list(cell.resources.remaining())
    assert stood <= set(cell.resources.values_list("made", flat=True))
    keep_resources(cell, ids=[str(row.pk) for row in remaining], why="Ours", by=alice)
    request_retry(failed, by=alice)
    die(killer, point, *STEPS[HELD:])
    drive_to_end()

    cell.refresh_from_db()
    assert cell.state == CellState.DELETED
    rows = list(cell.resources.all())
    assert {row.outcome for row in rows} == {"removed", "kept"}
    assert {row.pk for row in rows if row.outcome == "kept"} <= {row.pk for row in remaining}
    assert len({(row.kind, row.made.lower()) for row in rows}) == len(rows)
    assert Event.objects.filter(action="cell.resources_kept").count() == 1
    ended = Event.objects.filter(subject_kind="cell", action__startswith="operation.").order_by("sequence").values_list("action", flat=True)
    assert list(ended)[-4:] == ["operation.started", "operation.failed", "operation.retried", "operation.succeeded"]
