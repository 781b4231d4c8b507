"""Home: what needs this person, what to set up, where everybody lands."""

import pytest

from accounts.states import AccountState
from accounts.views import home
from tests.factories import make_cloud_account, make_contact, make_membership, make_user

pytestmark = pytest.mark.django_db


def needs(client, organisation):
    return [(need.kind, need.title, need.act) for need in client.get(f"/o/{organisation.slug}/").context["needs"]]


def test_home_lists_what_needs_an_operator(client, acme, bob):
    make_cloud_account(organisation=acme, name="A draft")
    make_cloud_account(organisation=acme, name="B waiting", state=AccountState.WAITING_FOR_KIT)
    make_cloud_account(organisation=acme, name="C failed", state=AccountState.FAILED)
    make_cloud_account(organisation=acme, name="D connected", state=AccountState.CONNECTED)
    client.force_login(bob)

    assert needs(client, acme) == [
        ("neutral", "Continue connecting A draft", "Continue"),
        ("attention", "Run the kit for B waiting", "Continue"),
        ("critical", "Connecting C failed failed", "See what happened"),
    ]


def test_home_asks_nothing_of_who_may_only_read(client, acme):
    reader = make_membership(organisation=acme, role="auditor").user
    make_cloud_account(organisation=acme, state=AccountState.FAILED)
    client.force_login(reader)

    assert needs(client, acme) == []
    assert client.get("/o/acme/").context["tasks"] == []
    assert "/accounts/connect/" not in client.get("/o/acme/accounts/").content.decode()


def test_home_set_up_list_follows_the_rows(client, acme, alice):
    client.force_login(alice)
    assert [task.badge[1] for task in client.get("/o/acme/").context["tasks"]] == ["Not yet started"] * 3

    make_membership(organisation=acme)
    make_contact(organisation=acme)
    make_cloud_account(organisation=acme, state=AccountState.CONNECTED)

    assert [task.badge[1] for task in client.get("/o/acme/").context["tasks"]] == ["Completed"] * 3


def test_home_puts_the_set_up_list_last_once_it_is_done(client, acme, alice):
    client.force_login(alice)
    make_cloud_account(organisation=acme, name="Staging")
    page = client.get("/o/acme/").content.decode()
    assert page.index("Get set up") < page.rindex("Staging")

    make_membership(organisation=acme)
    make_contact(organisation=acme)
    make_cloud_account(organisation=acme, name="Production", state=AccountState.CONNECTED)
    page = client.get("/o/acme/").content.decode()

    assert page.index("Production") < page.index("<summary>Get set up: all done</summary>")


def test_home_without_an_account_begins_with_connecting_one(client, acme, alice):
    client.force_login(alice)

    assert needs(client, acme) == [("neutral", "Connect your first cloud account", "Start connecting")]
    assert "Nothing waits for you." not in client.get("/o/acme/").content.decode()


def test_home_without_an_account_tells_a_reader_who_connects_and_what_to_read(client, acme):
    client.force_login(make_membership(organisation=acme, role="auditor").user)

    page = client.get("/o/acme/").content.decode().split("No cloud account yet")[1].split("</section>")[0]

    assert "An owner or operator of your organisation connects one." in page
    assert 'href="/o/acme/settings/security/"' in page


def test_home_that_shows_not_all_accounts_leads_to_the_list(client, acme, alice, monkeypatch):
    for _number in range(2):
        make_cloud_account(organisation=acme)
    client.force_login(alice)
    assert "See all cloud accounts" not in client.get("/o/acme/").content.decode()

    monkeypatch.setattr(home, "SHOWN_ACCOUNTS", 1)

    assert "See all cloud accounts" in client.get("/o/acme/").content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_home_asks_the_database_the_same_at_any_size(client, acme, alice, rows, django_assert_num_queries):
    for _row in range(rows):
        make_cloud_account(organisation=acme, state=AccountState.CONNECTED)
    client.force_login(alice)
    client.get("/o/acme/")

    with django_assert_num_queries(17):
        client.get("/o/acme/")


@pytest.mark.parametrize(
    ("fields", "leads_to"),
    [({"is_support_engineer": True}, "/support/"), ({"is_staff": True}, "/admin/"), ({}, "/organisations/new/")],
)
def test_home_redirect_of_who_has_no_organisation(client, fields, leads_to):
    client.force_login(make_user(**fields))

    assert client.get("/").headers["Location"] == leads_to


def test_home_redirect_leads_to_the_organisation_used_last(client, alice):
    other = make_membership(user=alice).organisation
    client.force_login(alice)
    assert client.get("/").headers["Location"] == "/o/acme/"

    client.post("/organisations/switch/", {"slug": other.slug})

    assert client.get("/").headers["Location"] == f"/o/{other.slug}/"
