"""The provider's own pages of support access open only to whoever has a second factor, and has given it in this session."""

import json
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts.models import User
from accounts.sign_in import SECOND_FACTOR_MAX_AGE
from accounts.support.models import AccessRequest, Device, Viewing
from accounts.support.states import AccessState
from tests.accounts.signing_in import let_proof_grow_old, needs_commits, prove, sign_in
from tests.activity import assert_no_event
from tests.factories import make_user
from tests.guards.url_tree import address, other_urls
from tests.support.factories import code_of, give_totp, make_active, make_approver, make_engineer, make_policy, make_request
from tests.support.test_desk import filled, new_page
from tests.support.test_handouts import KEY, keep

pytestmark = pytest.mark.django_db

# A computer has no session: what it shows is the key that a code has bound. Ending is never refused.
WITHOUT = {"support:device_bind", "support:device_credentials", "support:viewing_end"}
DESK = [url for url in other_urls() if url.name.startswith("support:") and url.name not in WITHOUT]


def of_the_provider() -> User:
    return make_user(is_staff=True, is_support_engineer=True)


def test_the_desk_has_pages():
    assert {"support:case_list", "support:session_code", "support:case_export", "support:viewing_start"} <= {url.name for url in DESK}


@pytest.mark.parametrize("url", DESK, ids=lambda url: url.name)
def test_password_alone_leads_to_setting_up_a_second_factor(client, url):
    person = of_the_provider()
    sign_in(client, person.email)

    for answer in client.get(address(url, None, None)), client.post(address(url, None, None)):
        assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, reverse("mfa_index"))
    assert "needs a second factor. Set one up, then open it again." in client.get(reverse("mfa_index")).text


@pytest.mark.parametrize("url", DESK, ids=lambda url: url.name)
def test_second_factor_that_this_session_has_not_given_is_asked_for(client, url):
    person = of_the_provider()
    client.force_login(person)
    give_totp(person)

    for answer in client.get(address(url, None, None)), client.post(address(url, None, None)):
        assert answer["Location"].startswith(reverse("mfa_reauthenticate"))


def test_desk_closes_when_the_second_factor_is_older_than_a_working_day(client):
    client.force_login(make_engineer())
    desk = reverse("support:case_list")

    with time_machine.travel(timezone.now() + SECOND_FACTOR_MAX_AGE - timedelta(minutes=1)):
        assert client.get(desk).status_code == HTTPStatus.OK
    with time_machine.travel(timezone.now() + SECOND_FACTOR_MAX_AGE + timedelta(seconds=1)):
        assert client.get(desk)["Location"].startswith(reverse("mfa_reauthenticate"))
        # A fragment of an open page has the whole page ask.
        headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{desk}"}
        assert client.get(desk, headers=headers)["HX-Redirect"] == desk


def test_engineer_with_a_password_alone_gets_no_code_and_so_no_credentials(client, acme):
    make_policy(acme, allows_direct=True)
    request = make_active(organisation=acme, engineer=make_user(is_support_engineer=True), is_direct=True)
    keep(request, {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret", "SessionToken": "token"})
    sign_in(client, request.engineer.email)

    with assert_no_event():
        shown = client.post(reverse("support:session_code", args=[request.pk]))
    bound = client.post(reverse("support:device_bind"), json.dumps({"code": "x", "key": KEY, "name": "x"}), content_type="application/json")

    assert shown["Location"] == reverse("mfa_index")
    assert bound.status_code == HTTPStatus.NOT_FOUND
    assert not Device.objects.exists()


def test_asking_takes_a_fresh_proof_and_previewing_none(client, acme):
    engineer = make_engineer()
    client.force_login(engineer)
    given = filled(make_request(organisation=acme).account)
    let_proof_grow_old(client)

    with assert_no_event():
        assert client.post(new_page(acme), given | {"preview": "1"}).status_code == HTTPStatus.OK
        asked = client.post(new_page(acme), given)

    assert asked["Location"].startswith(reverse("mfa_reauthenticate"))
    assert not AccessRequest.objects.filter(engineer=engineer).exists()


def test_what_was_asked_happens_after_the_proof(client, acme):
    engineer = make_user(is_support_engineer=True)
    secret = give_totp(engineer)
    client.force_login(engineer)
    let_proof_grow_old(client)
    asked = client.post(new_page(acme), filled(make_request(organisation=acme).account))

    answer = client.post(reverse("mfa_reauthenticate"), {"code": code_of(secret), "next": reverse("support:case_new")})

    assert asked["Location"] == f"{reverse('mfa_reauthenticate')}?{urlencode({'next': reverse('support:case_new')})}"
    assert answer["Location"] == AccessRequest.objects.get(engineer=engineer).get_engineer_url()


def test_checking_takes_a_fresh_proof(client, acme):
    request = make_request(organisation=acme)
    client.force_login(make_engineer())
    let_proof_grow_old(client)
    check = reverse("support:case_check", args=[request.pk])
    assert client.get(check).status_code == HTTPStatus.OK

    for given in {}, {"return": "1", "text": "Which cell?"}:
        assert client.post(check, given)["Location"].startswith(reverse("mfa_reauthenticate"))

    request.refresh_from_db()
    assert request.state == AccessState.CHECKING


def test_code_for_a_computer_takes_a_fresh_proof(client, acme):
    make_policy(acme, allows_direct=True)
    request = make_active(organisation=acme, is_direct=True)
    client.force_login(request.engineer)
    let_proof_grow_old(client)

    shown = client.post(reverse("support:session_code", args=[request.pk]))

    assert shown["Location"].startswith(reverse("mfa_reauthenticate"))


def test_viewing_a_customer_takes_a_fresh_proof(client, acme):
    person = make_user(is_staff=True)
    give_totp(person)
    client.force_login(person)
    let_proof_grow_old(client)
    start = reverse("support:viewing_start", args=[acme.pk])
    assert client.get(start).status_code == HTTPStatus.OK

    assert client.post(start, {"case": "CASE-1", "reason": "Empty page."})["Location"].startswith(reverse("mfa_reauthenticate"))

    assert not Viewing.objects.exists()


# --- A new factor of somebody who decides ----------------------------------------------------------------------------------


def add_app(client, person):
    """By the password alone, as whoever has no factor may."""
    sign_in(client, person.email)
    prove(client)
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})


@needs_commits
def test_new_factor_of_an_approver_is_told_to_the_person_and_to_the_others_who_decide(client, acme, alice, bob, mailbox):
    approver = make_approver(acme, factor="").user
    make_approver(acme, user=make_user(is_staff=True), factor="")

    add_app(client, approver)

    told = {message.to[0]: message for message in mailbox}
    assert set(told) == {alice.email, approver.email}
    assert told[alice.email].subject == f"{approver.name} has set up a second factor for Acme"
    assert f"({approver.email}) has just set up an authenticator app or a passkey" in told[alice.email].body
    assert "/o/acme/settings/members/" in told[alice.email].body


@needs_commits
def test_new_factor_of_who_decides_nothing_is_told_to_the_person_alone(client, acme, alice, bob, mailbox):
    add_app(client, bob)

    assert [message.to for message in mailbox] == [[bob.email]]
