"""What the tests of deployments on the local Azure share."""

import json
from typing import Any

import pytest

from tests.clouds.azure.account import AzureAccount
from tests.clouds.conftest import SandboxProcess, TestIssuer

PATH = "/providers/Microsoft.Resources/deployments/kit"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def group(account: AzureAccount) -> str:
    account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope", "tags": {"a": "b"}})
    return "byoc"


def template(*resources: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **parts}


def identity(name: str = "ops", **more: Any) -> dict[str, Any]:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return {"type": kind, "apiVersion": "2024-11-30", "name": name, "location": "[resourceGroup().location]", **more}


def inner_errors(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """What the providers said, unpacked from text inside text."""
    return [json.loads(detail["message"])["error"] for detail in deployment["properties"]["error"]["details"]]
