"""An account that waits for its kit, and an open link to it."""

import pytest


@pytest.fixture(autouse=True)
def _fresh_limits():
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def account(acme, alice):
    from accounts.actions.connect import issue_kit
    from accounts.models import CloudAccount
    from tests.factories import make_cloud_account

    made = make_cloud_account(organisation=acme, external_id="111122223333", name="Production", created_by=alice)
    issue_kit(made, after_generation=0, by=alice)
    return CloudAccount.objects.get(pk=made.pk)


@pytest.fixture
def token(account, alice):
    """Of an open link to the account's kit."""
    from tests.factories import make_step_link

    make_step_link(kit=account.kits.get(), sent_by=alice, token="a-token", email="cloud@acme.example")
    return "a-token"
