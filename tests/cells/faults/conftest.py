"""A case in the cloud that is named."""

import pytest


@pytest.fixture
def case(stand, acme, alice, client, sandbox):
    from tests.cells.faults.case import Case

    return lambda cloud="aws", **fields: Case(stand(cloud, **fields), acme, alice, client, sandbox)
