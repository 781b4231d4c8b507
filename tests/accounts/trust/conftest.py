"""A connected account in the strict local AWS."""

import pytest


@pytest.fixture
def account(acme, alice, sandbox, mailoutbox):
    """Connected, watched, with its mails read."""
    from tests.accounts.trust.looking import connect

    return connect(acme, alice, sandbox)


@pytest.fixture
def customer(account, sandbox):
    from tests.customer import Customer

    return Customer(sandbox, account.external_id)
