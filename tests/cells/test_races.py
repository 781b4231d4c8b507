"""Several people at once, on a real PostgreSQL: each thread is a request with a connection of its own, all released at one moment.

Where an order decides, the first one is held in the middle of its transaction by a lock that the test takes away.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from accounts.actions.accounts import disconnect_account
from accounts.models import CloudAccount
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.actions.instances import (
    create_instance,
    delete_instance,
    modify_instance,
    protect_instance,
    restart_instance,
    stop_instance,
    upgrade_instance,
)
from cells.models import Cell, HostingAccount, Instance, InstanceRevision, Plan
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.embedded.process import wait_until
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.transitions import LostRace
from tests.cells.factories import make_cell, make_instance, make_plan, make_release
from tests.cells.living import newest, turn, wish
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db(transaction=True)
SEVERAL = 6
POOL = ThreadPoolExecutor(SEVERAL)


class Rival:
    """One request. `answer` is what it returned, `refused` why it was refused."""

    def __init__(self, act, gate=None):
        self.answer = self.refused = None
        self.future = POOL.submit(self._run, act, gate)

    def _run(self, act, gate):
        if gate:
            gate.wait(10)
        try:
            self.answer = act()
        except (NotAllowed, LostRace) as refused:
            self.refused = refused
        finally:
            connection.close()

    def end(self):
        self.future.result(30)
        return self


def at_once(*acts) -> list[Rival]:
    gate = threading.Barrier(len(acts))
    return [rival.end() for rival in [Rival(act, gate) for act in acts]]


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it is else the same look again
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone()[0]


@contextmanager
def held(rows):
    """Whoever wants to lock these rows waits until the block has ended."""
    with transaction.atomic():
        assert list(rows.select_for_update().values_list("pk", flat=True))
        yield


def until_waiting(count: int) -> None:
    assert wait_until(lambda: waiting_for_locks() >= count, 10), f"{waiting_for_locks()} wait"


@pytest.fixture
def account(acme):
    return make_cloud_account(organisation=acme, state="connected", home_region="eu-west-1")


@pytest.fixture
def plan(db):
    return make_plan()


def actions() -> list[str]:
    return list(Event.objects.order_by("organisation_id", "sequence").values_list("action", flat=True))


# --- creating ---


def test_several_first_instances_at_once_make_one_cell(acme, alice, account, plan):
    rivals = at_once(*(lambda n=n: create_instance(acme, name=f"orders-{n}", wish=wish(account, plan), by=alice) for n in range(SEVERAL)))

    cell = Cell.objects.get()
    assert {rival.answer.cell_id for rival in rivals} == {cell.pk}
    assert Operation.objects.filter(kind="bootstrap_cell").count() == 1
    assert Operation.objects.filter(kind="create_instance").count() == SEVERAL
    assert actions() == ["instance.created"] * SEVERAL
    assert Event.objects.filter(details__has_key="new_cell").count() == 1


def test_instances_of_several_customers_at_once_make_one_cell_where_the_provider_hosts(acme, alice, charlie):
    account = make_cloud_account(state="connected", home_region="eu-west-1")
    HostingAccount.objects.create(account=account, hosting="provider")
    plan = make_plan(hosting="provider", tenancy="multi_tenant")
    globex = charlie.memberships.get().organisation
    people = [(acme, alice), (globex, charlie)] * 3

    rivals = at_once(
        *(
            lambda n=n, organisation=organisation, by=by: create_instance(organisation, name=f"orders-{n}", wish=wish(account, plan), by=by)
            for n, (organisation, by) in enumerate(people)
        )
    )

    assert {rival.answer.cell_id for rival in rivals} == {Cell.objects.get().pk}
    assert Cell.objects.get().organisation == account.organisation


def test_last_room_in_a_cell_is_taken_by_one(acme, alice, account, plan):
    cell = make_cell(account=account, most_instances=1)

    rivals = at_once(*(lambda n=n: create_instance(acme, name=f"orders-{n}", wish=wish(account, plan), by=alice) for n in range(SEVERAL)))

    assert sum(rival.answer is not None for rival in rivals) == 1
    assert cell.instances.count() == 1


def test_same_request_several_times_at_once_makes_one_instance(acme, alice, account, plan):
    rivals = at_once(
        *(
            lambda: create_instance(acme, name="orders", wish=wish(account, plan), by=alice, idempotency_key="form-1")
            for _ in range(SEVERAL)
        )
    )

    assert {rival.answer.pk for rival in rivals} == {Instance.objects.get().pk}
    assert InstanceRevision.objects.count() == 1
    assert Operation.objects.filter(kind="create_instance").count() == 1
    assert actions() == ["instance.created"]


def test_same_request_for_two_places_at_once_makes_one_instance(acme, alice, account, plan):
    """Two tabs of one form: nothing but the key is common to them."""
    other = make_cloud_account(organisation=acme, state="connected", home_region="eu-west-1")

    rivals = at_once(
        *(
            lambda place=place: create_instance(acme, name=str(place), wish=wish(place, plan), by=alice, idempotency_key="form-1")
            for place in (account, other)
        )
    )

    assert {rival.answer.pk for rival in rivals} == {Instance.objects.get().pk}
    assert (Cell.objects.count(), Operation.objects.count(), actions()) == (1, 2, ["instance.created"])


def test_same_request_later_gives_the_same_instance(acme, alice, account, plan):
    one = create_instance(acme, name="orders", wish=wish(account, plan), by=alice, idempotency_key="form-1")

    assert create_instance(acme, name="orders", wish=wish(account, plan), by=alice, idempotency_key="form-1") == one
    assert actions() == ["instance.created"]


def test_same_name_at_once_is_given_once(acme, alice, account, plan):
    rivals = at_once(*(lambda: create_instance(acme, name="orders", wish=wish(account, plan), by=alice) for _ in range(SEVERAL)))

    assert [str(rival.refused.reason) for rival in rivals if rival.refused] == ["Another instance of your organisation has this name."] * (
        SEVERAL - 1
    )
    assert (Instance.objects.count(), Cell.objects.count()) == (1, 1)


# --- creating and deleting ---


def test_instance_is_not_placed_in_a_cell_that_is_being_deleted(acme, alice, account, plan):
    cell = make_cell(account=account)
    request_cell_deletion(cell, by=alice)

    with pytest.raises(NotAllowed, match="is being deleted"):
        create_instance(acme, name="orders", wish=wish(account, plan), by=alice)
    assert not Instance.objects.exists()


def test_cell_is_not_deleted_while_somebody_is_creating_in_it(acme, alice, account, plan):
    """Creating is held after it has chosen the cell and before it has written anything; then deletion asks."""
    cell = make_cell(account=account)
    with held(Plan.objects.all()):  # to write an instance, its plan has to be there until the end
        creating = Rival(lambda: create_instance(acme, name="orders", wish=wish(account, plan), by=alice))
        until_waiting(1)
        deleting = Rival(lambda: request_cell_deletion(cell, by=alice))
        until_waiting(2)

    assert creating.end().answer.cell_id == cell.pk
    assert str(deleting.end().refused.reason) == "1 instance is in this cell. Delete it first."
    cell.refresh_from_db()
    assert cell.state == CellState.READY


def test_of_creating_and_deleting_the_cell_one_wins(acme, alice, account, plan):
    for number in range(8):
        Operation.objects.all().delete()
        Instance.objects.all().delete()
        Cell.objects.all().delete()
        cell = make_cell(account=account)

        creating, deleting = at_once(
            lambda n=number: create_instance(acme, name=f"orders-{n}", wish=wish(account, plan), by=alice),
            lambda cell=cell: request_cell_deletion(cell, by=alice),
        )

        assert (creating.answer is None) != (deleting.answer is None)
        assert Cell.objects.get().state == (CellState.DELETING if deleting.answer else CellState.READY)
        assert Instance.objects.count() == (0 if deleting.answer else 1)


def test_cell_is_deleted_once_by_two_people(acme, alice, bob, account):
    cell = make_cell(account=account)

    rivals = at_once(lambda: request_cell_deletion(cell, by=alice), lambda: request_cell_deletion(cell, by=bob))

    assert sorted(rival.answer is None for rival in rivals) == [False, True]
    assert actions() == ["operation.started"]


def test_cell_is_either_updated_or_deleted(acme, alice, bob, account):
    cell = make_cell(account=account)

    rivals = at_once(lambda: request_cell_update(cell, by=alice), lambda: request_cell_deletion(cell, by=bob))

    assert sorted(rival.answer is None for rival in rivals) == [False, True]
    assert Operation.objects.count() == 1


# --- acts on one instance ---


@pytest.mark.parametrize("other", ["stop", "modify", "restart", "upgrade", "delete"])
def test_of_two_different_acts_at_once_one_is_refused(acme, alice, bob, plan, other):
    release = make_release(plan=plan, version="1.1.0")
    instance = make_instance(organisation=acme, plan=plan, cell=make_cell())
    acts = {
        "stop": lambda: stop_instance(instance, by=bob),
        "modify": lambda: modify_instance(instance, size=plan.sizes.first(), parameters={"a": 1}, by=bob),
        "restart": lambda: restart_instance(instance, by=bob),
        "upgrade": lambda: upgrade_instance(instance, release=release, by=bob),
        "delete": lambda: delete_instance(instance, by=bob),
    }

    rivals = at_once(lambda: upgrade_instance(instance, release=release, by=alice), acts[other])

    assert sorted(rival.answer is None for rival in rivals) == [False, True]
    (refused,) = (rival.refused for rival in rivals if rival.refused)
    assert refused.reason in {
        "Another operation on this instance is under way. Wait until it has ended.", "The instance is being deleted."
    }  # fmt: skip
    instance.refresh_from_db()
    assert instance.revisions.count() == instance.revision
    assert (Operation.objects.count(), len(actions())) == (1, 1)


def test_protection_and_deletion_at_once_never_both(acme, alice, bob, plan):
    instance = make_instance(organisation=acme, plan=plan, cell=make_cell())

    protecting, deleting = at_once(
        lambda: protect_instance(instance, is_protected=True, by=alice), lambda: delete_instance(instance, by=bob)
    )

    instance.refresh_from_db()
    # Deleted before it was protected, or not deleted.
    assert (protecting.refused is None) == (deleting.refused is not None)
    if deleting.refused:
        assert (instance.state, instance.is_protected) == (InstanceState.RUNNING, True)
    else:
        assert instance.state == InstanceState.DELETING


def test_instance_that_waits_for_its_cell_is_given_up_at_once(acme, alice, account, plan):
    instance = create_instance(acme, name="orders", wish=wish(account, plan), by=alice)
    cell = Cell.objects.get()
    turn("create_instance")
    instance.refresh_from_db()
    assert instance.state == InstanceState.WAITING_FOR_CELL

    delete_instance(instance, by=alice)
    turn("delete_instance")

    instance.refresh_from_db()
    cell.refresh_from_db()
    assert (instance.state, cell.state) == (InstanceState.DELETED, CellState.PLANNED)
    assert (newest("create_instance").state, newest("delete_instance").state) == ("cancelled", "succeeded")
    assert actions() == ["instance.created", "instance.deletion_started", "operation.succeeded"]


def test_worker_that_sees_the_cell_ready_deploys_nothing_that_was_deleted_meanwhile(acme, alice, account, plan):
    """The worker has read the instance and found its cell ready when the person deletes it: what it still writes counts for nothing."""
    cell = make_cell(account=account)
    instance = create_instance(acme, name="orders", wish=wish(account, plan), by=alice)

    with held(Instance.objects.all()):
        working = Rival(lambda: turn("create_instance"))
        until_waiting(1)
        delete_instance(instance, by=alice)
        version = Cell.objects.get(pk=cell.pk).desired_version
    working.end()

    instance.refresh_from_db()
    assert instance.state == InstanceState.DELETING
    assert newest("create_instance").state == "cancelled"
    assert Cell.objects.get(pk=cell.pk).desired_version == version
    turn("delete_instance")
    instance.refresh_from_db()
    assert instance.state == InstanceState.DELETED


def test_account_is_not_disconnected_under_its_cells(acme, alice, account):
    make_cell(account=account)

    with pytest.raises(NotAllowed, match="1 deployment cells are in this account"):
        disconnect_account(account, by=alice)
    assert CloudAccount.objects.get().state == "connected"
