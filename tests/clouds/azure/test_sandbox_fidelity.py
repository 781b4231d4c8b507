"""What Azure refuses, the local Azure refuses, in its own words: subscriptions, resources, strictness, faults."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.clouds.azure.account import AUDIENCE, CLOSED, ISSUER, SUBSCRIPTION, TENANT, AzureAccount, kit
from tests.clouds.azure.client import IDENTITY, NOBODY, _client, account, client, expected, refusal

__all__ = ["account", "client"]  # fixtures


# --- Subscriptions ---


def test_unknown_subscription(account: AzureAccount, client: str) -> None:
    answer = account.portal(client, "GET", f"/subscriptions/{NOBODY}")

    assert refusal(answer) == (404, "SubscriptionNotFound", f"The subscription '{NOBODY}' could not be found.")


def test_disabled_subscription_can_be_read_and_not_written(account: AzureAccount) -> None:
    token = account.owner_token(subscription=CLOSED)

    read = account.owner("GET", f"/subscriptions/{CLOSED}", token=token)
    written = account.owner("PUT", f"/subscriptions/{CLOSED}/resourceGroups/byoc", {"location": "westeurope"}, token=token)

    assert read.body["state"] == "Disabled"
    assert refusal(written) == (
        409,
        "ReadOnlyDisabledSubscription",
        f"The subscription '{CLOSED}' is disabled and therefore marked as read only. You cannot perform any write actions on this "
        "subscription until it is re-enabled.",
    )


def test_subscriptions_listed_are_those_with_a_role(account: AzureAccount, client: str) -> None:
    assert [found.subscription_id for found in account.subscriptions(client).subscriptions.list()] == [SUBSCRIPTION]


def test_unregistered_provider_refuses_a_direct_write(account: AzureAccount) -> None:
    account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope"})

    answer = account.owner("PUT", IDENTITY, {"location": "westeurope"})

    message = (
        "The subscription is not registered to use namespace 'Microsoft.ManagedIdentity'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    assert refusal(answer) == (409, "MissingSubscriptionRegistration", message)
    assert answer.body["error"]["details"] == [
        {"code": "MissingSubscriptionRegistration", "target": "Microsoft.ManagedIdentity", "message": message}
    ]


def test_provider_is_registered_by_its_owner(account: AzureAccount) -> None:
    path = "/providers/Microsoft.ManagedIdentity"
    assert account.owner("GET", path, version="2022-09-01").body["registrationState"] == "NotRegistered"

    assert account.owner("POST", f"{path}/register", version="2022-09-01").status == 200

    assert account.owner("GET", path, version="2022-09-01").body["registrationState"] == "Registered"


# --- Resources ---


def test_identity_of_a_missing_group(account: AzureAccount) -> None:
    account.owner("POST", "/providers/Microsoft.ManagedIdentity/register", version="2022-09-01")

    answer = account.owner("PUT", IDENTITY, {"location": "westeurope"})

    assert refusal(answer) == (404, "ResourceGroupNotFound", "Resource group 'byoc' could not be found.")


def test_ids_come_in_the_spelling_of_their_provider_whatever_the_request_wrote(account: AzureAccount, client: str) -> None:
    group = account.owner("GET", "/RESOURCEGROUPS/ByOc").body
    identity = account.owner("GET", IDENTITY.replace("resourceGroups/byoc", "RESOURCEGROUPS/BYOC")).body

    assert group["id"] == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc"
    assert identity["id"] == (
        f"/subscriptions/{SUBSCRIPTION}/resourcegroups/byoc/providers/Microsoft.ManagedIdentity/userAssignedIdentities/portal-ops"
    )
    assert sorted(identity["properties"]) == ["clientId", "principalId", "tenantId"]


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/resourceGroups/none", "ResourceGroupNotFound", "Resource group 'none' could not be found."),
        (
            "/resourceGroups/byoc/providers/Microsoft.Resources/deployments/none", "DeploymentNotFound",
            "Deployment 'none' could not be found.",
        ),
        (
            IDENTITY + "x", "ResourceNotFound",
            "The Resource 'Microsoft.ManagedIdentity/userAssignedIdentities/portal-opsx' under resource group 'byoc' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        ),
    ],
)  # fmt: skip
def test_missing_resource(account: AzureAccount, client: str, path: str, code: str, message: str) -> None:
    assert refusal(account.owner("GET", path)) == (404, code, message)


def test_credential_without_its_identity(account: AzureAccount, client: str) -> None:
    body = {"properties": {"issuer": ISSUER, "subject": "account:a:ops", "audiences": [AUDIENCE]}}

    answer = account.owner("PUT", f"{IDENTITY}x/federatedIdentityCredentials/ops", body)

    assert (answer.status, answer.code) == (404, "ParentResourceNotFound")


def test_credential_with_the_same_issuer_and_subject(account: AzureAccount, client: str) -> None:
    body = {"properties": {"issuer": ISSUER, "subject": "account:a:ops", "audiences": [AUDIENCE]}}

    answer = account.owner("PUT", f"{IDENTITY}/federatedIdentityCredentials/again", body)

    assert (answer.status, answer.code) == (409, "Conflict")


def test_role_name_is_unique_in_the_tenant(account: AzureAccount, client: str) -> None:
    found = account.owner("GET", "/providers/Microsoft.Authorization/roleDefinitions", **{"$filter": "type eq 'CustomRole'"}).body["value"]
    body = {
        "properties": {
            "roleName": found[0]["properties"]["roleName"],
            "permissions": [{"actions": ["*/read"]}],
            "assignableScopes": [account.scope],
        }
    }

    answer = account.owner("PUT", "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-4000-8000-000000000001", body)

    assert (answer.status, answer.code) == (409, "RoleDefinitionWithSameNameExists")


@pytest.mark.parametrize("action", ["Microsoft.Compute/virtualMachines/look", "ec2:DescribeVpcs", "Microsoft.Compute", ""])
def test_role_with_what_is_no_action_is_refused(account: AzureAccount, action: str) -> None:
    body = {"properties": {"roleName": "mine", "permissions": [{"actions": [action]}], "assignableScopes": [account.scope]}}

    answer = account.owner("PUT", "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-4000-8000-000000000001", body)

    message = f"'{action}' does not match any of the actions supported by the providers."
    assert refusal(answer) == (400, "InvalidActionOrNotAction", message)


def test_assigned_role_is_not_deleted(account: AzureAccount, client: str) -> None:
    found = account.owner("GET", "/providers/Microsoft.Authorization/roleDefinitions", **{"$filter": "type eq 'CustomRole'"}).body["value"]

    answer = account.owner("DELETE", found[0]["id"])

    assert (answer.status, answer.code) == (400, "RoleDefinitionHasAssignments")


def test_assignment_to_a_new_identity_without_its_type_comes_too_early(account: AzureAccount, client: str) -> None:
    account.sandbox.control("POST", "knobs", {"propagation_seconds": 30})
    principal = account.owner("GET", IDENTITY).body["properties"]["principalId"]
    role = f"{account.scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    path = "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"

    answer = account.owner("PUT", path, {"properties": {"roleDefinitionId": role, "principalId": principal}})

    assert refusal(answer) == (
        400,
        "PrincipalNotFound",
        f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT}. Check that you have the correct principal "
        "ID. If "
        "you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. "
        "In this "
        "case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  "
        "See https://aka.ms/docs-principaltype",
    )


def test_assignment_stands_only_once(account: AzureAccount, client: str) -> None:
    principal = account.owner("GET", IDENTITY).body["properties"]["principalId"]
    role = f"{account.scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    body = {"properties": {"roleDefinitionId": role, "principalId": principal}}
    path = "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-00000000000"
    assert account.owner("PUT", f"{path}1", body).status == 201

    again = account.owner("PUT", f"{path}2", body)
    other = account.owner(
        "PUT", f"{path}1", {"properties": {**body["properties"], "principalId": NOBODY, "principalType": "ServicePrincipal"}}
    )

    assert refusal(again) == (
        409,
        "RoleAssignmentExists",
        "The role assignment already exists. The ID of the existing role assignment is 00000000000040008000000000000001.",
    )
    assert refusal(other) == (
        400,
        "RoleAssignmentUpdateNotPermitted",
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    )


def test_lock_keeps_a_group_from_being_deleted(account: AzureAccount, client: str) -> None:
    lock = "/resourceGroups/byoc/providers/Microsoft.Authorization/locks/keep"
    assert account.owner("PUT", lock, {"properties": {"level": "CanNotDelete"}}).status == 201

    answer = account.owner("DELETE", "/resourceGroups/byoc")

    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc"
    assert refusal(answer) == (
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform delete operation because following scope(s) are locked: '{scope}'. "
        "Please remove the lock and try again.",
    )


def test_group_is_gone_with_all_that_is_in_it_when_its_time_has_come(account: AzureAccount, client: str) -> None:
    account.sandbox.control("POST", "knobs", {"pace_seconds": 60})

    started = account.owner("DELETE", "/resourceGroups/byoc")

    assert (started.status, started.body) == (202, None)
    assert len(started.headers["location"]) > 3500
    assert account.owner("GET", started.headers["location"]).status == 202
    assert account.owner("GET", "/resourceGroups/byoc").body["properties"] == {"provisioningState": "Deleting"}
    account.control("POST", "clock", {"seconds": 121})
    assert account.owner("GET", started.headers["location"]).status == 200
    assert account.owner("GET", "/resourceGroups/byoc").code == "ResourceGroupNotFound"
    assert account.exchange(client).body["error_codes"] == [700016]


def test_address_of_an_operation_that_was_cut_off_is_refused(account: AzureAccount, client: str) -> None:
    started = account.owner("DELETE", "/resourceGroups/byoc")

    assert account.owner("GET", started.headers["location"][:2000]).status == 400


# --- Strictness ---


def test_unknown_route_is_a_violation(account: AzureAccount) -> None:
    assert account.owner("GET", "/providers/Microsoft.Storage/storageAccounts", version="2023-01-01").status == 404
    expected(account, "route")


def test_unknown_version_is_a_violation(account: AzureAccount) -> None:
    answer = account.owner("GET", account.scope, version="2000-01-01")

    assert (answer.status, answer.code) == (400, "InvalidApiVersionParameter")
    expected(account, "api-version")


def test_missing_version(account: AzureAccount) -> None:
    answer = account.http("GET", account.scope, Authorization=f"Bearer {account.owner_token()}")

    message = "The api-version query parameter (?api-version=) is required for all requests."
    assert refusal(answer) == (400, "MissingApiVersionParameter", message)


def test_unknown_query_parameter_is_a_violation(account: AzureAccount) -> None:
    assert account.owner("GET", account.scope, fields="all").code == "InvalidQueryParameter"
    expected(account, "query")


def test_unknown_body_field_is_a_violation(account: AzureAccount) -> None:
    answer = account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope", "colour": "red"})

    assert refusal(answer) == (
        400,
        "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: 'Could not find member 'colour' on object of type "
        "'ResourceDefinition'. Path 'colour', line 1, position 1.'.",
    )
    expected(account, "field")


def test_host_of_elsewhere_is_turned_away(account: AzureAccount) -> None:
    assert account.http("GET", "/subscriptions?api-version=2022-12-01", Host="evil.example").status == 421


# --- Faults on order ---


def order(account: AzureAccount, kind: str, **more: Any) -> None:
    account.control("POST", "faults", {"kind": kind, "service": "arm", "action": "Microsoft.Resources/subscriptions/read", **more})


def test_throttling_says_when_to_come_back(account: AzureAccount, client: str) -> None:
    order(account, "throttle", seconds=17)

    answer = account.portal(client, "GET", account.scope)

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "SubscriptionRequestsThrottled", "17")
    assert answer.headers["x-ms-ratelimit-remaining-subscription-reads"] == "0"
    assert answer.message.startswith(f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '{client}' exceeded.")
    assert account.portal(client, "GET", account.scope).status == 200


def test_502_is_no_json(account: AzureAccount, client: str) -> None:
    order(account, "502_html")

    with pytest.raises(HttpResponseError) as refused:
        account.subscriptions(client).subscriptions.get(SUBSCRIPTION)

    assert (refused.value.status_code, refused.value.error) == (502, None)


def test_revoked_token_is_answered_with_a_claims_challenge_that_the_sdk_meets(account: AzureAccount, client: str) -> None:
    order(account, "401_claims")

    found = account.subscriptions(client).subscriptions.get(SUBSCRIPTION)

    assert found.state == "Enabled"
    asked = [entry for entry in account.control("GET", "journal") if entry["service"] == "entra"]
    assert len(asked) == 2
    assert "claims=" in asked[1]["request"]


def test_fault_of_a_kind_that_is_not_played_is_refused(account: AzureAccount) -> None:
    import urllib.error

    with pytest.raises(urllib.error.HTTPError) as refused:
        account.sandbox.control("POST", "faults", {"kind": "401_claims"})
    with refused.value:
        assert refused.value.code == 400


@pytest.mark.parametrize(
    ("kind", "status", "number"), [("throttle", 429, 90055), ("503", 503, 90033), ("500", 500, 90033), ("access_denied", 400, 53003)]
)
def test_entra_fails_on_order(account: AzureAccount, client: str, kind: str, status: int, number: int) -> None:
    account.control("POST", "faults", {"kind": kind, "service": "entra", "action": "token", "account": TENANT})

    answer = account.exchange(client)

    assert (answer.status, answer.body["error_codes"]) == (status, [number])


def test_lists_come_in_pages_when_told_to(account: AzureAccount) -> None:
    client = _client(account.deploy(kit(actions=["*/read"])).body)
    account.control("POST", "page-size", {"size": 2})

    first = account.owner("GET", "/locations", version="2022-12-01").body

    assert len(first["value"]) == 2
    assert len(list(account.subscriptions(client).subscriptions.list_locations(SUBSCRIPTION))) > 10


# --- Quotas ---


def test_usages_are_what_control_says(account: AzureAccount) -> None:
    account.control("POST", "usages", {"subscription": SUBSCRIPTION, "service": "compute", "name": "cores", "used": 96, "limit": 100})

    found = account.owner("GET", "/providers/Microsoft.Compute/locations/westeurope/usages").body["value"]

    assert found[0] == {
        "unit": "Count", "currentValue": 96, "limit": 100, "name": {"value": "cores", "localizedValue": "Total Regional vCPUs"},
    }  # fmt: skip
