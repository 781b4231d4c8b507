"""A cell keeps the identities of the kit it was built under until an update moves it, where its cloud can; so long that kit is kept."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actions.renewal import start_renewal
from accounts.availability import why_keep_kit
from accounts.states import KitState
from cells import stacks
from cells.actions.cells import request_cell_update
from cells.actions.instances import create_instance
from cells.availability import why_not_replace_agent, why_not_update_cell
from cells.models import Cell, CellOrder
from cells.orders import target_of_cell
from cells.states import CellState
from portal.operations.availability import NotAllowed
from tests.accounts.test_twenty_failures import read
from tests.cells.factories import make_cell, make_plan
from tests.cells.living import drive, drive_to_end, machines, wish, workloads
from tests.factories import make_cloud_account, make_kit

pytestmark = pytest.mark.django_db


@pytest.fixture
def cell():
    account = make_cloud_account(state="connected")
    first = make_kit(account=account, state=KitState.OUTDATED, generation=1)
    make_kit(account=account, generation=2)
    return make_cell(account=account, kit=first)


def test_names_are_those_of_the_kit_it_was_built_under(cell):
    assert target_of_cell(cell).suffix.endswith("-g1")


def test_a_cell_without_a_kit_yet_takes_the_one_in_use(cell):
    assert target_of_cell(make_cell(account=cell.account, region="us-east-1")).suffix.endswith("-g2")


def test_earlier_kit_is_kept_until_its_cells_are_deleted(cell):
    assert "Keep it until they are deleted" in why_keep_kit(cell.kit)

    Cell.objects.update(state=CellState.DELETED)
    assert why_keep_kit(cell.kit) == ""


def test_cell_of_an_earlier_kit_is_not_updated_where_a_cluster_keeps_its_role(cell):
    assert "stays with the roles of the earlier kit" in why_not_update_cell(cell)
    assert "stays with the roles of the earlier kit" in why_not_replace_agent(cell)
    assert why_not_update_cell(make_cell(account=cell.account, region="us-east-1", kit=cell.account.kits.get(generation=2))) == ""


def test_kit_is_kept_while_an_order_under_it_is_not_carried_out(cell):
    """An update towards it, or away from it, may have stopped half-way: parts of both may stand."""
    newer = cell.account.kits.get(generation=2)
    fields = {"cell": cell, "attempt": 1, "generation": 1, "kit_version": "1", "stack_name": "s", "stack_version": "1"}
    CellOrder.objects.create(kit=newer, token="a", **fields)
    assert "use its identities" in why_keep_kit(newer)
    CellOrder.objects.create(kit=cell.kit, token="b", outcome="stands", ended_at=timezone.now(), **fields)
    assert why_keep_kit(newer) == ""


# --- in the clouds ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_update_moves_a_cell_to_the_identities_of_the_next_kit(cloud, stand, acme, alice, client, sandbox):
    standing = stand(cloud)
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    first = standing.account.kits.get(generation=1)
    renew(standing)
    cell = Cell.objects.get()
    assert (cell.kit, cell.orders.get().kit) == (first, first)
    client.force_login(alice)
    page = read(client.get(cell.get_absolute_url()))
    assert "an earlier kit than the one in use" in page
    assert "Give it the identities of the kit in use" in page
    offer = read(client.get(reverse("cells:cell_update", args=[acme.slug, cell.pk])))
    assert str(stacks.load(cloud).moving) in offer
    assert "Keep it until they are deleted, or were moved" in why_keep_kit(first)

    assert client.post(reverse("cells:cell_update", args=[acme.slug, cell.pk])).status_code == 302
    drive_to_end()

    cell.refresh_from_db()
    second = standing.account.kits.get(generation=2)
    assert (cell.state, cell.kit, cell.generation, len(machines(sandbox))) == (CellState.READY, second, 2, 1)
    named = CellOrder.objects.newest_first()[0]
    assert (named.kit, named.outcome) == (second, "stands")
    assert second.suffix in str(named.parameters)
    assert first.suffix not in str(named.parameters)
    assert (why_keep_kit(first), why_not_update_cell(cell)) == ("", "")
    assert "an earlier kit" not in read(client.get(cell.get_absolute_url()))
    drive(lambda: workloads(sandbox) == [str(instance.pk)])
    assert sandbox.control("GET", "violations") == []


@pytest.mark.django_db(transaction=True)
def test_cell_that_cannot_move_says_what_is_needed_and_keeps_its_kit(stand, acme, alice, client):
    standing = stand("aws")
    create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive_to_end()
    renew(standing)
    cell = Cell.objects.get()
    client.force_login(alice)

    assert "delete its instances and the cell, and create the instances again" in read(client.get(cell.get_absolute_url()))
    with pytest.raises(NotAllowed):
        request_cell_update(cell, by=alice)
    assert "use its identities" in why_keep_kit(cell.kit)
    assert cell.kit == standing.account.kits.get(generation=1)


def renew(standing) -> None:
    """As the Trust page says: the next kit is made, run and taken into use."""
    start_renewal(standing.account, after_generation=1, by=standing.alice)
    standing.run(2)
    for _ in range(10):
        if standing.drive().state == "succeeded":
            return
    raise AssertionError(standing.operation.failure_code)
