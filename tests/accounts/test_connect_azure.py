"""Connecting an Azure subscription as the demo's customer does: the page's own command or parameters, in the played clouds, to the end."""

import html
import json
import ssl
import urllib.request
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.actions.connect import issue_kit, report_kit
from accounts.kit_links import kit_links, named_resources
from accounts.models import CloudAccount, TrustCheck
from accounts.states import AccountState
from accounts.targets import target_of
from portal.audit import Actor
from portal.operations.catalogue import failure_text, wait_text
from portal.operations.models import Operation
from portal.operations.names import named
from portal.operations.states import OperationState, Party
from portal.operations.tasks import advance
from tests.clouds.azure.account import SECOND, SUBSCRIPTION, TENANT
from tests.clouds.azure.browser import Browser
from tests.factories import make_cloud_account, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
OWNER = "owner@acme.onmicrosoft.example"
ELSE = "99999999-9999-4999-8999-999999999999"  # an id that no tenant knows


class Played:
    """What the browser of the tests of the clouds needs of a sandbox."""

    def __init__(self, port: int) -> None:
        self.console = port


@pytest.fixture
def account(acme, alice, sandbox, settings, monkeypatch, live_server):
    """An account that waits for its kit, in a portal whose kits are published."""
    monkeypatch.setenv("PORTAL_AZURE_AUTHORITY_URL", sandbox.azure_url)
    monkeypatch.setenv("PORTAL_AZURE_ARM_URL", sandbox.azure_url)
    monkeypatch.setenv("PORTAL_AZURE_CA_FILE", sandbox.azure_ca)
    settings.PORTAL_URL = live_server.url  # where the script says that it has run
    settings.CONSOLE_URLS = {**settings.CONSOLE_URLS, "azure": f"{sandbox.console_url}/azure"}
    with monkeypatch.context() as provider:
        provider.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
        provider.setenv("AWS_ACCESS_KEY_ID", "000000000000")
        provider.setenv("AWS_SECRET_ACCESS_KEY", "root")
        call_command("publish_kits", verbosity=0)
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=SUBSCRIPTION, name="Data", home_region="westeurope")
    CloudAccount.objects.filter(pk=account.pk).update(cloud="azure", identity={"tenant_id": TENANT})
    account.refresh_from_db()
    issue_kit(account, after_generation=0, by=alice)
    return CloudAccount.objects.get(pk=account.pk)


def look() -> Operation:
    operation = Operation.objects.get()
    Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
    advance(str(operation.pk))
    operation.refresh_from_db()
    return operation


def run_in_shell(sandbox, command: str, *, ends_with: int = 0) -> str:
    browser = Browser(Played(sandbox.console_port))
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)
    code, output = browser.run(command)
    assert code == ends_with, output
    return output


def shell_command(account: CloudAccount) -> str:
    (command,) = (act.command for act in kit_links(account.kits.get()).routes["shell"].acts if act.command)
    return command


def owner(sandbox, method: str, path: str, body: object = None) -> dict:
    """As the owner of the subscription, by hand."""
    token = sandbox.control("POST", "azure/owner-token", {"subscription": SUBSCRIPTION})["token"]
    address = f"{sandbox.azure_url}/subscriptions/{SUBSCRIPTION}{path}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode() if body else None, headers, method=method)
    with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context(cafile=sandbox.azure_ca)) as answer:
        return json.loads(answer.read() or b"{}")


def test_connect_azure_waits_for_the_script_which_tells_by_itself(account, sandbox):
    waiting = look()
    assert (waiting.state, waiting.waiting_on, waiting.waiting_why) == (OperationState.WAITING, Party.YOU, "kit_not_run")
    told = wait_text("kit_not_run", named(waiting, waiting.waiting_params))
    assert told.sentence == f"Nobody has told us the client IDs of the kit in Azure subscription {SUBSCRIPTION} yet."

    output = run_in_shell(sandbox, shell_command(account))
    assert "The portal has been told" in output
    reported = account.kits.get().reported
    done = look()

    assert reported["tenant_id"] == TENANT
    assert not {"external_id", "region"} & set(reported), "Where it stands is not taken from a machine"
    assert (done.state, done.failure_code, done.failure_evidence) == (OperationState.SUCCEEDED, "", "")
    account.refresh_from_db()
    assert account.state == AccountState.CONNECTED
    checks = TrustCheck.objects.filter(account=account)
    assert checks.filter(kind=TrustCheck.Kind.PERMISSION, is_ok=True).count() == 88
    assert checks.filter(kind=TrustCheck.Kind.REFUSAL, is_ok=True).count() == 4
    assert not checks.filter(is_ok=False).exists()
    assert sandbox.control("GET", "violations") == []


def test_connect_azure_by_the_portal_and_pasted_outputs(account, sandbox, client, alice):
    """As Deploy to Azure does it: the parameters of the page, another name for the deployment, and nobody who tells."""
    route = kit_links(account.kits.get()).routes["portal"]
    (parameters,) = (json.loads(act.command)["parameters"] for act in route.acts if act.command)
    template = json.loads(kits.load("azure").documents[0].text)
    path = "/providers/Microsoft.Resources/deployments/Microsoft.Template-20261121?api-version=2022-09-01"
    sandbox.control("PATCH", "azure/subscriptions", {"id": SUBSCRIPTION, "registered": ["Microsoft.ManagedIdentity"]})
    chosen = {name: {"value": "yes"} for name in ("allowChanges", "allowSupport")}  # in the form: the page leaves both open
    properties = {"mode": "Incremental", "template": template, "parameters": parameters | chosen}
    owner(sandbox, "PUT", path, {"location": "westeurope", "properties": properties})
    found = owner(sandbox, "GET", path)
    assert found["properties"]["provisioningState"] == "Succeeded", found
    assert look().waiting_why == "kit_not_run"

    outputs = {name: output["value"] for name, output in found["properties"]["outputs"].items()}
    pasted = f"clientId\n{outputs['clientId']}\nsupportClientId\n{outputs['supportClientId']}"
    _paste(client, alice, account, pasted)

    assert look().state == OperationState.SUCCEEDED


def _paste(client, person, account, text):
    """Into the field of the waiting page."""
    client.force_login(person)
    answer = client.post(reverse("accounts:connect_report", args=[account.organisation.slug, account.pk]), {"evidence": text})
    assert answer.status_code == 302, answer.content[:2000]


def test_connect_azure_wider_trust_fails_in_words_of_this_cloud(account, sandbox):
    run_in_shell(sandbox, shell_command(account))
    scope = f"/resourceGroups/byoc-{account.kits.get().suffix}-kit/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    identity = f"{scope}/byoc-{account.kits.get().suffix}-support/federatedIdentityCredentials/mine?api-version=2023-01-31"
    trust = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b", "audiences": ["api://AzureADTokenExchange"]}
    owner(sandbox, "PUT", identity, {"properties": trust})

    failed = look()

    assert (failed.state, failed.failure_code) == (OperationState.FAILED, "trust_policy_edited")
    told = failure_text(failed.failure_code, named(failed, failed.failure_params))
    assert told.happened.startswith("The federated credential of an identity of the kit is not the one that the kit ships")


def test_connect_azure_report_from_another_subscription_is_named(account, sandbox, client):
    sent = {"kit": "azure", "subscription_id": SECOND, "tenant_id": TENANT, "client_id": SUBSCRIPTION, "support_client_id": TENANT}
    url = next(act.command for act in kit_links(account.kits.get()).routes["shell"].acts if act.command).rpartition("--report ")[2]
    path = "/" + url.split("/", 3)[3]
    assert client.post(path, json.dumps(sent), content_type="application/json").status_code == 200
    assert look().failure_code == "", "Whoever has seen the command could have sent it"

    report_kit(account, report=kits.load("azure").read_report(json.dumps(sent)), by=Actor.system("test"))
    failed = look()

    assert failed.failure_code == "wrong_account"
    told = failure_text(failed.failure_code, named(failed, failed.failure_params))
    assert told.happened == f"The kit was run in subscription {SECOND}. It was made for subscription {SUBSCRIPTION}."


def stand(account, sandbox, client, alice) -> dict[str, str]:
    """The kit stands, and nobody has told the portal. The two client ids."""
    run_in_shell(sandbox, shell_command(account).partition(" \\\n    --report")[0])
    name = f"byoc-{account.kits.get().suffix}"
    scope = f"/resourceGroups/{name}-kit/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    found = {which: owner(sandbox, "GET", f"{scope}/{name}-{which}?api-version=2023-01-31") for which in ("operator", "support")}
    return {which: identity["properties"]["clientId"] for which, identity in found.items()}


def test_connect_azure_client_ids_that_azure_does_not_know_are_said_at_once_and_pasted_again(account, sandbox, client, alice):
    right = stand(account, sandbox, client, alice)
    _paste(client, alice, account, f"{ELSE}\n{right['support']}")

    waiting = look()

    told = wait_text(waiting.waiting_why, named(waiting, waiting.waiting_params))
    assert (waiting.state, waiting.waiting_on) == (OperationState.WAITING, Party.YOU)
    assert told.sentence.startswith(f"Azure does not know these client IDs. You pasted {ELSE} for the operator and {right['support']}")
    page = client.get(reverse("accounts:connect_waiting", args=["acme", account.pk])).text
    assert ELSE in page
    assert 'name="evidence"' in page

    _paste(client, alice, account, f"{right['operator']}\n{right['support']}")
    assert look().state == OperationState.SUCCEEDED


def test_connect_azure_swapped_client_ids_are_said_at_once(account, sandbox, client, alice):
    right = stand(account, sandbox, client, alice)
    _paste(client, alice, account, f"{right['support']}\n{right['operator']}")

    waiting = look()

    told = wait_text(waiting.waiting_why, named(waiting, waiting.waiting_params))
    assert (waiting.waiting_on, waiting.waiting_why) == (Party.YOU, "client_id_refused")
    assert told.sentence.endswith("They may be swapped.")


def test_connect_azure_client_ids_pasted_after_a_failure_are_looked_at_at_once(account, sandbox, client, alice):
    right = stand(account, sandbox, client, alice)
    _paste(client, alice, account, f"{ELSE}\n{right['support']}")
    look()
    Operation.objects.get().steps.filter(state="waiting").update(waiting_since=timezone.now() - timedelta(hours=1))
    failed = look()
    assert (failed.state, failed.failure_code) == (OperationState.FAILED, "client_id_unknown")

    _paste(client, alice, account, f"{right['operator']}\n{right['support']}")

    assert look().state == OperationState.SUCCEEDED


def test_connect_azure_wrong_tenant_is_named_by_the_kit_and_changed_where_it_leads(account, sandbox, client, alice):
    CloudAccount.objects.filter(pk=account.pk).update(identity={"tenant_id": ELSE})
    client.force_login(alice)
    assert look().waiting_why == "kit_not_run"

    said = run_in_shell(sandbox, shell_command(CloudAccount.objects.get()), ends_with=1)
    assert f"belongs to tenant {TENANT}, and this kit was made for tenant {ELSE}. Nothing was changed." in said
    assert f"correct the tenant ID to {TENANT}" in said
    assert look().waiting_why == "tenant_id_differs"
    assert account.kits.get().ran_at is None

    shown = html.unescape(client.get(reverse("accounts:connect_waiting", args=["acme", account.pk])).text)
    assert f"subscription {SUBSCRIPTION} belongs to tenant {TENANT}. You entered {ELSE}. Nothing was made." in shown
    stop = reverse("accounts:connect_stop", args=["acme", account.pk])
    assert f'href="{stop}">Stop connecting and change the tenant</a>' in shown
    shown = html.unescape(client.get(client.post(stop).headers["Location"]).text)
    assert f'name="tenant_id" value="{TENANT}"' in shown


def test_connect_azure_page_names_the_vault_as_the_kit_does(account):
    named_there = {resource.logical_id: name for name, resource in named_resources(account, generation=1)}

    assert named_there["CellVault"] == kits.load("azure").shipped(target_of(account, account.kits.get())).vault
