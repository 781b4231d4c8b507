"""Members: roles change, members leave, an organisation never loses its last owner."""

import threading
from http import HTTPStatus

import pytest
from django.db import connection, connections
from django.urls import reverse

from accounts.access import ROLE_PERMISSIONS, Permission, Role
from accounts.actions.people import change_role, remove_member, set_person_active
from accounts.models import Membership
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.factories import make_membership, make_organisation, make_user


def events():
    return list(Event.objects.order_by("sequence").values_list("action", "subject_label", "details"))


# --- Roles -----------------------------------------------------------------------------------------------------------


def test_change_role_writes_role_and_one_event(alice, bob, acme):
    membership = acme.memberships.get(user=bob)

    change_role(membership=membership, role=Role.AUDITOR, by=alice)

    assert acme.memberships.get(user=bob).role == Role.AUDITOR
    assert events() == [("member.role_changed", "Bob", {"role": ["operator", "auditor"]})]


def test_change_role_to_the_same_role_records_nothing(alice, bob, acme):
    change_role(membership=acme.memberships.get(user=bob), role=Role.OPERATOR, by=alice)

    assert events() == []


def test_change_role_refuses_to_demote_the_last_owner(alice, acme):
    with pytest.raises(NotAllowed) as refusal:
        change_role(membership=acme.memberships.get(user=alice), role=Role.AUDITOR, by=alice)

    assert refusal.value.reason == "This is the last owner. Make somebody else an owner first."
    assert acme.memberships.get(user=alice).role == Role.OWNER
    assert events() == []


def test_change_role_does_not_count_a_deactivated_owner(alice, acme):
    make_membership(organisation=acme, user=make_user(is_active=False), role=Role.OWNER)

    with pytest.raises(NotAllowed):
        change_role(membership=acme.memberships.get(user=alice), role=Role.AUDITOR, by=alice)


@pytest.mark.django_db(transaction=True)
def test_two_owners_demoting_each_other_at_once_leave_one():
    organisation = make_organisation()
    one, two = (make_membership(organisation=organisation, role=Role.OWNER) for _ in range(2))
    start, refused = threading.Barrier(2), []

    def demote(membership, by):
        start.wait()
        try:
            change_role(membership=membership, role=Role.AUDITOR, by=by)
        except NotAllowed as refusal:
            refused.append(refusal.reason)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((one, two.user), (two, one.user))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refused == ["This is the last owner. Make somebody else an owner first."]
    assert organisation.memberships.filter(role=Role.OWNER).count() == 1


def test_member_role_page_changes_and_says_so(client, alice, bob, acme):
    client.force_login(alice)
    membership = acme.memberships.get(user=bob)

    response = client.post(reverse("accounts:member_role", args=["acme", membership.pk]), {"role": "approver"}, follow=True)

    assert response.redirect_chain == [("/o/acme/settings/members/", HTTPStatus.FOUND)]
    assert "Bob now has the role Approver." in response.text
    assert acme.memberships.get(user=bob).role == Role.APPROVER


def test_member_role_page_refuses_with_the_words_of_the_list(client, alice, acme):
    client.force_login(alice)
    reason = "This is the last owner. Make somebody else an owner first."

    page = client.get(reverse("accounts:members", args=["acme"]))
    response = client.post(reverse("accounts:member_role", args=["acme", acme.memberships.get().pk]), {"role": "auditor"})

    assert reason in page.text
    assert reason in response.text
    assert "Error:" in response.text.split("</title>")[0]


def test_member_of_another_organisation_is_not_found(client, alice, charlie):
    client.force_login(alice)
    stranger = charlie.memberships.get()

    response = client.post(reverse("accounts:member_role", args=["acme", stranger.pk]), {"role": "auditor"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert Membership.objects.get(pk=stranger.pk).role == Role.OWNER


# --- Leaving ---------------------------------------------------------------------------------------------------------


def test_remove_member_ends_access_and_records_it(client, alice, bob, acme):
    client.force_login(alice)
    bob.current_organisation = acme
    bob.save()

    client.post(reverse("accounts:member_remove", args=["acme", acme.memberships.get(user=bob).pk]))

    bob.refresh_from_db()
    assert bob.current_organisation is None
    assert list(acme.memberships.values_list("user__name", flat=True)) == ["Alice"]
    assert events() == [("member.removed", "Bob", {"role": "operator", "email": "bob@people.example"})]
    client.force_login(bob)
    assert client.get("/o/acme/settings/members/").status_code == HTTPStatus.NOT_FOUND


def test_leave_is_recorded_as_leaving(client, alice, bob, acme):
    client.force_login(bob)

    response = client.post(reverse("accounts:member_leave", args=["acme"]))

    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, "/")
    assert [action for action, *_ in events()] == ["member.left"]
    assert not acme.memberships.filter(user=bob).exists()


def test_last_owner_cannot_leave(client, alice, acme):
    client.force_login(alice)

    response = client.post(reverse("accounts:member_leave", args=["acme"]))

    assert "The last owner cannot leave. Make somebody else an owner first." in response.text
    assert acme.memberships.filter(user=alice).exists()
    assert events() == []


def test_remove_member_that_is_gone_is_not_found(alice, bob, acme):
    membership = acme.memberships.get(user=bob)
    remove_member(membership=Membership.objects.get(pk=membership.pk), by=alice)

    with pytest.raises(Membership.DoesNotExist):
        remove_member(membership=membership, by=alice)


# --- The list --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [1, 3])
def test_members_page_asks_the_database_the_same_number_of_times(client, alice, acme, others, django_assert_num_queries):
    for _ in range(others):
        make_membership(organisation=acme)
    client.force_login(alice)
    client.get("/o/acme/settings/members/")

    with django_assert_num_queries(MEMBERS_PAGE_QUERIES):
        page = client.get("/o/acme/settings/members/")

    assert page.text.count('id="member-') == others + 1


# Session with its last seen, user, memberships with organisations, members, invitations.
MEMBERS_PAGE_QUERIES = 5


def test_members_page_shows_second_factor_and_roles_in_words(client, alice, bob, acme):
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(alice, generate_totp_secret())
    client.force_login(bob)

    rows = client.get("/o/acme/settings/members/").context["rows"]

    assert [(row["membership"].user.name, row["membership"].has_second_factor) for row in rows] == [("Alice", True), ("Bob", False)]


def test_members_page_of_a_member_without_the_right_has_no_buttons(client, alice, bob):
    client.force_login(bob)

    page = client.get("/o/acme/settings/members/").text

    assert "Invite a colleague" not in page
    assert "Change role" not in page
    assert "Leave Acme" in page


# --- Deactivation by provider staff ----------------------------------------------------------------------------------


def test_deactivated_person_is_signed_out_and_the_customer_reads_why(client, alice, bob, acme):
    staff = make_user(name="Sam Fern", is_staff=True)
    client.force_login(bob)

    set_person_active(user=bob, is_active=False, reason="Left Acme, case 4711", by=staff)

    assert events() == [("person.deactivated", "bob@people.example", {"reason": "Left Acme, case 4711"})]
    assert Event.objects.get().organisation_id == acme.pk
    assert client.get("/o/acme/settings/members/").status_code == HTTPStatus.FOUND


def test_staff_cannot_deactivate_themselves(db):
    staff = make_user(is_staff=True)

    with pytest.raises(NotAllowed):
        set_person_active(user=staff, is_active=False, reason="Case 1", by=staff)


def test_every_role_has_words_for_each_permission():
    from accounts.access import role_words

    assert {role: len(role_words(role)) for role in Role} == {role: len(ROLE_PERMISSIONS[role]) for role in Role}
    assert [str(phrase) for phrase in role_words(Role.AUDITOR)] == [
        "See every page of the organisation",
        "Export the activity record",
    ]
    assert Permission.VIEW in ROLE_PERMISSIONS[Role.APPROVER]


def test_database_refuses_a_second_membership(alice, acme):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError, match="membership_once_per_user"), transaction.atomic():
        make_membership(organisation=acme, user=alice)


def test_database_refuses_an_unknown_role(acme):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError, match="membership_role_known"), transaction.atomic():
        make_membership(organisation=acme, role="emperor")
    assert connection.is_usable()
