"""What the operator may give on Azure, what support holds, and what is left of an opening that was cut short at any call."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError

from accounts.clouds.azure.access import sign_in
from accounts.clouds.azure.clients import Session
from accounts.clouds.base import CloudError, Subject
from accounts.kits.base import Publication
from tests.clouds.azure.cells import AzureCellStand
from tests.clouds.azure.played import addresses
from tests.clouds.azure.supported import GRANT, OTHER, grant_of, held_by_support, support
from tests.clouds.conftest import SandboxProcess, TestIssuer

GIVING = "providers/Microsoft.Authorization/roleAssignments"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> AzureCellStand:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return AzureCellStand(sandbox, issuer)


def operator_of(stand: AzureCellStand) -> Session:
    target = stand.target
    return sign_in(target, stand.tokens(target), target.reported["client_id"], Subject.OPS, was_trusted=True)


def give(stand: AzureCellStand, *, role: str = "", to: str = "", group: str = "", name: str = "") -> None:
    """By the operator's own session."""
    number = role or stand.role("support")["name"]
    properties = {
        "roleDefinitionId": f"{stand.account.scope}/providers/Microsoft.Authorization/roleDefinitions/{number}",
        "principalId": to or stand.principal("support-3"),
        "principalType": "ServicePrincipal",
        "description": "by hand, until 2026-01-01T00:00:00Z",
    }
    path = f"{stand.account.scope}{group or stand.cell_group}/{GIVING}/{name or uuid4()}"
    operator_of(stand).put(path, "authorization", {"properties": properties})


def test_operator_may_give_supports_roles_to_supports_identities(stand):
    give(stand)

    assert held_by_support(stand) == {"support"}


@pytest.mark.parametrize("other", ["owner", "reader", "operator-cells", "operator-support", "janitor", "cell-agent"])
def test_operator_can_give_no_other_role(stand, other):
    role = {"owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "reader": READER}.get(other) or stand.role(other)["name"]

    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        give(stand, role=role)


@pytest.mark.parametrize("other", ["operator", "janitor", "owner"])
def test_operator_can_give_supports_roles_to_nobody_else(stand, other):
    person = stand.account.control("POST", "owner-token", {"subscription": stand.account.subscription})["object_id"]
    principal = person if other == "owner" else stand.principal(other)

    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        give(stand, to=principal)
    assert held_by_support(stand) == set()


def test_operator_can_give_nothing_outside_the_cells_group(stand):
    for group in (stand.kit_group, "/resourceGroups/theirs"):
        stand.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            give(stand, group=group)


@pytest.mark.parametrize("role", ["operator-cells", "operator-support", "janitor", "cell-cluster", "cell-agent"])
def test_operator_can_take_no_other_role_away(stand, role):
    """Least of all the janitor's: with it the janitor would end nothing."""
    (entry,) = stand.assignments(role)

    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        operator_of(stand).delete(entry["id"], "authorization")
    assert stand.assignments(role) == [entry]


@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("DELETE", ""), ("POST", "/disable")])
def test_operator_can_neither_change_nor_stop_the_janitor(stand, method, path):
    workflow = f"{stand.account.scope}{stand.kit_group}/providers/Microsoft.Logic/workflows/byoc-{stand.target.suffix}-janitor"

    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        operator_of(stand)._call(method, f"{workflow}{path}", "workflows", {} if method == "PUT" else None)


def test_support_identity_without_a_grant_is_let_in_and_sees_nothing(stand):
    client = stand.read(stand.identity("support-2"))["properties"]["clientId"]
    session = sign_in(stand.target, stand.tokens(stand.target), client, Subject.SUPPORT, was_trusted=True)

    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        session.resources(stand.account.subscription).resource_groups.get(stand.name)


def test_narrower_profile_is_refused_the_log_by_azure(stand):
    grant = grant_of(stand, profile="diagnose")
    door = support(stand).open(grant)

    assert held_by_support(stand) == {"support", "support-lease"}
    with pytest.raises(CloudError) as refused:
        support(stand).act(door, replace(grant, profile="repair"), "read_cluster_log", {})
    assert (refused.value.code, "Microsoft.Insights/eventtypes/values/read" in refused.value.raw) == ("access_denied", True)


def test_log_is_read_line_by_line_as_asked(stand):
    stand.stacks().apply(stand.order())
    grant = grant_of(stand)
    door = support(stand).open(grant)

    few = support(stand).act(door, grant, "read_cluster_log", {"lines": "3"})
    named = support(stand).act(door, grant, "read_cluster_log", {"lines": "500", "words": "deploymentStacks/write"})

    assert (len(few.text.splitlines()), few.is_cut) == (1 + 3, True)
    lines = named.text.splitlines()[1:]
    assert lines
    assert all("Microsoft.Resources/deploymentStacks/write" in line for line in lines)


def test_customers_commands_end_it_without_the_portal(stand):
    """What the page of the switch prints: each names a role and a place that stand there."""
    grant = grant_of(stand)
    door = support(stand).open(grant)
    publication = Publication("", "", "", "", "")
    printed = stand.kit.switch_command(stand.target, publication, "AllowSupport", "no").splitlines()[:2]
    assert printed == stand.kit.shut_support(stand.target, publication)[1].command.splitlines()
    assert [line.split()[:4] for line in printed] == [["az", "role", "assignment", "delete"]] * 2

    for line in printed:
        words = line.split()
        role, scope = words[words.index("--role") + 1], words[words.index("--scope") + 1]
        for entry in stand.assignments(role.removeprefix(f"byoc-{stand.target.suffix}-")):
            assert entry["properties"]["scope"].lower() == scope.lower()
            stand.remove(entry["id"])

    assert support(stand).probe(door, grant).is_refused


# --- cut short -----------------------------------------------------------------------------------------------------------

CALLS = [
    ("entra", "token"),
    ("arm", "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ("arm", "Microsoft.Authorization/roleDefinitions/read"),
    ("arm", "Microsoft.Logic/workflows/read"),
    ("arm", "Microsoft.Logic/workflows/runs/read"),
    ("arm", "Microsoft.Authorization/roleAssignments/read"),
    ("arm", "Microsoft.ManagedIdentity/userAssignedIdentities/read"),
    ("arm", "Microsoft.Authorization/roleAssignments/write"),
]


@pytest.mark.parametrize("kind", ["lost_reply", "503", "502_html"])
@pytest.mark.parametrize(("service", "action"), CALLS, ids=[action.rpartition("Microsoft.")[2] for _service, action in CALLS])
def test_opening_that_was_cut_short_says_so_and_is_opened_by_the_next_try(stand, service, action, kind):
    """Azure did it and the answer was lost, or Azure did nothing: the same grant leads to one identity, and to one set of roles."""
    stand.account.control("POST", "faults", {"kind": kind, "service": service, "action": action})
    grant = grant_of(stand)

    with pytest.raises(CloudError) as broken:
        support(stand).open(grant)
    assert (broken.value.code, broken.value.retryable) == ("cloud_unavailable", True)

    door = support(stand).open(grant)
    assert not support(stand).probe(door, grant).is_refused
    assert len(described(stand)) == 3
    support(stand).close(grant)
    assert support(stand).probe(door, grant).is_refused


def test_opening_is_asked_once_however_long_its_roles_take_to_spread(stand):
    """Each try asks whether the session is let in. It gives nothing anew, which would be spread anew and fill the customer's log."""
    grant, past = grant_of(stand), 31
    stand.account.control("POST", "clock", {"seconds": past})  # everything that stands so far has spread
    stand.account.sandbox.control("POST", "knobs", {"propagation_seconds": past - 1})

    for seconds in (20, 11):
        with pytest.raises(CloudError) as closed:
            support(stand).open(grant)
        assert (closed.value.code, closed.value.retryable) == ("door_not_open_yet", True)
        stand.account.control("POST", "clock", {"seconds": seconds})
    door = support(stand).open(grant)

    assert not support(stand).probe(door, grant).is_refused
    later = replace(grant, ends_at=grant.ends_at + timedelta(minutes=5))
    written = [trace for trace in support(stand).find_traces(later, grant.starts_at, later.ends_at) if trace.call.endswith("/write")]
    assert len(written) == 2  # the lease is no right, and no line of this list
    assert len(described(stand)) == 3


@pytest.mark.parametrize("action", ["Microsoft.Authorization/roleAssignments/read", "Microsoft.Authorization/roleAssignments/delete"])
@pytest.mark.parametrize("kind", ["lost_reply", "503"])
def test_end_that_was_cut_short_is_ended_by_the_next_try(stand, action, kind):
    grant = grant_of(stand)
    door = support(stand).open(grant)
    stand.account.control("POST", "faults", {"kind": kind, "service": "arm", "action": action})

    with pytest.raises(CloudError) as broken:
        support(stand).close(grant)
    assert broken.value.code == "cloud_unavailable"

    support(stand).close(grant)
    assert support(stand).probe(door, grant).is_refused


@pytest.mark.parametrize("kind", ["lost_reply", "503", "502_html", "throttle"])
def test_probe_that_got_no_answer_proves_nothing(stand, kind):
    grant = grant_of(stand)
    door = support(stand).open(grant)
    fault = {"kind": kind, "service": "arm", "action": "Microsoft.Resources/subscriptions/resourceGroups/read"}
    stand.account.control("POST", "faults", fault)

    with pytest.raises(CloudError) as broken:
        support(stand).probe(door, grant)
    assert broken.value.retryable


def described(stand: AzureCellStand) -> list[str]:
    entries = stand.read("/providers/Microsoft.Authorization/roleAssignments")["value"]
    return [entry["id"] for entry in entries if GRANT in str(entry["properties"]["description"])]


def test_two_openings_at_once_never_share_an_identity(stand):
    """Azure gives one role to one identity in one place once: the slower one is refused, and takes the next."""
    slow = {"kind": "delay", "service": "arm", "action": "Microsoft.Authorization/roleAssignments/write", "seconds": 1, "count": 2}
    stand.account.control("POST", "faults", slow)
    grants = [grant_of(stand), grant_of(stand, number=OTHER)]

    with ThreadPoolExecutor() as pool:
        doors = list(pool.map(lambda grant: support(stand).open(grant), grants))

    assert sorted(door.handle for door in doors) == sorted(map(stand.principal, ("support", "support-2")))
    assert not any(support(stand).probe(door, grant).is_refused for door, grant in zip(doors, grants, strict=True))


def test_kit_of_before_says_which_is_needed(stand):
    old = replace(stand.target, kit_version="1.2.0")
    stand.target = old

    with pytest.raises(CloudError) as refused:
        support(stand).open(grant_of(stand))

    assert (refused.value.code, support(stand).policy(grant_of(stand))) == ("support_needs_newer_kit", "")
    support(stand).close(grant_of(stand))
