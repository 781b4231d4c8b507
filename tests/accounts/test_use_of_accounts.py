"""The one gate to the clouds: what our access may be used for, state by state, and that rows, words and placement all follow it."""

import pytest

from accounts.availability import OBSTACLES, why_not_use
from accounts.models import CloudAccount
from accounts.states import ALLOWED_USES, PASSING_OBSTACLES, WATCHED_STATES, AccountState, Obstacle, Use
from cells.availability import why_not_create_in
from cells.hosting import find_place
from cells.placement import Bootstrap
from tests.cells.factories import make_plan
from tests.factories import make_cloud_account, make_kit

B, CO, CH, S, R, P = Use.BUILD, Use.COMPARE, Use.CHECK, Use.SUPPORT, Use.REMOVE, Use.PROVE
# state -> switched on, switched off by the customer.
TABLE = {
    "draft": (set(), set()),
    "waiting_for_kit": (set(), set()),
    "verifying": (set(), set()),
    "failed": (set(), set()),
    "connected": ({B, CO, CH, S, R, P}, {CO, CH, S, P}),
    "needs_attention": ({CH, S, P}, {CH, S, P}),
    "disconnected": (set(), set()),
    "offboarding": ({R, P}, {P}),
    "ready_to_offboard": ({P}, {P}),
    "offboarded": (set(), set()),
}
CASES = [(state, use, is_off) for state in AccountState for use in Use for is_off in (False, True)]


@pytest.mark.parametrize(("state", "use", "is_off"), CASES)
def test_use_of_an_account_in_each_state(state, use, is_off, acme):
    is_allowed = use in TABLE[state][is_off]
    account = make_cloud_account(organisation=acme, state=state, switched_off="changes" if is_off else "")

    assert (account.obstacle_to(use) is None, why_not_use(account, use) == "") == (is_allowed, is_allowed)
    assert list(CloudAccount.objects.usable_for(use)) == ([account] if is_allowed else [])


def test_table_knows_every_state_and_every_obstacle_has_words():
    assert set(TABLE) == set(AccountState) == set(ALLOWED_USES)
    assert set(OBSTACLES) == set(Obstacle)


def test_nothing_is_begun_by_whoever_leaves_or_has_left():
    assert all(Use.BUILD not in ALLOWED_USES[state] for state in AccountState if state != AccountState.CONNECTED)
    assert ALLOWED_USES[AccountState.DISCONNECTED] == ALLOWED_USES[AccountState.OFFBOARDED] == set()


def test_trust_that_is_watched_may_be_asked_about():
    assert all(Use.PROVE in ALLOWED_USES[state] for state in WATCHED_STATES)


@pytest.mark.parametrize("is_off", [False, True])
@pytest.mark.parametrize("state", AccountState)
def test_placement_and_offer_follow_the_gate(state, is_off, acme):
    account = make_cloud_account(organisation=acme, state=state, switched_off="changes" if is_off else "", home_region="us-east-1")
    make_kit(account=account)
    placed = find_place(make_plan(), organisation=acme, cloud="aws", region="us-east-1", account=account)

    assert isinstance(placed, Bootstrap) == (account.obstacle_to(Use.BUILD) is None) == (why_not_create_in(account) == "")


def test_only_what_the_customer_can_end_is_waited_out():
    assert {"trust_lost", "switched_off"} == PASSING_OBSTACLES
