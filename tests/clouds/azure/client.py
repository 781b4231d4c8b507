"""How the tests of the strict local Azure speak to it."""

from typing import Any

import pytest

from tests.clouds.azure.account import AzureAccount, kit
from tests.clouds.conftest import SandboxProcess, TestIssuer

IDENTITY = "/resourceGroups/byoc/providers/Microsoft.ManagedIdentity/userAssignedIdentities/portal-ops"
NOBODY = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def client(account: AzureAccount) -> str:
    """The identity of a subscription whose owner has run the kit."""
    return _client(account.deploy(kit()).body)


def _client(deployment: dict[str, Any]) -> str:
    assert deployment["properties"]["provisioningState"] == "Succeeded", deployment
    return deployment["properties"]["outputs"]["clientId"]["value"]


def refusal(answer: Any) -> tuple[int, str, str]:
    return answer.status, answer.code, answer.message


def expected(account: AzureAccount, kind: str) -> None:
    """The violation that this test provoked, and no other; the fixture of the sandbox then finds none."""
    assert [entry["kind"] for entry in account.sandbox.control("GET", "violations")] == [kind]
    account.sandbox.control("DELETE", "violations")
