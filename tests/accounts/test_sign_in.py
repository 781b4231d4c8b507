"""Signing up, in and out as a person does it: confirmed addresses, no hints for guessers, second factors, sessions, step-up."""

import re
import time
from http import HTTPStatus

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import User
from accounts.sign_in import step_up
from portal.audit.models import Event
from tests.factories import PASSWORD, make_user

# Mail leaves after the commit: these tests really commit.
needs_commits = pytest.mark.django_db(transaction=True)
LINK = re.compile(r"http://\S+?(/auth/\S+)")
TOO_MANY = "You are not signed in: too many wrong passwords were given. Wait five minutes and try again, or set a new password."
NEW = {"name": "Dora", "email": "Dora@People.example", "password1": "a-long-enough-pass-phrase"}


@pytest.fixture(autouse=True)
def fresh_limits():
    """Rate limits live in the shared cache, beyond a test's transaction."""
    cache.clear()


def sign_in(client, email, password=PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def code(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def events():
    return list(Event.objects.order_by("sequence").values_list("action", "organisation_id", "details"))


# --- Sign-up ---------------------------------------------------------------------------------------------------------


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


# --- No hints for guessers -------------------------------------------------------------------------------------------


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


# --- On the record ---------------------------------------------------------------------------------------------------


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


# --- Second factors --------------------------------------------------------------------------------------------------


def prove(client):
    """Pass the page that asks for the password once more."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def test_totp_is_set_up_recorded_once_and_sealed_at_rest(client, alice, mailbox, django_capture_on_commit_callbacks):
    sign_in(client, alice.email)
    prove(client)
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret

    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("mfa_activate_totp"), {"code": code(secret)})

    stored = Authenticator.objects.get(user=alice, type=Authenticator.Type.TOTP).data["secret"]
    assert secret not in stored
    assert get_adapter().decrypt(stored) == secret
    assert Authenticator.objects.filter(user=alice, type=Authenticator.Type.RECOVERY_CODES).exists()
    assert [(action, details) for action, _, details in events()[1:]] == [("person.second_factor_added", {"kind": "totp"})]


def test_sign_in_with_totp_asks_for_the_code(client, alice):
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)

    asked = sign_in(client, alice.email)
    assert asked["Location"] == reverse("mfa_authenticate")
    assert "_auth_user_id" not in client.session
    response = client.post(reverse("mfa_authenticate"), {"code": code(secret)})

    assert response["Location"] == "/"
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_totp_code_works_once(client, alice):
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    used = code(secret)
    sign_in(client, alice.email)
    client.post(reverse("mfa_authenticate"), {"code": used})

    other = Client()
    sign_in(other, alice.email)
    again = other.post(reverse("mfa_authenticate"), {"code": used})

    assert "Try again with the code your app shows now" in again.text
    assert "_auth_user_id" not in other.session


def test_recovery_code_works_once(client, alice):
    TOTP.activate(alice, generate_totp_secret())
    spare = RecoveryCodes.activate(alice).get_unused_codes()[0]
    sign_in(client, alice.email)
    client.post(reverse("mfa_authenticate"), {"code": spare})
    again = Client()
    sign_in(again, alice.email)
    again.post(reverse("mfa_authenticate"), {"code": spare})

    assert client.session["_auth_user_id"] == str(alice.pk)
    assert "_auth_user_id" not in again.session


def test_removing_the_second_factor_needs_a_proof_and_is_recorded_once(client, alice):
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)
    client.force_login(alice)

    refused = client.post(reverse("mfa_deactivate_totp"))
    assert refused["Location"].startswith(reverse("account_reauthenticate"))
    assert Authenticator.objects.filter(user=alice).count() == 2
    prove(client)
    client.post(reverse("mfa_deactivate_totp"))

    assert not Authenticator.objects.filter(user=alice).exists()
    assert [(action, details) for action, _, details in events()] == [("person.second_factor_removed", {"kind": "totp"})]


def test_passkey_sign_in_offers_a_challenge_without_naming_anybody(client, db):
    answer = client.get(reverse("mfa_login_webauthn"), headers={"x-requested-with": "XMLHttpRequest"}).json()

    options = answer["request_options"]["publicKey"]
    assert options["challenge"]
    assert options.get("allowCredentials", []) == []


def test_passkey_can_be_added_from_the_security_page(client, alice):
    sign_in(client, alice.email)
    prove(client)

    page = client.get(reverse("mfa_add_webauthn"))

    assert page.status_code == HTTPStatus.OK
    assert page.context["js_data"]["creation_options"]["publicKey"]["rp"] == {"id": "testserver", "name": "Fernhill"}


# --- Sessions --------------------------------------------------------------------------------------------------------


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


# --- Step-up ---------------------------------------------------------------------------------------------------------


@step_up
def guarded(request):
    return HttpResponse("done")


@pytest.mark.parametrize(("age", "allowed"), [(0, True), (299, True), (301, False), (None, False)])
def test_step_up_lets_through_only_a_recent_proof(alice, age, allowed):
    from allauth.core.exceptions import ReauthenticationRequired

    request = RequestFactory().post("/")
    request.user, request.session = alice, {}
    if age is not None:
        request.session["account_authentication_methods"] = [{"method": "password", "at": time.time() - age}]
        request.session["_account_authentication_methods_user"] = str(alice.pk)
        request.session["account_authentication_methods_user"] = str(alice.pk)

    if allowed:
        assert guarded(request).content == b"done"
    else:
        with pytest.raises(ReauthenticationRequired):
            guarded(request)


def grown_old(client, minutes=6):
    """The proof of this session's person is this old."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 60 * minutes}]
    session.save()


@pytest.fixture
def steps_up(acme, alice, bob):
    """Address and data of each act that needs a recent proof, and what shows that it happened."""
    bobs = acme.memberships.get(user=bob)

    def there(name, *args):
        return reverse(f"accounts:{name}", args=["acme", *args])

    return {
        "invitation": (there("invitation_create"), {"email": "new@people.example", "role": "auditor"}, "invitation.sent"),
        "role": (there("member_role", bobs.pk), {"role": "auditor"}, "member.role_changed"),
        "remove": (there("member_remove", bobs.pk), {}, "member.removed"),
    }


@pytest.mark.parametrize("act", ["invitation", "role", "remove"])
def test_act_on_members_asks_an_old_session_who_it_is_and_then_happens(client, alice, steps_up, act):
    there, data, action = steps_up[act]
    client.force_login(alice)
    grown_old(client)

    assert client.get(there).status_code == HTTPStatus.OK
    asked = client.post(there, data)
    assert asked["Location"] == f"{reverse('account_reauthenticate')}?{urlencode({'next': there})}"
    assert events() == []
    answer = client.post(asked["Location"], {"password": PASSWORD, "next": there})

    assert answer["Location"] == reverse("accounts:members", args=["acme"])
    assert [event for event, *_ in events()] == [action]
    assert client.get(answer["Location"]).status_code == HTTPStatus.OK


@pytest.mark.parametrize("act", ["invitation", "role", "remove"])
def test_act_on_members_with_a_fresh_proof_happens_at_once(client, alice, steps_up, act):
    there, data, action = steps_up[act]
    sign_in(client, alice.email)

    assert client.post(there, data)["Location"] == reverse("accounts:members", args=["acme"])

    assert events()[-1][0] == action


def test_export_asks_an_old_session_who_it_is_and_comes_back_to_the_same_filter(client, alice):
    export, page = (reverse(f"accounts:{name}", args=["acme"]) for name in ("activity_export", "activity"))
    client.force_login(alice)
    grown_old(client)

    asked = client.post(f"{export}?q=bob")
    back = f"{page}?q=bob"
    assert asked["Location"] == f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"
    answer = client.post(asked["Location"], {"password": PASSWORD, "next": back})

    assert answer["Location"] == back
    assert events() == []
    assert client.post(f"{export}?q=bob").status_code == HTTPStatus.OK
    assert [event for event, *_ in events()] == ["activity.exported"]


@needs_commits
def test_nothing_but_portal_words_in_mails(client, alice, mailbox):
    client.post(reverse("account_reset_password"), {"email": alice.email})

    (message,) = mailbox
    assert "testserver" not in message.body.replace(LINK.search(message.body)[0], "")
    assert "example.com" not in message.body
