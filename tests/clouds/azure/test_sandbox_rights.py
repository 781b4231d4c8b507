"""Who may do what in the local Azure: roles, scopes, what they take away."""

from tests.clouds.azure.account import SUBSCRIPTION, AzureAccount
from tests.clouds.azure.client import IDENTITY, NOBODY, account, client, refusal

__all__ = ["account", "client"]  # fixtures


def test_right_that_no_role_gives_is_refused(account: AzureAccount, client: str) -> None:
    principal = account.owner("GET", IDENTITY).body["properties"]["principalId"]

    answer = account.portal(client, "PUT", "/resourceGroups/mine", {"location": "westeurope"})

    scope = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/mine"
    assert refusal(answer) == (
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{principal}' does not have authorization to perform action "
        f"'Microsoft.Resources/subscriptions/resourceGroups/write' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials.",
    )


def test_right_ends_with_its_assignment(account: AzureAccount, client: str) -> None:
    token = account.exchange(client).body["access_token"]
    assert account.owner("GET", account.scope, token=token).status == 200
    found = account.owner("GET", "/providers/Microsoft.Authorization/roleAssignments", **{"$filter": "atScope()"}).body["value"]
    mine = next(entry for entry in found if entry["properties"]["principalType"] == "ServicePrincipal")

    assert account.owner("DELETE", mine["id"]).status == 200

    assert account.owner("GET", account.scope, token=token).code == "AuthorizationFailed"


def test_right_at_a_group_does_not_reach_its_neighbour(account: AzureAccount, client: str) -> None:
    principal = account.owner("GET", IDENTITY).body["properties"]["principalId"]
    account.owner("PUT", "/resourceGroups/byoc2", {"location": "westeurope"})
    role = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
    body = {"properties": {"roleDefinitionId": account.scope + role, "principalId": principal, "principalType": "ServicePrincipal"}}
    path = "/resourceGroups/byoc/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
    assert account.owner("PUT", path, body).status == 201
    lock = "/providers/Microsoft.Network/virtualNetworks/net"
    network = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}

    assert account.portal(client, "PUT", f"/resourceGroups/byoc{lock}", network).status == 201
    assert account.portal(client, "PUT", f"/resourceGroups/byoc2{lock}", network).code == "AuthorizationFailed"


def test_not_actions_take_away_within_their_role(account: AzureAccount) -> None:
    token = account.owner_token("Contributor")
    account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope"}, token=token)
    role = f"{account.scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    body = {"properties": {"roleDefinitionId": role, "principalId": NOBODY, "principalType": "ServicePrincipal"}}
    path = "/resourceGroups/byoc/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"

    answer = account.owner("PUT", path, body, token=token)

    assert answer.code == "AuthorizationFailed"
    assert "'Microsoft.Authorization/roleAssignments/write'" in answer.message


def test_new_assignment_is_unknown_to_arm_until_it_has_spread(account: AzureAccount, client: str) -> None:
    account.control("POST", "clock", {"seconds": 60})
    account.sandbox.control("POST", "knobs", {"propagation_seconds": 30})
    principal = account.owner("GET", IDENTITY).body["properties"]["principalId"]
    role = f"{account.scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    body = {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}}
    account.owner("PUT", "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001", body)

    assert account.portal(client, "GET", "/locations", version="2022-12-01").code == "AuthorizationFailed"

    account.control("POST", "clock", {"seconds": 31})
    assert account.portal(client, "GET", "/locations", version="2022-12-01").status == 200


def test_permissions_are_what_the_roles_say(account: AzureAccount, client: str) -> None:
    at_subscription = account.portal(client, "GET", "/providers/Microsoft.Authorization/permissions").body["value"]
    at_group = account.portal(client, "GET", "/resourceGroups/BYOC/providers/Microsoft.Authorization/permissions").body["value"]

    held = {
        "actions": [
            "Microsoft.Resources/subscriptions/read", "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Authorization/*/read",
        ],
        "notActions": [], "dataActions": [], "notDataActions": [],
    }  # fmt: skip
    assert at_subscription == [held]
    assert at_group == [held]
