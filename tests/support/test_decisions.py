"""From the engineer's request to the grant: who decides, over which text, and what is refused."""

import pytest
from django.utils import timezone

from accounts.access import Role
from accounts.support.actions.decisions import approve, ask_for_more, decline
from accounts.support.actions.requests import return_to_engineer, revise_request, send_to_customer, withdraw_request
from accounts.support.models.decisions import Method
from accounts.support.proof.documents import parse, sha256_of
from accounts.support.proof.proofs import Proof
from accounts.support.rules.gate import why_closed
from accounts.support.rules.offers import OfferChanged, draw
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from portal.operations.availability import NotAllowed
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_membership
from tests.support.factories import (
    approve_by_code,
    approve_by_passkey,
    make_account,
    make_active,
    make_approver,
    make_engineer,
    make_granted,
    make_policy,
    make_request,
    make_requested,
    make_wish,
    offer_on,
    scope_for,
)
from tests.support.passkeys import Passkey

pytestmark = pytest.mark.django_db


def test_approval_of_one_makes_a_grant_of_the_very_document(acme):
    request = make_requested(organisation=acme, minutes=60)
    person = make_approver(acme)

    with assert_one_event(acme, action="support.scheduled"):
        approve_by_code(request, person)

    assert request.state == AccessState.SCHEDULED
    assert request.sha256 == sha256_of(request.document)
    decision = request.decisions.get()
    assert (decision.document, decision.sha256, decision.method) == (request.document, request.sha256, Method.TOTP)
    # The end was fixed when the page was drawn: reading and deciding are part of the hour.
    assert 3540 < (request.granted_until - request.granted_from).total_seconds() <= 3600
    assert why_closed(request, timezone.now()) == "not_active"


def test_writing_profile_needs_two_different_approvers(acme):
    request = make_requested(organisation=acme, profile="operate")
    one, two = make_approver(acme), make_approver(acme, role=Role.OWNER)

    with assert_one_event(acme, action="support.approved"):
        approve_by_code(request, one)
    assert request.state == AccessState.APPROVED
    with assert_no_event(), pytest.raises(NotAllowed, match="approved this already"):
        approve_by_code(request, one)
    approve_by_code(request, two)

    assert request.state == AccessState.SCHEDULED
    assert len(set(request.decisions.values_list("approver", "sha256"))) == 2
    assert request.decisions.values("sha256").distinct().count() == 1
    assert parse(request.document)["approvals"] == 2


def test_second_approver_who_narrows_is_the_first_of_a_new_document(acme):
    request = make_requested(organisation=acme, profile="repair", minutes=120)
    one, two = make_approver(acme), make_approver(acme)
    approve_by_code(request, one)
    with assert_one_event(acme, action="support.approved_anew"):
        approve_by_code(request, two, profile="operate")
    assert request.state == AccessState.APPROVED
    assert request.decisions.standing().get().approver == two.user

    approve_by_code(request, one, profile="operate")

    assert (request.state, request.profile, request.asked["profile"]) == (AccessState.SCHEDULED, "operate", "repair")


def test_approver_may_shorten_but_not_widen(acme):
    request = make_requested(organisation=acme, profile="logs", minutes=120)
    person = make_approver(acme)
    for wider in ({"profile": "repair"}, {"minutes": 121}, {"is_direct": True}):
        with assert_no_event(), pytest.raises(OfferChanged):
            approve_by_code(request, person, **wider)

    approve_by_code(request, person, minutes=30, profile="diagnose")

    assert (request.minutes, request.profile) == (30, "diagnose")
    assert request.asked == {"profile": "logs", "minutes": 120, "scope": request.scope_label}


def test_offer_drawn_before_a_change_is_worth_nothing(acme):
    request = make_requested(organisation=acme)
    person, other = make_approver(acme), make_approver(acme)
    offer = offer_on(request)
    ask_for_more(request, question="Which cell?", by=other)
    scope = scope_for(request.account)
    revise_request(request, wish=make_wish(scope, case=request.case, minutes=90), answer="All of them.", by=request.engineer)
    send_to_customer(request, by=make_engineer())

    with assert_no_event(), pytest.raises(OfferChanged) as caught:
        approve(request, offer=offer, proof=Proof(Method.TOTP), by=person)

    assert caught.value.shown["minutes"] == 60


def test_decline_needs_no_reason_and_ends_it(acme):
    request = make_requested(organisation=acme)
    with assert_one_event(acme, action="support.declined"):
        decline(request, reason="", by=make_approver(acme, factor=""))
    with pytest.raises(NotAllowed, match="Declined"):
        approve_by_code(request, make_approver(acme))


def test_provider_sees_first_and_the_customers_chain_learns_of_it_only_then(acme):
    request = make_request(organisation=acme)
    checker = make_engineer()
    with pytest.raises(NotAllowed, match="your own request"):
        send_to_customer(request, by=request.engineer)
    with assert_one_event(None, action="support.returned"):
        return_to_engineer(request, question="Why all cells?", by=checker)
    with assert_one_event(None, action="support.answered"):
        revise_request(request, wish=make_wish(scope_for(request.account)), answer="They share it.", by=request.engineer)
    with assert_one_event(acme, action="support.requested"):
        send_to_customer(request, by=checker)
    with assert_one_event(acme, action="support.withdrawn"):
        withdraw_request(request, by=request.engineer)


def test_passkey_signs_the_grant_and_the_gate_checks_it(acme):
    person = make_approver(acme, factor="")
    key = Passkey(person.user)
    request = make_requested(organisation=acme)
    approve_by_passkey(request, person, key)
    for state in (AccessState.ACTIVATING, AccessState.ACTIVE):
        type(request).objects.filter(pk=request.pk).update(state=state)

    assert why_closed(request, timezone.now()) == ""
    decision = request.decisions.get()
    decision.assertion["signature"] = Passkey(make_membership().user).assertion(request.document)["signature"]
    decision.save()
    assert why_closed(request, timezone.now()) == "too_few_decisions"


def test_row_written_past_the_portal_opens_nothing(acme):
    request = make_active(organisation=acme)
    assert why_closed(request, timezone.now()) == ""

    request.decisions.update(seal="")

    assert why_closed(request, timezone.now()) == "too_few_decisions"


def test_second_grant_for_the_same_engineer_and_scope_is_refused(acme):
    account, engineer, person = make_account(acme), make_engineer(), make_approver(acme)
    make_granted(organisation=acme, account=account, engineer=engineer, approvers=[person])
    again = make_requested(organisation=acme, account=account, engineer=engineer)

    with assert_no_event(), pytest.raises(NotAllowed, match="has access to this already"):
        approve_by_code(again, person)


def test_rules_that_were_tightened_meanwhile_set_the_first_approval_aside(acme):
    request = make_requested(organisation=acme, profile="operate", minutes=240)
    one, two = make_approver(acme), make_approver(acme)
    approve_by_code(request, one)
    make_policy(acme, longest_minutes=60, version=2)

    approve_by_code(request, two)
    assert request.state == AccessState.APPROVED
    approve_by_code(request, one)

    assert (request.state, request.minutes) == (AccessState.SCHEDULED, 60)


def test_offer_of_the_same_moment_is_the_same_text(acme):
    request = make_requested(organisation=acme)
    offer = offer_on(request)
    assert draw(request, offer.terms, policy_of(acme), offer.drawn_at).text == offer.text
