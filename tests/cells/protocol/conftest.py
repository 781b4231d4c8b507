"""A cell, and a portal that remembers nothing of the test before."""

import pytest


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """One process serves all tests: buckets and the set of those thrown out start empty."""
    from cells.protocol import access
    from cells.views import agent as views

    def forget():
        views.of_cells.clear()
        views.of_strangers.clear()
        access.denied.forget()

    forget()
    yield
    forget()


@pytest.fixture
def cell():
    from tests.cells.factories import make_cell

    return make_cell()
