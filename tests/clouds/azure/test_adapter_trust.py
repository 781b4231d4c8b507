"""Edits of what the kit made on Azure, each noticed, and the permissions that it gives."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accounts.kits.azure.manifest import GRANTS
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.played import ACCOUNT, SUFFIX, PlayedAzure
from tests.clouds.azure.standing import (
    READER,
    ROOT,
    credential,
    delete_support_credential,
    let_ops_open_support_too,
    narrow_operator,
    played,
    refusal,
    standing,
    write_role,
)

__all__ = ["played", "standing"]  # fixtures


# --- trust as shipped ----------------------------------------------------------------------------------------------------


def test_azure_trust_as_shipped_passes(standing: PlayedAzure) -> None:
    standing.adapter().check_trust_unedited()


@pytest.mark.parametrize("switch", ["allowChanges", "allowSupport"])
def test_azure_switch_of_the_customer_is_no_edit(standing: PlayedAzure, switch: str) -> None:
    assert standing.run_kit(**{switch: "no"}) == "Succeeded"

    standing.adapter().check_trust_unedited()


def trust_another_issuer_too(played: PlayedAzure) -> None:
    credential(played, "operator", "second", issuer="https://token.actions.githubusercontent.com", subject="repo:a/b:ref:refs/heads/main")


def let_ops_open_support(played: PlayedAzure) -> None:
    credential(played, "support", "portal", subject=f"account:{ACCOUNT}:ops")


def let_somebody_be_the_cluster(played: PlayedAzure) -> None:
    credential(played, "cell-cluster", "portal", played.cell_group)


def change_support_audience(played: PlayedAzure) -> None:
    credential(played, "support", "portal", audiences=["other.example"])


def delete_support_identity(played: PlayedAzure) -> None:
    played.remove(played.identity("support"))


def widen_support(played: PlayedAzure) -> None:
    write_role(played, "support", lambda role: role["permissions"][0]["actions"].append("Microsoft.Compute/virtualMachines/write"))


def take_away_by_not_actions(played: PlayedAzure) -> None:
    write_role(played, "operator-cells", lambda role: role["permissions"][0]["notActions"].append("Microsoft.Network/*"))


def widen_data_of_the_cluster(played: PlayedAzure) -> None:
    write_role(played, "cell-cluster", lambda role: role["permissions"][0]["dataActions"].append("Microsoft.KeyVault/vaults/secrets/*"))


def give_role(played: PlayedAzure, principal: str, role: str, scope: str = "") -> None:
    number = f"/subscriptions/{SUBSCRIPTION}{ROOT}/roleDefinitions/{role}"
    body = {"roleDefinitionId": number, "principalId": principal, "principalType": "ServicePrincipal"}
    played.put(f"{scope}{ROOT}/roleAssignments/44444444-4444-4444-8444-444444444444", body)


def make_support_a_reader_of_all(played: PlayedAzure) -> None:
    give_role(played, played.principal("support"), READER)


def give_operator_its_cells_role_everywhere(played: PlayedAzure) -> None:
    give_role(played, played.principal("operator"), played.role("operator-cells")["name"])


def give_operator_a_role_in_another_group(played: PlayedAzure) -> None:
    answer = played.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
    assert answer.status == 201, answer
    give_role(played, played.principal("operator"), played.role("operator-cells")["name"], "/resourceGroups/theirs")


def take_cells_role_away(played: PlayedAzure) -> None:
    (entry,) = played.assignments("operator-cells")
    played.remove(entry["id"])


def edit_condition(played: PlayedAzure, change: Callable[[str], str | None]) -> None:
    (entry,) = played.assignments("operator-support")
    kept = {name: entry["properties"][name] for name in ("roleDefinitionId", "principalId", "principalType", "description")}
    text = change(entry["properties"]["condition"])
    played.remove(entry["id"])
    played.put(entry["id"], kept | ({"condition": text, "conditionVersion": "2.0"} if text else {}))


def let_operator_give_any_role(played: PlayedAzure) -> None:
    edit_condition(played, lambda _text: None)


def let_operator_give_to_somebody(played: PlayedAzure) -> None:
    before = "PrincipalId] ForAnyOfAnyValues:GuidEquals {"
    edit_condition(played, lambda text: text.replace(before, f"{before}{played.principal('operator')}, "))


def edit_janitor(played: PlayedAzure, change: Callable[[dict[str, Any]], None]) -> None:
    path = f"{played.kit_group}/providers/Microsoft.Logic/workflows/byoc-{SUFFIX}-janitor"
    body = played.account.owner("GET", path, version="2019-05-01").body
    change(body)
    answer = played.account.owner("PUT", path, body, version="2019-05-01")
    assert answer.status == 200, answer


def tame_the_janitor(played: PlayedAzure) -> None:
    def once_a_day(body: dict[str, Any]) -> None:
        body["properties"]["definition"]["triggers"]["Every_minute"]["recurrence"] = {"frequency": "Day", "interval": 1}

    edit_janitor(played, once_a_day)


def delete_the_janitor(played: PlayedAzure) -> None:
    path = f"{played.kit_group}/providers/Microsoft.Logic/workflows/byoc-{SUFFIX}-janitor"
    assert played.account.owner("DELETE", path, version="2019-05-01").status == 200


def delete_support_role(played: PlayedAzure) -> None:
    played.remove(f"{ROOT}/roleDefinitions/{played.role('support')['name']}")


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (trust_another_issuer_too, "trust_policy_edited"),
        (let_ops_open_support, "trust_policy_edited"),
        (let_ops_open_support_too, "trust_policy_edited"),
        (let_somebody_be_the_cluster, "trust_policy_edited"),
        (change_support_audience, "trust_policy_edited"),
        (delete_support_credential, "provider_deleted"),
        (delete_support_identity, "role_deleted"),
        (widen_support, "policy_edited"),
        (narrow_operator, "policy_edited"),
        (take_away_by_not_actions, "policy_edited"),
        (widen_data_of_the_cluster, "policy_edited"),
        (make_support_a_reader_of_all, "policy_edited"),
        (give_operator_its_cells_role_everywhere, "policy_edited"),
        (give_operator_a_role_in_another_group, "policy_edited"),
        (take_cells_role_away, "role_deleted"),
        (let_operator_give_any_role, "policy_edited"),
        (let_operator_give_to_somebody, "policy_edited"),
        (tame_the_janitor, "policy_edited"),
        (delete_the_janitor, "role_deleted"),
        (delete_support_role, "role_deleted"),
    ],
)
def test_azure_edited_trust_is_noticed(standing: PlayedAzure, edit: Callable[[PlayedAzure], None], code: str) -> None:
    edit(standing)

    found = refusal(standing.adapter().check_trust_unedited)

    assert found.code == code
    assert found.raw


def test_azure_running_the_kit_again_undoes_the_edits(standing: PlayedAzure) -> None:
    for edit in (let_ops_open_support, widen_support, narrow_operator, take_cells_role_away):
        edit(standing)
    first = dict(standing.target.reported)

    assert standing.run_kit() == "Succeeded"

    standing.adapter().check_trust_unedited()
    assert standing.target.reported == first  # the same identities, not new ones


def test_azure_running_the_kit_again_takes_nothing_away(standing: PlayedAzure) -> None:
    """As the script's own words say: what was added beside the kit is removed by hand, and is found until then."""
    let_ops_open_support_too(standing)

    assert standing.run_kit() == "Succeeded"

    assert refusal(standing.adapter().check_trust_unedited).code == "trust_policy_edited"


def test_azure_reported_client_id_is_nobodys_word(standing: PlayedAzure) -> None:
    """Another identity of the customer that trusts us as well opens, and is not taken for the kit's."""
    path = f"{standing.kit_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
    made = standing.account.owner("PUT", path, {"location": "westeurope", "properties": {}})
    trust = {"issuer": standing.target.issuer, "subject": f"account:{ACCOUNT}:ops", "audiences": ["api://AzureADTokenExchange"]}
    standing.put(f"{path}/federatedIdentityCredentials/portal", trust)
    give_role(standing, made.body["properties"]["principalId"], READER)
    reported = {"client_id": made.body["properties"]["clientId"]}

    assert standing.adapter(reported=reported).probe_trust().external_id == SUBSCRIPTION
    assert refusal(standing.adapter(reported=reported).check_trust_unedited).code == "trust_policy_edited"


# --- permissions ---------------------------------------------------------------------------------------------------------


def test_azure_holds_every_permission_of_the_manifest(standing: PlayedAzure) -> None:
    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    assert [result for result in results if not result.is_granted] == []
    assert [result.permission for result in results] == [permission.key for permission in standing.kit.permissions]


def test_azure_holds_nothing_that_the_manifest_forbids(standing: PlayedAzure) -> None:
    probes = [replace(probe, key=f"{probe.action} {probe.resource}") for probe in standing.kit.forbidden_probes(standing.target)]

    results = standing.adapter().check_permissions(probes)

    assert len(results) == len({probe.key for probe in probes}) > 40
    assert [result.permission for result in results if result.is_granted] == []


def test_azure_changes_end_at_the_cells_group(standing: PlayedAzure) -> None:
    """Every right to change is asked about at the subscription, and at the group of the kit: none is held there."""
    changes = [probe for probe in standing.kit.probes(standing.target) if not probe.action.endswith("/read")]
    scope = f"/subscriptions/{SUBSCRIPTION}"
    elsewhere = [replace(probe, resource=place) for probe in changes for place in (scope, scope + standing.kit_group)]

    assert len(changes) > 25
    assert {probe.resource for probe in changes} == {scope + standing.cell_group}
    assert not any(result.is_granted for result in standing.adapter().check_permissions(elsewhere))


def test_azure_missing_permission_is_named(standing: PlayedAzure) -> None:
    narrow_operator(standing)

    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    (missing,) = [result for result in results if not result.is_granted]
    assert missing.permission == "Microsoft.Authorization/locks/read"
    assert missing.detail == f"not held at /subscriptions/{SUBSCRIPTION}"


def test_azure_changes_switched_off_leave_reading(standing: PlayedAzure) -> None:
    assert standing.run_kit(allowChanges="no") == "Succeeded"

    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    held = {result.permission for result in results if result.is_granted}
    giving = {action for grant in GRANTS if grant.sid == "GiveSupport" for action in grant.actions if not action.endswith("/read")}
    assert {permission for permission in held if not permission.endswith("/read")} == giving  # support access is another switch
    held -= giving
    assert {permission.key for permission in standing.kit.permissions if permission.key.endswith("/read")} == held
    assert standing.adapter().describe_kit().switches["AllowChanges"] == "no"


def test_azure_support_switched_off_by_the_customer_is_not_missing(standing: PlayedAzure) -> None:
    assert standing.run_kit(allowSupport="no") == "Succeeded"
    adapter = standing.adapter()
    switches = adapter.describe_kit().switches

    results = adapter.check_permissions(standing.kit.probes(standing.target, switches))
    all_results = adapter.check_permissions(standing.kit.probes(standing.target))

    assert all(result.is_granted for result in results)
    support = {result.permission for result in all_results if result.permission.startswith("support/") and result.is_granted}
    assert support == {"support/Microsoft.Authorization/permissions/read"}


def test_azure_asks_for_all_permissions_in_few_calls(standing: PlayedAzure) -> None:
    standing.account.control("DELETE", "journal")

    standing.adapter().check_permissions(standing.kit.probes(standing.target))

    asked = [f"{entry['method']} {entry['path'].rpartition('/')[2]}" for entry in standing.account.control("GET", "journal")]
    assert sorted(asked) == [*["GET permissions"] * 3, "GET roleDefinitions", "POST token"]
