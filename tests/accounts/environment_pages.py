"""What the tests of the Environment page share."""

import pytest
from django.urls import reverse

from tests.environments import make_connected_account

REGION = "eu-west-1"


@pytest.fixture
def account(acme, alice):
    return make_connected_account(organisation=acme, created_by=alice, name="Production")


@pytest.fixture
def member(client, alice):
    client.force_login(alice)
    return client


def address(account, name="account_environment", region=""):
    path = reverse(f"accounts:{name}", args=[account.organisation.slug, account.pk])
    return f"{path}?region={region}" if region else path


def shown(client, account, **kwargs):
    response = client.get(address(account, **kwargs))
    assert response.status_code == 200
    return response


CHECKS = [
    "identity", "permissions", "region_enabled", "organisation_policy", "zones", "quota_vcpus", "quota_networks", "quota_addresses",
    "quota_gateways", "address_range", "names_free", "disk_encryption",
]  # fmt: skip
