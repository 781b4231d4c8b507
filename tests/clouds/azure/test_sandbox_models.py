"""What the local Azure answers is what Microsoft's own models describe; and the walker that says so sees what is not."""

from typing import Any

import pytest

from tests.clouds.azure import models
from tests.clouds.azure.account import GUARDED, SUBSCRIPTION, AzureAccount, kit
from tests.clouds.conftest import SandboxProcess, TestIssuer

GROUP = "/resourceGroups/byoc"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/portal-ops"
ROLES = "/providers/Microsoft.Authorization"


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


def test_every_answer_is_as_microsofts_models_say(account: AzureAccount) -> None:
    account.deploy(kit())
    account.sandbox.control("POST", "knobs", {"failures": [{"type": "Microsoft.Resources/resourceGroups", "reason": "Not now."}]})
    account.deploy(kit(), "failing")
    for path, version in (
        ("/subscriptions", "2022-12-01"), ("/tenants", "2022-12-01"), (account.scope, "2022-12-01"), ("/locations", "2022-12-01"),
        ("/providers", "2025-04-01"), ("/providers/Microsoft.ManagedIdentity", "2025-04-01"), ("/resourcegroups", "2025-04-01"),
        (GROUP, "2025-04-01"), (f"{GROUP}/resources", "2025-04-01"), ("/resources", "2025-04-01"),
        ("/providers/Microsoft.Resources/deployments", "2026-06-01"),
        ("/providers/Microsoft.Resources/deployments/kit/operations", "2026-06-01"),
        ("/providers/Microsoft.Resources/deployments/failing/operations", "2026-06-01"),
        (IDENTITY, "2024-11-30"), (f"{IDENTITY}/federatedIdentityCredentials", "2024-11-30"),
        (f"{IDENTITY}/federatedIdentityCredentials/ops", "2024-11-30"), (f"{ROLES}/roleAssignments", "2022-04-01"),
        (f"{ROLES}/roleDefinitions", "2022-04-01"), (f"{ROLES}/permissions", "2022-04-01"), ("/resourceGroups/none", "2025-04-01"),
        (f"{IDENTITY}x", "2024-11-30"), (f"{IDENTITY}/federatedIdentityCredentials/x", "2024-11-30"),
    ):  # fmt: skip
        account.owner("GET", path, version=version)
    account.subscription = GUARDED
    account.deploy(kit())

    journal = account.control("GET", "journal")

    assert models.problems(journal) == []
    described = [entry for entry in journal if entry["service"] == "arm" and entry["status"] < 400]
    assert len(described) > 20


@pytest.mark.parametrize(
    ("path", "answer", "problem"),
    [
        ("", {"subscriptionId": 7}, "answer.subscriptionId: 7 is no str"),
        ("", {"state": "Broken"}, "answer.state: 'Broken' is no SubscriptionState"),
        ("", {"colour": "red"}, "answer: Subscription has no colour"),
        ("/resourcegroups/a", {"properties": {"provisioned": "x"}}, "answer.properties: ResourceGroupProperties has no provisioned"),
        (
            "/providers/Microsoft.Resources/deployments/a", {"properties": {"timestamp": "yesterday"}},
            "answer.properties.timestamp: 'yesterday' is no time",
        ),
        (
            "/resourcegroups/a/providers/Microsoft.ManagedIdentity/userAssignedIdentities/b", {"properties": {"clientId": ["x"]}},
            "answer.properties.clientId: ['x'] is no str",
        ),
        (
            "/resourcegroups/a/providers/Microsoft.ManagedIdentity/userAssignedIdentities/b", {"properties": {"secret": "x"}},
            "answer.properties: Identity has no properties.secret",
        ),
        ("/surprise", {}, "no model is known for this"),
    ],
)  # fmt: skip
def test_walker_tells_what_the_sdk_would_swallow(path: str, answer: dict[str, Any], problem: str) -> None:
    full = f"/subscriptions/{SUBSCRIPTION}{path}"

    found = models.problems([{"service": "arm", "method": "GET", "path": full, "status": 200, "answer": answer, "request": None}])

    assert found == [f"GET {full}: {problem}"]


def test_walker_reads_requests_too() -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/a"
    exchange = {"service": "arm", "method": "PUT", "path": path, "status": 201, "answer": {}, "request": {"location": "x", "size": 1}}

    assert models.problems([exchange]) == [f"PUT {path}: request: ResourceGroup has no size"]
