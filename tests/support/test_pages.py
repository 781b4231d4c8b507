"""The customer's pages: reading a request, the shield, ending access, the history, what Home says."""

import json
from http import HTTPStatus

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import Role
from accounts.support.rules.availability import approvers_missing
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_membership
from tests.support.factories import (
    give_totp,
    make_account,
    make_active,
    make_approver,
    make_engineer,
    make_granted,
    make_request,
    make_requested,
)
from tests.support.pages import page

pytestmark = pytest.mark.django_db


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_decision_page_says_everything_at_once(client, acme):
    request = make_requested(organisation=acme, profile="logs", engineer=make_engineer(name="Mia Köhler"), case="CASE-77", minutes=240)
    client.force_login(make_approver(acme).user)

    text = client.get(page(request)).text

    assert "Mia Köhler (support engineer, Fernhill, Berlin) asks to read logs and the state of" in text
    for said in ("for 4 hours", "CASE-77", "You asked for help", "Cannot", "Your data", "If you decline", "Without a decision", "Decline"):
        assert said in text
    assert "with everything inside it" in text
    # The name comes first: a narrow list cuts off its end.
    assert f"{request.scope_label} · Cloud account</option>" in text


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
    with django_assert_num_queries(15):
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


def test_page_of_what_is_under_way_brings_itself_up_to_date(client, acme):
    """Only when something is new: no page is drawn anew under a reader's hands."""
    request = make_active(organisation=acme)
    client.force_login(make_approver(acme).user)
    assert "hx-trigger" not in client.get(page(request)).text
    client.post(page(request, "access_end"))
    ending = client.get(page(request)).text
    assert "AWS is told to refuse the old session, and is asked until it does." in ending
    assert f'hx-get="{page(request)}?state=ending"' in ending

    asked = {"headers": {"HX-Request": "true"}}
    assert client.get(f"{page(request)}?state=ending", **asked).status_code == HTTPStatus.NO_CONTENT
    later = client.get(f"{page(request)}?state=active", **asked)
    assert (later.status_code, 'id="access-now"' in later.text) == (HTTPStatus.OK, True)


def test_only_who_decides_is_led_to_deciding_and_one_request_stands_out(client, acme):
    account = make_account(acme)
    for _ in range(2):
        make_requested(organisation=acme, account=account)
    home = reverse("support:access_home", args=["acme"])
    client.force_login(make_approver(acme).user)
    text = client.get(home).text
    assert (text.count("Review request"), text.count("button-primary")) == (2, 1)
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)
    assert "Review request" not in client.get(home).text


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


# --- Home -------------------------------------------------------------------------------------------------------------


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
