"""Placement is a pure function: every branch of it, and what can never happen whatever is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.placement import AccountFacts, Bootstrap, CellFacts, NoPlace, PlanFacts, Refusal, Reuse, WaitFor, place
from cells.states import CellState, Hosting, Tenancy

OWN = AccountFacts("own", "aws", Hosting.CUSTOMER, is_usable=True)
ALL_REGIONS = {"aws": [], "gcp": []}
IN_OWN = PlanFacts(Hosting.CUSTOMER, Tenancy.DEDICATED, ALL_REGIONS)
SHARED = PlanFacts(Hosting.PROVIDER, Tenancy.SHARED, ALL_REGIONS)
ALONE = PlanFacts(Hosting.PROVIDER, Tenancy.DEDICATED, ALL_REGIONS)


def cell(state, *, account="own", region="eu-west-1", instances=0, most=10):
    return CellFacts(f"cell-{account}-{region}", account, region, state, instances, most)


def host(identity, **values):
    return AccountFacts(identity, **{"cloud": "aws", "hosting": Hosting.PROVIDER, "is_usable": True, **values})


def placed(plan, **values):
    return place(plan, **{"organisation": "acme", "cloud": "aws", "region": "eu-west-1", "account": None, **values})


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CellState.PLANNED, WaitFor("cell-own-eu-west-1")),
        (CellState.BOOTSTRAPPING, WaitFor("cell-own-eu-west-1")),
        (CellState.READY, Reuse("cell-own-eu-west-1")),
        (CellState.UPDATING, Reuse("cell-own-eu-west-1")),
        (CellState.FAILED, NoPlace(Refusal.CELL_FAILED)),
        (CellState.DELETING, NoPlace(Refusal.CELL_LEAVING)),
        (CellState.DELETED, Bootstrap("own", "eu-west-1")),
    ],
)
def test_own_account_follows_the_state_of_its_cell(state, expected):
    assert placed(IN_OWN, account=OWN, cells=[cell(state)]) == expected


def test_own_account_without_a_cell_in_the_region_bootstraps_one():
    assert placed(IN_OWN, account=OWN, cells=[cell(CellState.READY, region="us-east-1")]) == Bootstrap("own", "eu-west-1")


@pytest.mark.parametrize(
    ("limits", "region", "expected"),
    [
        ({"builds_cells": False}, "eu-west-1", NoPlace(Refusal.KIT_TOO_OLD)),
        ({"only_regions": frozenset({"eu-north-1", "us-east-1"})}, "eu-west-1", NoPlace(Refusal.ONLY_WHERE_THE_KIT_IS)),
        ({"only_regions": frozenset({"eu-north-1", "eu-west-1"})}, "eu-west-1", Bootstrap("own", "eu-west-1")),
    ],
)
def test_new_cell_needs_a_kit_that_can_build_it_there(limits, region, expected):
    """A cell that stands already is reused all the same."""
    own = AccountFacts("own", "aws", Hosting.CUSTOMER, is_usable=True, **limits)

    assert placed(IN_OWN, account=own, region=region) == expected
    assert placed(IN_OWN, account=own, region=region, cells=[cell(CellState.READY)]) == Reuse("cell-own-eu-west-1")


def test_full_cell_is_no_place():
    assert placed(IN_OWN, account=OWN, cells=[cell(CellState.READY, instances=10)]) == NoPlace(Refusal.CELL_FULL)


@pytest.mark.parametrize(
    ("plan", "values", "why"),
    [
        (IN_OWN, {"account": None}, Refusal.ACCOUNT_MISSING),
        (IN_OWN, {"account": AccountFacts("own", "gcp", Hosting.CUSTOMER, is_usable=True)}, Refusal.ACCOUNT_OF_OTHER_CLOUD),
        (IN_OWN, {"account": AccountFacts("own", "aws", Hosting.CUSTOMER, is_usable=False)}, Refusal.ACCOUNT_NOT_USABLE),
        (IN_OWN, {"account": OWN, "cloud": "azure"}, Refusal.REGION_NOT_OFFERED),
        (PlanFacts(Hosting.CUSTOMER, Tenancy.DEDICATED, {"aws": ["us-east-1"]}), {"account": OWN}, Refusal.REGION_NOT_OFFERED),
        (SHARED, {"account": OWN}, Refusal.ACCOUNT_NOT_NEEDED),
        (SHARED, {}, Refusal.NO_HOST),
        (SHARED, {"hosts": [host("h", is_open=False)]}, Refusal.NO_HOST),
        (SHARED, {"hosts": [host("h", is_usable=False)]}, Refusal.NO_HOST),
        (SHARED, {"hosts": [host("h", hosting=Hosting.PLATFORM)]}, Refusal.NO_HOST),
        (SHARED, {"hosts": [host("h", reserved_for="acme")]}, Refusal.NO_HOST),
        (ALONE, {"hosts": [host("h")]}, Refusal.NO_HOST),
        (ALONE, {"hosts": [host("h", reserved_for="globex")]}, Refusal.NO_HOST),
    ],
)
def test_no_place_says_why(plan, values, why):
    assert placed(plan, **values) == NoPlace(why)


def test_hosts_are_taken_where_a_cell_runs_then_where_one_comes_then_where_one_can_be_made():
    hosts = [host("new"), host("coming"), host("running")]
    cells = [cell(CellState.BOOTSTRAPPING, account="coming"), cell(CellState.READY, account="running")]

    assert placed(SHARED, hosts=hosts, cells=cells) == Reuse("cell-running-eu-west-1")
    assert placed(SHARED, hosts=hosts[:2], cells=cells) == WaitFor("cell-coming-eu-west-1")
    assert placed(SHARED, hosts=hosts[:1], cells=cells) == Bootstrap("new", "eu-west-1")


def test_dedicated_goes_only_to_the_account_reserved_for_the_organisation():
    assert placed(ALONE, hosts=[host("open"), host("mine", reserved_for="acme")]) == Bootstrap("mine", "eu-west-1")


_account = st.builds(
    AccountFacts,
    id=st.sampled_from(["a", "b", "c"]),
    cloud=st.sampled_from(["aws", "gcp"]),
    hosting=st.sampled_from(list(Hosting)),
    is_usable=st.booleans(),
    reserved_for=st.sampled_from(["", "acme", "globex"]),
    is_open=st.booleans(),
)
_cell = st.builds(
    CellFacts,
    id=st.uuids().map(str),
    account=st.sampled_from(["a", "b", "c", "own"]),
    region=st.sampled_from(["eu-west-1", "us-east-1"]),
    state=st.sampled_from(list(CellState)),
    instances=st.integers(0, 3),
    most_instances=st.integers(0, 3),
)


@given(
    tenancy=st.sampled_from(list(Tenancy)),
    hosting=st.sampled_from(list(Hosting)),
    account=st.none() | _account,
    hosts=st.lists(_account, max_size=4, unique_by=lambda one: one.id),
    cells=st.lists(_cell, max_size=6, unique_by=lambda one: (one.account, one.region)),
)
def test_nobody_is_ever_placed_with_strangers_or_where_nothing_may_start(tenancy, hosting, account, hosts, cells):
    plan = PlanFacts(hosting, tenancy, ALL_REGIONS)
    found = placed(plan, account=account, hosts=hosts, cells=cells)
    if isinstance(found, NoPlace):
        return

    where = next((one.account for one in cells if isinstance(found, Reuse | WaitFor) and one.id == found.cell), None)
    target = where if where is not None else found.account
    known = {one.id: one for one in hosts} if hosting != Hosting.CUSTOMER else {account.id: account}
    there = known[target]
    assert there.is_usable
    assert there.cloud == "aws"
    if hosting != Hosting.CUSTOMER:
        assert account is None
        assert there.is_open
        assert there.reserved_for == ("acme" if tenancy == Tenancy.DEDICATED else "")
    if isinstance(found, Bootstrap):
        assert not [one for one in cells if (one.account, one.region) == (target, "eu-west-1") and one.state != CellState.DELETED]
