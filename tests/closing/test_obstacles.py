"""Everything in the way of a closing is listed at once, each with the page that mends it."""

import pytest
from django.urls import reverse

from accounts.closing.obstacles import MOST_LISTED
from accounts.closing.parts import blockers
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_invitation
from tests.guards.url_tree import make_operation
from tests.offboarding import guards
from tests.support.factories import make_request, make_waiting


def told(organisation):
    return {blocker.sentence for blocker in blockers(organisation)}


def test_nothing_is_in_the_way_of_an_empty_organisation(acme, alice):
    assert told(acme) == set()


@pytest.mark.parametrize(
    "state", ["waiting_for_kit", "verifying", "failed", "connected", "needs_attention", "disconnected", "offboarding", "ready_to_offboard"]
)
def test_account_that_has_not_left_is_in_the_way(state, acme, alice):
    account = make_cloud_account(organisation=acme, created_by=alice, name="Main", state=state)

    [blocker] = blockers(acme)

    assert blocker.sentence == "Main is not offboarded."
    assert blocker.url == reverse("offboarding:offboarding_plan", args=["acme", account.pk])


def test_account_that_has_left_is_not(acme, alice):
    make_cloud_account(organisation=acme, created_by=alice, state="offboarded")

    assert told(acme) == set()


def test_all_of_it_is_told_at_once(client, acme, alice):
    make_instance(cell=make_cell(account=guards.make_connected(acme, alice)), created_by=alice)
    make_cloud_account(organisation=acme, created_by=alice, name="Begun", state="draft")
    make_invitation(organisation=acme, invited_by=alice)
    operation = make_operation(acme, alice)
    request = make_waiting(organisation=acme)
    client.force_login(alice)

    found = blockers(acme)
    page = client.get(reverse("closing:closing_home", args=["acme"])).text

    assert {
        "Main is not offboarded.",
        "The draft of Begun is not discarded.",
        "1 instance is not deleted.",
        f"Support access for case {request.case} is not over: Requested.",
        f"Operation {operation.reference} is not finished: {operation.subject_label}.",
        "1 invitation is open.",
    } <= {one.sentence for one in found}
    for blocker in found:
        assert f'href="{blocker.url}"' in page
        assert client.get(blocker.url).status_code == 200


def test_what_the_customer_does_not_know_of_is_not_told(acme, alice):
    make_request(organisation=acme)
    acme.cloud_accounts.update(state="offboarded")

    assert told(acme) == set()


def test_a_long_list_is_cut_and_counted(acme, alice):
    for _number in range(MOST_LISTED + 2):
        make_cloud_account(organisation=acme, created_by=alice, state="connected")

    found = blockers(acme)

    assert len(found) == MOST_LISTED + 1
    assert found[-1].sentence == "And 2 more like these."


def test_another_organisation_is_not_in_the_way(acme, alice):
    make_cloud_account(state="connected")

    assert told(acme) == set()
