"""A cell with one instance and an agent that speaks for it."""

import pytest


@pytest.fixture(autouse=True)
def no_limits():
    from cells.views import agent as views

    views.of_cells.clear()


@pytest.fixture
def cell(acme):
    from tests.cells.orders import make_ready_cell

    return make_ready_cell(acme)


@pytest.fixture
def instance(cell):
    from tests.cells.factories import make_instance

    return make_instance(cell=cell, name="orders")


@pytest.fixture
def agent(cell):
    from tests.cells.spoken import speaker

    return speaker(cell)
