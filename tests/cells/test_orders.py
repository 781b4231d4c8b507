"""What is ordered for a cell, and its token: the same order twice is one order, anything else is another."""

from dataclasses import replace

import pytest

from accounts.clouds.stacks import StackOrder
from cells import orders
from cells.models import Cell
from cells.orders import order_of, order_token
from tests.cells.factories import make_cell
from tests.factories import make_kit
from tests.hands import make_account

pytestmark = pytest.mark.django_db
DRAFT = StackOrder("name", "region", "document", "", {"a": "1"}, {"s": "2"}, {"t": "3"}, {"f": "4"})


@pytest.fixture(params=["aws", "azure", "gcp"])
def cell(request):
    account = make_account(request.param, state="connected")
    make_kit(account=account)
    return make_cell(account=account, region=account.home_region, zones=[f"{account.home_region}-1", f"{account.home_region}-2"])


def test_same_cell_gives_the_same_order(cell):
    assert order_of(cell) == order_of(Cell.objects.get(pk=cell.pk))
    assert order_of(cell).secrets == order_of(cell).secrets


def test_next_generation_is_another_order(cell):
    before = order_of(cell)
    cell.generation += 1

    assert order_of(cell).token != before.token


@pytest.mark.parametrize("figures", [{"machines": 3}, {"machine_size": "large"}, {"cidr": "10.65.0.0/16"}])
def test_other_figures_are_another_order(cell, figures):
    before = order_of(cell)
    for name, value in figures.items():
        setattr(cell, name, value)

    assert order_of(cell).token != before.token


def test_another_agent_is_another_order(cell, monkeypatch):
    before = order_of(cell)
    monkeypatch.setattr(orders, "package_sha256", lambda: "0" * 64)

    assert order_of(cell).token != before.token


def test_another_source_of_charts_is_another_order(cell, settings):
    before = order_of(cell)
    settings.AGENT_CHARTS = ["oci://registry.fernhill.example/charts"]

    assert order_of(cell).token != before.token


@pytest.mark.parametrize("part", ["document", "parameters", "secrets", "tags", "files"])
def test_every_part_of_an_order_counts(cell, part):
    value = getattr(DRAFT, part)
    changed = replace(DRAFT, **{part: value + " " if isinstance(value, str) else {**value, "more": "x"}})

    assert order_token(cell, changed) != order_token(cell, DRAFT)


def test_token_fits_every_cloud(cell):
    token = order_of(cell).token

    assert len(token) <= 60
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
