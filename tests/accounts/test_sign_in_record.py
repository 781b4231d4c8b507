"""What sign-ins leave on the record, and the sessions that they open."""

from http import HTTPStatus

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from portal.audit.models import Event
from tests.accounts.signing_in import LINK, events, fresh_limits, needs_commits, prove, sign_in
from tests.factories import PASSWORD, make_user

__all__ = ["fresh_limits"]  # fixtures


# --- On the record -------------------------------------------------------------------------------------------------------


def test_sign_in_and_out_stand_in_the_platforms_chain_only(client, alice, acme):
    sign_in(client, alice.email)
    client.post(reverse("account_logout"))

    assert events() == [("person.signed_in", None, {}), ("person.signed_out", None, {})]


def failures():
    found = Event.objects.order_by("sequence").values_list("action", "actor_kind", "subject_label", "details")
    return [(*event[1:3], event[3]) for event in found if event[0].endswith("_failed")]


def test_failed_sign_in_is_recorded_and_not_as_an_act_of_the_person(client, alice):
    sign_in(client, "ALICE@people.example", "not-her-password")

    assert events() == [("person.sign_in_failed", None, {"kind": "password"})]
    assert failures() == [("system", "alice@people.example", {"kind": "password"})]
    assert "not-her-password" not in repr(list(Event.objects.values()))


@pytest.mark.parametrize("address", ["nobody@people.example", "not an address", "a" * 300 + "@people.example"])
def test_failed_sign_in_of_nobody_is_not_recorded(client, db, address):
    sign_in(client, address, "not-her-password")

    assert events() == []


def test_flood_of_failed_sign_ins_ends_at_the_limit_and_not_in_the_log(client, alice):
    for _ in range(12):
        sign_in(client, alice.email, "not-her-password")

    assert len(failures()) == 5


def test_failed_second_factor_is_recorded_up_to_the_limit(client, alice):
    TOTP.activate(alice, generate_totp_secret())
    sign_in(client, alice.email)
    for _ in range(8):
        client.post(reverse("mfa_authenticate"), {"code": "000000"})

    assert failures() == [("system", "alice@people.example", {"kind": "totp"})] * 5


def test_deactivated_person_cannot_sign_in(client, db):
    user = make_user(is_active=False)

    sign_in(client, user.email)

    assert "_auth_user_id" not in client.session
    assert events() == []


@needs_commits
def test_password_reset_by_mail_is_recorded_and_told(client, alice, mailbox):
    client.post(reverse("account_reset_password"), {"email": alice.email})
    page = client.get(LINK.search(mailbox[0].body)[1], follow=True)

    changed = client.post(page.redirect_chain[-1][0], {"password1": "another-long-pass-phrase", "password2": "another-long-pass-phrase"})

    assert changed["Location"] == reverse("account_reset_password_from_key_done")
    alice.refresh_from_db()
    assert alice.check_password("another-long-pass-phrase")
    assert events() == [("person.password_reset", None, {})]
    assert "If it was not you, reset your password now" in mailbox[-1].body


@needs_commits
def test_password_change_keeps_this_session_and_is_recorded(client, alice, mailbox):
    sign_in(client, alice.email)
    fields = {"oldpassword": PASSWORD, "password1": "another-long-pass-phrase", "password2": "another-long-pass-phrase"}

    client.post(reverse("account_change_password"), fields)

    assert [action for action, *_ in events()] == ["person.signed_in", "person.password_changed"]
    assert client.get(reverse("accounts:profile")).status_code == HTTPStatus.OK


@needs_commits
def test_email_change_waits_for_the_new_address_and_is_recorded(client, alice, mailbox):
    sign_in(client, alice.email)
    prove(client)
    client.post(reverse("account_email"), {"email": "new@people.example", "action_add": ""})
    alice.refresh_from_db()
    assert alice.email == "alice@people.example"

    client.post(LINK.search(mailbox[-1].body)[1])

    alice.refresh_from_db()
    assert alice.email == "new@people.example"
    assert list(EmailAddress.objects.filter(user=alice).values_list("email", "verified")) == [("new@people.example", True)]
    assert events()[-1] == ("person.email_changed", None, {"email": ["alice@people.example", "new@people.example"]})
    assert mailbox[-1].to == ["alice@people.example"]


# --- Sessions ------------------------------------------------------------------------------------------------------------


def test_ending_other_sessions_signs_them_out_and_is_recorded(client, alice):
    other = Client()
    sign_in(other, alice.email)
    sign_in(client, alice.email)
    assert UserSession.objects.filter(user=alice).count() == 2

    client.post(reverse("usersessions_list"))

    assert other.get(reverse("accounts:profile")).status_code == HTTPStatus.FOUND
    assert client.get(reverse("accounts:profile")).status_code == HTTPStatus.OK
    assert events()[-1] == ("person.sessions_ended", None, {"count": 1})


def test_last_seen_is_kept_to_the_minute(client, alice):
    with time_machine.travel("2026-11-21T10:00:00Z", tick=False) as clock:
        sign_in(client, alice.email)
        for seconds in (20, 20, 21):
            clock.shift(seconds)
            client.get(reverse("accounts:profile"))

    assert UserSession.objects.get(user=alice).last_seen_at.isoformat() == "2026-11-21T10:01:01+00:00"
