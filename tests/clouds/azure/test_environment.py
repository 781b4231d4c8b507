"""Every verdict about an Azure subscription's surroundings."""

from dataclasses import replace
from typing import Any

import pytest

from accounts.clouds.base import Needs, Verdict
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.azure.standing import ROOT, narrow_operator, played, refusal, standing

__all__ = ["played", "standing"]  # fixtures
NEEDS = Needs(vcpus=12, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-cell-")
CHECKS = [
    "identity", "permissions", "region_enabled", "services_enabled", "quota_vcpus", "quota_networks", "quota_addresses",
    "organisation_policy", "address_range", "names_free", "locks",
]  # fmt: skip


def look(played: PlayedAzure, check: str, region: str = "westeurope", needs: Needs = NEEDS) -> Any:
    (finding,) = played.adapter().check_environment(region, needs, [check])
    assert finding.check == check
    return finding


def test_azure_environment_that_is_fine(standing: PlayedAzure) -> None:
    found = standing.adapter().check_environment("westeurope", NEEDS)

    assert [finding.check for finding in found] == CHECKS == [check.name for check in standing.kit.environment_checks]
    assert {finding.verdict for finding in found} == {Verdict.PASS}
    assert not any(finding.command or finding.link for finding in found)


def test_azure_environment_words_fit_every_finding(standing: PlayedAzure) -> None:
    words = {check.name: check for check in standing.kit.environment_checks}
    tight = replace(NEEDS, vcpus=1000, networks=10_000, addresses=50)

    for finding in standing.adapter().check_environment("westeurope", tight):
        check = words[finding.check]
        sentence = {Verdict.PASS: check.passed, Verdict.BLOCK: check.blocked, Verdict.WARN: check.warned}[finding.verdict]
        assert str(sentence) % finding.params  # KeyError where a sentence names what the finding does not


def test_azure_environment_location_that_is_not_offered(standing: PlayedAzure) -> None:
    standing.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "location_denials": ["uksouth"]})

    assert look(standing, "region_enabled").verdict is Verdict.PASS
    found = look(standing, "region_enabled", "uksouth")
    assert (found.verdict, found.params["region"]) == (Verdict.BLOCK, "uksouth")


def test_azure_environment_provider_not_registered(standing: PlayedAzure) -> None:
    standing.account.control(
        "PATCH", "subscriptions", {"id": SUBSCRIPTION, "registered": ["Microsoft.ManagedIdentity", "Microsoft.Network"]}
    )

    found = look(standing, "services_enabled")

    assert found.verdict is Verdict.BLOCK
    assert found.params["names"] == "Microsoft.Compute, Microsoft.ContainerService, Microsoft.KeyVault"
    assert found.command.splitlines()[1] == (
        f"az provider register --subscription {SUBSCRIPTION} --namespace Microsoft.ContainerService --wait"
    )


@pytest.mark.parametrize(
    ("check", "service", "name"),
    [("quota_vcpus", "compute", "cores"), ("quota_networks", "network", "VirtualNetworks"),
     ("quota_addresses", "network", "StandardSkuPublicIpAddresses")],
)  # fmt: skip
def test_azure_environment_quota_that_is_too_low(standing: PlayedAzure, check: str, service: str, name: str) -> None:
    usage = {"subscription": SUBSCRIPTION, "service": service, "name": name, "used": 95, "limit": 95}
    standing.account.control("POST", "usages", usage)

    found = look(standing, check)

    assert (found.verdict, found.evidence) == (Verdict.BLOCK, "95 of 95 are used")
    assert (found.params["free"], found.params["limit"]) == ("0", "95")
    assert found.command.startswith("az ")
    assert found.link.startswith("https://portal.azure.com/")


def test_azure_environment_last_cores_are_enough(standing: PlayedAzure) -> None:
    usage = {"subscription": SUBSCRIPTION, "service": "compute", "name": "cores", "used": 88, "limit": 100}
    standing.account.control("POST", "usages", usage)

    assert look(standing, "quota_vcpus").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ({"kind": "locations", "allowed": ["westeurope", "North Europe"]}, Verdict.PASS),
        ({"kind": "locations", "allowed": ["eastus"]}, Verdict.BLOCK),
        ({"kind": "types", "forbidden": ["Microsoft.ContainerService/managedClusters"]}, Verdict.BLOCK),
        ({"kind": "types", "forbidden": ["Microsoft.Sql/servers"]}, Verdict.PASS),
        ({"kind": "issuers", "allowed": ["https://token.actions.githubusercontent.com"]}, Verdict.WARN),
    ],
)
def test_azure_environment_policies(standing: PlayedAzure, policy: dict[str, Any], verdict: Verdict) -> None:
    standing.account.control("POST", "policies", {"subscription": SUBSCRIPTION, **policy})

    assert look(standing, "organisation_policy").verdict is verdict


def test_azure_environment_policy_that_only_audits_or_is_not_enforced(standing: PlayedAzure) -> None:
    rule = {"if": {"field": "type", "like": "*"}, "then": {"effect": "[parameters('effect')]"}}
    properties = {
        "displayName": "All",
        "mode": "All",
        "policyRule": rule,
        "parameters": {"effect": {"type": "String", "defaultValue": "Deny"}},
    }
    order = {"subscription": SUBSCRIPTION, "kind": "rule", "name": "all", "properties": properties}

    standing.account.control("POST", "policies", {**order, "parameters": {"effect": {"value": "Audit"}}})
    assert look(standing, "organisation_policy").verdict is Verdict.PASS

    standing.account.control("POST", "policies", order)
    found = look(standing, "organisation_policy")
    assert (found.verdict, found.params["names"]) == (Verdict.WARN, "All")


@pytest.mark.parametrize(
    ("prefix", "verdict"), [("10.64.128.0/20", Verdict.WARN), ("10.0.0.0/8", Verdict.WARN), ("10.65.0.0/16", Verdict.PASS)]
)
def test_azure_environment_address_range(standing: PlayedAzure, prefix: str, verdict: Verdict) -> None:
    answer = standing.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
    assert answer.status == 201, answer
    network = {"addressSpace": {"addressPrefixes": [prefix]}}
    standing.put("/resourceGroups/theirs/providers/Microsoft.Network/virtualNetworks/office", network, location="westeurope")

    found = look(standing, "address_range")

    assert found.verdict is verdict
    assert found.params["names"] == (f"office ({prefix})" if verdict is Verdict.WARN else "")


def test_azure_environment_name_that_is_taken(standing: PlayedAzure) -> None:
    network = {"addressSpace": {"addressPrefixes": ["10.65.0.0/16"]}}
    standing.put(f"{standing.cell_group}/providers/Microsoft.Network/virtualNetworks/left-over", network, location="westeurope")
    answer = standing.account.owner("PUT", "/resourceGroups/byoc-3f9a1c2e-cell-theirs", {"location": "westeurope"})
    assert answer.status == 201, answer

    found = look(standing, "names_free")

    assert (found.verdict, found.params["names"]) == (Verdict.BLOCK, "byoc-3f9a1c2e-cell-theirs, left-over")


def test_azure_environment_identity_of_an_earlier_kit_is_in_nobodys_way(standing: PlayedAzure) -> None:
    identities = f"{standing.cell_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    standing.put(f"{identities}/byoc-3f9a1c2e-g7-cell-cluster", {}, location="westeurope")
    assert look(standing, "names_free").verdict is Verdict.PASS

    standing.put(f"{identities}/byoc-3f9a1c2e-gx-cell-cluster", {}, location="westeurope")
    assert look(standing, "names_free").params["names"] == "byoc-3f9a1c2e-gx-cell-cluster"


@pytest.mark.parametrize(
    ("scope", "level", "verdict"),
    [
        ("", "CanNotDelete", Verdict.WARN),
        ("", "ReadOnly", Verdict.BLOCK),
        ("/resourceGroups/byoc-3f9a1c2e-cell-westeurope", "ReadOnly", Verdict.BLOCK),
        ("/resourceGroups/theirs", "ReadOnly", Verdict.PASS),
    ],
)
def test_azure_environment_locks(standing: PlayedAzure, scope: str, level: str, verdict: Verdict) -> None:
    answer = standing.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
    assert answer.status == 201, answer
    standing.put(f"{scope}{ROOT}/locks/keep", {"level": level})

    found = look(standing, "locks")

    assert (found.verdict, found.params["names"]) == (verdict, "" if verdict is Verdict.PASS else "keep")


def test_azure_environment_subscription_about_to_be_disabled(standing: PlayedAzure) -> None:
    standing.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "state": "PastDue"})

    found = look(standing, "identity")

    assert (found.verdict, found.params["state"]) == (Verdict.WARN, "PastDue")


def test_azure_environment_check_whose_call_is_refused_is_a_finding(standing: PlayedAzure) -> None:
    fault = {"kind": "access_denied", "service": "arm", "action": "Microsoft.Authorization/locks/read"}
    standing.account.control("POST", "faults", fault)

    found = standing.adapter().check_environment("westeurope", NEEDS, ["locks", "names_free"])

    assert [(finding.check, finding.verdict) for finding in found] == [("names_free", Verdict.PASS), ("locks", Verdict.UNKNOWN)]
    assert "AuthorizationFailed" in found[1].evidence


def test_azure_environment_permission_that_is_missing(standing: PlayedAzure) -> None:
    narrow_operator(standing)

    found = look(standing, "permissions")

    assert (found.verdict, found.params["count"]) == (Verdict.BLOCK, "1")
    assert found.evidence == "Microsoft.Authorization/locks/read"


def test_azure_environment_of_a_location_without_a_kit(standing: PlayedAzure) -> None:
    """The operator may build in the group that the kit made, and that is for one location."""
    found = look(standing, "permissions", "northeurope")

    assert found.verdict is Verdict.BLOCK
    assert "Microsoft.Resources/deployments/write" in found.evidence
    assert "Microsoft.Network/virtualNetworks/read" not in found.evidence.splitlines()


def test_azure_environment_that_cannot_be_asked_at_all(standing: PlayedAzure) -> None:
    standing.account.control("POST", "faults", {"kind": "503", "service": "arm", "count": None})

    assert refusal(lambda: standing.adapter().check_environment("westeurope", NEEDS)).code == "cloud_unavailable"
