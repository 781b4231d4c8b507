"""Microsoft's packages in our hands: one pipeline of ours for all their clients, which asks once, asks nobody else, and starts nothing."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
from azure.core.exceptions import AzureError, DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.paging import ItemPaged
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.rest import HttpRequest
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from accounts.clouds.azure.clients import MOST_PAGES, VERSIONS, Session, _OnlyObjectsFromArm, every, word
from accounts.clouds.azure.errors import classify
from accounts.clouds.base import Needs, Verdict
from tests.clouds.azure.account import AUDIENCE, ISSUER, SUBJECT, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.azure.played import PlayedAzure, addresses
from tests.clouds.conftest import SandboxProcess, TestIssuer

NEEDS = Needs(vcpus=12, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-cell-")
NETWORK = "/resourceGroups/byoc/providers/Microsoft.Network/virtualNetworks/one?api-version=2024-05-01"


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> AzureAccount:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def standing(account: AzureAccount) -> PlayedAzure:
    played = PlayedAzure(account.sandbox, account.issuer)
    assert played.run_kit() == "Succeeded"
    return played


def session_of(account: AzureAccount) -> Session:
    """Of an identity that may do everything in the subscription."""
    mint = partial(account.issuer.token, issuer=ISSUER, subject=SUBJECT, audience=AUDIENCE)
    return Session(tenant=TENANT, client_id=account.deploy_identity(), assertion=mint)


def asked(account: AzureAccount) -> list[dict[str, Any]]:
    return [entry for entry in account.control("GET", "journal") if entry["service"] == "arm"]


def test_azure_asks_by_microsofts_packages_and_in_their_versions(standing: PlayedAzure) -> None:
    standing.account.control("DELETE", "journal")
    adapter = standing.adapter()

    adapter.probe_trust()
    adapter.describe_kit()
    adapter.check_trust_unedited()
    adapter.check_environment("westeurope", NEEDS)

    found: dict[str, set[str]] = {}
    for entry in asked(standing.account):
        words = entry["path"].lower().removeprefix(f"/subscriptions/{SUBSCRIPTION}").strip("/").split("/")
        provider = words[-words[::-1].index("providers")] if "providers" in words[:-2] else ""
        found.setdefault(provider or words[0], set()).add(entry["query"]["api-version"])
    assert found == {
        "": {"2022-12-01"},  # the subscription
        "locations": {"2022-12-01"},
        "resourcegroups": {"2025-04-01"},
        "providers": {"2025-04-01"},
        "microsoft.resources": {"2026-06-01"},
        "microsoft.managedidentity": {VERSIONS["identities"]},
        "microsoft.authorization": {VERSIONS["authorization"], VERSIONS["locks"], VERSIONS["policies"]},
        "microsoft.compute": {VERSIONS["compute"]},
        "microsoft.logic": {VERSIONS["workflows"]},
        "microsoft.network": {VERSIONS["network"]},
    }


def test_azure_clients_of_a_session_share_one_token(account: AzureAccount) -> None:
    session = session_of(account)
    account.control("DELETE", "journal")

    session.tenant.subscriptions.get(SUBSCRIPTION)
    session.resources(SUBSCRIPTION).resource_groups.get("byoc")
    session.deployments(SUBSCRIPTION).deployments.get_at_subscription_scope("kit")
    session.get(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/permissions", "authorization")

    assert [entry["service"] for entry in account.control("GET", "journal")] == ["entra", *["arm"] * 4]


def test_azure_resource_provider_is_never_registered_on_the_way(account: AzureAccount) -> None:
    """Microsoft's own pipeline registers it, and waits ten seconds at a time until that is done."""
    session = session_of(account)
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "registered": []})
    account.control("DELETE", "journal")
    body = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}}
    address = f"{account.sandbox.azure}/subscriptions/{SUBSCRIPTION}{NETWORK}"

    refused = session.tenant.send_request(HttpRequest("PUT", address, json=body))

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert classify("Put", HttpResponseError(response=refused)).code == "provider_not_registered"
    assert [entry["method"] for entry in asked(account)] == ["PUT"]


def test_azure_answers_or_fails_within_seconds(account: AzureAccount) -> None:
    session = Session(tenant=TENANT, client_id="c", assertion=lambda: "t")

    clients = [session.tenant, session.resources(SUBSCRIPTION), session.deployments(SUBSCRIPTION)]

    pipelines = {id(client._client._pipeline): client._client._pipeline for client in clients}
    (pipeline,) = pipelines.values()
    settings = pipeline._transport.connection_config
    assert (settings.timeout, settings.read_timeout, settings.verify) == (5, 20, account.sandbox.azure_ca)


@pytest.mark.parametrize("size", [1, 3])
def test_azure_lists_are_read_page_by_page(standing: PlayedAzure, size: int) -> None:
    standing.account.control("POST", "page-size", {"size": size})

    standing.adapter().check_trust_unedited()
    found = standing.adapter().check_environment("westeurope", NEEDS)

    assert {finding.verdict for finding in found} == {Verdict.PASS}
    assert any("$skiptoken" in entry["query"] for entry in asked(standing.account))


def test_azure_list_without_end_is_not_taken_for_the_whole(account: AzureAccount) -> None:
    read = []

    def page(link: str | None) -> str:
        read.append(link)
        return "page"

    def entries(_page: str) -> tuple[str, Iterator[int]]:
        return "next", iter([1])

    with pytest.raises(ServiceResponseError, match="more than 40 pages"):
        every(ItemPaged(page, entries))

    assert len(read) == MOST_PAGES + 1


def test_azure_next_page_at_another_host_is_not_asked(account: AzureAccount) -> None:
    """It would be handed the token."""
    session = session_of(account)
    account.control("DELETE", "journal")
    elsewhere = account.sandbox.azure.replace("127.0.0.1", "localhost") + "/subscriptions?api-version=2022-12-01"

    with pytest.raises(ServiceRequestError, match="outside of Azure's Resource Manager"):
        next(session.tenant.subscriptions.list().by_page(continuation_token=elsewhere))
    with pytest.raises(ServiceRequestError, match="outside of Azure's Resource Manager"):
        session.tenant.send_request(HttpRequest("GET", elsewhere))

    assert account.control("GET", "journal") == []


@pytest.mark.parametrize(
    "foreign",
    ["https://other.example/x", "http://management.azure.com/x", "https://management.azure.com:8443/x", "https://a:b/x", "/x",
     "https://management.azure.com.other.example/x", "https://management.azure.com@other.example/x"],
)  # fmt: skip
def test_azure_address_of_anybody_else_is_not_asked(foreign: str) -> None:
    policy = _OnlyObjectsFromArm("https://management.azure.com")

    for ours in ("https://management.azure.com/x", "https://management.azure.com:443/x", "https://MANAGEMENT.azure.com/x"):
        policy.on_request(PipelineRequest(HttpRequest("GET", ours), None))  # type: ignore[arg-type]
    with pytest.raises(ServiceRequestError, match="outside of Azure's Resource Manager"):
        policy.on_request(PipelineRequest(HttpRequest("GET", foreign), None))  # type: ignore[arg-type]


@pytest.mark.parametrize("body", ["", "<html>Sign in to this network</html>", "[]", "null", '"text"', "7"])
def test_azure_answer_that_is_no_object_is_passing(body: str) -> None:
    """A proxy's page, under a status that says that all is well."""
    told = requests.Response()
    told.status_code, told._content, told._content_consumed = 200, body.encode(), True  # type: ignore[assignment]
    told.headers["content-type"] = "application/json"
    request = HttpRequest("GET", "https://management.azure.com/")
    response: Any = PipelineResponse(request, RestRequestsTransportResponse(request=request, internal_response=told), None)  # type: ignore[arg-type]
    response.http_response.read()

    with pytest.raises(DecodeError) as caught:
        _OnlyObjectsFromArm("https://management.azure.com").on_response(None, response)  # type: ignore[arg-type]

    assert isinstance(caught.value, AzureError)
    assert (classify("Get", caught.value).code, classify("Get", caught.value).retryable) == ("cloud_unavailable", True)


def test_azure_words_are_told_without_the_name_of_their_class(account: AzureAccount) -> None:
    session = session_of(account)
    account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "state": "PastDue"})

    state = session.tenant.subscriptions.get(SUBSCRIPTION).state

    assert str(state) == "SubscriptionState.PAST_DUE"
    assert [word(state), word("Odd"), word(None)] == ["PastDue", "Odd", ""]
