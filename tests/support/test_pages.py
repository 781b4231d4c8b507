"""The customer's pages: one screen to decide on, never by GET, by code without JavaScript or by passkey; ending; the shield."""

import hashlib
import json
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from fido2.utils import websafe_encode

from accounts.access import Role
from accounts.support.actions.policies import confirm_change, set_policy
from accounts.support.availability import approvers_missing
from accounts.support.models import AccessRequest, Decision, PolicyChange
from accounts.support.models.policies import Mode
from accounts.support.policy import policy_of, values_of
from accounts.support.states import AccessState
from portal.operations.availability import NotAllowed
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_contact, make_membership, make_user
from tests.support.factories import (
    approve_by_code,
    code_of,
    give_totp,
    make_account,
    make_active,
    make_approver,
    make_engineer,
    make_granted,
    make_policy,
    make_request,
    make_requested,
)
from tests.support.passkeys import Passkey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counted_tries():
    cache.clear()


def page(request: AccessRequest, name: str = "access_request") -> str:
    return reverse(f"support:{name}", args=[request.organisation.slug, request.pk])


def offered(client, request: AccessRequest, **less: str):
    """The offer that the approve page draws, as its form would send it."""
    shown = client.get(page(request, "access_approve"), less)
    assert shown.status_code == HTTPStatus.OK
    return shown.context["token"], shown.context["offer"]


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_decision_page_says_everything_at_once(client, acme):
    request = make_requested(organisation=acme, profile="logs", engineer=make_engineer(name="Mia Köhler"), case="CASE-77", minutes=240)
    client.force_login(make_approver(acme).user)

    text = client.get(page(request)).text

    assert "Mia Köhler (support engineer, Fernhill, Berlin) asks to read logs and the state of" in text
    for said in ("for 4 hours", "CASE-77", "You asked for help", "Cannot", "Your data", "If you decline", "Without a decision", "Decline"):
        assert said in text
    assert "with everything inside it" in text


def test_request_that_is_still_checked_does_not_exist_for_the_customer(client, acme):
    request = make_request(organisation=acme)
    client.force_login(make_approver(acme).user)

    assert client.get(page(request)).status_code == HTTPStatus.NOT_FOUND
    assert "CASE" not in client.get(reverse("support:access_home", args=["acme"])).text


@pytest.mark.parametrize("number", [1, 3])
def test_support_page_asks_the_database_the_same_at_any_size(number, client, acme, django_assert_num_queries):
    person, account = make_approver(acme), make_account(acme)
    for _ in range(number):
        make_requested(organisation=acme, account=account)
        make_active(organisation=acme, account=account, approvers=[person])
    client.force_login(person.user)
    with django_assert_num_queries(16):
        client.get(reverse("support:access_home", args=["acme"]))


def test_shield_costs_no_query_and_says_what_is_open(client, acme):
    person, account = make_approver(acme), make_account(acme)
    client.force_login(person.user)
    there = reverse("accounts:account_list", args=["acme"])
    client.get(there)
    with CaptureQueriesContext(connection) as before:
        assert "No support access active" in client.get(there).text
    request = make_active(organisation=acme, account=account, approvers=[person])
    with CaptureQueriesContext(connection) as after:
        text = client.get(there).text

    assert "1 support access active" in text
    assert page(request, "access_end") in text
    assert len(after) == len(before)


# --- Deciding --------------------------------------------------------------------------------------------------------


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


# --- Ending ----------------------------------------------------------------------------------------------------------


def test_access_ends_in_two_clicks_and_the_second_try_is_told(client, acme):
    person = make_approver(acme)
    request = make_active(organisation=acme, approvers=[person])
    client.force_login(person.user)
    assert "End access now" in client.get(page(request, "access_end")).text

    with assert_one_event(acme, action="support.ending"):
        client.post(page(request, "access_end"))
    with assert_no_event():
        again = client.post(page(request, "access_end"), follow=True)

    request.refresh_from_db()
    assert (request.state, request.ends_as, request.ended_by) == (AccessState.ENDING, AccessState.REVOKED, person.user)
    assert "This access is being ended already." in again.text


def test_scheduled_access_is_over_at_once(client, acme):
    person = make_approver(acme)
    request = make_granted(organisation=acme, approvers=[person])
    client.force_login(person.user)
    with assert_one_event(acme, action="support.revoked"):
        client.post(page(request, "access_end"))


# --- History ---------------------------------------------------------------------------------------------------------


def test_export_has_what_the_filters_leave_and_is_on_record(client, acme):
    make_requested(organisation=acme, case="=CASE(1)".replace("=", "A").replace("(", "-").replace(")", ""), reason="=1+1")
    make_requested(organisation=acme, case="CASE-OTHER")
    make_request(organisation=acme, case="CASE-HIDDEN")
    client.force_login(make_membership(organisation=acme, role=Role.OWNER).user)
    there = reverse("support:access_export", args=["acme", "csv"])

    with assert_one_event(acme, action="support.history_exported"):
        rows = b"".join(client.post(f"{there}?q=ACASE").streaming_content).decode().splitlines()
    everything = json.loads(b"".join(client.post(reverse("support:access_export", args=["acme", "json"])).streaming_content))

    assert len(rows) == 2
    assert "'=1+1" in rows[1]
    assert {row["case"] for row in everything} == {"ACASE-1", "CASE-OTHER"}


# --- Policy ----------------------------------------------------------------------------------------------------------


def test_tightening_is_instant_and_loosening_waits_for_a_second_owner(client, acme):
    one, two = (make_membership(organisation=acme, role=Role.OWNER) for _ in range(2))
    values = values_of(policy_of(acme))
    assert set_policy(organisation=acme, values=values | {"longest_minutes": 60}, by=one) is None
    assert policy_of(acme).longest_minutes == 60
    change = set_policy(organisation=acme, values=values | {"longest_minutes": 120}, by=one)
    assert policy_of(acme).longest_minutes == 60
    with pytest.raises(NotAllowed, match="Another owner"):
        confirm_change(change, by=one)
    confirm_change(change, by=two)
    assert policy_of(acme).longest_minutes == 120
    with pytest.raises(NotAllowed, match="does not wait"):
        confirm_change(change, by=two)


LOOSER = {
    "mode": "one",
    "longest_minutes": 481,
    "decide_hours": 73,
    "days": [0, 1, 2],
    "opens": "07:00",
    "closes": "19:00",
    "zone": "Europe/Paris",
    "outside": "wait",
    "allows_direct": True,
}


@pytest.mark.parametrize("name", LOOSER)
def test_each_loosening_waits(name, acme):
    hours = {"days": [0, 1], "opens": "08:00", "closes": "18:00", "zone": "Europe/Berlin", "outside": "refuse"}
    owner = make_membership(organisation=acme, role=Role.OWNER)
    set_policy(organisation=acme, values=values_of(policy_of(acme)) | hours, by=owner)
    before = values_of(policy_of(acme))

    change = set_policy(organisation=acme, values=before | {name: LOOSER[name]}, by=owner)

    assert change is not None
    assert values_of(policy_of(acme)) == before


def test_off_ends_what_was_granted_and_refuses_what_is_asked(acme):
    person = make_approver(acme, role=Role.OWNER)
    request = make_active(organisation=acme, approvers=[person])
    set_policy(organisation=acme, values=values_of(policy_of(acme)) | {"mode": Mode.OFF}, by=person)

    request.refresh_from_db()
    assert (request.state, request.ends_as) == (AccessState.ENDING, AccessState.REVOKED)
    with pytest.raises(NotAllowed, match="switched support access off"):
        make_request(organisation=acme)


def test_confirming_an_overtaken_change_is_refused(acme):
    one, two = (make_membership(organisation=acme, role=Role.OWNER) for _ in range(2))
    values = values_of(policy_of(acme))
    change = set_policy(organisation=acme, values=values | {"longest_minutes": 960}, by=one)
    set_policy(organisation=acme, values=values | {"longest_minutes": 30}, by=two)
    with pytest.raises(NotAllowed, match="does not wait"):
        confirm_change(PolicyChange.objects.get(pk=change.pk), by=two)
    assert policy_of(acme).longest_minutes == 30


def test_nobody_who_can_approve_is_a_red_task_on_home(client, alice, acme):
    make_account(acme)
    client.force_login(alice)
    assert "Too few people can approve support access" in client.get(reverse("accounts:home", args=["acme"])).text
    give_totp(alice)
    make_approver(acme)
    assert approvers_missing(acme, policy_of(acme)) == 0
    assert "Too few people can approve support access" not in client.get(reverse("accounts:home", args=["acme"])).text


def test_approver_finds_the_request_on_home(client, acme):
    make_requested(organisation=acme, engineer=make_engineer(name="Mia Köhler"))
    client.force_login(make_approver(acme).user)
    assert "Mia Köhler asks for access to" in client.get(reverse("accounts:home", args=["acme"])).text
