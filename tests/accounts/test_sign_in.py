"""Sign-up and sign-in, and what they tell nobody who guesses."""

import re
from http import HTTPStatus

from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.accounts.signing_in import LINK, events, fresh_limits, needs_commits, sign_in
from tests.factories import make_user

__all__ = ["fresh_limits"]  # fixtures
TOO_MANY = "You are not signed in: too many wrong passwords were given. Wait five minutes and try again, or set a new password."
NEW = {"name": "Dora", "email": "Dora@People.example", "password1": "a-long-enough-pass-phrase"}


# --- Sign-up -------------------------------------------------------------------------------------------------------------


@needs_commits
def test_sign_up_confirm_and_arrive(client, mailbox):
    asked = client.post(reverse("account_signup"), NEW)
    (message,) = mailbox
    url = LINK.search(message.body)[1]
    assert not EmailAddress.objects.get().verified
    client.get(url)
    assert not EmailAddress.objects.get().verified  # mail scanners open links

    page = client.post(url, follow=True)

    assert asked["Location"] == reverse("account_email_verification_sent")
    assert (message.to, message.subject) == (["dora@people.example"], "Confirm your e-mail address")
    assert "Fernhill" in message.body
    assert page.redirect_chain[-1][0] == "/organisations/new/"
    user = User.objects.get()
    assert (user.name, user.email, EmailAddress.objects.get().verified) == ("Dora", "dora@people.example", True)
    assert events() == [("person.signed_up", None, {}), ("person.signed_in", None, {})]


@needs_commits
def test_sign_in_before_confirming_only_sends_the_mail_again(client, mailbox):
    make_user(email="dora@people.example", is_verified=False)

    response = sign_in(client, "dora@people.example")

    assert response["Location"] == reverse("account_email_verification_sent")
    assert "_auth_user_id" not in client.session
    assert [message.to for message in mailbox] == [["dora@people.example"]]


def test_empty_forms_say_what_to_enter(client, db):
    signing_up = client.post(reverse("account_signup"), {}).context["form"].errors
    signing_in = client.post(reverse("account_login"), {}).context["form"].errors

    assert signing_up == {"name": ["Enter a name."], "email": ["Enter an e-mail address."], "password1": ["Choose a password."]}
    assert signing_in == {"login": ["Enter your e-mail address."], "password": ["Enter your password."]}


def test_short_password_is_refused_with_the_reason(client, db):
    page = client.post(reverse("account_signup"), NEW | {"password1": "short-pass1"})

    assert page.context["form"].errors == {"password1": ["This password is too short. It must contain at least 12 characters."]}
    assert not User.objects.exists()


@needs_commits
def test_confirmation_is_sent_again_and_leads_on(client, mailbox):
    client.post(reverse("account_signup"), NEW)
    assert f'href="{reverse("account_signup")}"' in client.get(reverse("account_email_verification_sent")).text

    too_soon = client.post(reverse("accounts:confirmation_resend"), follow=True)
    assert (len(mailbox), "3 minutes after the last one" in too_soon.text) == (1, True)
    cache.clear()  # three minutes later
    client.post(reverse("accounts:confirmation_resend"))

    assert [(message.to, message.subject) for message in mailbox] == [(["dora@people.example"], "Confirm your e-mail address")] * 2
    arrived = client.post(LINK.search(mailbox[-1].body)[1], follow=True)
    assert arrived.redirect_chain[-1][0] == "/organisations/new/"
    assert [action for action, _, _ in events()] == ["person.signed_up", "person.signed_in"]


@needs_commits
def test_confirmation_without_a_sign_up_at_hand_leads_to_the_sign_in(client, mailbox):
    answer = client.post(reverse("accounts:confirmation_resend"), follow=True)

    assert answer.redirect_chain == [(reverse("account_login"), HTTPStatus.FOUND)]
    assert "Sign in with the address and the password you chose" in answer.text
    assert mailbox == []


# --- No hints for guessers -----------------------------------------------------------------------------------------------


@needs_commits
def test_sign_up_with_a_known_address_looks_like_any_other(client, mailbox):
    fresh = client.post(reverse("account_signup"), NEW)
    cache.clear()  # one mail to one address in three minutes, else
    known = Client().post(reverse("account_signup"), NEW | {"name": "Mallory"})

    assert (known.status_code, known["Location"]) == (fresh.status_code, fresh["Location"])
    assert User.objects.get().name == "Dora"
    assert [message.subject for message in mailbox] == ["Confirm your e-mail address", "You have an account already"]


@needs_commits
def test_confirmation_sent_again_answers_the_same_for_a_known_address(client, mailbox):
    make_user(email="known@people.example")
    said = []
    for email in ("Dora@People.example", "Known@People.example"):
        visitor = Client()
        pages = [visitor.post(reverse("account_signup"), NEW | {"email": email}, follow=True)]
        pages += [
            visitor.get(reverse("account_email_verification_sent")),
            visitor.post(reverse("accounts:confirmation_resend"), follow=True),
        ]
        cache.clear()
        pages.append(visitor.post(reverse("accounts:confirmation_resend"), follow=True))
        said.append([re.sub(r"\b\w{64}\b", "", page.text) for page in pages])  # without the tokens against forgery

    assert [page.replace("dora@", "known@") for page in said[0]] == said[1]
    assert [message.subject for message in mailbox] == ["Confirm your e-mail address"] * 2 + ["You have an account already"] * 2


@needs_commits
def test_password_reset_answers_the_same_for_an_unknown_address(client, mailbox):
    make_user(email="dora@people.example")

    known = client.post(reverse("account_reset_password"), {"email": "dora@people.example"})
    unknown = Client().post(reverse("account_reset_password"), {"email": "nobody@people.example"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert [message.subject for message in mailbox] == ["Reset your password", "There is no account with this address"]


def test_sign_in_says_the_same_for_a_wrong_password_and_an_unknown_address(client, db):
    make_user(email="dora@people.example")

    wrong = sign_in(client, "dora@people.example", "not-her-password")
    unknown = sign_in(Client(), "nobody@people.example", "not-her-password")

    said = (
        "You are not signed in: the e-mail address and the password do not belong together. "
        "Check both and try again, or set a new password."
    )
    assert [list(page.context["form"].non_field_errors()) for page in (wrong, unknown)] == [[said], [said]]


def test_sign_in_is_limited_after_five_failures(client, db):
    make_user(email="dora@people.example")
    for _ in range(5):
        sign_in(client, "dora@people.example", "not-her-password")

    right = sign_in(client, "dora@people.example")

    assert TOO_MANY in right.context["form"].non_field_errors()
    assert "_auth_user_id" not in client.session


def fail_from(machine, email, times=1):
    for _ in range(times):
        answer = sign_in(Client(REMOTE_ADDR=machine), email, "not-her-password")
    return answer


def test_failures_of_a_stranger_do_not_lock_the_person_out(client, alice):
    locked_out = fail_from("203.0.113.7", alice.email, times=6)

    sign_in(client, alice.email)

    assert TOO_MANY in locked_out.context["form"].non_field_errors()
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_guessers_with_many_machines_meet_a_higher_limit_that_leaves_passkeys_open(client, alice, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "3/h/key"}
    for number in range(3):
        fail_from(f"203.0.113.{number}", alice.email)

    right = sign_in(client, alice.email)

    assert TOO_MANY in right.context["form"].non_field_errors()
    assert client.get(reverse("mfa_login_webauthn"), headers={"x-requested-with": "XMLHttpRequest"}).json()["request_options"]


def test_right_passwords_do_not_count_as_failures(alice, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "2/h/key"}

    browsers = [Client() for _ in range(4)]
    for browser in browsers:
        sign_in(browser, alice.email)

    assert all("_auth_user_id" in browser.session for browser in browsers)


@needs_commits
def test_password_reset_by_mail_lifts_both_limits(client, alice, mailbox, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "3/h/key", "login_failed": "3/5m/key"}
    fail_from("127.0.0.1", alice.email, times=4)
    client.post(reverse("account_reset_password"), {"email": alice.email})
    page = client.get(LINK.search(mailbox[0].body)[1], follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": "another-long-pass-phrase", "password2": "another-long-pass-phrase"})

    sign_in(client, alice.email, "another-long-pass-phrase")

    assert client.session["_auth_user_id"] == str(alice.pk)
