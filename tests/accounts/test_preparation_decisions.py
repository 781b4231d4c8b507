"""Assisted onboarding: only the customer decides and goes on from there."""

import hashlib
from http import HTTPStatus

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.models import CloudAccount, Preparation
from accounts.terms import terms_of
from portal.operations.availability import NotAllowed
from tests.accounts.prepared import accept, account, sam, url
from tests.accounts.test_admin_people import office, staff  # noqa: F401  fixtures
from tests.activity import assert_no_event, assert_one_event
from tests.factories import answers_to_terms, make_cloud_account

__all__ = ["account", "sam"]  # fixtures


# --- The customer decides ------------------------------------------------------------------------------------------------


def test_terms_page_says_who_prepared_what_and_everything_that_matters(client, account, alice):
    client.force_login(alice)

    text = client.get(url(account)).text

    kit = kits.load("aws")
    assert "Sam Fern of Fernhill prepared this connection" in text
    assert "As discussed on the phone." in text
    assert f'value="{account.external_id}"' in text
    assert kit.content_hash in text
    assert [str(denial.promise) for denial in kit.denials if str(denial.promise) not in text.replace("&#x27;", "'")] == []
    assert terms_of("aws").sha256 in text


@pytest.mark.parametrize("cloud", kits.KITS)
def test_terms_are_made_from_the_kit(cloud):
    kit, terms = kits.load(cloud), terms_of(cloud)

    assert terms.sha256 == hashlib.sha256(terms.text.encode()).hexdigest()
    assert all(str(denial.promise) in terms.text for denial in kit.denials)
    assert all(str(switch.title) in terms.text for switch in kit.switches)
    assert kit.content_hash in terms.text
    counted = [int(line.rpartition(": ")[2].split()[0]) for line in terms.sections[1].lines[:-1]]
    assert sum(counted) == len(kit.permissions)


def test_accepting_is_recorded_and_the_wizard_goes_on(client, acme, account, alice):
    client.force_login(alice)

    with assert_one_event(acme, action="cloud_account.terms_accepted") as written:
        answer = client.post(url(account), answers_to_terms(account))

    preparation, terms = Preparation.objects.get(), terms_of("aws")
    assert answer["Location"] == url(account, "connect_review")
    assert (preparation.accepted_by, preparation.terms_hash, preparation.terms) == (alice, terms.sha256, terms.text)
    assert written.event.details == {"terms_hash": terms.sha256}
    assert client.get(url(account))["Location"] == url(account, "connect_review")
    assert client.get(url(account, "connect_review")).status_code == HTTPStatus.OK


def test_accepting_with_other_values_keeps_the_customers(client, acme, account, alice):
    client.force_login(alice)
    was = account.external_id

    with assert_one_event(acme) as written:
        client.post(url(account), answers_to_terms(account, name="Ours", external_id="4444 5555 6666", region="eu-west-1"))

    account.refresh_from_db()
    assert (account.name, account.external_id, account.home_region) == ("Ours", "444455556666", "eu-west-1")
    assert written.event.details["account_number"] == [was, "444455556666"]
    assert Preparation.objects.get().values["external_id"] == was


def test_accepting_a_text_that_has_changed_meanwhile_accepts_nothing(client, account, alice):
    client.force_login(alice)

    with assert_no_event():
        answer = client.post(url(account), answers_to_terms(account, terms_hash="0" * 64))

    assert answer.status_code == HTTPStatus.CONFLICT
    assert "The terms have changed" in answer.text
    assert Preparation.objects.undecided().count() == 1


def test_accepting_an_account_that_is_there_already_names_it(client, acme, account, alice):
    make_cloud_account(organisation=acme, external_id="111122223333", name="There")
    client.force_login(alice)

    with assert_no_event():
        answer = client.post(url(account), answers_to_terms(account, external_id="111122223333"))

    assert "already in your organisation as “There”" in answer.text


def test_accepting_twice_is_refused(account, alice):
    accept(account, alice)

    with assert_no_event(), pytest.raises(NotAllowed, match="nothing to decide"):
        accept(account, alice)


def test_accepting_asks_for_a_recent_proof(client, account, alice):
    client.force_login(alice)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}]
    session.save()

    with assert_no_event():
        answer = client.post(url(account), answers_to_terms(account))

    assert answer["Location"].startswith(reverse("account_reauthenticate"))


def test_declining_keeps_the_reason_for_staff_and_discards_the_draft(office, client, acme, account, alice):  # noqa: F811
    customer = type(client)()
    customer.force_login(alice)

    with assert_one_event(acme, action="cloud_account.preparation_declined") as written:
        answer = customer.post(url(account, "connect_decline"), {"reason": "Wrong account"})

    assert answer["Location"] == reverse("accounts:account_list", args=["acme"])
    assert written.event.sentence == "Declined the prepared connection: Wrong account"
    assert not CloudAccount.objects.exists()
    preparation = Preparation.objects.get()
    assert (preparation.account, preparation.declined_by) == (None, alice)
    listed = office.get(reverse("admin:accounts_preparation_changelist"), {"decision": "declined"})
    assert "Wrong account" in listed.text


def test_declining_needs_a_reason(client, account, alice):
    client.force_login(alice)

    with assert_no_event():
        answer = client.post(url(account, "connect_decline"), {"reason": " "})

    assert "Say in a sentence why" in answer.text
    assert CloudAccount.objects.exists()


def test_declining_what_is_accepted_leads_to_the_wizard(client, account, alice):
    accept(account, alice)
    client.force_login(alice)

    assert client.post(url(account, "connect_decline"), {"reason": "Late"})["Location"] == url(account, "connect_review")


# --- What the database keeps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("preparation_accepted_who_when_and_what", {"accepted_at": timezone.now()}),
        ("preparation_declined_who_when_and_why", {"declined_at": timezone.now(), "decline_reason": "No"}),
    ],
)
def test_decision_names_who_and_what(constraint, values, account):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Preparation.objects.update(**values)


def test_decision_is_one_of_two(account, alice):
    now = timezone.now()
    both = {
        "accepted_at": now,
        "accepted_by": alice,
        "terms_hash": "1" * 64,
        "declined_at": now,
        "declined_by": alice,
        "decline_reason": "No",
    }
    with pytest.raises(IntegrityError, match="preparation_decided_once"), transaction.atomic():
        Preparation.objects.update(**both)


# --- Two tabs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["connect_decline", "connect_terms"])
def test_answer_that_comes_after_acceptance_is_told_so(client, account, alice, name):
    client.force_login(alice)
    accept(account, alice)
    late = "Nothing was declined." if name == "connect_decline" else "Nothing was accepted now."

    with assert_no_event():
        response = client.post(url(account, name), {"reason": "Not now"}, follow=True)

    assert response.redirect_chain[-1][0] == url(account, "connect_review")
    assert f"{late} Alice accepted the terms on " in response.text
    assert "To give the connection up, stop connecting and discard the draft." in response.text
    opened = client.get(url(account, name), follow=True).text
    assert "Alice accepted the terms on " in opened
    assert late not in opened
    account.refresh_from_db()
    assert account.wizard_step == "review"
