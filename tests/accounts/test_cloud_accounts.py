"""Cloud accounts: the list with its filters, one account with its tabs."""

import pytest
from django.urls import reverse

from accounts import kits
from accounts.models import TrustCheck
from accounts.models.cloud_accounts import SHOWN_STATES
from accounts.states import AccountState
from tests.factories import (
    make_cloud_account,
    make_disabled_account,
    make_kit,
    make_lost_account,
    make_membership,
    make_prepared_account,
    make_watched_account,
)
from tests.fragments import assert_same_fragment

pytestmark = pytest.mark.django_db
TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"


@pytest.fixture
def member(client, bob):
    client.force_login(bob)
    return client


def names(response):
    return [account.name for account in response.context["accounts"]]


def test_account_list_is_empty_with_a_way_on(member, acme):
    shown = member.get("/o/acme/accounts/").content.decode()

    assert "No cloud account yet" in shown
    assert shown.count('href="/o/acme/accounts/connect/"') == 1
    assert 'name="q"' not in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Production", "Staging"]),
        ({"q": "prod"}, ["Production"]),
        ({"q": "1111-2222-3333"}, ["Production"]),
        ({"q": "eu-west"}, ["Staging"]),
        ({"state": "connected"}, ["Staging"]),
        ({"state": "no such state"}, ["Production", "Staging"]),
        ({"q": "prod", "state": "connected"}, []),
        ({"q": "\x00"}, ["Production", "Staging"]),
    ],
)
def test_account_list_filters_by_the_url(member, acme, query, found):
    make_cloud_account(organisation=acme, name="Production", external_id="111122223333")
    make_cloud_account(organisation=acme, name="Staging", home_region="eu-west-1", state=AccountState.CONNECTED)
    make_cloud_account(name="Somebody else's")

    assert names(member.get("/o/acme/accounts/", query)) == found


def test_account_list_filters_by_what_its_badges_say(member, acme, alice):
    make_prepared_account(acme, alice)
    make_cloud_account(organisation=acme, name="Draft")
    make_watched_account(organisation=acme, name="Connected")
    make_disabled_account(organisation=acme, name="Disabled")

    for value, label in SHOWN_STATES:
        found = member.get("/o/acme/accounts/", {"state": value}).context["accounts"]
        assert {account.state_words for account in found} <= {str(label)}
    assert names(member.get("/o/acme/accounts/", {"state": "prepared"})) == ["Prepared"]
    assert names(member.get("/o/acme/accounts/", {"state": "disabled"})) == ["Disabled"]
    assert names(member.get("/o/acme/accounts/", {"state": "draft"})) == ["Draft"]
    assert names(member.get("/o/acme/accounts/", {"state": "connected"})) == ["Connected"]


def test_account_list_tells_a_reader_who_connects(client, acme):
    client.force_login(make_membership(organisation=acme, role="auditor").user)

    shown = client.get("/o/acme/accounts/").content.decode()

    assert "An owner or operator of your organisation connects one." in shown
    assert reverse("accounts:security_packages", args=["acme"]) in shown


@pytest.mark.parametrize(
    ("tab", "title"),
    [
        ("account_detail", "Overview"),
        ("account_environment", "Environment"),
        ("account_trust", "Trust"),
        ("account_permissions", "Permissions"),
        ("account_kit", "Kit"),
        ("account_activity", "Activity"),
    ],
)
def test_account_page_title_names_its_tab_first(member, acme, tab, title):
    account = make_watched_account(organisation=acme, name="Production")

    assert f"<title>{title} – Production – Fernhill</title>" in member.get(reverse(f"accounts:{tab}", args=["acme", account.pk])).text


def test_account_list_without_a_match_offers_to_clear(member, acme):
    make_cloud_account(organisation=acme)

    shown = member.get("/o/acme/accounts/?q=zzz").content.decode()

    assert "No account matches" in shown
    assert "No cloud account of your organisation has these words or this state." in shown
    assert '<a class="button button-quiet" href="/o/acme/accounts/">Clear the filters</a>' in shown
    assert 'value="zzz"' in shown


def test_account_list_fragment_is_its_piece_of_the_page(member, acme):
    make_cloud_account(organisation=acme)
    page = member.get("/o/acme/accounts/")
    fragment = member.get("/o/acme/accounts/", headers={"HX-Request": "true"})

    assert "HX-Request" in fragment.headers["Vary"]
    assert_same_fragment(page.content.decode(), fragment.content.decode())


@pytest.mark.parametrize("rows", [1, 3])
def test_account_list_asks_the_database_the_same_at_any_size(member, acme, rows, django_assert_num_queries):
    for _row in range(rows):
        make_cloud_account(organisation=acme)
    member.get("/o/acme/accounts/")

    with django_assert_num_queries(6):
        member.get("/o/acme/accounts/")


@pytest.mark.parametrize("state", list(AccountState))
@pytest.mark.parametrize("tab", ["account_detail", "account_permissions", "account_kit", "account_activity", "account_record"])
def test_account_page_in_every_state(member, acme, state, tab):
    account = make_cloud_account(organisation=acme, state=state)
    make_kit(account=account)

    assert member.get(reverse(f"accounts:{tab}", args=[acme.slug, account.pk])).status_code == 200


def test_account_permissions_show_what_the_last_verification_found(member, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.CONNECTED)
    first, second = kits.load("aws").permissions[:2]
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name=first.key, is_ok=True)
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name=second.key, is_ok=False, detail="implicitDeny")

    rows = member.get(reverse("accounts:account_permissions", args=[acme.slug, account.pk])).context["rows"]

    found = {permission.key: check and check.is_ok for permission, check in rows}
    assert (found[first.key], found[second.key]) == (True, False)
    assert set(found.values()) == {True, False, None}
    assert len(rows) == len(kits.load("aws").permissions)


def test_account_detail_counts_what_is_held(member, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.CONNECTED)
    for number, is_ok in enumerate([True, True, False]):
        TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name=f"ec2:Action{number}", is_ok=is_ok)

    shown = member.get(account.get_absolute_url()).content.decode()

    assert "2 of 3 held" in shown


@pytest.mark.parametrize("make", [make_disabled_account, make_lost_account])
def test_account_detail_gives_old_counts_their_date_while_the_trust_does_not_hold(member, acme, make):
    account = make(organisation=acme)
    held = TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name="ec2:CreateVpc", is_ok=True)

    shown = member.get(account.get_absolute_url()).content.decode()

    assert f'1 of 1 held</a> · as last verified <time datetime="{held.checked_at:%Y-%m-%dT%H:%M:%SZ}">' in shown


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_account_names_kits_and_identities_alike_in_every_cloud(member, acme, cloud):
    identity = {"gcp": {"project_number": "123456789012"}, "azure": {"tenant_id": TENANT}}.get(cloud, {})
    account = make_watched_account(organisation=acme, cloud=cloud, identity=identity)
    for name in ("ops_as_support", "support_as_ops"):
        TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.REFUSAL, name=name, is_ok=True)

    shown = member.get(account.get_absolute_url()).content.decode()
    assert "A support token on the operator identity" in shown
    assert "An operations token on the support identity" in shown
    shown = member.get(reverse("accounts:account_kit", args=[acme.slug, account.pk])).content.decode()
    assert shown.count("Kit number") == 2
    assert "Attempt" not in shown
