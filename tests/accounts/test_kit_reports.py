"""A kit says that it has run: kept as a hint, looked at, believed never."""

import html
import json
import re
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import kits
from accounts.actions.accounts import disconnect_account
from accounts.actions.connect import issue_kit, report_kit_itself
from accounts.actions.step_links import send_step, withdraw_step
from accounts.kit_links import report_url
from accounts.kits.base import Report
from accounts.models import CloudAccount, Kit
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.models import Operation
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_cloud_account

OVER = "This kit is over, or the link that it came from is. Nothing was kept. Ask for a new kit in the portal.\n"
GCP = {"external_id": "acme-data-prod", "home_region": "europe-west3", "identity": {"project_number": "123456789012"}}
POOL = "projects/123456789012/locations/global/workloadIdentityPools/byoc-3f9a1c2e-g1"
ARN = "arn:aws:cloudformation:us-east-1:111122223333:stack/byoc-x-kit/5d1b0c6e"


@pytest.fixture
def kit(acme, alice):
    account = make_cloud_account(organisation=acme, external_id="111122223333")
    issue_kit(account, after_generation=0, by=alice)
    return Kit.objects.select_related("account").get()


def report(client, kit, body=ARN):
    return client.post(report_url(kit).removeprefix("http://localhost:8000"), body, content_type="application/json")


def test_kit_report_is_kept_and_looked_at_now(client, kit):
    Operation.objects.update(state="waiting", waiting_on="you", waiting_why="kit_not_run", next_run_at=timezone.now() + timedelta(hours=1))

    answer = report(client, kit)

    kit.refresh_from_db()
    assert (answer.status_code, answer.content.decode()) == (200, "The portal looks now.\n")
    assert kit.reported == {"stack": ARN}  # where it stands is not taken from a machine
    assert Operation.objects.get().next_run_at <= timezone.now()
    assert Event.objects.get(action="cloud_account.kit_reported").actor_kind == "system"


def test_kit_report_that_is_known_writes_nothing(client, kit):
    report(client, kit)

    with assert_no_event():
        answer = report(client, kit)

    assert answer.content.decode() == "The portal knows already.\n"


@pytest.mark.parametrize("body", ["", "nonsense", "{}", "\0", "x" * 10_000])
def test_kit_report_of_nonsense_changes_nothing(client, kit, body):
    with assert_no_event():
        answer = report(client, kit, body)

    kit.refresh_from_db()
    assert (answer.status_code, kit.reported) == (400, {})


def test_kit_report_of_a_replaced_kit_changes_nothing(client, kit, alice):
    issue_kit(kit.account, after_generation=1, by=alice)

    with assert_no_event():
        answer = report(client, kit)

    assert (answer.status_code, answer.text) == (410, OVER)
    assert list(Kit.objects.values_list("reported", flat=True)) == [{}, {}]


@pytest.mark.parametrize("end", ["disconnected", "expired"])
def test_kit_report_of_a_kit_that_is_over_changes_nothing(client, kit, alice, end):
    if end == "expired":
        Kit.objects.update(state="expired")
    else:
        CloudAccount.objects.update(state="connected", connected_at=timezone.now())
        disconnect_account(kit.account, by=alice)

    with assert_no_event():
        answer = report(client, kit)

    kit.refresh_from_db()
    assert (answer.status_code, answer.text, kit.reported) == (410, OVER, {})


@pytest.mark.parametrize("end", ["withdrawn", "replaced"])
def test_kit_report_by_a_link_ends_with_the_link_and_that_of_the_owner_does_not(client, acme, alice, end):
    """What a colleague copied says nothing any more once the link was taken back."""
    issue_kit(make_cloud_account(organisation=acme, cloud="gcp", **GCP), after_generation=0, by=alice)
    kit = Kit.objects.select_related("account__organisation").get()
    _link, address = send_step(kit.account, by=alice)
    page = html.unescape(client.get(address.removeprefix("http://localhost:8000")).text)
    (told,) = set(re.findall(r"http://localhost:8000(/kits/report/[^'<\s]+/)", page))
    with assert_one_event(kit.account.organisation, action="cloud_account.kit_reported"):
        assert client.post(told, POOL, content_type="application/json").status_code == 200
    Kit.objects.update(reported={})
    if end == "withdrawn":
        withdraw_step(kit.account, by=alice)
    else:
        send_step(kit.account, by=alice)

    with assert_no_event():
        answer = client.post(told, POOL, content_type="application/json")

    kit.refresh_from_db()
    assert (answer.status_code, answer.text, kit.reported) == (410, OVER, {})
    assert report(client, kit, POOL).status_code == 200


def test_kit_report_to_a_forged_address_is_not_found(client, kit):
    forged = report_url(kit).removeprefix("http://localhost:8000")[:-3] + "x/"

    assert client.post(forged, ARN, content_type="text/plain").status_code == 404


def test_kit_report_after_connecting_changes_nothing(client, kit):
    kit.account.state = AccountState.CONNECTED
    kit.account.save()

    with assert_no_event():
        answer = report(client, kit)

    assert answer.content.decode() == "The portal knows already.\n"


def test_kit_report_of_another_account_ends_no_attempt(client, kit):
    """Whoever has seen the command could send it."""
    report(client, kit, ARN.replace("111122223333", "999900001111"))

    kit = Kit.objects.select_related("account").get()
    assert "external_id" not in kit.reported
    assert kit.account.state == AccountState.WAITING_FOR_KIT


def test_kit_report_that_floods_is_stopped(client, kit):
    codes = [report(client, kit, f"{ARN}{number}").status_code for number in range(25)]

    assert codes == [200] * 20 + [429] * 5
    assert Event.objects.filter(action="cloud_account.kit_reported").count() == 20


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_kit_report_keeps_only_what_a_database_can_hold(kit, text):
    assert report_kit_itself(kit, report=Report({"stack": text + "x" * 1000}))

    kit.refresh_from_db()
    assert kit.reported["stack"].startswith("abx")
    assert len(kit.reported["stack"]) == 300


# --- What reads a report, for every kit: anybody may send anything ---

CLIENT = "605aaa51-8c1a-4699-a3ba-9ada7b28db45"
# No longer than a report may be. The first is what once held a worker for a minute.
HOSTILE = {
    "a word and a gap": "a" * 1300 + " " * 2600 + "!",
    "a name and a gap": "clientId" + " " * 3991 + "!",
    "names": "clientId " * 444,
    "names in one word": "clientId" * 500,
    "underscores": "a_" * 2000,
    "gaps and quotes": "client_id " + "\"' :=" * 800,
    "colons": "client_id" + ":" * 3990,
    "half an id": "605aaa51-8c1a-4699-" * 210,
    "digits": "0" * 4000,
    "spaces": " " * 4000,
    "lines": "\n\t" * 2000,
    "quotes": '"' * 4000,
    "backslashes": '{"a": "' + "\\" * 3990,
    "braces": "{" * 4000,
    "brackets": "[" * 4000,
    "objects": '{"a":' * 800,
    "closed objects": '{"a":' * 660 + "1" + "}" * 660,
    "names of one object": "{" + ",".join(f'"{number}":{number}' for number in range(300)) + "}",
    "a number": '{"kit": "gcp", "version": ' + "9" * 3970 + "}",
    "half ARNs": "arn:aws" * 570,
    "ARNs without an account": "arn:aws:a:" * 400,
    "an ARN of dashes": "arn:aws" + "-" * 3990,
    "half pools": "projects/1234567/locations/" * 148,
    "pools": POOL[:-1] * 52,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_is_read_in_no_time(cloud, text):
    kit = kits.load(cloud)
    begun = time.thread_time()

    kit.read_report(text[:4000])

    assert time.thread_time() - begun < 0.05


def saying(cloud, text):
    """A report that its kit knows, with `text` wherever there is room for it."""
    if cloud == "aws":
        return f"{text} {ARN}{text} {text}"
    if cloud == "azure":
        said = dict.fromkeys(("support_client_id", "tenant_id", "subscription_id", "region", "kit", text), text)
        return json.dumps({**said, "client_id": CLIENT})
    return json.dumps({"kit": "gcp", **dict.fromkeys(("version", "generation", "project_number", "project_id", "region", text), text)})


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 400, "\x1b[31m", "<b>", "１２３４５６７"], ids=ascii)
@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_keeps_nothing_strange(cloud, text):
    found = kits.load(cloud).read_report(saying(cloud, text))

    assert found is not None
    for value in (*found.values.values(), found.external_id, found.region):
        assert re.fullmatch("[!-~]{0,300}", value)


@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_of_a_known_form_is_kept_by_the_database(client, acme, alice, cloud):
    """The characters that no database holds, by the public address."""
    account = make_cloud_account(
        organisation=acme, cloud=cloud, external_id="111122223333", identity={"tenant_id": CLIENT, "project_number": "123456789012"}
    )
    issue_kit(account, after_generation=0, by=alice)
    kit = Kit.objects.select_related("account").get()

    answer = report(client, kit, saying(cloud, "a\0b\ud800").encode(errors="replace"))

    assert answer.status_code == 200
    kit.refresh_from_db()
    assert "\0" not in json.dumps(kit.reported, ensure_ascii=False)
