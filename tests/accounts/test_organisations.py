"""Organisations: founded with a free address, renamed by owners, switched and remembered; where `/` leads."""

import threading
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.actions.organisations import create_organisation, found_for_customer
from accounts.forms.people import OrganisationForm
from accounts.models import Membership, Organisation
from portal.audit.models import Event
from tests.factories import make_membership, make_organisation, make_user


def events():
    return list(Event.objects.order_by("at").values_list("action", "subject_label", "details"))


# --- Founding --------------------------------------------------------------------------------------------------------


def test_create_organisation_makes_an_owner_and_leads_home(client, db):
    dora = make_user(name="Dora")
    client.force_login(dora)

    response = client.post(reverse("accounts:organisation_create"), {"name": "  Umbrella   & Söhne "})

    organisation = Organisation.objects.get()
    assert response["Location"] == "/o/umbrella-sohne/"
    assert (organisation.name, organisation.slug) == ("Umbrella & Söhne", "umbrella-sohne")
    assert organisation.memberships.get(user=dora).role == Role.OWNER
    dora.refresh_from_db()
    assert dora.current_organisation == organisation
    assert events() == [("organisation.created", "Umbrella & Söhne", {"name": "Umbrella & Söhne"})]


@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (["Acme", "acme", "ACME!"], ["acme", "acme-2", "acme-3"]),
        (["New", "Admin"], ["new-2", "admin-2"]),
        (["東京"], ["organisation-2"]),
        (["x" * 120, "x" * 120], ["x" * 50, "x" * 50 + "-2"]),
    ],
)
def test_create_organisation_finds_a_free_address(db, names, slugs):
    user = make_user()

    assert [create_organisation(name=name, by=user).slug for name in names] == slugs


@pytest.mark.django_db(transaction=True)
def test_two_people_founding_one_name_at_once_both_get_theirs():
    people, start, slugs = [make_user(), make_user()], threading.Barrier(2), []

    def found(user):
        start.wait()
        try:
            slugs.append(create_organisation(name="Acme", by=user).slug)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=found, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(slugs) == ["acme", "acme-2"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "Enter a name."),
        ("x", "Enter a name of at least 2 characters."),
        ("Win at https://evil.example", "Enter a name without a web address."),
        ("evil.com/x", "This reads like a web address. Put a space after the dot, or leave it out."),
        ("Win at evil.example", "This reads like a web address. Put a space after the dot, or leave it out."),
        ("Müller.de", "This reads like a web address. Put a space after the dot, or leave it out."),
        ("evil\u3002com", "This reads like a web address. Put a space after the dot, or leave it out."),
        ("evil\u200b.com", "This reads like a web address. Put a space after the dot, or leave it out."),
        ("call 203.0.113.7 now", "This reads like a web address. Put a space after the dot, or leave it out."),
    ],
)
def test_create_organisation_form_says_what_is_wrong(client, db, name, error):
    client.force_login(make_user())

    page = client.post(reverse("accounts:organisation_create"), {"name": name})

    assert page.context["form"].errors == {"name": [error]}
    assert "Error:" in page.text.split("</title>")[0]
    assert not Organisation.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["Acme Inc.", "St. Gallen AG", "J. P. Morgan & Co.", "S.p.A. Fratelli", "Büro Nr.1", "3.5 Grad e.V.", "東京。"],
)
def test_usual_names_of_companies_are_names(name):
    assert OrganisationForm({"name": name}).is_valid()


def test_organisations_a_person_sets_up_are_limited_a_day(client, db):
    dora = make_user()
    client.force_login(dora)
    for number in range(5):
        create_organisation(name=f"Acme {number}", by=dora)
    Membership.objects.filter(user=dora).delete()

    page = client.post(reverse("accounts:organisation_create"), {"name": "One more"})

    assert "You have set up 5 organisations in the last 24 hours, which is the limit." in page.text
    assert Organisation.objects.count() == 5
    assert create_organisation(name="Of somebody else", by=make_user())
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert create_organisation(name="A day later", by=dora)


def test_found_for_customer_invites_an_owner_and_adds_no_member(db):
    staff = make_user(name="Sam Fern", is_staff=True)

    organisation = found_for_customer(name="Initech", owner_email="bill@initech.example", reason="Contract 17", by=staff)

    assert organisation.memberships.count() == 0
    assert organisation.invitations.get().role == Role.OWNER
    assert events() == [
        ("organisation.created", "Initech", {"name": "Initech", "reason": "Contract 17"}),
        ("invitation.sent", "bill@initech.example", {"email": "bill@initech.example", "role": "owner"}),
    ]


# --- Settings --------------------------------------------------------------------------------------------------------


def test_rename_keeps_the_address(client, alice, acme):
    client.force_login(alice)

    page = client.post(reverse("accounts:organisation_settings", args=["acme"]), {"name": "Acme Rockets"}, follow=True)

    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("Acme Rockets", "acme")
    assert "saved" in page.text
    assert events() == [("organisation.renamed", "Acme Rockets", {"name": ["Acme", "Acme Rockets"]})]


def test_rename_to_the_same_name_records_nothing(client, alice, acme):
    client.force_login(alice)

    client.post(reverse("accounts:organisation_settings", args=["acme"]), {"name": "Acme"})

    assert events() == []


def test_member_reads_the_settings_and_cannot_save_them(client, bob, acme):
    client.force_login(bob)

    page = client.get(reverse("accounts:organisation_settings", args=["acme"]))
    response = client.post(reverse("accounts:organisation_settings", args=["acme"]), {"name": "Bobs"})

    assert "Owners can change the name." in page.text
    assert "Save name" not in page.text
    assert response.status_code == HTTPStatus.FORBIDDEN
    acme.refresh_from_db()
    assert acme.name == "Acme"


# --- Where `/` leads -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, "/organisations/new/"),
        ({"is_staff": True}, "/admin/"),
        ({"is_support_engineer": True}, "/support/"),
    ],
)
def test_home_without_organisation_fits_the_person(client, db, fields, place):
    client.force_login(make_user(**fields))

    assert client.get("/")["Location"] == place


def test_home_leads_to_the_organisation_switched_to_on_any_device(client, alice, acme):
    globex = make_membership(organisation=make_organisation(slug="globex"), user=alice).organisation
    client.force_login(alice)
    assert client.get("/")["Location"] == "/o/acme/"

    switched = client.post(reverse("accounts:organisation_switch"), {"slug": globex.slug})
    client.logout()
    client.force_login(alice)

    assert switched["Location"] == "/o/globex/"
    assert client.get("/")["Location"] == "/o/globex/"


def test_switch_to_a_strange_organisation_is_not_found(client, alice, charlie):
    client.force_login(alice)

    response = client.post(reverse("accounts:organisation_switch"), {"slug": "globex"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    alice.refresh_from_db()
    assert alice.current_organisation is None


# --- Support desk ----------------------------------------------------------------------------------------------------


def test_has_operational_contact_counts_only_operational(acme):
    from tests.factories import make_contact

    make_contact(organisation=acme, purpose="billing")
    assert acme.has_operational_contact() is False

    make_contact(organisation=acme)
    assert acme.has_operational_contact() is True
