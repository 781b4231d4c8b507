"""What Azure refuses, the local Azure refuses: in Azure's own words."""

import re
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from tests.clouds.azure.account import (
    AUDIENCE,
    CLOSED,
    GLOBEX,
    GLOBEX_TENANT,
    ISSUER,
    SUBSCRIPTION,
    TENANT,
    AzureAccount,
    kit,
)
from tests.clouds.conftest import SandboxProcess, TestIssuer

CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)
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


# --- Entra ---


def test_kit_lets_the_portal_in(account: AzureAccount, client: str) -> None:
    found = account.subscriptions(client).subscriptions.get(account.subscription)

    assert found.display_name == "Acme Production"
    assert found.state == "Enabled"
    assert found.tenant_id == TENANT


def test_token_is_opaque_and_as_long_as_a_real_one(account: AzureAccount, client: str) -> None:
    answer = account.exchange(client)

    assert answer.status == 200
    assert sorted(answer.body) == ["access_token", "expires_in", "ext_expires_in", "token_type"]
    assert len(answer.body["access_token"]) > 1200


def test_both_spellings_of_the_scope_are_taken(account: AzureAccount, client: str) -> None:
    assert account.exchange(client, scope="https://management.azure.com//.default").status == 200


@pytest.mark.parametrize(
    ("claims", "status", "error", "number", "sentence"),
    [
        (
            {"issuer": f"{ISSUER}1"}, 401, "invalid_client", 700211,
            f"No matching federated identity record found for presented assertion issuer '{ISSUER}1'. {CHECK}",
        ),
        (
            {"subject": "account:b:ops"}, 401, "invalid_client", 700213,
            f"No matching federated identity record found for presented assertion subject 'account:b:ops'. {CHECK}",
        ),
        (
            {"audience": "sts.amazonaws.com"}, 401, "invalid_client", 700212,
            f"No matching federated identity record found for presented assertion audience 'sts.amazonaws.com'. {CHECK}",
        ),
        (
            {"audience": [AUDIENCE]}, 401, "invalid_client", 700212,
            f"No matching federated identity record found for presented assertion audience '['{AUDIENCE}']'. {CHECK}",
        ),
        (
            {"subject": "ACCOUNT:A:OPS"}, 401, "invalid_client", 7002138,
            "No matching federated identity record found for presented assertion subject 'ACCOUNT:A:OPS'. The subject matches with "
            "case-insensitive comparison, but not with case-sensitive comparison. Check your federated identity credential Subject, "
            "Audience "
            "and Issuer against the presented assertion. See documentation at: https://learn.microsoft.com/entra/workload-id/"
            "workload-identity-federation. See breaking change notification and remediation at: "
            "https://learn.microsoft.com/en-us/entra/identity-platform/reference-breaking-changes#august-2024.",
        ),
        (
            {"kid": "unknown"}, 401, "invalid_client", 7000272,
            "The certificate with identifier unknown used to sign the federated credential could not be found in the metadata of identity "
            f"provider {ISSUER}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token.",
        ),
        ({"token": "no-token"}, 400, "invalid_request", 50027, "JWT token is invalid or malformed."),
    ],
)  # fmt: skip
def test_assertion_is_refused(
    account: AzureAccount, client: str, claims: dict[str, Any], status: int, error: str, number: int, sentence: str
) -> None:
    answer = account.exchange(client, **claims)

    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (status, error, [number])
    said = answer.body["error_description"]
    assert said.partition(" Trace ID: ")[0] == f"AADSTS{number}: {sentence}"
    assert re.fullmatch(r".* Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: [0-9]{4}-[0-9-]{5} [0-9:]{8}Z", said)
    assert answer.body["error_uri"] == f"https://login.microsoftonline.com/error?code={number}"
    assert sorted(answer.body) == ["correlation_id", "error", "error_codes", "error_description", "error_uri", "timestamp", "trace_id"]


@pytest.mark.parametrize("claims", [{"lifetime": -10}, {"nbf": 4102444800, "lifetime": 4102444800}])
def test_assertion_outside_its_time_is_refused(account: AzureAccount, client: str, claims: dict[str, Any]) -> None:
    answer = account.exchange(client, **claims)

    assert (answer.status, answer.body["error_codes"]) == (401, [700024])
    assert "Client assertion is not within its valid time range. Current time: 20" in answer.body["error_description"]


def test_assertion_under_a_known_key_id_with_another_key_is_refused(account: AzureAccount, client: str) -> None:
    rogue = TestIssuer()
    rogue.add_key("one")

    answer = account.exchange(client, token=rogue.token(issuer=ISSUER, subject="account:a:ops", audience=AUDIENCE))

    assert (answer.status, answer.body["error_codes"]) == (401, [700027])


@pytest.mark.parametrize(("algorithm", "key"), [("none", ""), ("HS256", "a secret of thirty-two characters")])
def test_assertion_with_another_algorithm_is_refused(account: AzureAccount, client: str, algorithm: str, key: str) -> None:
    answer = account.exchange(client, algorithm=algorithm, key=key)

    assert (answer.status, answer.body["error_codes"]) == (400, [5002738])


def test_issuer_that_cannot_be_reached(account: AzureAccount, client: str) -> None:
    account.sandbox.control("POST", "forget-keys")
    account.issuer.is_down = True

    answer = account.exchange(client)

    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (400, "invalid_request", [50166])
    assert answer.body["error_description"].startswith("AADSTS50166: Request to External OIDC endpoint failed. Trace ID: ")


@pytest.mark.parametrize(
    ("form", "status", "error", "number", "sentence"),
    [
        (
            {"tenant": NOBODY}, 400, "invalid_request", 90002,
            f"Tenant '{NOBODY}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "
            "Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
        ),
        (
            {"tenant": "nonsense"}, 400, "invalid_request", 900023,
            "Specified tenant identifier 'nonsense' is neither a valid DNS name, nor a valid external domain.",
        ),
        (
            {"tenant": GLOBEX_TENANT}, 400, "unauthorized_client", 700016,
            "Application with identifier '{client}' was not found in the directory 'Globex'. This can happen if the application has "
            "not been "
            "installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication "
            "request to the wrong tenant.",
        ),
        (
            {"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_resource", 500011,
            "The resource principal named https://graph.microsoft.com was not found in the tenant named Acme. This can happen if the "
            "application "
            "has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your "
            "authentication request to the wrong tenant.",
        ),
        (
            {"scope": "https://management.azure.com/user_impersonation"}, 400, "invalid_scope", 1002012,
            "The provided value for scope https://management.azure.com/user_impersonation is not valid. Client credential flows must "
            "have a "
            "scope value with /.default suffixed to the resource identifier (application ID URI).",
        ),
    ],
)  # fmt: skip
def test_token_request_is_refused(
    account: AzureAccount, client: str, form: dict[str, str], status: int, error: str, number: int, sentence: str
) -> None:
    answer = account.exchange(client, **form)

    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (status, error, [number])
    assert answer.body["error_description"].partition(" Trace ID: ")[0] == f"AADSTS{number}: {sentence}".replace("{client}", client)


def test_sdk_reads_the_refusal(account: AzureAccount, client: str) -> None:
    with pytest.raises(ClientAuthenticationError) as refused:
        account.credential(client, subject="account:b:ops").get_token("https://management.azure.com/.default")

    assert refused.value.response.json()["error_codes"] == [700213]


def test_new_identity_is_unknown_to_entra_until_it_has_spread(account: AzureAccount) -> None:
    account.sandbox.control("POST", "knobs", {"propagation_seconds": 30})
    client = _client(account.deploy(kit()).body)

    assert account.exchange(client).body["error_codes"] == [700016]

    account.control("POST", "clock", {"seconds": 31})
    assert account.exchange(client).status == 200


def test_new_credential_is_unknown_to_entra_until_it_has_spread(account: AzureAccount, client: str) -> None:
    account.control("POST", "clock", {"seconds": 60})
    account.sandbox.control("POST", "knobs", {"propagation_seconds": 30})
    body = {"properties": {"issuer": ISSUER, "subject": "account:a:other", "audiences": [AUDIENCE]}}
    assert account.owner("PUT", f"{IDENTITY}/federatedIdentityCredentials/ops", body).status == 200

    assert account.exchange(client, subject="account:a:other").body["error_codes"] == [700211]

    account.control("POST", "clock", {"seconds": 31})
    assert account.exchange(client, subject="account:a:other").status == 200


def test_deleted_identity_is_an_unknown_application(account: AzureAccount, client: str) -> None:
    assert account.owner("DELETE", IDENTITY).status == 200

    assert account.exchange(client).body["error_codes"] == [700016]


def test_unknown_form_field_is_a_violation(account: AzureAccount, client: str) -> None:
    answer = account.http(
        "POST", f"/{TENANT}/oauth2/v2.0/token", b"client_id=x&resource=y", Content_Type="application/x-www-form-urlencoded"
    )

    assert answer.status == 400
    expected(account, "field")


def test_discovery_names_the_token_endpoint(account: AzureAccount) -> None:
    found = account.http("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration").body

    assert found["token_endpoint"] == f"{account.sandbox.azure}/{TENANT}/oauth2/v2.0/token"
    assert found["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"


def test_metadata_names_the_endpoints(account: AzureAccount) -> None:
    assert account.http("GET", "/metadata/endpoints?api-version=2022-09-01").body["resourceManager"] == account.sandbox.azure


# --- Who is asking ---


def test_without_a_token_the_tenant_is_named_all_the_same(account: AzureAccount) -> None:
    answer = account.http("GET", f"/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01")

    assert refusal(answer) == (401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization_uri="https://login.windows.net/{TENANT}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )


def test_only_tokens_minted_here_are_taken(account: AzureAccount) -> None:
    answer = account.owner("GET", "/subscriptions", token="eyJ0eXAiOiJKV1QifQ.e30.x")

    assert refusal(answer) == (401, "InvalidAuthenticationToken", "The access token is invalid.")


def test_token_expires_by_the_clock_of_the_cloud(account: AzureAccount, client: str) -> None:
    token = account.exchange(client).body["access_token"]

    account.control("POST", "clock", {"seconds": 86401})

    assert account.owner("GET", account.scope, token=token).code == "ExpiredAuthenticationToken"


def test_token_of_another_tenant_is_told_which_one(account: AzureAccount, client: str) -> None:
    answer = account.portal(client, "GET", f"/subscriptions/{GLOBEX}")

    assert refusal(answer) == (
        401,
        "InvalidAuthenticationTokenTenant",
        f"The access token is from the wrong issuer 'https://sts.windows.net/{TENANT}/'. It must match the tenant "
        f"'https://sts.windows.net/{GLOBEX_TENANT}/' associated with this subscription. Please use the authority (URL) "
        f"'https://login.windows.net/{GLOBEX_TENANT}' to get the token. Note, if the subscription is transferred to another tenant "
        "there is no "
        "impact to the services, but information about new tenant could take time to propagate (up to an hour). If you just transferred "
        "your subscription and see this error message, please try back later.",
    )


# --- Rights ---


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
