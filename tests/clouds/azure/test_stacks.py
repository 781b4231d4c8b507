"""What only Azure's stacks know, beside the contract: the kit's rights and no other, machines by version, keys that stay, policies."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts.clouds.base import CloudError, Needs, Verdict
from accounts.clouds.stacks import StackState
from portal.sandbox.azure.deployments.whatif import differences
from tests.clouds.azure import models
from tests.clouds.azure.cells import CELL, AzureCellStand, cell_input
from tests.clouds.azure.played import VAULT, addresses
from tests.clouds.conftest import SandboxProcess, TestIssuer

MACHINES, CLUSTERS = "Microsoft.Compute/virtualMachines", "Microsoft.ContainerService/managedClusters"
RULES, KEYS = "Microsoft.Network/networkSecurityGroups", "Microsoft.KeyVault/vaults/keys"


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureCellStand]:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return AzureCellStand(sandbox, issuer)


def apply(stand: AzureCellStand, **changes: Any) -> Any:
    stand.stacks().apply(stand.order(**changes))
    return stand.look()


def test_azure_stack_denies_nobody_and_takes_nothing_with_it_but_its_own(stand: AzureCellStand) -> None:
    apply(stand)
    (stack,) = stand.inside("Microsoft.Resources/deploymentStacks")

    assert stack["properties"]["denySettings"]["mode"] == "none"
    assert stack["properties"]["actionOnUnmanage"] == {
        "resources": "delete", "resourceGroups": "detach", "managementGroups": "detach", "resourcesWithoutDeleteSupport": "detach",
    }  # fmt: skip
    stand.stacks().delete(stand.name, "westeurope")
    left = {entry["name"] for entry in stand.inside()}
    assert {"byoc-3f9a1c2e-g1-cell-cluster", "byoc-3f9a1c2e-g1-cell-agent", VAULT} <= left  # the kit's
    assert "cell-key" in left  # the Resource Manager deletes no key
    assert not {"cell-net", "cell-cluster", "cell-rules"} & left


def test_azure_stack_that_comes_again_finds_its_key(stand: AzureCellStand) -> None:
    first = apply(stand).outputs["key"]
    stand.stacks().delete(stand.name, "westeurope")

    assert apply(stand, token="order-2").outputs["key"] == first


def test_azure_stack_tells_no_data_of_the_machine_to_anybody(stand: AzureCellStand) -> None:
    apply(stand)

    (machine,) = stand.inside(MACHINES)
    assert "customData" not in machine["properties"]["osProfile"]
    assert "adminPassword" not in machine["properties"]["osProfile"]
    stand.stacks().find_drift(stand.order())
    journal = json.dumps(stand.account.control("GET", "journal"))
    assert stand.order().parameters["agentVersion"] in journal
    assert "once-only-token" not in journal
    assert stand.order().secrets["agentPassword"] not in journal


def test_azure_stack_other_bootstrap_data_is_another_machine_and_the_old_one_goes(stand: AzureCellStand) -> None:
    apply(stand)
    (before,) = stand.inside(MACHINES)
    agent = replace(cell_input().agent, package_url="http://127.0.0.1:1/newer.pyz")

    look = apply(stand, token="order-2", agent=agent)

    (after,) = stand.inside(MACHINES)
    assert look.state == StackState.READY
    assert before["name"] != after["name"] == f"cell-agent-{stand.order('order-2', agent=agent).parameters['agentVersion']}"
    assert len(stand.inside("Microsoft.Compute/disks")) == len(stand.inside("Microsoft.Network/networkInterfaces")) == 1
    assert stand.agents() == 1


def test_azure_machine_takes_no_other_data_under_the_same_name(stand: AzureCellStand) -> None:
    """Why its name ends in a version: Azure would refuse the whole update."""
    apply(stand)
    order = stand.order("order-2")

    stand.stacks().apply(replace(order, secrets={**order.secrets, "agentData": "#cloud-config"}))

    look = stand.look()
    assert look.state == StackState.FAILED
    assert "osProfile.customData" in look.raw
    assert stand.agents() == 1


def test_azure_stack_without_the_rights_of_the_kit_says_which_one_is_missing(stand: AzureCellStand) -> None:
    role = stand.role("operator-cells")
    properties = {key: role["properties"][key] for key in ("roleName", "type", "permissions", "assignableScopes")}
    properties["permissions"][0]["actions"].remove(f"{MACHINES}/write")
    stand.put(f"/providers/Microsoft.Authorization/roleDefinitions/{role['name']}", properties)

    look = apply(stand)

    assert (look.state, look.code) == (StackState.FAILED, "access_denied")
    assert "virtualMachines/write" in look.raw


def test_azure_stack_may_hand_on_no_identity_of_the_portal(stand: AzureCellStand) -> None:
    """The machine could be told to take the support identity: the right to hand that on is held in the cell's group alone."""
    order = stand.order()
    document = order.document.replace(
        "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', parameters('agentIdentity'))]",
        f"[resourceId('byoc-{stand.target.suffix}-kit', 'Microsoft.ManagedIdentity/userAssignedIdentities', "
        f"'byoc-{stand.target.suffix}-support')]",
    )
    assert document != order.document

    stand.stacks().apply(replace(order, document=document))

    look = stand.look()
    assert (look.state, look.code) == (StackState.FAILED, "access_denied")
    assert "userAssignedIdentities/assign/action" in look.raw


def test_azure_stack_with_changes_switched_off_is_refused_at_once(stand: AzureCellStand) -> None:
    stand.run_kit(allowChanges="no")

    with pytest.raises(CloudError) as refused:
        stand.stacks().apply(stand.order())

    assert refused.value.code == "access_denied"
    assert stand.look().state == StackState.ABSENT


def test_azure_cluster_without_its_right_to_the_key_does_not_come_up(stand: AzureCellStand) -> None:
    for assignment in stand.assignments("cell-cluster"):
        stand.remove(assignment["id"])

    look = apply(stand)

    assert look.state == StackState.FAILED
    assert "no permission to encrypt and decrypt" in look.raw


def test_azure_stack_under_a_policy_of_the_customer_says_so(stand: AzureCellStand) -> None:
    stand.account.control("POST", "policies", {"subscription": stand.account.subscription, "kind": "types", "forbidden": [MACHINES]})

    look = apply(stand)

    assert (look.state, look.code) == (StackState.FAILED, "denied_by_organisation")


def test_azure_stack_without_enough_cores_says_so(stand: AzureCellStand) -> None:
    usage = {"subscription": stand.account.subscription, "service": "compute", "name": "cores", "used": 9, "limit": 10}
    stand.account.control("POST", "usages", usage)

    look = apply(stand)

    assert (look.state, look.code) == (StackState.FAILED, "quota_exceeded")
    assert [part.name for part in look.parts if part.state == "failed"] == ["cell-cluster"]


def test_azure_stack_behind_a_lock_is_not_deleted(stand: AzureCellStand) -> None:
    apply(stand)
    lock = f"{stand.part(RULES, 'cell-rules')}/providers/Microsoft.Authorization/locks/keep"
    assert stand.account.owner("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2020-05-01").status == 201

    stand.stacks().delete(stand.name, "westeurope")

    look = stand.look()
    assert (look.state, look.code) == (StackState.DELETE_FAILED, "still_in_use")
    assert [part.name for part in look.parts if part.state == "failed"] == ["cell-rules"]
    assert "locked" in look.raw


def test_azure_stack_keeps_parts_only_after_deleting_has_failed_and_only_all_of_them(stand: AzureCellStand) -> None:
    apply(stand)
    with pytest.raises(CloudError) as early:
        stand.stacks().delete(stand.name, "westeurope", retain=["cell-net"])
    assert early.value.code == "retain_too_early"
    stand.hold()
    stand.stacks().delete(stand.name, "westeurope")

    with pytest.raises(CloudError) as some:
        stand.stacks().delete(stand.name, "westeurope", retain=["cell-net"])

    assert some.value.code == "retain_all_or_nothing"
    assert set(some.value.params["names"].split(", ")) == {"cell-egress", "cell-address", "cell-rules", "cell-agent-rules"}


def test_azure_stack_that_cannot_be_read_for_a_moment_is_asked_again(stand: AzureCellStand) -> None:
    fault = {"kind": "throttle", "service": "arm", "action": "Microsoft.Resources/deploymentStacks/read"}
    stand.account.control("POST", "faults", fault)

    with pytest.raises(CloudError) as refused:
        stand.look()

    assert (refused.value.code, refused.value.retryable) == ("throttled", True)


def test_azure_stack_whose_answer_was_lost_is_one_stack(stand: AzureCellStand) -> None:
    fault = {"kind": "lost_reply", "service": "arm", "action": "Microsoft.Resources/deploymentStacks/write"}
    stand.account.control("POST", "faults", fault)
    with pytest.raises(CloudError) as lost:
        stand.stacks().apply(stand.order())
    assert lost.value.retryable

    look = apply(stand)

    assert look.state == StackState.READY
    assert len([entry for entry in stand.inside("Microsoft.Resources/deployments") if "-cell-westeurope-" in entry["name"]]) == 1


def test_azure_drift_shows_no_secret_and_no_addition_of_the_provider(stand: AzureCellStand) -> None:
    apply(stand)
    other = replace(stand.order(), secrets={**stand.order().secrets, "agentData": "other", "agentPassword": "Another-Password-1"})

    assert list(stand.stacks().find_drift(other).differences) == []


def test_azure_drift_sees_an_added_rule_and_a_lost_tag(stand: AzureCellStand) -> None:
    apply(stand)

    def meddle(rules: dict[str, Any]) -> None:
        added = json.loads(json.dumps(rules["properties"]["securityRules"][0]))
        added["name"], added["properties"]["priority"] = "let-me-in", 4000
        rules["properties"]["securityRules"].append(added)
        del rules["tags"]["byoc-cell"]

    stand.edit(stand.part(RULES, "cell-rules"), meddle)

    found = {(entry.name, entry.path, entry.expected) for entry in stand.stacks().find_drift(stand.order()).differences}

    assert found == {("cell-rules", "tags.byoc-cell", CELL), ("cell-rules", "properties.securityRules.3", "")}


def test_azure_drift_that_takes_too_long_is_not_finished(stand: AzureCellStand, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(stand)
    stand.knobs(pace_seconds=60.0)
    monkeypatch.setattr("accounts.clouds.azure.stacks.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("accounts.clouds.azure.stacks.PAUSE_SECONDS", 0.01)

    assert not stand.stacks().find_drift(stand.order()).is_finished


def test_azure_parts_of_a_cell_are_as_microsofts_models_say(stand: AzureCellStand) -> None:
    """Everything that stands is read by the owner; the journal is held against the models when the test ends."""
    apply(stand)
    read = set()
    for entry in stand.inside():
        if entry["type"].lower() in models.CELL:
            answer = stand.account.owner("GET", entry["id"], version=_version(entry["type"]))
            assert answer.status == 200, answer
            read.add(entry["type"].lower())

    assert read == set(models.CELL)


def _version(kind: str) -> str:
    namespaces = {"Microsoft.Network": "2024-05-01", "Microsoft.ContainerService": "2024-09-01", "Microsoft.KeyVault": "2023-07-01"}
    return "2024-03-02" if kind.endswith("disks") else namespaces.get(kind.partition("/")[0], "2024-07-01")


def test_azure_what_if_is_as_microsofts_models_say(stand: AzureCellStand) -> None:
    apply(stand)
    stand.change_by_hand()
    stand.stacks().find_drift(stand.order())
    journal = stand.account.control("GET", "journal")

    (told,) = [entry["answer"] for entry in journal if "operationresults" in entry["path"] and entry["status"] == 200]

    assert list(models.walk(told, models.model(models.DEPLOYMENTS, "WhatIfOperationResult"), "answer")) == []
    assert list(differences({"a": 1}, {"A": 1}, "", frozenset())) == []  # names are compared without their case


def test_azure_environment_takes_its_own_cell_for_no_obstacle(stand: AzureCellStand) -> None:
    """A cell that failed half-way is gone on with: its own parts are not in its way, somebody else's are."""
    apply(stand)
    needs = Needs(vcpus=8, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-cell-")

    (own,) = stand.adapter().check_environment("westeurope", replace(needs, standing=(stand.name,)), ["names_free"])
    (left,) = stand.adapter().check_environment("westeurope", needs, ["names_free"])
    stand.leave({"byoc-account": "somebody"})
    (others,) = stand.adapter().check_environment("westeurope", replace(needs, standing=(stand.name,)), ["names_free"])

    assert (own.verdict, left.verdict, others.verdict) == (Verdict.PASS, Verdict.WARN, Verdict.BLOCK)
    assert others.params["names"] == "left-1"


def test_azure_leftovers_count_the_group_of_the_machines(stand: AzureCellStand) -> None:
    """AKS makes it and hands it the cluster's tags. The operator sees that it is there, and nothing in it."""
    apply(stand)

    found = {part.name for part in stand.stacks().find_leftovers("westeurope", stand.stack.tags(stand.target, CELL))}

    assert f"{stand.name}-nodes" in found
    assert not {VAULT, stand.name, "byoc-3f9a1c2e-g1-cell-agent"} & found  # the kit's
