"""Invitations: expire after seven days, work once, only for the invited address."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import availability_people
from accounts.access import Role
from accounts.actions.invitations import accept_invitation, create_invitation, resend_invitation, revoke_invitation
from accounts.models import Invitation, User
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.factories import PASSWORD, make_invitation, make_organisation, make_user

LINK = re.compile(r"http://localhost:8000(/\S+)")


def link_in(message):
    return LINK.search(message.body)[1]


def actions():
    return list(Event.objects.order_by("at").values_list("action", flat=True))


# --- By an owner -----------------------------------------------------------------------------------------------------


def test_invite_writes_row_event_and_mail(client, alice, acme, mailbox, django_capture_on_commit_callbacks):
    client.force_login(alice)

    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(
            reverse("accounts:invitation_create", args=["acme"]), {"email": " New@People.Example ", "role": "auditor"}, follow=True
        )

    invitation = acme.invitations.get()
    assert (invitation.email, invitation.role, invitation.invited_by) == ("new@people.example", Role.AUDITOR, alice)
    assert timedelta(days=7) - timedelta(minutes=1) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    assert "An invitation is on its way to new@people.example." in page.text
    event = Event.objects.get()
    assert (event.action, event.organisation_id, event.details) == (
        "invitation.sent",
        acme.pk,
        {"email": "new@people.example", "role": "auditor"},
    )
    (message,) = mailbox
    assert (message.to, message.subject) == (["new@people.example"], "Alice invites you to Acme")
    assert "in the customer portal of Fernhill, with the role Auditor." in message.body
    token = link_in(message).split("/")[2]
    assert token not in str(Invitation.objects.filter(pk=invitation.pk).values().get())


def test_mail_that_cannot_be_queued_or_sent_costs_no_invitation(alice, acme, settings, mailbox, django_capture_on_commit_callbacks):
    settings.EMAIL_BACKEND = "tests.accounts.test_invitations.BrokenBackend"

    with django_capture_on_commit_callbacks(execute=True):
        create_invitation(organisation=acme, email="new@people.example", role=Role.OPERATOR, by=alice)

    assert acme.invitations.count() == 1
    assert actions() == ["invitation.sent"]


class BrokenBackend:
    def __init__(self, **_):
        pass

    def send_messages(self, messages):
        raise ConnectionRefusedError


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        ("member", "Bob@People.Example is already a member of Acme."),
        ("invited", "Bob@People.Example is already invited. Send the invitation again from the members page."),
    ],
)
def test_invite_is_refused(alice, acme, prepare, reason, request):
    if prepare == "member":
        request.getfixturevalue("bob")
    else:
        make_invitation(organisation=acme, invited_by=alice, email="bob@people.example")

    with pytest.raises(NotAllowed) as refusal:
        create_invitation(organisation=acme, email="Bob@People.Example", role=Role.OPERATOR, by=alice)

    assert refusal.value.reason == reason
    assert actions() == []


def test_invite_is_limited_a_day_whatever_is_withdrawn_or_sent_again(alice, acme, monkeypatch):
    monkeypatch.setattr(availability_people, "INVITATIONS_A_DAY", 3)
    first = create_invitation(organisation=acme, email="first@people.example", role=Role.OPERATOR, by=alice)
    Invitation.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    resend_invitation(invitation=first, by=alice)
    second = create_invitation(organisation=acme, email="second@people.example", role=Role.OPERATOR, by=alice)
    revoke_invitation(invitation=second, by=alice)
    Invitation.objects.update(sent_at=timezone.now() - timedelta(minutes=2))

    for send in (
        lambda: create_invitation(organisation=acme, email="one-more@people.example", role=Role.OPERATOR, by=alice),
        lambda: resend_invitation(invitation=first, by=alice),
    ):
        with pytest.raises(NotAllowed, match="3 invitations were sent in the last 24 hours"):
            send()

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        resend_invitation(invitation=first, by=alice)


def test_invite_again_after_expiry_withdraws_the_old_one(alice, acme):
    old = make_invitation(organisation=acme, invited_by=alice, email="late@people.example", expires_at=timezone.now())

    create_invitation(organisation=acme, email="late@people.example", role=Role.OPERATOR, by=alice)

    old.refresh_from_db()
    assert old.revoked_at is not None
    assert acme.invitations.open().count() == 1


def test_resend_kills_the_old_link_and_starts_seven_days_again(client, alice, acme, mailbox, django_capture_on_commit_callbacks):
    invitation = make_invitation(
        organisation=acme, invited_by=alice, email="slow@people.example", token="old", expires_at=timezone.now() - timedelta(days=1)
    )
    client.force_login(alice)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("accounts:invitation_resend", args=["acme", invitation.pk]))

    client.logout()
    assert client.get("/invitations/old/").status_code == HTTPStatus.GONE
    assert client.get(link_in(mailbox[0])).status_code == HTTPStatus.OK
    invitation.refresh_from_db()
    assert invitation.expires_at > timezone.now() + timedelta(days=6)


def test_resend_waits_a_minute(alice, acme):
    invitation = make_invitation(organisation=acme, invited_by=alice, sent_at=timezone.now())

    with pytest.raises(NotAllowed, match="less than a minute ago"):
        resend_invitation(invitation=invitation, by=alice)


def test_revoke_closes_the_link(client, alice, acme):
    invitation = make_invitation(organisation=acme, invited_by=alice, token="held")
    client.force_login(alice)

    client.post(reverse("accounts:invitation_revoke", args=["acme", invitation.pk]))

    client.logout()
    page = client.get("/invitations/held/")
    assert page.status_code == HTTPStatus.GONE
    assert "It was withdrawn. Ask an owner of Acme if you expected it to work." in page.text
    with pytest.raises(NotAllowed, match="has been withdrawn"):
        revoke_invitation(invitation=invitation, by=alice)


# --- By the invited --------------------------------------------------------------------------------------------------


def test_invitation_link_reads_without_signing_in(client, alice, acme):
    make_invitation(organisation=acme, invited_by=alice, email="new@people.example", role=Role.AUDITOR, token="t0")

    page = client.get("/invitations/t0/").text

    assert "Alice invites new@people.example with the role Auditor. This role may:" in page
    assert "Export the activity record" in page
    assert "/auth/login/?next=%2Finvitations%2Ft0%2F" in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"expires_at": timezone.now()}, "It was valid for 7 days. Ask Alice to send it again."),
        ({"revoked_at": timezone.now()}, "It was withdrawn."),
    ],
)
def test_invitation_link_says_why_it_no_longer_works(client, alice, acme, fields, words):
    make_invitation(organisation=acme, invited_by=alice, token="t0", **fields)

    page = client.get("/invitations/t0/")

    assert page.status_code == HTTPStatus.GONE
    assert words in page.text


def test_invitation_link_that_was_never_sent_is_gone(client, db):
    page = client.get("/invitations/never-sent/")

    assert page.status_code == HTTPStatus.GONE
    assert "The link was replaced by a newer one, or it is incomplete." in page.text


def test_accept_makes_a_member_once_and_leads_home(client, alice, acme):
    dora = make_user(email="dora@people.example", name="Dora")
    invitation = make_invitation(organisation=acme, invited_by=alice, email="Dora@People.Example", role=Role.APPROVER, token="t0")
    client.force_login(dora)
    assert "Join Acme" in client.get("/invitations/t0/").text

    response = client.post(reverse("accounts:invitation_accept", args=[invitation.pk]))

    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, "/o/acme/")
    assert acme.memberships.get(user=dora).role == Role.APPROVER
    dora.refresh_from_db()
    assert dora.current_organisation == acme
    assert actions() == ["invitation.accepted"]
    assert "It has been used." in client.get("/invitations/t0/").text
    with pytest.raises(NotAllowed, match="has been accepted"):
        accept_invitation(invitation=invitation, by=dora)


def test_invitation_to_another_address_explains_itself_and_does_not_open(client, alice, acme):
    eve = make_user(email="eve@people.example")
    invitation = make_invitation(organisation=acme, invited_by=alice, email="dora@people.example", token="t0")
    client.force_login(eve)

    page = client.get("/invitations/t0/").text
    response = client.post(reverse("accounts:invitation_accept", args=[invitation.pk]))

    assert "This invitation is for dora@people.example. You are signed in as eve@people.example." in page
    assert "Join Acme</button>" not in page
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert not acme.memberships.filter(user=eve).exists()


def test_invitation_to_an_unproven_address_does_not_open(client, alice, acme):
    eve = make_user(email="eve@people.example")
    EmailAddress.objects.create(user=eve, email="dora@people.example", verified=False)
    invitation = make_invitation(organisation=acme, invited_by=alice, email="dora@people.example")
    client.force_login(eve)

    response = client.post(reverse("accounts:invitation_accept", args=[invitation.pk]))

    assert response.status_code == HTTPStatus.NOT_FOUND


def test_accept_by_a_member_changes_nothing(alice, bob, acme):
    invitation = make_invitation(organisation=acme, invited_by=alice, email=bob.email, role=Role.OWNER)

    with pytest.raises(NotAllowed, match="You are already a member of Acme"):
        accept_invitation(invitation=invitation, by=bob)

    assert acme.memberships.get(user=bob).role == Role.OPERATOR


@pytest.mark.django_db(transaction=True)
def test_newcomer_joins_through_sign_up_without_a_second_mail(client, alice, acme, mailbox):
    make_invitation(organisation=acme, invited_by=alice, email="new@people.example", token="t0")

    sign_up = client.post(reverse("accounts:invitation_sign_up", args=["t0"]))
    fields = {"name": "Newton", "email": "new@people.example", "password1": "a-long-enough-pass-phrase"}
    page = client.post(sign_up["Location"], fields, follow=True)

    assert page.redirect_chain[-1] == ("/invitations/t0/", HTTPStatus.FOUND)
    assert "Join Acme" in page.text
    assert mailbox == []
    assert User.objects.get(email="new@people.example").name == "Newton"


def test_sign_up_from_an_invitation_leads_who_has_an_account_to_the_sign_in(client, alice, acme):
    make_user(email="dora@people.example")
    make_invitation(organisation=acme, invited_by=alice, email="Dora@people.example", token="t0")

    response = client.post(reverse("accounts:invitation_sign_up", args=["t0"]))

    assert response["Location"] == "/auth/login/?next=%2Finvitations%2Ft0%2F"
    assert not client.session.get("account_verified_email")


def test_newcomer_with_another_address_still_has_to_confirm_it(client, alice, acme, mailbox):
    make_invitation(organisation=acme, invited_by=alice, email="new@people.example", token="t0")

    client.post(reverse("accounts:invitation_sign_up", args=["t0"]))
    fields = {"name": "Mallory", "email": "victim@people.example", "password1": "a-long-enough-pass-phrase"}
    client.post(reverse("account_signup"), fields)

    assert not EmailAddress.objects.filter(email="victim@people.example", verified=True).exists()


def test_person_without_organisation_sees_invitations_that_wait(client, alice, acme):
    dora = make_user(email="dora@people.example")
    make_invitation(organisation=acme, invited_by=alice, email="dora@people.example", role=Role.AUDITOR)
    make_invitation(organisation=make_organisation(name="Initech"), invited_by=alice, email="else@people.example")
    client.force_login(dora)

    page = client.get("/", follow=True)

    assert page.redirect_chain == [("/organisations/new/", HTTPStatus.FOUND)]
    assert "Acme invites you" in page.text
    assert "Alice offers you the role Auditor." in page.text
    assert "Initech" not in page.text


def test_signing_in_from_an_invitation_comes_back_to_it(client, alice, acme):
    make_user(email="dora@people.example")
    make_invitation(organisation=acme, invited_by=alice, email="dora@people.example", token="t0")

    response = client.post("/auth/login/?next=/invitations/t0/", {"login": "dora@people.example", "password": PASSWORD})

    assert response["Location"] == "/invitations/t0/"


# --- What the database keeps -----------------------------------------------------------------------------------------


def test_database_refuses_a_second_open_invitation(alice, acme):
    make_invitation(organisation=acme, invited_by=alice, email="dora@people.example")

    with pytest.raises(IntegrityError, match="invitation_open_once_per_address"), transaction.atomic():
        make_invitation(organisation=acme, invited_by=alice, email="DORA@people.example", token="other")


def test_database_refuses_an_acceptance_by_nobody(alice, acme):
    with pytest.raises(IntegrityError, match="invitation_accepted_at_and_by_together"), transaction.atomic():
        make_invitation(organisation=acme, invited_by=alice, accepted_at=timezone.now())
