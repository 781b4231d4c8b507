"""An account leaves: every grant on it ends in the same moment, and nothing else does."""

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actions.accounts import disconnect_account
from accounts.actions.leaving import end_work
from accounts.models import CloudAccount
from accounts.states import ALLOWED_USES, AccountState, Use
from accounts.support.rules.gate import Closed, why_closed
from accounts.support.states import AccessState
from portal.audit.models import Event
from tests.factories import make_organisation
from tests.support.factories import make_account, make_active, make_granted, make_requested

pytestmark = pytest.mark.django_db
LEFT = [state for state in AccountState if Use.SUPPORT not in ALLOWED_USES[state]]


def events_on(request) -> list[tuple[str, str]]:
    found = Event.objects.filter(subject_kind="support_request", subject_id=str(request.pk)).order_by("sequence")
    return list(found.values_list("action", "actor_kind"))


def test_disconnecting_ends_open_access_at_once_and_says_why(acme, alice):
    account = make_account(acme)
    request = make_active(organisation=acme, account=account)

    disconnect_account(account, by=alice)

    request.refresh_from_db()
    assert (request.state, request.ends_as, request.ended_by) == (AccessState.ENDING, AccessState.REVOKED, None)
    assert request.end_reason == "The cloud account was disconnected."
    assert why_closed(request, timezone.now()) == Closed.NOT_ACTIVE
    assert ("support.ending", "system") in events_on(request)


def test_access_that_was_not_opened_yet_is_over(acme, alice):
    account = make_account(acme)
    request = make_granted(organisation=acme, account=account)

    disconnect_account(account, by=alice)

    request.refresh_from_db()
    assert (request.state, request.end_reason) == (AccessState.REVOKED, "The cloud account was disconnected.")


@pytest.mark.parametrize("to", AccountState)
def test_grants_end_in_each_state_that_allows_no_support(to, acme, alice):
    request = make_active(organisation=acme, account=make_account(acme))
    with transaction.atomic():
        end_work(CloudAccount.objects.select_for_update().get(pk=request.account_id), to, by=alice)

    request.refresh_from_db()
    assert request.state == (AccessState.ACTIVE if to in {"connected", "needs_attention"} else AccessState.ENDING)


def test_other_accounts_and_what_is_not_granted_stay(acme, alice):
    account, globex = make_account(acme), make_organisation(name="Globex", slug="globex")
    asked = make_requested(organisation=acme, account=account)
    others = [make_active(organisation=acme, account=make_account(acme)), make_active(organisation=globex, account=make_account(globex))]

    disconnect_account(account, by=alice)

    for one in (asked, *others):
        one.refresh_from_db()
    assert [one.state for one in (asked, *others)] == [AccessState.REQUESTED, AccessState.ACTIVE, AccessState.ACTIVE]


def test_end_that_is_under_way_is_not_begun_again(acme, alice):
    account = make_account(acme)
    request = make_active(organisation=acme, account=account)
    disconnect_account(account, by=alice)
    before = events_on(request)

    with transaction.atomic():
        end_work(CloudAccount.objects.select_for_update().get(pk=account.pk), AccountState.OFFBOARDED, by=alice)

    request.refresh_from_db()
    assert (request.state, request.end_reason, events_on(request)) == (AccessState.ENDING, "The cloud account was disconnected.", before)


@pytest.mark.parametrize("state", LEFT)
def test_gate_is_closed_whatever_the_grant_says(state, acme):
    request = make_active(organisation=acme, account=make_account(acme))
    assert why_closed(request, timezone.now()) == ""

    CloudAccount.objects.filter(pk=request.account_id).update(state=state)

    assert why_closed(request, timezone.now()) == Closed.ACCOUNT


def test_page_of_disconnecting_says_that_support_access_ends(acme, alice, client):
    client.force_login(alice)
    shown = client.get(reverse("accounts:account_disconnect", args=["acme", make_account(acme).pk]))

    assert "Support access that you have granted in this account ends at once too." in shown.text
