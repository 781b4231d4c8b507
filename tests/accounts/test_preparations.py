"""Assisted onboarding: staff prepare a draft, and go no further."""

from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.actions.connect import DuplicateAccount, accept_review, discard_draft, issue_kit, save_identity, save_place
from accounts.actions.preparations import decline_preparation, prepare_connection
from accounts.actions.renewal import start_renewal
from accounts.models import CloudAccount, Organisation, Preparation
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState
from portal.operations.availability import NotAllowed
from tests.accounts.prepared import accept, account, sam, url
from tests.accounts.test_admin_people import office, staff  # noqa: F401  fixtures
from tests.activity import assert_no_event, assert_one_event
from tests.factories import answers_to_terms, make_cloud_account, make_membership, make_prepared_account, make_user, make_watched_account

__all__ = ["account", "sam"]  # fixtures
AWS = {"name": "Production", "external_id": "111122223333", "identity": {}, "region": "eu-west-1"}
TENANT = "1d2c3b4a-1111-4222-8333-444455556666"
SUBSCRIPTION = "8f2f4c1e-1111-4222-8333-444455556666"


# --- Staff prepare -------------------------------------------------------------------------------------------------------


def test_prepare_connection_makes_a_draft_and_tells_the_owners(acme, alice, bob, sam, mailbox, django_capture_on_commit_callbacks):
    make_membership(organisation=acme, user=make_user(email="second@people.example"), role=Role.OWNER)

    with assert_one_event(acme, action="cloud_account.prepared") as written, django_capture_on_commit_callbacks(execute=True):
        preparation = prepare_connection(organisation=acme, cloud=Cloud.AWS, note="Call me.", by=sam, **AWS)

    account = preparation.account
    assert (account.state, account.wizard_step, account.created_by) == (AccountState.DRAFT, "terms", sam)
    assert (written.event.actor_kind, written.event.actor_name) == ("staff", "Sam Fern")
    assert written.event.details["note"] == "Call me."
    assert sorted(mail.to[0] for mail in mailbox) == [alice.email, "second@people.example"]
    assert url(account) in mailbox[0].body
    assert "Call me." in mailbox[0].body


@pytest.mark.parametrize("who", ["owner", "support"])
def test_prepare_connection_is_for_staff_alone(who, acme, alice):
    by = alice if who == "owner" else make_user(is_support_engineer=True)

    with assert_no_event(), pytest.raises(NotAllowed, match="Only provider staff"):
        prepare_connection(organisation=acme, cloud=Cloud.AWS, note="", by=by, **AWS)

    assert not CloudAccount.objects.exists()


def test_prepare_connection_of_an_account_that_is_there_names_it(acme, sam):
    existing = make_cloud_account(organisation=acme, external_id="111122223333")

    with assert_no_event(), pytest.raises(DuplicateAccount) as told:
        prepare_connection(organisation=acme, cloud=Cloud.AWS, note="", by=sam, **AWS)

    assert told.value.existing == existing
    assert not Preparation.objects.exists()


def test_staff_start_a_connection_from_the_organisations_page(office, acme, alice):  # noqa: F811
    page = office.get(reverse("admin:accounts_organisation_change", args=[acme.pk]))
    start = reverse("admin:accounts_organisation_start_connection", args=[acme.pk])
    assert f'href="{start}"' in page.text
    choice = office.get(start)
    assert "?cloud=gcp" in choice.text
    assert "<title>Start a connection for Acme – " in choice.text
    assert page.wsgi_request.path in choice.text.split('class="breadcrumbs"')[1].split("</div>")[0]
    assert f"Told by e-mail: {alice.email}." in office.get(f"{start}?cloud=azure").text

    sent = {"name": "Prod", "external_id": SUBSCRIPTION, "tenant_id": TENANT, "region": "westeurope", "note": "Hello"}
    with assert_one_event(acme, action="cloud_account.prepared"):
        answer = office.post(f"{start}?cloud=azure", sent, follow=True)

    account = acme.cloud_accounts.get()
    assert (account.cloud, account.external_id, account.identity) == ("azure", SUBSCRIPTION, {"tenant_id": TENANT})
    assert "Owners told by e-mail: 1." in answer.text
    assert "Prod" in answer.text
    assert SUBSCRIPTION in office.get(start).text.split("Waiting for the customer's decision")[1]


def test_start_connection_of_an_organisation_without_an_owner_says_that_nobody_is_told(office, acme):  # noqa: F811
    start = reverse("admin:accounts_organisation_start_connection", args=[acme.pk])

    for page in (start, f"{start}?cloud=aws"):
        assert "This organisation has no owner yet" in office.get(page).text
    assert "Told by e-mail" not in office.get(f"{start}?cloud=aws").text


def test_list_of_prepared_connections_says_where_one_is_started(office, acme, alice):  # noqa: F811
    address = reverse("admin:accounts_preparation_changelist")
    assert "Nobody has prepared a connection yet." in office.get(address).text
    assert "No prepared connection matches." in office.get(f"{address}?q=zzz").text

    make_prepared_account(acme, alice)

    assert "Nobody has prepared a connection yet." not in office.get(address).text


def test_start_connection_says_what_is_wrong(office, acme):  # noqa: F811
    make_cloud_account(organisation=acme, external_id="111122223333", name="There")
    start = reverse("admin:accounts_organisation_start_connection", args=[acme.pk]) + "?cloud=aws"

    with assert_no_event():
        short = office.post(start, {"name": "P", "external_id": "1", "region": "eu-west-1"})
        double = office.post(start, {"name": "P", "external_id": "111122223333", "region": "eu-west-1"})

    assert short.text.count("An AWS account number has 12 digits. You entered 1.") == 2  # above the form and at the field
    assert "<title>Error: Start a connection for Acme" in short.text
    assert "The customer has this account already, as “There”." in double.text


def test_start_connection_is_not_offered_for_an_organisation_that_has_closed(office, acme):  # noqa: F811
    page, start = (reverse(f"admin:accounts_organisation_{name}", args=[acme.pk]) for name in ("change", "start_connection"))
    Organisation.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    assert (f'href="{start}"' in office.get(page).text, office.get(start).status_code) == (False, HTTPStatus.NOT_FOUND)


@pytest.mark.parametrize("place", ["not-a-uuid", "0a1b2c3d-0000-4000-8000-000000000000"])
def test_start_connection_for_nobody_is_not_found(office, place):  # noqa: F811
    assert office.get(reverse("admin:accounts_organisation_start_connection", args=[place])).status_code == HTTPStatus.NOT_FOUND


def test_start_connection_is_closed_to_customers_and_support(client, acme, alice):
    start = reverse("admin:accounts_organisation_start_connection", args=[acme.pk]) + "?cloud=aws"
    for person in (alice, make_user(is_support_engineer=True)):
        client.force_login(person)
        with assert_no_event():
            answer = client.post(start, {"name": "P", "external_id": "111122223333", "region": "eu-west-1"})
        assert answer.status_code in {HTTPStatus.FOUND, HTTPStatus.FORBIDDEN}
    assert not CloudAccount.objects.exists()


# --- Staff go no further -------------------------------------------------------------------------------------------------

STAFF = {"staff": {"is_staff": True}, "superuser": {"is_staff": True, "is_superuser": True}, "support": {"is_support_engineer": True}}


@pytest.mark.parametrize("kind", STAFF)
def test_staff_never_decide_for_a_customer(kind, acme, account):
    """Not even one who is an owner of the organisation."""
    person = make_membership(organisation=acme, user=make_user(**STAFF[kind]), role=Role.OWNER).user

    with assert_no_event():
        for act in (lambda: accept(account, person), lambda: decline_preparation(account, reason="No", by=person)):
            with pytest.raises(NotAllowed, match="Provider staff cannot do this"):
                act()

    assert Preparation.objects.undecided().count() == 1


@pytest.mark.parametrize("kind", STAFF)
def test_staff_never_review_or_issue_a_kit_for_a_customer(kind, acme, account, alice):
    accept(account, alice)
    person = make_membership(organisation=acme, user=make_user(**STAFF[kind]), role=Role.OWNER).user

    with assert_no_event():
        for act in (lambda: accept_review(account, by=person), lambda: issue_kit(account, after_generation=0, by=person)):
            with pytest.raises(NotAllowed, match="Provider staff cannot do this"):
                act()

    assert not account.kits.exists()


@pytest.mark.parametrize("kind", STAFF)
def test_staff_never_renew_a_kit_for_a_customer(kind, acme):
    account = make_watched_account(organisation=acme)
    person = make_membership(organisation=acme, user=make_user(**STAFF[kind]), role=Role.OWNER).user

    with assert_no_event(), pytest.raises(NotAllowed, match="Provider staff cannot do this"):
        start_renewal(account, after_generation=1, by=person)

    assert account.kits.count() == 1


def test_staff_member_reads_the_terms_and_is_told_why_not(client, acme, account, sam):
    client.force_login(make_membership(organisation=acme, user=sam, role=Role.OWNER).user)

    assert "Provider staff cannot do this for a customer" in client.get(url(account)).text
    assert client.post(url(account), answers_to_terms(account)).status_code == HTTPStatus.CONFLICT


# --- Nothing goes on before the decision ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda account, by: save_identity(account, name="X", external_id="999988887777", by=by),
        lambda account, by: save_place(account, region="us-east-1", by=by),
        lambda account, by: accept_review(account, by=by),
        lambda account, by: issue_kit(account, after_generation=0, by=by),
        lambda account, by: discard_draft(account, by=by),
    ],
)
def test_prepared_draft_is_not_moved_before_its_terms_are_accepted(act, account, alice):
    with assert_no_event(), pytest.raises(NotAllowed, match="prepared for you"):
        act(account, alice)


@pytest.mark.parametrize("step", ["resume", "account", "place", "review", "preflight", "run", "waiting", "done"])
def test_every_page_of_the_wizard_leads_to_the_terms(step, client, account, alice):
    client.force_login(alice)

    answer = client.get(url(account, f"connect_{step}"), follow=True)

    assert answer.redirect_chain[-1][0] == url(account)


def test_prepared_connection_waits_on_home_and_in_the_list(client, account, alice):
    client.force_login(alice)

    assert "Decide about connecting Prepared" in client.get(reverse("accounts:home", args=["acme"])).text
    assert "Prepared for you" in client.get(reverse("accounts:account_list", args=["acme"])).text
    assert "Nothing goes on until you accept the terms" in client.get(account.get_absolute_url()).text
