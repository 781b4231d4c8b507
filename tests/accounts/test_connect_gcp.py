"""Connecting a Google Cloud project as the demo's customer does: the page's own command, in the played Cloud Shell, to the end."""

import html
import http.client
import re
import time
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.kit_links import kit_links
from accounts.models import CloudAccount, TrustCheck
from accounts.states import AccountState
from portal.operations.catalogue import failure_text
from portal.operations.models import Operation
from portal.operations.names import named
from portal.operations.states import OperationState, Party
from portal.operations.tasks import advance
from tests.factories import make_cloud_account, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT, NUMBER = "acme-data-prod", "123456789012"


class Shell:
    """A browser at the played Cloud Shell, signed in as the owner of the project."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""
        assert self.open("gcp/signin", {"email": "owner@acme.example", "project": PROJECT})[0] == 303

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST" if form else "GET", f"/console/shell/{path}", urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        body = html.unescape(answer.read().decode())
        connection.close()
        self.cookie = (answer.headers.get("Set-Cookie") or self.cookie).split(";")[0]
        return answer.status, answer.headers.get("Location", ""), body

    def run(self, command: str, code: str = "0") -> str:
        """Everything on the terminal, once it has ended with this code."""
        status, location, body = self.open("gcp", {"command": command})
        assert status == 303, body
        for _ in range(1200):
            body = self.open(location.removeprefix("/console/shell/"))[2]
            if ended := re.search(r"Exit code (\d+)", body):
                assert ended[1] == code, body
                return body
            time.sleep(0.05)
        raise AssertionError("the run does not end")


@pytest.fixture
def account(acme, alice, sandbox, settings, monkeypatch):
    """An account that waits for its kit, in a portal whose kits are published."""
    monkeypatch.setenv("PORTAL_GCP_URL", sandbox.gcp_url)
    settings.CONSOLE_URLS = {**settings.CONSOLE_URLS, "gcp": f"{sandbox.customer_url}/console/shell/gcp"}
    publish(sandbox, monkeypatch)
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=PROJECT, name="Data", home_region="europe-west3")
    CloudAccount.objects.filter(pk=account.pk).update(cloud="gcp", identity={"project_number": NUMBER})
    account.refresh_from_db()
    issue_kit(account, after_generation=0, by=alice)
    return CloudAccount.objects.get(pk=account.pk)


def publish(sandbox, monkeypatch) -> None:
    """As the provider, with keys of its own."""
    with monkeypatch.context() as provider:
        provider.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
        provider.setenv("AWS_ACCESS_KEY_ID", "000000000000")
        provider.setenv("AWS_SECRET_ACCESS_KEY", "root")
        call_command("publish_kits", verbosity=0)


def look() -> Operation:
    operation = Operation.objects.get()
    Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
    advance(str(operation.pk))
    operation.refresh_from_db()
    return operation


def shell_command(account: CloudAccount) -> str:
    (command,) = (act.command for act in kit_links(account.kits.get()).routes["shell"].acts if act.command)
    return command


def test_connect_gcp_waits_for_the_script_then_connects(account, sandbox):
    waiting = look()
    assert (waiting.state, waiting.waiting_on, waiting.waiting_why) == (OperationState.WAITING, Party.YOU, "kit_not_run")

    said = Shell(sandbox.console_port).run(shell_command(account))
    assert "Done. The portal notices within a minute or two." in said
    done = look()

    assert (done.state, done.failure_code, done.failure_evidence) == (OperationState.SUCCEEDED, "", "")
    account.refresh_from_db()
    assert account.state == AccountState.CONNECTED
    checks = TrustCheck.objects.filter(account=account)
    assert checks.filter(kind=TrustCheck.Kind.PERMISSION, is_ok=True).count() == len(kits.load("gcp").permissions)
    assert checks.filter(kind=TrustCheck.Kind.REFUSAL, is_ok=True).count() == 4
    assert not checks.filter(is_ok=False).exists()
    assert sandbox.control("GET", "violations") == []


def test_connect_gcp_removal_command_of_the_page_runs_in_the_shell(account, sandbox):
    shell = Shell(sandbox.console_port)
    shell.run(shell_command(account))

    shell.run(kit_links(account.kits.get()).removal_command)

    assert look().waiting_why == "kit_not_run"


def test_connect_gcp_key_of_the_operator_fails_in_words_of_this_cloud(account, sandbox):
    Shell(sandbox.console_port).run(shell_command(account))
    email = f"byoc-{account.kits.get().suffix}-operator@{PROJECT}.iam.gserviceaccount.com"
    token = sandbox.control("POST", "gcp/owner-token", {"project": PROJECT})["token"]
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.gcp_port, timeout=10)
    connection.request("POST", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{email}/keys", "{}", {"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 200
    connection.close()

    failed = look()

    assert (failed.state, failed.failure_code) == (OperationState.FAILED, "key_found")
    assert failed.failure_params["account"] == email
    told = failure_text("key_found", named(failed, failed.failure_params))
    assert told.happened == f"Somebody made a key for a service account of the kit: {email}."


def test_connect_gcp_role_given_above_the_project_is_found_by_asking_google(account, sandbox):
    """No policy of the project shows it; only Google's answer does."""
    Shell(sandbox.console_port).run(shell_command(account))
    member = f"serviceAccount:byoc-{account.kits.get().suffix}-operator@{PROJECT}.iam.gserviceaccount.com"
    sandbox.control("POST", "gcp/grants", {"project": PROJECT, "role": "roles/editor", "member": member, "above": True})

    failed = look()

    assert (failed.state, failed.failure_code) == (OperationState.FAILED, "too_much_granted")
    told = failure_text("too_much_granted", named(failed, failed.failure_params))
    assert told.happened.startswith("Google Cloud allows what the kit promises never to do: operator/")


def test_connect_gcp_wrong_number_is_named_by_the_kit_and_changed_where_it_leads(account, sandbox, settings, live_server, client, alice):
    settings.PORTAL_URL = live_server.url
    CloudAccount.objects.filter(pk=account.pk).update(identity={"project_number": "123456789013"})
    client.force_login(alice)
    assert look().waiting_why == "kit_not_run"

    said = Shell(sandbox.console_port).run(shell_command(CloudAccount.objects.get()), code="1")
    assert f"The project of this name has number {NUMBER}. Nothing was changed." in said
    assert f"correct the project number to {NUMBER}" in said
    assert look().waiting_why == "project_number_differs"

    shown = html.unescape(client.get(reverse("accounts:connect_waiting", args=["acme", account.pk])).text)
    assert f"project {PROJECT} has number {NUMBER}. You entered 123456789013." in shown
    stop = reverse("accounts:connect_stop", args=["acme", account.pk])
    assert f'href="{stop}">Stop connecting and change the number</a>' in shown
    account_page = reverse("accounts:connect_account", args=["acme", account.pk])
    assert client.post(stop).headers["Location"] == account_page
    shown = html.unescape(client.get(account_page).text)
    assert "Connecting is stopped, and the kit's trust has ended." in shown
    assert f"The kit found another Project number: {NUMBER}. You had entered 123456789013." in shown
    assert f'name="project_number" value="{NUMBER}"' in shown
    client.post(account_page, {"name": account.name, "external_id": PROJECT, "project_number": NUMBER})
    assert "The kit found another" not in client.get(account_page).text
