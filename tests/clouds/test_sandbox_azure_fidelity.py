"""What Azure refuses, the local Azure refuses: in Azure's own words."""

import pytest

from tests.clouds.azure_account import AzureAccount, kit
from tests.clouds.conftest import SandboxProcess, TestIssuer


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def client(account: AzureAccount) -> str:
    """The identity of a subscription whose owner has run the kit."""
    made = account.deploy(kit())
    assert made.body["properties"]["provisioningState"] == "Succeeded", made.body
    return made.body["properties"]["outputs"]["clientId"]["value"]


def test_kit_lets_the_portal_in(account: AzureAccount, client: str) -> None:
    found = account.subscriptions(client).subscriptions.get(account.subscription)

    assert found.display_name == "Acme Production"
    assert found.state == "Enabled"
    assert found.tenant_id == "11111111-aaaa-4aaa-8aaa-111111111111"
