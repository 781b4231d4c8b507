"""The customer's own way to shut support access, which needs no portal: the printed commands, and that they work."""

import html
import json
import shlex

import pytest
from django.urls import reverse

from accounts.clouds import SUPPORT
from accounts.kits import KITS
from accounts.kits.base import Act
from accounts.shutting import ways_to_shut
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest
from accounts.support.states import AccessState
from accounts.support.tasks import open_due_grants
from tests.factories import make_cloud_account, make_watched_account
from tests.support.factories import make_active
from tests.support.sessions import close_access, drive, make_standing, make_standing_grant, open_access

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("cloud", sorted(KITS))
def test_commands_name_what_this_accounts_kit_has_made(cloud, acme):
    belongs = {"aws": {}, "gcp": {"project_number": "123456789012"}, "azure": {"tenant_id": "3" * 8}}[cloud]
    account = make_watched_account(organisation=acme, cloud=cloud, identity=belongs)
    ways = ways_to_shut(account)

    assert all(way.text and way.command for way in ways)
    assert any(account.kits.get().suffix in way.command for way in ways) or cloud not in SUPPORT
    assert ways_to_shut(make_cloud_account(organisation=acme, cloud=cloud)) == ()


def test_commands_stand_on_the_page_of_open_access_and_in_the_security_package(client, acme, alice):
    account = make_watched_account(organisation=acme, name="Main account")
    request = make_active(organisation=acme, account=account)
    command = ways_to_shut(account)[0].command
    client.force_login(alice)

    package = client.get(reverse("accounts:security_package", args=["acme", "aws"])).text
    file = client.get(reverse("accounts:security_package_file", args=["acme", "aws"])).json()
    page = client.get(request.get_absolute_url()).text

    assert command in html.unescape(package)
    assert command in html.unescape(page)
    assert file["shut_support_access"][0]["ways"][0]["command"] == command
    assert '<details class="disclosure" open>' not in page


def test_end_that_is_not_confirmed_is_loud_on_both_sides(client, acme, alice):
    account = make_watched_account(organisation=acme, name="Main account")
    request = make_active(organisation=acme, account=account)
    AccessRequest.objects.filter(pk=request.pk).update(state=AccessState.CLOSE_FAILED, ends_as="revoked")
    client.force_login(alice)

    page = client.get(request.get_absolute_url()).text
    assert "The end is not confirmed" in page
    assert '<details class="disclosure" open>' in page
    assert "The end of access to" in client.get(reverse("accounts:home", args=["acme"])).text
    client.force_login(request.engineer)
    for name in ("case_detail", "session"):
        assert "The end is not confirmed" in client.get(reverse(f"support:{name}", args=[request.pk])).text, name


@pytest.fixture(params=sorted(SUPPORT))
def standing(request, acme, alice, sandbox, monkeypatch, mailoutbox):
    return make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, cloud=request.param)


def test_cloud_refuses_the_open_session_once_the_printed_commands_were_run(standing):
    """By the customer's own hand, and nothing of the portal's: neither its switch nor its files."""
    request = make_standing_grant(standing, profile="logs")
    door = open_access(request)
    assert not cloud_for(request).probe(opened(door), granted(request)).is_refused

    for way in printed(standing):
        run(standing, way.command)

    assert cloud_for(request).probe(opened(door), granted(request)).is_refused


def test_printed_commands_alone_keep_the_portal_from_opening_it_again(standing):
    """An access that was approved and is about to begin."""
    request = make_standing_grant(standing)
    for way in printed(standing):
        run(standing, way.command)

    open_due_grants()
    operation = drive("open_support_access")
    close_access(request)

    assert (operation.failure_code, request.state) == ("support_switched_off", "activation_failed")


def printed(standing) -> list[Act]:
    """What the page prints without the kit's own run, which comes last and needs the provider's files."""
    ways = list(ways_to_shut(standing.account))
    return ways[:1] if standing.account.cloud == "aws" else ways[:-1]


def run(standing, command: str) -> None:
    {"aws": run_aws, "azure": run_azure, "gcp": run_gcp}[standing.account.cloud](standing, command)


def run_aws(standing, command: str) -> None:
    words, options = words_of(command)
    assert words[:3] == ["aws", "iam", "put-role-policy"]
    json.loads(options["--policy-document"])
    standing.hand.iam.put_role_policy(
        RoleName=options["--role-name"], PolicyName=options["--policy-name"], PolicyDocument=options["--policy-document"]
    )


def run_gcp(standing, command: str) -> None:
    """By the shell, as pasted."""
    standing.hand.run_line(command)


def run_azure(standing, command: str) -> None:
    """Each command's own words, which must name what stands there."""
    for line in command.replace("\\\n", "").splitlines():
        words, options = words_of(line)
        if words[:3] == ["az", "tag", "update"]:
            assert options["--operation"] == "Merge"
            assert options["--resource-id"].lower() == f"{standing.hand.account.scope}{standing.hand.kit_group}".lower()
            standing.hand.tag(*options["--tags"].split("="))
            continue
        assert words[:4] == ["az", "role", "assignment", "delete"]
        for entry in standing.hand.assignments(options["--role"].removeprefix(f"byoc-{standing.hand.target.suffix}-")):
            assert entry["properties"]["scope"].lower() == options["--scope"].lower()
            standing.hand.remove(entry["id"])


def words_of(line: str) -> tuple[list[str], dict[str, str]]:
    words = shlex.split(line.replace("\\\n", ""))
    return words, {word: words[place + 1] for place, word in enumerate(words[:-1]) if word.startswith("--")}
