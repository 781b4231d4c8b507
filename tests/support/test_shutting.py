"""The customer's own way to shut support access, which needs no portal: the printed commands, and that they work."""

import html
import json
import shlex

import pytest
from django.urls import reverse

from accounts.clouds import SUPPORT
from accounts.kits import KITS
from accounts.shutting import ways_to_shut
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest
from accounts.support.states import AccessState
from tests.factories import make_cloud_account, make_watched_account
from tests.support.factories import make_active
from tests.support.sessions import make_standing, make_standing_grant, open_access

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


def test_aws_refuses_the_open_session_once_the_printed_denial_is_there(acme, alice, sandbox, monkeypatch, mailoutbox):
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)
    request = make_standing_grant(standing)
    door = open_access(request)
    assert not cloud_for(request).probe(opened(door), granted(request)).is_refused
    words = shlex.split(ways_to_shut(standing.account)[0].command.replace("\\\n", ""))
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert words[:3] == ["aws", "iam", "put-role-policy"]
    json.loads(options["--policy-document"])

    # By the customer's own hand, not through the portal.
    standing.hand.iam.put_role_policy(
        RoleName=options["--role-name"], PolicyName=options["--policy-name"], PolicyDocument=options["--policy-document"]
    )

    assert cloud_for(request).probe(opened(door), granted(request)).is_refused
