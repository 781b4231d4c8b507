"""What ends support access on Azure: the kit's own janitor, on the sandbox's clock, with nothing of the portal running."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.clouds.base import CloudError
from accounts.clouds.support import OpenDoor, SupportGrant
from tests.clouds.azure.cells import AzureCellStand
from tests.clouds.azure.played import addresses
from tests.clouds.azure.supported import GRANT, OTHER, grant_of, held_by_support, support
from tests.clouds.conftest import SandboxProcess, TestIssuer

LOGIC = "2019-05-01"


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> AzureCellStand:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return AzureCellStand(sandbox, issuer)


def later(stand: AzureCellStand, seconds: float) -> None:
    stand.account.control("POST", "clock", {"seconds": seconds})


def workflow(stand: AzureCellStand) -> str:
    return f"{stand.kit_group}/providers/Microsoft.Logic/workflows/byoc-{stand.target.suffix}-janitor"


def told(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


def open_for(stand: AzureCellStand, seconds: float, **fields: Any) -> tuple[OpenDoor, SupportGrant]:
    grant = grant_of(stand, seconds=seconds, **fields)
    return support(stand).open(grant), grant


def test_janitor_takes_it_away_within_its_minute_and_not_before(stand):
    door, grant = open_for(stand, 4)
    time.sleep(max(0.0, (grant.ends_at - datetime.now(UTC)).total_seconds()) + 0.5)

    # Azure itself knows no end: until the janitor comes, the door is open, and the probe says so.
    assert not support(stand).probe(door, grant).is_refused
    assert {"support", "support-logs", "support-lease"} == held_by_support(stand)
    later(stand, 60)

    found = support(stand).probe(door, grant)
    assert found.is_refused
    assert found.evidence.startswith("AuthorizationFailed: The client")
    assert found.request_id
    assert held_by_support(stand) == {"support-lease"}


def test_janitor_works_by_itself_while_nobody_asks_anything(stand):
    """No request reaches this Azure between the end and the look at what it held."""
    open_for(stand, 3)
    later(stand, 57)
    time.sleep(5)

    found = stand.account.control("GET", f"resources?under={stand.account.scope}")  # the sandbox's own look, and no request to Azure
    described = [str(entry["properties"]["description"]) for entry in found if entry["type"].endswith("roleAssignments")]
    assert len([text for text in described if GRANT in text]) == 1  # that the identity rests


def test_janitor_leaves_what_is_not_over_and_what_is_not_supports(stand):
    before = {entry["id"] for entry in stand.read("/providers/Microsoft.Authorization/roleAssignments")["value"]}
    door, grant = open_for(stand, 3600)

    later(stand, 1800)

    assert not support(stand).probe(door, grant).is_refused
    later(stand, 1801)
    assert support(stand).probe(door, grant).is_refused
    assert before <= {entry["id"] for entry in stand.read("/providers/Microsoft.Authorization/roleAssignments")["value"]}


@pytest.mark.parametrize(
    "description",
    [None, "", "Support access for ever", "Support access until tomorrow", "until 2999-01-01T00:00:00Z", "x until 2020-01-01T00:00:00Z"],
)
def test_janitor_takes_away_what_has_no_end_or_one_too_far(stand, description):
    """However it came there: an operator that was taken over could write anything."""
    path = f"{stand.account.scope}{stand.cell_group}/providers/Microsoft.Authorization/roleAssignments/{OTHER}"
    given = {
        "roleDefinitionId": stand.role("support")["id"],
        "principalId": stand.principal("support-2"),
        "principalType": "ServicePrincipal",
        **({} if description is None else {"description": description}),
    }
    stand.put(path, given)
    assert held_by_support(stand) == {"support"}

    later(stand, 60)

    assert held_by_support(stand) == set()


def test_janitor_whose_one_deletion_fails_goes_on_the_next_minute(stand):
    open_for(stand, 2)
    lock = f"{stand.cell_group}/providers/Microsoft.Authorization/locks/held"
    stand.put(lock, {"level": "ReadOnly"})
    later(stand, 62)
    assert "support" in held_by_support(stand)

    stand.remove(lock)
    later(stand, 60)

    assert held_by_support(stand) == {"support-lease"}


def test_nothing_is_opened_while_the_janitor_is_switched_off(stand):
    answer = stand.account.owner("POST", f"{workflow(stand)}/disable", version=LOGIC)
    assert answer.status == 200

    found = told(lambda: support(stand).open(grant_of(stand)))

    assert (found.code, found.retryable) == ("janitor_not_running", True)
    assert held_by_support(stand) == set()


def test_nothing_is_opened_while_the_janitor_fails(stand):
    """Its role was taken away: it still runs, and would end nothing."""
    for entry in stand.assignments("janitor"):
        stand.remove(entry["id"])
    later(stand, 60)

    assert told(lambda: support(stand).open(grant_of(stand))).code == "janitor_not_running"
    assert held_by_support(stand) == set()


def test_nothing_is_opened_under_a_janitor_that_was_changed(stand):
    body = stand.account.owner("GET", workflow(stand), version=LOGIC).body
    body["properties"]["definition"]["actions"]["Choose"]["inputs"]["where"] = "@not(and(true, true))"
    assert stand.account.owner("PUT", workflow(stand), body, version=LOGIC).status == 200

    assert told(lambda: support(stand).open(grant_of(stand))).code == "policy_edited"


def test_identity_rests_until_no_token_of_its_last_grant_is_worth_anything(stand):
    """Else the old token would open the next grant's door, and the proof of the first end would be undone."""
    first, grant = open_for(stand, 600)
    support(stand).close(grant)
    assert support(stand).probe(first, grant).is_refused

    second, other = open_for(stand, 600, number=OTHER)

    assert second.handle != first.handle
    assert support(stand).probe(first, grant).is_refused
    assert not support(stand).probe(second, other).is_refused
    later(stand, 26 * 3600)
    assert held_by_support(stand) == set()


def test_all_identities_at_rest_is_said(stand):
    for number in range(6):
        open_for(stand, 600, number=f"{number}1111111-2222-4333-8444-555555555555")

    assert told(lambda: support(stand).open(grant_of(stand))).code == "identities_at_rest"


def test_cache_of_azure_is_told_as_it_is(stand):
    """The assignment is gone, and Azure still lets the session in: no proof before the refusal."""
    door, grant = open_for(stand, 600)
    stand.account.control("POST", "removal", {"seconds": 30})

    support(stand).close(grant)

    assert held_by_support(stand) == {"support-lease"}
    assert not support(stand).probe(door, grant).is_refused
    later(stand, 31)
    assert support(stand).probe(door, grant).is_refused


def test_record_of_azure_shows_who_gave_and_who_took_away(stand):
    """The portal was down at the end: the janitor's own line stands there."""
    _door, grant = open_for(stand, 2)
    time.sleep(2)
    later(stand, 60)

    found = support(stand).find_traces(grant, grant.starts_at - timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=5))

    operator, janitor = stand.principal("operator"), stand.principal("janitor")
    verbs = [(trace.call.rpartition("/")[2], trace.principal) for trace in found]
    assert sorted(verbs) == sorted([*[("write", operator)] * 2, *[("delete", janitor)] * 2])
    assert len({trace.id for trace in found}) == 4
