"""The template of the Azure kit, deployed by its owner: what it makes, that it makes nothing elsewhere, what it tells."""

import json
from dataclasses import replace
from typing import Any

import pytest

from accounts.kits.azure import template
from accounts.kits.azure.kit import AzureKit
from tests.clouds.azure_account import SECOND, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.played_azure import ACCOUNT, REGISTERED, SUFFIX, PlayedAzure

KIT = AzureKit()


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer) -> PlayedAzure:
    return PlayedAzure(sandbox, issuer)


def deploy(played: PlayedAzure, subscription: str = SUBSCRIPTION, **changes: str) -> Any:
    owner = AzureAccount(played.account.sandbox, played.account.issuer, subscription)
    owner.control("PATCH", "subscriptions", {"id": subscription, "registered": REGISTERED})
    return owner.deploy(json.loads(template.text()), "by-hand", **(KIT.parameters(played.target) | changes))


def test_azure_kit_makes_what_the_manifest_says(played: PlayedAzure) -> None:
    made = deploy(played)
    assert made.body["properties"]["provisioningState"] == "Succeeded", made.body

    found = played.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    kinds = {resource.type for resource in KIT.resources}
    ours = [entry for entry in found if entry["type"] in kinds and not _is_the_owners(entry)]
    names = {"suffix": SUFFIX, "short": "3f9a1c2e", "region": "westeurope"}
    promised = {(resource.type, resource.name.format(**names)) for resource in KIT.resources}

    assert {(entry["type"], _shown_name(entry, found)) for entry in ours} == promised
    assert len(ours) == len(KIT.resources)
    for resource in KIT.resources:
        entry = next(e for e in ours if e["type"] == resource.type and _shown_name(e, found) == resource.name.format(**names))
        assert (entry.get("tags") or {}).get("byoc-account", "") == (ACCOUNT if resource.tag else ""), resource.logical_id
        assert len(entry["name"]) <= 64


def _is_the_owners(entry: dict[str, Any]) -> bool:
    """The owner had a role before the kit came."""
    return entry["type"].endswith("roleAssignments") and entry["properties"]["principalType"] == "User"


def _shown_name(entry: dict[str, Any], found: list[dict[str, Any]]) -> str:
    """Roles and assignments are called by numbers: what a person sees is the role's own name."""
    if entry["type"].endswith("roleDefinitions"):
        return entry["properties"]["roleName"]
    if entry["type"].endswith("roleAssignments"):
        role = next(other for other in found if other["id"].endswith(entry["properties"]["roleDefinitionId"].rpartition("/")[2]))
        return role["properties"]["roleName"]
    if entry["type"].endswith("federatedIdentityCredentials"):
        return f"{entry['id'].split('/')[-3]}/{entry['name']}"
    return entry["name"]


def test_azure_kit_outputs_can_be_pasted_as_they_are(played: PlayedAzure) -> None:
    outputs = deploy(played).body["properties"]["outputs"]

    told = KIT.read_report(json.dumps(outputs))

    assert told is not None
    assert told.values == {
        "client_id": outputs["clientId"]["value"], "support_client_id": outputs["supportClientId"]["value"], "tenant_id": TENANT,
    }  # fmt: skip
    assert (told.external_id, told.region) == (SUBSCRIPTION, "westeurope")


@pytest.mark.parametrize(
    ("subscription", "changes"),
    [(SECOND, {}), (SUBSCRIPTION, {"expectedTenantId": "11111111-bbbb-4bbb-8bbb-111111111111"})],
    ids=["other subscription", "other tenant"],
)
def test_azure_kit_in_the_wrong_place_makes_nothing_and_says_why(played: PlayedAzure, subscription: str, changes: dict[str, str]) -> None:
    before = played.account.control("GET", f"resources?under=/subscriptions/{subscription}")

    made = deploy(played, subscription, **changes)

    after = played.account.control("GET", f"resources?under=/subscriptions/{subscription}")
    left = [entry for entry in after if entry not in before and entry["type"] != "Microsoft.Resources/deployments"]
    assert left == []
    assert f"this-kit-was-made-for-subscription-{SUBSCRIPTION}-in-tenant-" in json.dumps(made.body)


def test_azure_kit_of_another_generation_stands_beside_the_first(played: PlayedAzure) -> None:
    assert deploy(played).body["properties"]["provisioningState"] == "Succeeded"
    played.target = replace(played.target, suffix="3f9a1c2e-g2", generation=2)

    assert deploy(played).body["properties"]["provisioningState"] == "Succeeded"

    found = played.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    groups = sorted(entry["name"] for entry in found if entry["type"] == "Microsoft.Resources/resourceGroups")
    assert groups == ["byoc-3f9a1c2e-cell-westeurope", "byoc-3f9a1c2e-g1-kit", "byoc-3f9a1c2e-g2-kit"]
