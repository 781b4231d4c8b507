"""What Entra refuses, the local Entra refuses, in its own words: which assertions open a session, and who is asking."""

import re
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from tests.clouds.azure.account import AUDIENCE, GLOBEX, GLOBEX_TENANT, ISSUER, SUBSCRIPTION, TENANT, AzureAccount, kit
from tests.clouds.azure.client import IDENTITY, NOBODY, _client, account, client, expected, refusal
from tests.clouds.conftest import TestIssuer

__all__ = ["account", "client"]  # fixtures
CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)


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
