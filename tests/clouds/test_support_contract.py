"""What support access must do, the same in every cloud: the kit's own identity, the real SDK, a strict local server that ends it.

`SUPPORT_STANDS` says which clouds are here; what only one cloud knows stands in tests of its own.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.clouds import open_support
from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackState
from accounts.clouds.support import OpenDoor, SupportCloud, SupportGrant
from tests.clouds.conftest import Cloud, SandboxProcess, TestIssuer
from tests.clouds.stack_stands import STACK_STANDS, StackStand

SUPPORT_STANDS = ("aws", "azure", "gcp")
# For so long after its end a session may still be let in: AWS and Google look at the clock at each call, Azure's janitor comes each minute.
TAIL = {"aws": 1, "azure": 60, "gcp": 1}
# Azure's own log has no line for a reading: there it tells who was given what, and who took it away.
LOGS_NO_READING = {"azure"}
GRANT, OTHER = "5b0e7c1d-2f3a-4b5c-8d6e-7f8091a2b3c4", "11111111-2222-4333-8444-555555555555"


@pytest.fixture(params=SUPPORT_STANDS)
def stand(
    request: pytest.FixtureRequest, cloud: Cloud, sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> StackStand:
    """An account with the kit in it, and a cell that stands."""
    make, addresses = STACK_STANDS[request.param]
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    made = make(cloud, sandbox, issuer)
    order = made.order()
    made.stacks().apply(order)
    wait_until(lambda: made.stacks().look(order.name, order.region).state == StackState.READY, 60)
    return made


def grant_of(stand: StackStand, *, seconds: float = 3600, profile: str = "logs", number: str = GRANT) -> SupportGrant:
    now = datetime.now(UTC)
    order = stand.order()
    return SupportGrant(
        grant=number, engineer="mia.koehler", case="CASE-7", profile=profile, region=order.region, stack=order.name, starts_at=now,
        ends_at=now + timedelta(seconds=seconds),
    )  # fmt: skip


def support(stand: StackStand) -> SupportCloud:
    """A new one each time, as every step has."""
    target = stand.target
    return open_support(stand.name_of_cloud, target, stand.tokens(target), stand.kit.shipped(target))


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"not so after {seconds} s")


def is_refused(stand: StackStand, door: OpenDoor, grant: SupportGrant) -> bool:
    return support(stand).probe(door, grant).is_refused


def outlast(stand: Any, grant: SupportGrant) -> None:
    """Until the cloud must have ended the grant by itself. Nothing of the portal runs meanwhile."""
    time.sleep(max(0.0, (grant.ends_at - datetime.now(UTC)).total_seconds()))
    seconds = TAIL[stand.name_of_cloud]
    if stand.name_of_cloud == "azure":
        stand.account.control("POST", "clock", {"seconds": seconds})  # this Azure's own clock
    else:
        time.sleep(seconds)


def test_support_contract_open_door_lets_read_and_says_until_when(stand):
    grant = grant_of(stand)

    door = support(stand).open(grant)

    assert door.expires_at <= grant.ends_at
    assert not is_refused(stand, door, grant)
    assert door.policy == support(stand).policy(grant)
    assert grant.stack in support(stand).act(door, grant, "describe_cell", {}).text


def test_support_contract_every_act_of_a_profile_answers(stand):
    grant = grant_of(stand, profile="repair")
    door = support(stand).open(grant)

    for name in support(stand).acts("repair"):
        result = support(stand).act(door, grant, name, {})
        assert result.text, name
        assert bool(result.traces) is (stand.name_of_cloud not in LOGS_NO_READING), name


def test_support_contract_narrower_profile_is_held_by_the_cloud(stand):
    """The broker would not ask; a stolen credential is refused all the same."""
    grant = grant_of(stand, profile="diagnose")
    door = support(stand).open(grant)
    beyond = set(support(stand).acts("logs")) - set(support(stand).acts("diagnose"))

    assert beyond
    for name in beyond:
        with pytest.raises(CloudError) as refused:
            support(stand).act(door, replace(grant, profile="logs"), name, {})
        assert refused.value.code == "access_denied"


def test_support_contract_other_cell_is_out_of_scope(stand):
    grant = grant_of(stand)
    narrow = replace(grant, stack=grant.stack + "-elsewhere")

    with pytest.raises(CloudError):  # some clouds do not even open the door to a place that is not there
        support(stand).act(support(stand).open(narrow), grant, "describe_cell", {})


def test_support_contract_cloud_ends_it_by_itself(stand):
    """Nothing of the portal is asked between the opening and the refusal."""
    grant = grant_of(stand, seconds=10)
    door = support(stand).open(grant)
    assert not is_refused(stand, door, grant)

    outlast(stand, grant)

    found = support(stand).probe(door, grant)
    assert found.is_refused
    assert found.evidence


def test_support_contract_closed_door_is_refused_and_the_other_stays_open(stand):
    first, second = grant_of(stand), grant_of(stand, number=OTHER)
    door, other = support(stand).open(first), support(stand).open(second)

    support(stand).close(first)
    support(stand).close(first)

    wait_until(lambda: is_refused(stand, door, first), 10)
    assert not is_refused(stand, other, second)


def test_support_contract_closing_what_was_never_opened_is_no_error(stand):
    support(stand).close(grant_of(stand))
    support(stand).tidy(grant_of(stand, seconds=-60))
    support(stand).tidy(grant_of(stand, seconds=-60))


def test_support_contract_trust_is_as_shipped_before_during_and_after(stand):
    stand.adapter().check_trust_unedited()
    grant = grant_of(stand, seconds=10)
    door = support(stand).open(grant)
    stand.adapter().check_trust_unedited()
    support(stand).close(grant)
    stand.adapter().check_trust_unedited()
    wait_until(lambda: is_refused(stand, door, grant), 10)
    wait_until(lambda: datetime.now(UTC) > grant.ends_at, 15)
    support(stand).tidy(grant)
    stand.adapter().check_trust_unedited()


def test_support_contract_grant_that_is_over_opens_nothing(stand):
    with pytest.raises(CloudError) as refused:
        support(stand).open(grant_of(stand, seconds=-1))

    assert refused.value.code == "grant_is_over"


def test_support_contract_switched_off_by_the_customer_opens_nothing(stand):
    stand.turn("AllowSupport", "no")

    with pytest.raises(CloudError) as refused:
        support(stand).open(grant_of(stand))

    assert refused.value.code == "support_switched_off"


def test_support_contract_clouds_own_log_names_the_grant(stand):
    grant = grant_of(stand)
    door = support(stand).open(grant)
    before = datetime.now(UTC) - timedelta(minutes=5)
    result = support(stand).act(door, grant, "describe_cell", {})

    found = support(stand).find_traces(grant, before, datetime.now(UTC) + timedelta(minutes=5))

    assert found
    assert set(result.traces) <= {trace.call for trace in found}
    if stand.name_of_cloud not in LOGS_NO_READING:
        assert all(trace.principal == door.handle for trace in found)
    assert support(stand).find_traces(grant_of(stand, number=OTHER), before, datetime.now(UTC)) == []
