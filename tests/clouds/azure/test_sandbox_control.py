"""The control of the local Azure: what it changes, what breaks on order, and what is remembered across a kill."""

import http.client
import json
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from tests.clouds.azure.account import CLOSED, GLOBEX_TENANT, SUBSCRIPTION, TENANT, AzureAccount, kit
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer, start_sandbox

POLICY = "/providers/Microsoft.Authorization"
IDENTITY = "/resourceGroups/byoc/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ops"


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def client(account: AzureAccount) -> str:
    return account.deploy(kit(actions=["*"])).body["properties"]["outputs"]["clientId"]["value"]


# --- Subscriptions ---


def test_demo_starts_with_its_tenants(account: AzureAccount) -> None:
    found = account.control("GET", "")

    assert {tenant["name"] for tenant in found["tenants"]} == {"Acme", "Globex"}
    assert {entry["name"]: entry["state"] for entry in found["subscriptions"]} == {
        "Acme Production": "Enabled", "Acme Sandbox": "Enabled", "Acme Guarded": "Enabled", "Acme Closed": "Disabled",
        "Globex Main": "Enabled",
    }  # fmt: skip


def test_new_subscription_has_its_owner(account: AzureAccount) -> None:
    number = "66666666-aaaa-4aaa-8aaa-666666666666"
    account.control("POST", "subscriptions", {"id": number, "tenant": TENANT, "name": "New"})
    account.subscription = number

    assert account.owner("GET", account.scope).body["displayName"] == "New"
    assert account.deploy(kit()).body["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(("state", "status"), [("Warned", 200), ("PastDue", 200), ("Disabled", 200), ("Deleted", 404)])
def test_state_of_a_subscription_is_seen_by_the_portal(account: AzureAccount, client: str, state: str, status: int) -> None:
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "state": state})

    answer = account.portal(client, "GET", account.scope)

    assert answer.status == status
    assert answer.body.get("state", state) == state


def test_subscription_moved_to_another_tenant(account: AzureAccount, client: str) -> None:
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "tenant": GLOBEX_TENANT})

    assert account.portal(client, "GET", account.scope).code == "InvalidAuthenticationTokenTenant"


def test_location_that_is_not_offered(account: AzureAccount) -> None:
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "location_denials": ["westeurope"]})

    listed = account.owner("GET", "/locations", version="2022-12-01").body["value"]
    answer = account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope"})

    assert "westeurope" not in {entry["name"] for entry in listed}
    assert answer.code == "LocationNotAvailableForResourceType"


@pytest.mark.parametrize(
    ("method", "path", "values"),
    [
        ("PATCH", "subscriptions", {"id": SUBSCRIPTION, "colour": "red"}),
        ("PATCH", "subscriptions", {"id": "unknown"}),
        ("POST", "faults", {"kind": "flood"}),
        ("POST", "owner-token", {"subscription": SUBSCRIPTION, "role": "King"}),
    ],
)
def test_typing_error_in_a_test_is_no_silent_pass(account: AzureAccount, method: str, path: str, values: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        account.control(method, path, values)
    with refused.value:
        assert refused.value.code == 400


def test_unknown_path_of_control_is_a_violation(account: AzureAccount) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        account.control("GET", "nothing")
    refused.value.close()

    assert [entry["kind"] for entry in account.sandbox.control("GET", "violations")] == ["route"]
    account.sandbox.control("DELETE", "violations")


# --- Faults ---


def test_lost_reply_has_done_its_work(account: AzureAccount, client: str) -> None:
    account.control(
        "POST", "faults", {"kind": "lost_reply", "service": "arm", "action": "Microsoft.Resources/subscriptions/resourceGroups/write"}
    )

    with pytest.raises(AzureError):
        account.resources(client).resource_groups.create_or_update("lost", {"location": "westeurope"})

    assert account.owner("GET", "/resourceGroups/lost").status == 200


def test_delay_is_a_delay(account: AzureAccount, client: str) -> None:
    account.control("POST", "faults", {"kind": "delay", "service": "entra", "seconds": 0.4})
    began = time.monotonic()

    assert account.exchange(client).status == 200
    assert time.monotonic() - began > 0.4


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("500", 500, "InternalServerError"),
        ("503", 503, "ServerTimeout"),
        ("access_denied", 403, "AuthorizationFailed"),
        ("read_only", 409, "ReadOnlyDisabledSubscription"),
    ],
)
def test_fault_is_for_one_subscription_and_ends(account: AzureAccount, client: str, kind: str, status: int, code: str) -> None:
    account.control("POST", "faults", {"kind": kind, "service": "arm", "account": CLOSED})
    account.control("POST", "faults", {"kind": kind, "service": "arm", "account": SUBSCRIPTION})

    with pytest.raises(HttpResponseError) as refused:
        account.resources(client).resource_groups.get("byoc")

    assert refused.value.error is not None
    assert (refused.value.status_code, refused.value.error.code) == (status, code)
    assert account.resources(client).resource_groups.get("byoc").name == "byoc"
    account.control("DELETE", "faults")


def test_access_tokens_can_be_revoked(account: AzureAccount, client: str) -> None:
    token = account.exchange(client).body["access_token"]

    account.control("POST", "revoke", {"client": client})

    assert account.owner("GET", account.scope, token=token).code == "InvalidAuthenticationToken"
    assert account.portal(client, "GET", account.scope).status == 200


def test_plain_http_finds_nobody(account: AzureAccount) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", account.sandbox.azure_port, timeout=5)

    connection.request("GET", "/metadata/endpoints")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def test_certificate_is_from_an_authority_of_its_own(account: AzureAccount) -> None:
    from azure.identity import ClientAssertionCredential

    credential = ClientAssertionCredential(
        TENANT, "x", lambda: "y", authority=account.sandbox.azure, disable_instance_discovery=True, retry_total=0
    )

    with pytest.raises((ServiceRequestError, AzureError)) as refused:
        credential.get_token("https://management.azure.com/.default")
    credential.close()
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value)


# --- The journal ---


def test_journal_holds_no_secret(account: AzureAccount, client: str) -> None:
    assertion = account.assertion()
    token = account.exchange(client, token=assertion).body["access_token"]
    account.owner("GET", account.scope, token=token)

    text = json.dumps(account.control("GET", "journal"))

    assert '"/subscriptions/' in text
    assert assertion not in text
    assert token not in text


# --- Policies as an adapter reads them ---


def test_initiative_denies_what_its_member_denies(account: AzureAccount) -> None:
    account.owner("POST", "/providers/Microsoft.ManagedIdentity/register", version="2022-09-01")
    account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope"})
    member = {
        "policyDefinitionId": f"/providers/Microsoft.Authorization/policyDefinitions/{LOCATIONS}",
        "parameters": {"listOfAllowedLocations": {"value": "[parameters('places')]"}},
    }
    initiative = {"properties": {"displayName": "Places", "parameters": {"places": {"type": "Array"}}, "policyDefinitions": [member]}}
    made = account.owner("PUT", f"{POLICY}/policySetDefinitions/places", initiative).body
    body = {"properties": {"policyDefinitionId": made["id"], "parameters": {"places": {"value": ["northeurope"]}}}}
    assert account.owner("PUT", f"{POLICY}/policyAssignments/places", body).status == 201

    answer = account.owner("PUT", IDENTITY, {"location": "westeurope"})

    assert (answer.status, answer.code) == (403, "RequestDisallowedByPolicy")
    assert '"policyDefinition":{"name":"Allowed locations"' in answer.message


def test_definition_of_microsofts_can_be_read(account: AzureAccount) -> None:
    path = f"{account.sandbox.azure}/providers/Microsoft.Authorization/policyDefinitions/{LOCATIONS}?api-version=2022-06-01"

    found = account.owner("GET", path).body

    assert found["properties"]["policyType"] == "BuiltIn"
    assert found["properties"]["policyRule"]["then"] == {"effect": "deny"}


def test_policy_that_is_not_enforced_denies_nothing(account: AzureAccount) -> None:
    account.control("POST", "policies", {"subscription": SUBSCRIPTION, "kind": "locations", "allowed": ["northeurope"]})
    found = account.owner("GET", f"{POLICY}/policyAssignments/allowed-locations").body["properties"]
    body = {"properties": {**found, "enforcementMode": "DoNotEnforce"}}
    account.owner("PUT", f"{POLICY}/policyAssignments/allowed-locations", body)

    assert account.deploy(kit()).body["properties"]["provisioningState"] == "Succeeded"


def test_read_only_lock_refuses_writes_below_it(account: AzureAccount, client: str) -> None:
    account.owner("PUT", f"{POLICY}/locks/still", {"properties": {"level": "ReadOnly"}})

    answer = account.owner("PUT", "/resourceGroups/other", {"location": "westeurope"})

    assert (answer.status, answer.code) == (409, "ScopeLocked")
    assert account.owner("DELETE", f"{POLICY}/locks/still").status == 200
    assert account.owner("PUT", "/resourceGroups/other", {"location": "westeurope"}).status == 201


LOCATIONS = "e56962a6-4747-49cd-b67b-bf8b01975c4c"


# --- Memory ---


@pytest.fixture
def arguments(issuer: TestIssuer, tmp_path: Path) -> list[str]:
    origin = f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"
    return ["--pace", "0", "--propagation", "0", "--issuer-resolve", origin, "--state-dir", str(tmp_path)]


def test_state_survives_a_kill(issuer: TestIssuer, arguments: list[str]) -> None:
    first = start_sandbox(*arguments)
    try:
        account = AzureAccount(first, issuer)
        client = account.deploy(kit()).body["properties"]["outputs"]["clientId"]["value"]
        token = account.exchange(client).body["access_token"]
        account.control("PATCH", "subscriptions", {"id": CLOSED, "state": "Warned"})
        authority = Path(first.azure_ca).read_text()
        time.sleep(1.2)  # a snapshot is written twice a second
    finally:
        first.process.kill()
        first.process.communicate()
    second = start_sandbox(*arguments)
    try:
        account = AzureAccount(second, issuer)
        assert Path(second.azure_ca).read_text() == authority
        assert account.owner("GET", account.scope, token=token).status == 200
        assert account.exchange(client).status == 200
        assert {entry["id"]: entry["state"] for entry in account.control("GET", "")["subscriptions"]}[CLOSED] == "Warned"
    finally:
        second.stop()


def test_unreadable_snapshot_starts_afresh_and_is_kept_aside(issuer: TestIssuer, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "azure.json").write_text('{"format": 1, "world": {"tenants"')

    running: Any = start_sandbox(*arguments)
    try:
        assert len(AzureAccount(running, issuer).control("GET", "")["tenants"]) == 2
    finally:
        running.stop()

    assert (tmp_path / "azure.unreadable").read_text().startswith('{"format": 1')


def test_reset_of_the_sandbox_resets_azure_too(account: AzureAccount, client: str) -> None:
    account.sandbox.control("POST", "reset")

    assert account.owner("GET", "/resourceGroups/byoc").code == "ResourceGroupNotFound"
    assert account.exchange(client).body["error_codes"] == [700016]
