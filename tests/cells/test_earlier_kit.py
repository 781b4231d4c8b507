"""A cell keeps the identities of the kit it was built under: they stay, the cell is not updated, and its deletion frees them."""

import pytest

from accounts.availability import why_keep_kit
from accounts.states import KitState
from cells.availability import why_not_update_cell
from cells.models import Cell
from cells.orders import target_of_cell
from cells.states import CellState
from tests.cells.factories import make_cell
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


def test_cell_of_an_earlier_kit_is_not_updated(cell):
    assert "earlier kit" in why_not_update_cell(cell)
    assert why_not_update_cell(make_cell(account=cell.account, region="us-east-1", kit=cell.account.kits.get(generation=2))) == ""
