"""What silence, a question and opening hours make of a request, from asking to the grant."""

from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.urls import reverse

from accounts.support.actions.requests import revise_request, send_to_customer
from accounts.support.models.policies import Outside
from accounts.support.rules.gate import why_closed
from accounts.support.states import AccessState
from accounts.support.tasks import lapse_due_requests
from portal.operations.availability import NotAllowed
from tests.activity import assert_no_event, assert_one_event
from tests.support.factories import (
    approve_by_code,
    make_account,
    make_approver,
    make_engineer,
    make_policy,
    make_request,
    make_requested,
    make_wish,
    scope_for,
)
from tests.support.pages import page

pytestmark = pytest.mark.django_db
# A Sunday.
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OFFICE = {"days": [0, 1, 2, 3, 4], "opens": time(8), "closes": time(10), "zone": "UTC"}


@pytest.mark.parametrize("state", ["checking", "requested", "more_info", "approved"])
def test_silence_is_a_refusal_whoever_is_silent(state, client, acme):
    request = (
        make_request(organisation=acme, profile="operate") if state == "checking" else make_requested(organisation=acme, profile="operate")
    )
    person = make_approver(acme)
    client.force_login(person.user)
    if state == "more_info":
        client.post(page(request, "access_ask"), {"text": "Which of the cells?"})
    if state == "approved":
        approve_by_code(request, person)
    request.refresh_from_db()
    assert request.state == state

    with time_machine.travel(request.decide_by - timedelta(seconds=1)):
        assert lapse_due_requests() == 0
    with time_machine.travel(request.decide_by), assert_one_event(acme if state != "checking" else None, action="support.lapsed"):
        assert [lapse_due_requests(), lapse_due_requests()] == [1, 0]
        request.refresh_from_db()
        assert why_closed(request, request.decide_by) == "not_active"
        with pytest.raises(NotAllowed):
            approve_by_code(request, make_approver(acme))


def test_question_goes_to_the_engineer_and_the_answer_is_checked_once_more(client, acme):
    account = make_account(acme)
    request = make_requested(organisation=acme, account=account, profile="operate")
    first = make_approver(acme)
    approve_by_code(request, first)
    client.force_login(make_approver(acme).user)

    with assert_one_event(acme, action="support.more_info"):
        client.post(page(request, "access_ask"), {"text": "Which of the cells?"})
    request.refresh_from_db()
    assert (request.state, request.decisions.standing().count(), request.document) == ("more_info", 0, "")
    client.force_login(request.engineer)
    assert "Which of the cells?" in client.get(reverse("support:case_detail", args=[request.pk])).text

    revise_request(request, wish=make_wish(scope_for(account), minutes=30), answer="The main one.", by=request.engineer)
    assert request.state == AccessState.CHECKING
    with assert_no_event(), pytest.raises(NotAllowed):
        send_to_customer(request, by=request.engineer)
    send_to_customer(request, by=make_engineer())
    client.force_login(first.user)
    shown = client.get(request.get_absolute_url()).text
    assert request.state == AccessState.REQUESTED
    assert "The main one." in shown


def test_access_for_another_time_waits_for_the_opening_and_ends_with_it(acme):
    make_policy(acme, outside=Outside.WAIT, **OFFICE)
    with time_machine.travel(SUNDAY, tick=False):
        request = make_requested(organisation=acme, minutes=240)
        approve_by_code(request, make_approver(acme))

    assert request.state == AccessState.SCHEDULED
    assert request.granted_from == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert request.granted_until == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_access_for_another_time_is_refused_where_the_policy_says_so(acme):
    make_policy(acme, outside=Outside.REFUSE, **OFFICE)
    account = make_account(acme)
    with time_machine.travel(SUNDAY, tick=False), pytest.raises(NotAllowed, match="refuses access at this time"):
        make_request(organisation=acme, account=account)
    with time_machine.travel(SUNDAY + timedelta(hours=21), tick=False):
        assert make_request(organisation=acme, account=account).state == AccessState.CHECKING
