"""A kit that was run for a second location: what stands there, who may do what, and what is found and refused."""

import json
from dataclasses import replace

import pytest

from accounts.clouds import open_support
from accounts.clouds.base import CloudError, KitStatus, Verdict
from accounts.kits.azure.kit import AzureKit
from accounts.kits.azure.locations import REGIONS
from accounts.kits.azure.names import vault_name
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.azure.standing import credential, played, refusal, standing
from tests.clouds.azure.supported import grant_of
from tests.clouds.azure.test_kit import NEEDS

__all__ = ["played", "standing"]  # fixtures
HOME, AWAY = "westeurope", "northeurope"
JANITOR = "/resourceGroups/byoc-3f9a1c2e-g1-kit/providers/Microsoft.Logic/workflows/byoc-3f9a1c2e-g1-janitor-northeurope"
LOGIC = "2019-05-01"
AWAY_GROUP = "/resourceGroups/byoc-3f9a1c2e-cell-northeurope"


@pytest.fixture
def wide(standing: PlayedAzure) -> PlayedAzure:
    """Run for a further location, of which the portal does not know yet."""
    assert standing.run_kit(cellLocation=AWAY) == "Succeeded"
    return standing


def known(stand: PlayedAzure) -> PlayedAzure:
    stand.target = replace(stand.target, places=(AWAY,))
    return stand


def test_every_location_has_a_vault_of_its_own_name() -> None:
    names = {vault_name("3f9a1c2e-0b5d", "22222222", region.code) for region in REGIONS}

    assert len(names) == len(REGIONS)
    assert all(len(name) <= 24 and name.isalnum() for name in names)


def test_second_run_makes_the_further_location_beside_what_stands(standing: PlayedAzure) -> None:
    before = {entry["id"] for entry in standing.read("/resources")["value"]}
    client_ids = dict(standing.target.reported)

    assert standing.run_kit(cellLocation=AWAY) == "Succeeded"

    after = standing.read("/resources")["value"]
    assert before < {entry["id"] for entry in after}
    assert standing.target.reported == client_ids
    new = {entry["name"]: entry["location"] for entry in after if entry["id"] not in before}
    assert new == {
        "byoc-3f9a1c2e-g1-cell-cluster": AWAY,
        "byoc-3f9a1c2e-g1-cell-agent": AWAY,
        vault_name("3f9a1c2e", standing.target.external_id, AWAY): AWAY,
        "byoc-3f9a1c2e-g1-janitor-northeurope": AWAY,
    }
    assert standing.read(standing.kit_group)["location"] == HOME
    assert standing.read(standing.kit_group)["tags"]["byoc-region"] == HOME
    assert standing.read(AWAY_GROUP)["tags"]["byoc-region"] == AWAY


def test_further_location_is_found_once_it_is_whole(wide: PlayedAzure) -> None:
    report = wide.adapter().describe_kit()

    assert (report.status, report.region, list(report.places), list(report.gone)) == (KitStatus.COMPLETE, HOME, [AWAY], [])
    assert list(report.begun) == []
    wide.adapter().check_trust_unedited()
    known(wide).adapter().check_trust_unedited()


def test_location_that_was_only_begun_is_none_and_no_edit(wide: PlayedAzure) -> None:
    """The script was stopped half-way: the account goes on working where it did."""
    assert wide.account.owner("DELETE", JANITOR, version=LOGIC).status == 200

    report = wide.adapter().describe_kit()
    assert (list(report.places), list(report.gone), list(report.begun)) == ([], [], [AWAY])
    wide.adapter().check_trust_unedited()
    assert list(known(wide).adapter().describe_kit().begun) == []
    assert refusal(known(wide).adapter().check_trust_unedited).code in {"role_deleted", "kit_not_found", "provider_deleted"}


@pytest.mark.parametrize("identity", ["cell-cluster", "cell-agent"])
def test_known_location_whose_identity_trusts_somebody_is_an_edit(wide: PlayedAzure, identity: str) -> None:
    credential(wide, identity, "stranger", AWAY_GROUP)

    assert list(wide.adapter().describe_kit().places) == []
    assert refusal(known(wide).adapter().check_trust_unedited).code == "trust_policy_edited"


def test_operator_with_a_role_in_a_group_of_another_name_is_an_edit(standing: PlayedAzure) -> None:
    group = "/resourceGroups/byoc-3f9a1c2e-cells"
    assert standing.account.owner("PUT", group, {"location": AWAY}).status == 201
    given = {
        "roleDefinitionId": standing.role("operator-cells")["id"],
        "principalId": standing.principal("operator"),
        "principalType": "ServicePrincipal",
    }
    standing.put(f"{group}/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-8444-444444444444", given)

    assert refusal(standing.adapter().check_trust_unedited).code == "policy_edited"


def test_cluster_of_one_location_with_a_role_in_another_is_an_edit(wide: PlayedAzure) -> None:
    given = {
        "roleDefinitionId": wide.role("cell-cluster")["id"],
        "principalId": wide.principal("cell-cluster", wide.cell_group),
        "principalType": "ServicePrincipal",
    }
    wide.put(f"{AWAY_GROUP}/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-8444-444444444444", given)

    assert refusal(wide.adapter().check_trust_unedited).code == "policy_edited"


def test_condition_that_was_loosened_in_a_further_location_is_an_edit(wide: PlayedAzure) -> None:
    entry = next(one for one in wide.assignments("operator-support") if "northeurope" in one["id"])
    wide.remove(entry["id"].removeprefix(f"/subscriptions/{wide.target.external_id}"))
    told = {key: entry["properties"][key] for key in ("roleDefinitionId", "principalId", "principalType")}
    wide.put(entry["id"].removeprefix(f"/subscriptions/{wide.target.external_id}"), told)

    assert refusal(wide.adapter().check_trust_unedited).code == "policy_edited"


def test_location_that_was_given_back_is_told_as_gone(wide: PlayedAzure) -> None:
    wide.remove(AWAY_GROUP)

    report = known(wide).adapter().describe_kit()

    assert (list(report.places), list(report.gone)) == ([], [AWAY])


def test_permissions_and_promises_are_asked_in_each_location(wide: PlayedAzure) -> None:
    kit, target = AzureKit(), known(wide).target
    probes, promises = kit.probes(target), kit.forbidden_probes(target)

    for asked in (probes, promises):
        assert {group for one in asked for group in (HOME, AWAY) if one.resource.endswith(f"-cell-{group}")} == {HOME, AWAY}
        assert len(asked) == len({(one.key, one.role, one.action, one.resource) for one in asked})
    assert all(result.is_granted for result in wide.adapter().check_permissions(probes))
    distinct = [replace(one, key=f"{one.role} {one.action} {one.resource}") for one in promises if one.role == "operator"]
    assert [result.permission for result in wide.adapter().check_permissions(distinct) if result.is_granted] == []


def test_right_that_is_missing_in_the_further_location_alone_is_missing(wide: PlayedAzure) -> None:
    entry = next(one for one in wide.assignments("operator-cells") if "northeurope" in one["id"])
    wide.remove(entry["id"].removeprefix(f"/subscriptions/{wide.target.external_id}"))

    missing = [one for one in wide.adapter().check_permissions(AzureKit().probes(known(wide).target)) if not one.is_granted]

    assert missing
    assert all("northeurope" in one.detail for one in missing)


def test_environment_of_a_further_location_is_ready_for_a_cell(wide: PlayedAzure) -> None:
    """Its own group, vault and identities are in nobody's way, and every right is held in it."""
    found = known(wide).adapter().check_environment(AWAY, NEEDS)

    assert {finding.check: finding.verdict for finding in found} == {check.name: Verdict.PASS for check in AzureKit().environment_checks}
    elsewhere = {finding.check: finding.verdict for finding in wide.adapter().check_environment("uksouth", NEEDS, ["permissions"])}
    assert elsewhere == {"permissions": Verdict.BLOCK}


# --- support ---


def at(stand: PlayedAzure):
    return open_support("azure", stand.target, stand.tokens(stand.target), stand.kit.shipped(stand.target))


def held(stand: PlayedAzure) -> set[tuple[str, str]]:
    """Roles of support that stand now, each with the end of its group's name."""
    names = {stand.role(name)["name"]: name for name in ("support", "support-logs", "support-lease")}
    found = set()
    for entry in stand.read("/providers/Microsoft.Authorization/roleAssignments")["value"]:
        name = names.get(entry["properties"]["roleDefinitionId"].rpartition("/")[2])
        if name:
            found.add((name, entry["properties"]["scope"].rpartition("-")[2]))
    return found


def test_access_to_a_cell_of_the_further_location_holds_there_alone(wide: PlayedAzure) -> None:
    grant = grant_of(known(wide), stack=AWAY_GROUP.rpartition("/")[2], region=AWAY)

    door = at(wide).open(grant)

    assert held(wide) == {("support", AWAY), ("support-logs", AWAY), ("support-lease", HOME)}
    assert AWAY in json.loads(door.policy)["scope"]
    assert json.loads(door.policy)["endedBy"].endswith(f"janitor-{AWAY}")
    wide.adapter().check_trust_unedited()

    at(wide).close(grant)
    assert held(wide) == {("support-lease", HOME)}
    assert at(wide).probe(door, grant).is_refused


def test_access_to_the_whole_account_holds_in_every_location(wide: PlayedAzure) -> None:
    grant = grant_of(known(wide), stack="", region="")

    door = at(wide).open(grant)

    assert held(wide) == {(role, place) for role in ("support", "support-logs") for place in (HOME, AWAY)} | {("support-lease", HOME)}
    assert len(json.loads(door.policy)["scope"]) == 2
    at(wide).close(grant)
    assert held(wide) == {("support-lease", HOME)}


def test_nothing_is_opened_where_the_janitor_of_that_location_is_off(wide: PlayedAzure) -> None:
    assert wide.account.owner("POST", f"{JANITOR}/disable", version=LOGIC).status == 200
    there = grant_of(known(wide), stack=AWAY_GROUP.rpartition("/")[2], region=AWAY)

    with pytest.raises(CloudError) as caught:
        at(wide).open(there)

    assert caught.value.code == "janitor_not_running"
    assert held(wide) == set()
    at(wide).open(grant_of(wide))  # the other one's janitor runs
    assert held(wide) == {("support", HOME), ("support-logs", HOME), ("support-lease", HOME)}


def test_removal_leaves_nothing_in_either_location(wide: PlayedAzure) -> None:
    command = AzureKit().removal_command(known(wide).target, is_last=True)

    for place in (HOME, AWAY):
        assert f"az group delete --subscription {wide.target.external_id} --name byoc-3f9a1c2e-cell-{place} --yes" in command
        assert (
            f"# az keyvault purge --subscription {wide.target.external_id} --name {vault_name('3f9a1c2e', wide.target.external_id, place)}"
            in command
        )
        assert f"--resource-group byoc-3f9a1c2e-cell-{place} --name byoc-3f9a1c2e-g1-cell-agent" in command
    deleted = [line for line in command.splitlines() if "role assignment delete" in line]
    assert len(deleted) == len(set(deleted))
    assert sum("operator-cells" in line for line in deleted) == 2
