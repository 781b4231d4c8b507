"""Deployments on the local Azure: how they fail, and what rights and policies stop in advance."""

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.clouds.azure.account import AUDIENCE, GUARDED, ISSUER, SUBSCRIPTION, AzureAccount, kit
from tests.clouds.azure.deployed import PATH, account, group, identity, inner_errors, template

__all__ = ["account", "group"]  # fixtures


def credential(name: str, *depends: str) -> dict[str, Any]:
    return {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "apiVersion": "2024-11-30",
        "name": f"ops/{name}", "dependsOn": list(depends),
        "properties": {"issuer": ISSUER, "subject": f"account:a:{name}", "audiences": [AUDIENCE]},
    }  # fmt: skip


# --- Failures after acceptance ---


def test_failure_of_a_provider_is_text_inside_text(account: AzureAccount, group: str) -> None:
    account.sandbox.control(
        "POST", "knobs", {"failures": [{"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "reason": "No more today."}]}
    )

    done = account.deploy(template(identity(), credential("a", "ops")), group=group).body

    assert done["properties"]["provisioningState"] == "Failed"
    assert done["properties"]["error"] == {
        "code": "DeploymentFailed",
        "target": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc{PATH}",
        "message": "At least one resource deployment operation failed. Please list deployment operations for details. "
        "Please see https://aka.ms/arm-deployment-operations for usage details.",
        "details": [
            {"code": "Conflict", "message": '{\r\n  "error": {\r\n    "code": "Conflict",\r\n    "message": "No more today."\r\n  }\r\n}'}
        ],
    }
    operations = account.owner("GET", f"/resourceGroups/{group}{PATH}/operations").body["value"]
    assert [entry["properties"]["statusCode"] for entry in operations] == ["Conflict"]


def test_forgotten_dependency_fails_every_time(account: AzureAccount, group: str) -> None:
    done = account.deploy(template(identity(), credential("a")), group=group).body

    assert [error["code"] for error in inner_errors(done)] == ["ParentResourceNotFound"]


def test_two_credentials_of_one_identity_at_once_are_refused(account: AzureAccount) -> None:
    failed = account.deploy(kit(second_credential=True, chained=False)).body
    chained = account.deploy(kit(second_credential=True)).body

    assert "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity" in json.dumps(failed["properties"]["error"])
    assert chained["properties"]["provisioningState"] == "Succeeded"


def test_sdk_reads_a_failed_deployment(account: AzureAccount, group: str) -> None:
    client = account.deploy(kit(actions=["Microsoft.Resources/*", "Microsoft.ManagedIdentity/*"])).body["properties"]["outputs"][
        "clientId"
    ]["value"]
    account.sandbox.control(
        "POST", "knobs", {"failures": [{"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "reason": "No more."}]}
    )
    body = {"properties": {"mode": "Incremental", "template": template(identity("second"))}}

    with pytest.raises(HttpResponseError) as failed:
        account.deployments(client).deployments.begin_create_or_update(group, "mine", body).result()

    assert failed.value.error is not None
    assert (failed.value.status_code, failed.value.error.code) == (200, "DeploymentFailed")


# --- Rights, registrations, policies: before anything runs ---


def test_author_without_the_right_to_assign_roles_is_refused_in_advance(account: AzureAccount) -> None:
    answer = account.deploy(kit(), token=account.owner_token("Contributor"))

    assert (answer.status, answer.code) == (403, "InvalidTemplateDeployment")
    assert "'Authorization failed for template resource '" in answer.message
    assert "does not have permission to perform action 'Microsoft.Authorization/roleDefinitions/write' at scope" in answer.message
    assert account.owner("GET", "/resourceGroups/byoc").code == "ResourceGroupNotFound"


def test_providers_of_a_template_are_registered_for_whoever_may(account: AzureAccount) -> None:
    account.deploy(kit())

    found = account.owner("GET", "/providers/Microsoft.ManagedIdentity", version="2022-09-01").body
    assert found["registrationState"] == "Registered"


def test_author_who_may_not_register_providers_is_told(account: AzureAccount, group: str) -> None:
    client = account.deploy(kit(actions=["Microsoft.Resources/*", "Microsoft.ManagedIdentity/*/write"])).body["properties"]["outputs"][
        "clientId"
    ]["value"]
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "registered": []})
    body = {"properties": {"mode": "Incremental", "template": template(identity("second"))}}

    answer = account.portal(client, "PUT", f"/resourceGroups/{group}{PATH}", body)

    assert (answer.status, answer.code) == (409, "MissingSubscriptionRegistration")
    assert answer.body["error"]["details"][0]["target"] == "Microsoft.ManagedIdentity"


def test_policy_that_allows_no_issuer_of_ours_refuses_the_kit_in_advance(account: AzureAccount) -> None:
    account.subscription = GUARDED

    answer = account.deploy(kit())

    assert (answer.status, answer.code) == (400, "InvalidTemplateDeployment")
    assert answer.message == "The template deployment failed because of policy violation. Please see details for more information."
    denied = answer.body["error"]["details"][0]
    scope = f"/subscriptions/{GUARDED}/providers/Microsoft.Authorization"
    assert (denied["code"], denied["target"]) == ("RequestDisallowedByPolicy", "ops")
    assert denied["message"] == (
        "Resource 'ops' was disallowed by policy. Policy identifiers: "
        '\'[{"policyAssignment":{"name":"Federated credentials only from allowed issuers","id":"'
        f'{scope}/policyAssignments/allowed-issuers"}},"policyDefinition":{{"name":"Federated credentials only from allowed issuers","id":"'
        f'{scope}/policyDefinitions/allowed-issuers","version":"1.0.0"}}}}]\'.'
    )
    assert denied["additionalInfo"][0]["type"] == "PolicyViolation"
    assert denied["additionalInfo"][0]["info"]["policyDefinitionEffect"] == "deny"


@pytest.mark.parametrize(
    "policy",
    [
        {"kind": "types", "forbidden": ["Microsoft.ManagedIdentity/userAssignedIdentities"]},
        {"kind": "locations", "allowed": ["northeurope"]},
        {
            "kind": "rule", "name": "initiative-member", "parameters": {"effect": {"value": "Deny"}},
            "properties": {
                "displayName": "No portal", "parameters": {"effect": {"type": "String", "defaultValue": "Disabled"}},
                "policyRule": {
                    "if": {"allOf": [{"field": "name", "like": "op*"}, {"not": {"field": "tags['kind']", "exists": "true"}}]},
                    "then": {"effect": "[parameters('effect')]"},
                },
            },
        },
    ],
)  # fmt: skip
def test_policy_refuses_a_direct_write(account: AzureAccount, group: str, policy: dict[str, Any]) -> None:
    account.owner("POST", "/providers/Microsoft.ManagedIdentity/register", version="2022-09-01")
    account.control("POST", "policies", {"subscription": SUBSCRIPTION, **policy})

    path = f"/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ops"
    answer = account.owner("PUT", path, {"location": "westeurope"})

    assert (answer.status, answer.code) == (403, "RequestDisallowedByPolicy")
