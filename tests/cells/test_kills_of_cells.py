"""kill -9 at every point of every step of updating a cell and of replacing its agent, and of the retry of each; and around an order."""

import pytest

from cells.actions.cells import request_agent_replacement, request_cell_update
from cells.actions.instances import create_instance
from cells.models import AgentKey, Cell, CellOrder
from cells.states import CellState
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.models import Operation, Step
from tests.cells.deaths import DEATHS, NAMES, Deaths, assert_lives_once, check_environment
from tests.cells.factories import make_plan
from tests.cells.living import drive, drive_to_end, drive_to_failure, machines, newest, wish
from tests.cells.quotas import lower_a_quota, raise_the_quota
from tests.kill import lose_lease
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")
ACTS = [("update_cell", request_cell_update), ("replace_agent", request_agent_replacement)]


def update_is_due() -> None:
    """In the row, so that the workers that die know of it. Google counts machines by zone."""
    Cell.objects.update(machines=Cell.objects.get().machines + 3)


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=NAMES)
def test_worker_killed_at_every_step_of_a_change_of_the_cell_changes_nothing(cloud, points, stand, killer, alice, acme, sandbox):
    flush_broker()
    standing, deaths = stand(cloud), Deaths(killer, points)
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    cell = Cell.objects.get()

    for generation, (kind, ask) in enumerate(ACTS, start=2):
        update_is_due()
        cell.refresh_from_db()
        ask(cell, by=alice)
        deaths.play(kind)
        assert_lives_once(cell, instance, sandbox, generation=generation)
        assert CellOrder.objects.newest_first()[0].operation == newest(kind)

    assert not Step.objects.exclude(attempt=1, state="done").exists()
    written = Event.objects.filter(subject_kind="cell").exclude(action="cell.agent_enrolled").order_by("sequence")
    assert list(written.values_list("action", flat=True)) == ["operation.succeeded", *["operation.started", "operation.succeeded"] * 2]


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=NAMES)
def test_worker_killed_at_every_step_of_a_retry_changes_nothing(cloud, points, stand, killer, alice, acme, sandbox):
    """The stack fails, is mended, and every step of the second attempt meets a death."""
    flush_broker()
    standing, deaths = stand(cloud), Deaths(killer, points)
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    cell = Cell.objects.get()

    for generation, (kind, ask) in enumerate(ACTS, start=2):
        update_is_due()
        lower_a_quota(cloud, sandbox, of="agent", count=1)
        cell.refresh_from_db()
        ask(cell, by=alice)
        failed = drive_to_failure(kind)
        raise_the_quota(sandbox)
        request_retry(failed, by=alice)
        operation = deaths.play(kind)

        assert operation.attempt == 2
        cell.refresh_from_db()
        assert (cell.state, cell.generation, len(machines(sandbox))) == (CellState.READY, generation, 1)
        assert AgentKey.objects.valid().get().generation == AgentKey.objects.count() == generation
        orders = CellOrder.objects.filter(operation=operation).order_by("id").values_list("attempt", "outcome", "failure_code")
        assert list(orders) == [(1, "failed", "quota_exceeded"), (2, "stands", "")]
    instance.refresh_from_db()
    assert instance.state == "running"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_order_that_failed_unseen_is_not_given_once_more(cloud, stand, killer, alice, acme, sandbox):
    """The worker dies after the cloud has taken the order and before anybody wrote that down. The cloud gives it up meanwhile."""
    flush_broker()
    standing = stand(cloud)
    create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    lower_a_quota(cloud, sandbox, count=1)
    operation = newest("bootstrap_cell")
    killer.run_until_killed(operation.pk, point="after_effect", step="infrastructure", seconds=60, meanwhile=check_environment)
    lose_lease(operation.pk)
    (order,) = CellOrder.objects.all()
    assert order.outcome == ""

    failed = drive_to_failure("bootstrap_cell")

    assert failed.failure_code == "quota_exceeded"
    (order,) = CellOrder.objects.all()
    assert (order.outcome, order.failure_code, order.operation) == ("failed", "quota_exceeded", operation)
    request_retry(failed, by=alice)
    drive(lambda: not Operation.objects.live().filter(kind=failed.kind).exists())
    assert list(CellOrder.objects.order_by("id").values_list("attempt", "outcome")) == [(1, "failed"), (2, "stands")]
