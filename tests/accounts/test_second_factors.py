"""Second factors, and acts that ask for a fresh proof."""

import time
from datetime import timedelta
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts.sign_in import step_up
from tests.accounts.signing_in import LINK, code, events, fresh_limits, let_proof_grow_old, needs_commits, prove, sign_in
from tests.factories import PASSWORD
from tests.support.factories import code_of, give_totp
from tests.support.passkeys import Passkey

__all__ = ["fresh_limits"]  # fixtures


# --- Second factors ------------------------------------------------------------------------------------------------------


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
    secret = give_totp(alice)
    RecoveryCodes.activate(alice)
    client.force_login(alice)

    refused = client.post(reverse("mfa_deactivate_totp"))
    assert refused["Location"].startswith(reverse("mfa_reauthenticate"))
    assert Authenticator.objects.filter(user=alice).count() == 2
    client.post(refused["Location"], {"code": code_of(secret)})

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


# --- Step-up -------------------------------------------------------------------------------------------------------------


@step_up
def guarded(request):
    return HttpResponse("done")


@pytest.mark.parametrize(("age", "allowed"), [(0, True), (299, True), (301, False), (None, False)])
def test_step_up_lets_through_only_a_recent_proof(alice, age, allowed):
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


def proofs_of(person, *methods):
    """A POST in a session with these proofs: their kind, and how many seconds ago."""
    request = RequestFactory().post("/")
    request.user = person
    records = [{"method": method, "at": time.time() - age} for method, age in methods]
    request.session = {"account_authentication_methods": records, "account_authentication_methods_user": str(person.pk)}
    return request


@pytest.mark.parametrize("factor", ["totp", "passkey"])
def test_step_up_of_whoever_has_a_second_factor_takes_no_password(alice, factor):
    give_totp(alice) if factor == "totp" else Passkey(alice)
    Authenticator.objects.update(created_at=timezone.now() - timedelta(hours=1))

    for proofs in [("mfa", 400), ("password", 1)], [("password", 1)]:
        with pytest.raises(ReauthenticationRequired):
            guarded(proofs_of(alice, *proofs))
    assert guarded(proofs_of(alice, ("mfa", 299), ("password", 1))).content == b"done"


def test_step_up_takes_a_password_that_was_given_before_there_was_a_second_factor(alice):
    """Whoever sets one up goes on; the next proof is by the factor."""
    give_totp(alice)
    Authenticator.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    assert guarded(proofs_of(alice, ("password", 120))).content == b"done"
    with pytest.raises(ReauthenticationRequired):
        guarded(proofs_of(alice, ("password", 301)))


@pytest.mark.parametrize("name", ["mfa_deactivate_totp", "mfa_add_webauthn", "mfa_generate_recovery_codes", "account_email"])
def test_password_and_an_old_session_change_nothing_of_whoever_has_a_second_factor(client, alice, name):
    give_totp(alice)
    RecoveryCodes.activate(alice)
    client.force_login(alice)
    let_proof_grow_old(client)
    before = (list(Authenticator.objects.order_by("pk").values()), EmailAddress.objects.count())

    asked = client.post(reverse(name), {"email": "thief@people.example", "action_add": ""})
    assert asked["Location"].startswith(reverse("mfa_reauthenticate"))
    by_password = client.post(f"{reverse('account_reauthenticate')}?next=/", {"password": PASSWORD})
    again = client.post(reverse(name), {"email": "thief@people.example", "action_add": ""})

    assert by_password["Location"] == f"{reverse('mfa_reauthenticate')}?next=%2F"
    assert again["Location"].startswith(reverse("mfa_reauthenticate"))
    assert (list(Authenticator.objects.order_by("pk").values()), EmailAddress.objects.count()) == before


def test_change_of_password_asks_whoever_has_a_second_factor_for_it_and_keeps_no_password(client, alice):
    secret = give_totp(alice)
    client.force_login(alice)
    let_proof_grow_old(client)
    there, new = reverse("account_change_password"), "an-other-long-pass-phrase"

    for asked in client.get(there), client.post(there, {"oldpassword": PASSWORD, "password1": new, "password2": new}):
        assert asked["Location"] == f"{reverse('account_reauthenticate')}?{urlencode({'next': there})}"
    assert new not in str(dict(client.session))
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)

    answer = client.post(reverse("mfa_reauthenticate"), {"code": code_of(secret), "next": there})
    assert answer["Location"] == there
    client.post(there, {"oldpassword": PASSWORD, "password1": new, "password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)


def test_whoever_has_a_passkey_alone_is_asked_for_it_first(client, alice):
    Passkey(alice)
    RecoveryCodes.activate(alice)
    client.force_login(alice)
    let_proof_grow_old(client)

    asked = client.get(reverse("mfa_generate_recovery_codes"))

    assert asked["Location"].startswith(reverse("mfa_reauthenticate_webauthn"))
    assert "Use your password" not in client.get(asked["Location"]).text


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
