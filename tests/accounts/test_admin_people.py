"""What provider staff see of people in Django's admin, and the two things they may do there."""

from http import HTTPStatus

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse

from accounts.models import Contact, Invitation, Membership, Organisation, User
from portal.audit.models import Event
from tests.accounts.signing_in import code, sign_in
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_contact, make_invitation, make_membership, make_user

MODELS = [Organisation, User, Membership, Invitation, Contact]


def place(model, page, *args):
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def staff(db):
    return make_user(email="sam@fernhill.example", name="Sam Fern", is_staff=True, is_superuser=True)


@pytest.fixture
def office(client, staff):
    """A browser of staff who have proven a second factor."""
    cache.clear()
    secret = generate_totp_secret()
    TOTP.activate(staff, secret)
    sign_in(client, staff.email)
    client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    return client


@pytest.fixture
def people(alice, bob, charlie, acme):
    invitation = make_invitation(organisation=acme, invited_by=alice)
    return {
        Organisation: acme,
        User: bob,
        Membership: acme.memberships.get(user=bob),
        Invitation: invitation,
        Contact: make_contact(organisation=acme),
    }


@pytest.mark.parametrize("model", MODELS)
def test_changelist_has_three_filters_and_a_search(model):
    model_admin = admin.site._registry[model]

    assert len(model_admin.list_filter) >= 3
    assert model_admin.search_fields
    assert model_admin.search_help_text


@pytest.mark.parametrize("model", MODELS)
def test_changelist_of_many_rows_asks_the_database_twelve_times_at_most(model, office, people, acme, django_assert_max_num_queries):
    for _ in range(20):
        user = make_membership(organisation=acme).user
        make_contact(organisation=acme)
        make_invitation(organisation=acme, invited_by=user)

    with django_assert_max_num_queries(12):
        page = office.get(place(model, "changelist"), {"q": "e"})

    assert page.status_code == HTTPStatus.OK


@pytest.mark.parametrize("model", MODELS)
def test_object_page_opens(model, office, people):
    assert office.get(place(model, "change", people[model].pk)).status_code == HTTPStatus.OK


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_deleted_here(model, office, people):
    with assert_no_event():
        one = office.post(place(model, "delete", people[model].pk), {"post": "yes"})
        many = office.post(
            place(model, "changelist"), {"action": "delete_selected", "_selected_action": [str(people[model].pk)], "post": "yes"}
        )

    assert one.status_code == HTTPStatus.FORBIDDEN
    assert many.status_code in {HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.FORBIDDEN}
    assert model.objects.filter(pk=people[model].pk).exists()


@pytest.mark.parametrize("model", [Membership, Invitation, Contact])
def test_rows_of_customers_are_only_read(model, office, people):
    assert office.post(place(model, "change", people[model].pk), {}).status_code == HTTPStatus.FORBIDDEN
    assert office.post(place(model, "add"), {}).status_code == HTTPStatus.FORBIDDEN


def test_user_is_found_by_address_and_by_organisation(office, people, bob):
    for words in ("bob@people", "acme"):
        assert bob.email in office.get(place(User, "changelist"), {"q": words}).text


@pytest.mark.parametrize("state", ["open", "expired", "accepted", "revoked"])
def test_invitations_filter_by_state(office, people, state):
    shown = office.get(place(Invitation, "changelist"), {"state": state}).context["cl"].queryset

    assert list(shown) == ([people[Invitation]] if state == "open" else [])


def test_staff_set_up_a_customer_and_do_not_become_a_member(office, staff, mailbox, django_capture_on_commit_callbacks):
    given = {"name": "Initech", "owner_email": "Bill@initech.example", "reason": "Contract 17"}

    with django_capture_on_commit_callbacks(execute=True):
        response = office.post(place(Organisation, "add"), given)

    initech = Organisation.objects.get(slug="initech")
    assert response.status_code == HTTPStatus.FOUND
    assert not initech.memberships.exists()
    assert [message.to for message in mailbox] == [["bill@initech.example"]]
    # Two acts, each with its event in the customer's chain.
    assert list(Event.objects.filter(organisation_id=initech.pk).order_by("sequence").values_list("action", "actor_kind", "details")) == [
        ("organisation.created", "staff", {"name": "Initech", "reason": "Contract 17"}),
        ("invitation.sent", "staff", {"email": "bill@initech.example", "role": "owner"}),
    ]


def test_staff_set_up_a_customer_only_with_a_reason(office):
    page = office.post(place(Organisation, "add"), {"name": "Initech", "owner_email": "bill@initech.example"})

    assert page.context["adminform"].form.errors == {"reason": ["This field is required."]}
    assert not Organisation.objects.filter(slug="initech").exists()


def test_staff_deactivate_a_person_with_a_reason_the_customer_reads(office, bob, acme):
    with assert_one_event(acme, action="person.deactivated") as written:
        office.post(place(User, "change", bob.pk), {"reason": "Phone stolen, case 4711"})

    bob.refresh_from_db()
    assert not bob.is_active
    assert written.event.details == {"reason": "Phone stolen, case 4711"}
    with assert_one_event(acme, action="person.reactivated"):
        office.post(place(User, "change", bob.pk), {"is_active": "on", "reason": "Phone found"})


def test_staff_change_nothing_else_of_a_person(office, bob):
    office.post(
        place(User, "change", bob.pk), {"is_active": "on", "reason": "Case 1", "email": "x@y.example", "is_staff": "on", "name": "X"}
    )

    bob.refresh_from_db()
    assert (bob.email, bob.name, bob.is_staff) == ("bob@people.example", "Bob", False)


def test_staff_cannot_deactivate_themselves(office, staff):
    page = office.post(place(User, "change", staff.pk), {"reason": "Case 1"})

    assert page.context["adminform"].form.errors == {"is_active": ["You cannot deactivate yourself."]}
    staff.refresh_from_db()
    assert staff.is_active
