"""Looking again from the Environment page: who may, and what the live part polls."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.access import Role
from accounts.environment.page import build_page
from accounts.models import Assessment, CloudAccount, EnvironmentFinding
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.accounts.environment_pages import CHECKS, REGION, account, address, member, shown
from tests.environments import make_assessment, make_connected_account
from tests.factories import make_cloud_account, make_membership
from tests.fragments import assert_same_fragment

__all__ = ["account", "member"]  # fixtures


# --- Looking again -------------------------------------------------------------------------------------------------------


def test_check_all_starts_a_look(member, account, alice):
    response = member.post(address(account, name="account_environment_check"), {"region": "us-east-1"})

    assessment = Assessment.objects.get()
    assert (response.status_code, response["Location"]) == (302, address(account, region="us-east-1"))
    assert (assessment.region, assessment.trigger, assessment.requested_by) == ("us-east-1", "person", alice)
    assert assessment.operation.data["only"] == []


def test_check_one_asks_for_that_one(member, account):
    make_assessment(account=account)

    member.post(address(account, name="account_environment_check"), {"region": REGION, "only": "zones"})

    assert Assessment.objects.newest_first().first().operation.data["only"] == ["zones"]


def test_check_while_one_is_under_way_says_so(member, account):
    member.post(address(account, name="account_environment_check"), {"region": REGION})
    response = member.post(address(account, name="account_environment_check"), {"region": REGION})

    assert [str(message) for message in get_messages(response.wsgi_request)] == ["eu-west-1 is being checked already."]
    assert Operation.objects.count() == 1


@pytest.mark.parametrize("data", [{}, {"region": "mars-1"}, {"region": REGION, "only": "nonsense"}])
def test_check_of_nothing_known_starts_nothing(member, account, data):
    assert member.post(address(account, name="account_environment_check"), data).status_code == 302
    assert not Operation.objects.exists()


def test_check_of_an_account_that_is_not_connected_starts_nothing(member, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.DISCONNECTED)

    response = member.post(address(account, name="account_environment_check"), {"region": REGION})

    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "The environment can be checked once the account is connected."
    ]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(("role", "may"), [(Role.OWNER, True), (Role.OPERATOR, True), (Role.APPROVER, False), (Role.AUDITOR, False)])
def test_everybody_reads_and_who_runs_operations_looks_again(client, account, acme, role, may):
    make_assessment(account=account)
    client.force_login(make_membership(organisation=acme, role=role).user)

    page = shown(client, account).text
    posted = client.post(address(account, name="account_environment_check"), {"region": REGION}).status_code

    assert ("Check all again" in page, "Check this again" in page) == (may, may)
    assert posted == (302 if may else 403)


def test_account_of_others_does_not_exist(client, account, charlie):
    make_assessment(account=account)
    client.force_login(charlie)

    for name in ("account_environment", "account_environment_status", "account_environment_export"):
        assert client.get(address(account, name=name)).status_code == 404
        assert client.get(reverse(f"accounts:{name}", args=["globex", account.pk])).status_code == 404
    assert client.post(reverse("accounts:account_environment_check", args=["globex", account.pk]), {"region": REGION}).status_code == 404
    assert Operation.objects.live().count() == 0


# --- The live part -------------------------------------------------------------------------------------------------------


def make_running(account):
    """Under way: two answers are there, the others are awaited."""
    assessment = make_assessment(account=account, state=OperationState.RUNNING)
    assessment.findings.exclude(name__in=["identity", "permissions"]).delete()
    return assessment


def test_look_under_way_shows_each_answer_as_it_comes(member, account):
    make_running(account)

    page = shown(member, account)

    assert "Checking eu-west-1: 2 of 12 answered." in page.text
    assert page.text.count("Being asked") == 11  # ten checks and their heading
    assert 'hx-trigger="every 2s"' in page.text
    assert "Check all again" not in page.text


def test_status_is_a_piece_of_the_page(member, account):
    make_running(account)

    fragment = member.get(address(account, name="account_environment_status"))

    assert_same_fragment(shown(member, account).text, fragment.text)


def test_status_that_has_ended_is_a_piece_of_the_page_and_polls_no_more(member, account):
    make_assessment(account=account)

    fragment = member.get(address(account, name="account_environment_status")).text

    assert_same_fragment(shown(member, account).text, fragment)
    assert "hx-trigger" not in fragment
    assert 'id="environment-more" hx-swap-oob="true"' in fragment
    assert '<div hx-swap-oob="innerHTML:#announcer">Ready for a deployment cell in eu-west-1.</div>' in fragment


def test_status_without_news_is_empty(member, account):
    assessment = make_running(account)
    version = build_page(account, REGION).version
    there = f"{address(account, name='account_environment_status', region=REGION)}&v={version}"

    assert member.get(there).status_code == 204
    EnvironmentFinding.objects.create(assessment=assessment, name="zones", verdict="pass")
    assert member.get(there).status_code == 200


def test_look_that_failed_says_why_and_the_one_before_stands(member, account):
    make_assessment(account=account, started_at=timezone.now() - timedelta(hours=2))
    make_assessment(account=account, verdicts=dict.fromkeys(CHECKS, ""), state=OperationState.FAILED)

    page = shown(member, account).text

    assert "AWS did not let the portal in, so nothing could be checked." in page
    assert "Ready for a deployment cell in eu-west-1." in page


@pytest.mark.parametrize("verdict", ["pass", "warn", "block", "unknown"])
@pytest.mark.parametrize("cloud", Cloud.values)
def test_environment_of_every_cloud_has_words_for_every_check(member, acme, alice, cloud, verdict):
    kit = kits.load(cloud)
    account = make_connected_account(organisation=acme, created_by=alice, home_region=kit.default_region)
    CloudAccount.objects.filter(pk=account.pk).update(cloud=cloud)
    account.refresh_from_db()
    make_assessment(account=account, verdicts={check.name: verdict for check in kit.environment_checks})

    page = build_page(account, kit.default_region)

    assert len(page.rows) == len(kit.environment_checks)
    assert [row.check.name for row in page.rows if not row.sentence and verdict in {"pass", "unknown"}] == []
    assert member.get(address(account)).status_code == 200
