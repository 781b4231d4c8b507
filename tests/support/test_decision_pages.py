"""The customer's pages of deciding: never by GET, by code without JavaScript or by passkey, never more than asked, by whom alone."""

import hashlib
import json
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.core.cache import cache
from django.utils import timezone
from fido2.utils import websafe_encode

from accounts.access import Role
from accounts.support.models import AccessRequest, Decision
from accounts.support.states import AccessState
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_contact, make_membership, make_user
from tests.support.factories import (
    approve_by_code,
    code_of,
    give_totp,
    make_approver,
    make_policy,
    make_requested,
)
from tests.support.pages import offered, page
from tests.support.passkeys import Passkey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counted_tries():
    cache.clear()


def test_approval_by_code_needs_no_javascript(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    secret = give_totp(person.user)
    client.force_login(person.user)
    token, offer = offered(client, request)

    with assert_one_event(acme, action="support.scheduled"):
        response = client.post(page(request, "access_approve"), {"offer": token, "code": code_of(secret)}, follow=True)

    assert "The access is approved." in response.text
    decision = Decision.objects.get()
    assert (decision.method, decision.sha256) == ("totp", offer.sha256)


def test_approval_by_passkey_signs_the_very_document(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    key = Passkey(person.user, rp_id="testserver")
    client.force_login(person.user)
    token, offer = offered(client, request)

    response = client.post(page(request, "access_approve"), {"offer": token, "credential": key.sign(offer.text)}, follow=True)

    assert "The access is approved." in response.text
    decision = Decision.objects.get()
    assert (decision.method, decision.document) == ("passkey", offer.text)
    assert decision.assertion["public_key"]["crv"] == "P-256"


def test_page_asks_the_passkey_for_the_hash_of_the_document(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="passkey")
    client.force_login(person.user)
    shown = client.get(page(request, "access_approve"))
    offer = shown.context["offer"]
    assert shown.context["options"]["publicKey"]["challenge"] == websafe_encode(hashlib.sha256(offer.text.encode()).digest())
    assert json.dumps(shown.context["options"]["publicKey"]["challenge"]) in shown.text


@pytest.mark.parametrize("signed", ["another text", None])
def test_passkey_that_signed_anything_else_approves_nothing(signed, client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    key = Passkey(person.user, rp_id="testserver")
    client.force_login(person.user)
    token, _ = offered(client, request)
    credential = key.sign(signed) if signed else "{}"

    with assert_no_event():
        shown = client.post(page(request, "access_approve"), {"offer": token, "credential": credential})

    assert "The passkey was not accepted. Nothing was approved." in shown.text
    assert not Decision.objects.exists()


def test_password_alone_approves_nothing(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    client.force_login(person.user)  # stands for a password of this moment
    token, _ = offered(client, request)

    with assert_no_event():
        shown = client.post(page(request, "access_approve"), {"offer": token})

    assert "You have no authenticator app set up here." in shown.text
    assert "A password alone approves nothing." in client.get(page(request)).text


def test_wrong_code_approves_nothing_and_tries_are_limited(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme)
    client.force_login(person.user)
    token, _ = offered(client, request)
    texts = [client.post(page(request, "access_approve"), {"offer": token, "code": "000000"}).text for _ in range(12)]

    assert "This code is not the one your app shows now" in texts[0]
    assert "Too many tries." in texts[-1]
    assert not Decision.objects.exists()


def test_get_never_approves(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    secret = give_totp(person.user)
    client.force_login(person.user)
    token, _ = offered(client, request)
    with assert_no_event():
        client.get(page(request, "access_approve"), {"offer": token, "code": code_of(secret)})
    assert not Decision.objects.exists()


def test_narrowing_on_the_page_is_what_is_granted(client, acme):
    request, person = make_requested(organisation=acme, profile="repair", minutes=240), make_approver(acme, factor="")
    secret = give_totp(person.user)
    client.force_login(person.user)
    token, _ = offered(client, request, profile="diagnose", minutes="30")
    client.post(page(request, "access_approve"), {"offer": token, "code": code_of(secret)})

    request.refresh_from_db()
    assert (request.state, request.profile, request.minutes) == (AccessState.SCHEDULED, "diagnose", 30)


@pytest.mark.parametrize("wider", [{"profile": "repair"}, {"minutes": "480"}, {"scope": "account:0a1b2c3d-0000-4000-8000-000000000000"}])
def test_page_draws_no_offer_that_is_wider_than_asked(wider, client, acme):
    request = make_requested(organisation=acme, profile="logs", minutes=60)
    client.force_login(make_approver(acme).user)
    shown = client.get(page(request, "access_approve"), wider, follow=True)
    assert "Only less than what was asked can be approved." in shown.text


def test_second_press_and_a_second_approver_get_a_clear_answer(client, acme):
    request, person = make_requested(organisation=acme), make_approver(acme, factor="")
    secret = give_totp(person.user)
    client.force_login(person.user)
    token, _ = offered(client, request)
    sent = {"offer": token, "code": code_of(secret)}
    client.post(page(request, "access_approve"), sent)

    with assert_no_event():
        again = client.post(page(request, "access_approve"), sent, follow=True)
        declined = client.post(page(request, "access_decline"), follow=True)

    assert "This request does not wait for a decision any more. It is: Scheduled." in again.text
    assert "does not wait for a decision any more" in declined.text
    assert Decision.objects.count() == 1


def test_change_while_the_page_was_open_shows_the_difference(client, acme):
    request, person = make_requested(organisation=acme, minutes=240), make_approver(acme, factor="")
    secret = give_totp(person.user)
    client.force_login(person.user)
    token, _ = offered(client, request)
    make_policy(acme, longest_minutes=60, version=7)

    with assert_no_event():
        shown = client.post(page(request, "access_approve"), {"offer": token, "code": code_of(secret)})

    assert "What you read is not what would be granted now. Nothing was approved." in shown.text
    assert ("Minutes", "240", "60") in shown.context["changes"]


def test_offer_of_somebody_else_or_of_long_ago_is_worth_nothing(client, acme):
    request, person, other = make_requested(organisation=acme), make_approver(acme), make_approver(acme, factor="")
    secret = give_totp(other.user)
    client.force_login(person.user)
    token, _ = offered(client, request)
    client.force_login(other.user)
    theirs = client.post(page(request, "access_approve"), {"offer": token, "code": code_of(secret)}, follow=True)
    assert "open for more than five minutes, or is not yours" in theirs.text
    token, _ = offered(client, request)
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=2), tick=False):
        client.force_login(other.user)
        late = client.post(page(request, "access_approve"), {"offer": token, "code": code_of(secret)}, follow=True)
    assert "open for more than five minutes, or is not yours" in late.text
    assert not Decision.objects.exists()


def test_mail_of_a_request_carries_a_link_and_no_button(acme, mailbox, django_capture_on_commit_callbacks):
    person = make_approver(acme)
    make_contact(organisation=acme, email="sec@acme.example", purpose="security", confirmed_at=timezone.now())
    make_contact(organisation=acme, email="unsure@acme.example", purpose="security")
    with django_capture_on_commit_callbacks(execute=True):
        request = make_requested(organisation=acme)

    assert sorted(mail.to[0] for mail in mailbox) == sorted([person.user.email, "sec@acme.example"])
    assert page(request) in mailbox[0].body
    assert "approve" not in mailbox[0].body.replace("approved", "").lower().split(page(request).lower())[1]


# --- Separation ------------------------------------------------------------------------------------------------------

ACTS = ("access_approve", "access_decline", "access_ask", "access_end")
MAY_DECIDE = {Role.OWNER: True, Role.APPROVER: True, Role.OPERATOR: False, Role.AUDITOR: False}


@pytest.mark.parametrize("relation", ["nobody", "staff", "engineer of the desk", "requester", "checker"])
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", ACTS)
def test_role_act_relation(act, role, relation, client, acme):
    """Who may do what: the role has to allow it, and nobody of the provider decides, even as a member. Ending is for all who may decide."""
    user = make_user(is_staff=relation == "staff", is_support_engineer=relation in {"engineer of the desk", "requester", "checker"})
    people = {"engineer": user} if relation == "requester" else {"checker": user} if relation == "checker" else {}
    request = make_requested(organisation=acme, **people)
    if act == "access_end":
        approve_by_code(request, make_approver(acme))
        AccessRequest.objects.update(state=AccessState.ACTIVE)
    secret = give_totp(user)
    make_membership(organisation=acme, role=role, user=user)
    client.force_login(user)
    before = AccessRequest.objects.values_list("state", flat=True).get()
    shown = client.get(page(request, act))
    token = (shown.context or {}).get("token", "") if shown.status_code == HTTPStatus.OK else ""
    client.post(page(request, act), {"offer": token, "code": code_of(secret), "text": "Which one?"})

    has_happened = AccessRequest.objects.values_list("state", flat=True).get() != before
    assert has_happened == (MAY_DECIDE[role] and (relation == "nobody" or act == "access_end"))
