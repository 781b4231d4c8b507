"""The Azure adapter against the strict local Azure: real tokens, Microsoft's own packages, over TLS."""

import logging
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from accounts.clouds.base import CloudError, KitStatus, Needs, Place, Verdict, require_current_kit
from tests.clouds.azure.account import GLOBEX, GLOBEX_TENANT, SECOND, SUBSCRIPTION, TENANT
from tests.clouds.azure.played import ACCOUNT, SUFFIX, PlayedAzure, addresses
from tests.clouds.conftest import SandboxProcess, TestIssuer

NEEDS = Needs(vcpus=12, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-cell-")
CHECKS = [
    "identity", "permissions", "region_enabled", "services_enabled", "quota_vcpus", "quota_networks", "quota_addresses",
    "organisation_policy", "address_range", "names_free", "locks",
]  # fmt: skip
ROOT = "/providers/Microsoft.Authorization"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> PlayedAzure:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return PlayedAzure(sandbox, issuer)


@pytest.fixture
def standing(played: PlayedAzure) -> PlayedAzure:
    """The kit was run and stands as shipped."""
    assert played.run_kit() == "Succeeded"
    return played


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


# --- trust ---------------------------------------------------------------------------------------------------------------


def test_azure_without_a_client_id_the_kit_was_not_run(played: PlayedAzure) -> None:
    found = refusal(played.adapter().probe_trust)

    assert (found.code, found.retryable) == ("kit_not_run", False)
    assert played.account.control("GET", "journal") == []  # nobody was asked


def test_azure_signs_in_as_the_operator(standing: PlayedAzure) -> None:
    identity = standing.adapter().probe_trust()

    assert identity.external_id == SUBSCRIPTION
    assert identity.principal == f"byoc-{SUFFIX}-operator ({standing.target.reported['client_id']})"


@pytest.mark.parametrize(("was_trusted", "code"), [(False, "trust_not_ready"), (True, "role_deleted")])
def test_azure_identity_that_is_not_there(standing: PlayedAzure, was_trusted: bool, code: str) -> None:
    nobody = {"client_id": "99999999-9999-4999-8999-999999999999"}

    found = refusal(standing.adapter(reported=nobody, was_trusted=was_trusted).probe_trust)

    assert (found.code, found.retryable) == (code, False)
    assert "AADSTS700016" in found.raw


def test_azure_swapped_client_ids_are_refused(standing: PlayedAzure) -> None:
    swapped = {"client_id": standing.target.reported["support_client_id"]}

    found = refusal(standing.adapter(reported=swapped).probe_trust)

    assert found.code == "trust_not_ready"
    assert "AADSTS700213" in found.raw


def test_azure_new_identity_still_spreading_is_not_ready_then_opens(played: PlayedAzure, sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "knobs", {"propagation_seconds": 30})
    assert played.run_kit() == "Succeeded"
    assert refusal(played.adapter().probe_trust).code == "trust_not_ready"

    played.account.control("POST", "clock", {"seconds": 31})

    assert played.adapter().probe_trust().external_id == SUBSCRIPTION


def test_azure_role_that_is_not_given_yet_is_not_ready(standing: PlayedAzure) -> None:
    for entry in standing.assignments("operator"):
        standing.account.control("DELETE", f"resources?id={entry['id']}")

    first = refusal(standing.adapter().probe_trust)
    later = refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (first.code, later.code) == ("trust_not_ready", "role_deleted")
    assert "AuthorizationFailed" in first.raw


def test_azure_credential_deleted_once_trusted(standing: PlayedAzure) -> None:
    standing.remove(f"{standing.identity('operator')}/federatedIdentityCredentials/portal")

    found = refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (found.code, found.retryable) == ("provider_deleted", False)
    assert refusal(standing.adapter().probe_trust).code == "trust_not_ready"


def test_azure_subject_edited_once_trusted(standing: PlayedAzure) -> None:
    trust = {"issuer": standing.target.issuer, "subject": f"account:{ACCOUNT.upper()}:ops", "audiences": ["api://AzureADTokenExchange"]}
    standing.put(f"{standing.identity('operator')}/federatedIdentityCredentials/portal", trust)

    found = refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (found.code, found.retryable) == ("trust_refused", True)  # what was edited nobody can read without being let in
    assert "AADSTS7002138" in found.raw


def test_azure_issuer_out_of_reach(standing: PlayedAzure, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
    sandbox.control("POST", "knobs", {"keys_cache_seconds": 0})
    issuer.is_down = True

    found = refusal(standing.adapter().probe_trust)

    sandbox.control("POST", "knobs", {"keys_cache_seconds": 30})
    assert (found.code, found.retryable) == ("issuer_unreachable", True)


def test_azure_kit_in_another_subscription_of_the_tenant_is_named(played: PlayedAzure) -> None:
    assert played.run_kit(subscription=SECOND) == "Succeeded"

    found = refusal(played.adapter().probe_trust)

    assert (found.code, found.params) == ("wrong_account", {"found": SECOND, "expected": SUBSCRIPTION})


def test_azure_other_right_elsewhere_is_no_kit_elsewhere(standing: PlayedAzure) -> None:
    """Somebody gave the identity a role in another subscription: that does not make it the place of the kit."""
    scope = f"/subscriptions/{SECOND}"
    number = "33333333-3333-4333-8333-333333333333"
    role = f"{scope}{ROOT}/roleDefinitions/{READER}"
    body = {"properties": {"roleDefinitionId": role, "principalId": standing.principal("operator"), "principalType": "ServicePrincipal"}}
    token = standing.account.owner_token(subscription=SECOND)
    made = standing.account.owner("PUT", f"{scope}{ROOT}/roleAssignments/{number}", body, version="2022-04-01", token=token)
    assert made.status == 201, made
    for entry in standing.assignments("operator"):
        standing.account.control("DELETE", f"resources?id={entry['id']}")

    assert refusal(standing.adapter().probe_trust).code == "trust_not_ready"


def test_azure_finds_the_kit_in_another_account(played: PlayedAzure) -> None:
    assert played.run_kit(subscription=SECOND) == "Succeeded"
    others = [Place(GLOBEX, {"tenant_id": GLOBEX_TENANT}), Place(SECOND, {"tenant_id": TENANT})]

    assert played.adapter().find_kit_elsewhere(others) == SECOND
    assert played.adapter().find_kit_elsewhere(others[:1]) is None
    assert played.adapter(reported={}).find_kit_elsewhere(others) is None


@pytest.mark.parametrize(
    ("change", "code", "params"),
    [
        ({"state": "Disabled"}, "account_disabled", {"state": "Disabled"}),
        ({"state": "Deleted"}, "account_deleted", {"expected": SUBSCRIPTION}),
        ({"tenant": GLOBEX_TENANT}, "wrong_tenant", {"found": GLOBEX_TENANT, "expected": TENANT}),
    ],
)
def test_azure_subscription_that_cannot_be_used(standing: PlayedAzure, change: dict[str, str], code: str, params: dict[str, str]) -> None:
    standing.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, **change})

    found = refusal(standing.adapter().probe_trust)

    assert (found.code, found.params, found.retryable) == (code, params, False)


def test_azure_tenant_that_does_not_exist(standing: PlayedAzure) -> None:
    nowhere = {"tenant_id": "11111111-cccc-4ccc-8ccc-111111111111"}

    found = refusal(standing.adapter(identity=nowhere).probe_trust)

    assert (found.code, found.params) == ("account_deleted", {"expected": SUBSCRIPTION})
    assert "AADSTS90002" in found.raw


def test_azure_conditional_access_is_told_as_such(standing: PlayedAzure) -> None:
    standing.account.control("POST", "faults", {"kind": "access_denied", "service": "entra", "action": "token"})

    assert refusal(standing.adapter().probe_trust).code == "conditional_access"


# --- the kit -------------------------------------------------------------------------------------------------------------


def test_azure_describes_the_kit(standing: PlayedAzure) -> None:
    found = standing.adapter().describe_kit()

    assert found.status is KitStatus.COMPLETE
    assert (found.version, found.generation, found.account, found.region) == (standing.kit.version, 1, ACCOUNT, "westeurope")
    assert found.switches == {"AllowChanges": "yes", "AllowSupport": "yes"}
    assert found.made.endswith(f"/resourceGroups/byoc-{SUFFIX}-kit")
    require_current_kit(found, standing.target)


def test_azure_kit_is_described_from_its_own_groups_alone(standing: PlayedAzure) -> None:
    """Other people's deployments, whose outputs may hold secrets, are neither read nor readable."""
    standing.account.control("DELETE", "journal")

    assert standing.adapter().describe_kit().detail == "Succeeded"

    paths = [entry["path"] for entry in standing.account.control("GET", "journal") if "deployments" in entry["path"]]
    inside = {(standing.kit_group, "kit"), (standing.cell_group, "cell")}
    assert {path.lower() for path in paths} == {
        f"/subscriptions/{SUBSCRIPTION}{group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-{name}".lower()
        for group, name in inside
    }
    session = standing.adapter()._operator  # type: ignore[attr-defined]
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        session.deployments(SUBSCRIPTION).deployments.get_at_subscription_scope(f"byoc-{SUFFIX}-kit")


def test_azure_kit_without_a_record_is_what_stands(standing: PlayedAzure) -> None:
    standing.remove(f"{standing.kit_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-kit")
    standing.remove(f"{standing.cell_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-cell")

    found = standing.adapter().describe_kit()

    assert (found.status, found.detail) == (KitStatus.COMPLETE, "no record of the deployment")


def test_azure_kit_whose_cells_part_may_not_be_read_yet_is_asked_for_its_permissions(standing: PlayedAzure) -> None:
    for entry in standing.assignments("operator-cells"):
        standing.remove(entry["id"].removeprefix(f"/subscriptions/{SUBSCRIPTION}"))
    adapter = standing.adapter()

    assert adapter.describe_kit().status is KitStatus.COMPLETE
    assert any(not found.is_granted for found in adapter.check_permissions(standing.kit.probes(standing.target)))


def test_azure_kit_whose_cells_part_failed_names_the_cause(standing: PlayedAzure, sandbox: SandboxProcess) -> None:
    path = f"{standing.cell_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-cell"
    failure = {"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "reason": "Azure has run out of identities."}
    sandbox.control("POST", "knobs", {"failures": [failure]})
    made = {"type": failure["type"], "apiVersion": "2023-01-31", "name": "other", "location": "westeurope"}
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    template = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": [made]}
    standing.put(path, {"mode": "Incremental", "template": template})

    found = standing.adapter().describe_kit()

    assert found.status is KitStatus.FAILED
    assert "Azure has run out of identities." in found.detail


def test_azure_kit_whose_deployment_failed_names_the_cause(standing: PlayedAzure, sandbox: SandboxProcess) -> None:
    failure = {"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "reason": "Azure has run out of identities."}
    sandbox.control("POST", "knobs", {"failures": [failure]})
    assert standing.run_kit() == "Failed"

    found = standing.adapter().describe_kit()

    assert found.status is KitStatus.FAILED
    assert "Azure has run out of identities." in found.detail
    assert refusal(lambda: require_current_kit(found, standing.target)).code == "kit_failed"


def test_azure_kit_that_is_being_deployed_is_waited_for(standing: PlayedAzure, sandbox: SandboxProcess) -> None:
    """Run again over what stands: each part is seen at work once its own deployment is."""
    sandbox.control("POST", "knobs", {"pace_seconds": 60})
    standing.start_kit()

    seen = []
    for _look in range(30):
        seen.append(standing.adapter().describe_kit().status)
        standing.account.control("POST", "clock", {"seconds": 60})

    assert set(seen) == {KitStatus.CREATING, KitStatus.COMPLETE}
    assert seen[-1] is KitStatus.COMPLETE


def test_azure_kit_group_deleted(standing: PlayedAzure) -> None:
    standing.account.control("DELETE", f"resources?id=/subscriptions/{SUBSCRIPTION}{standing.kit_group}")
    # The session that is open lives on; a new one is refused.
    assert refusal(standing.adapter(was_trusted=True).describe_kit).code == "role_deleted"


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        ("byoc-kit-version", "0.9.0", "kit_version_wrong"),
        ("byoc-generation", "7", "kit_generation_wrong"),
        ("byoc-generation", "9" * 30, "kit_generation_wrong"),
        ("byoc-generation", "one", "kit_generation_wrong"),
        ("byoc-account", "somebody-else", "kit_of_another_account"),
        ("byoc-region", "eastus", "wrong_region"),
        ("byoc-allow-changes", "no", "changes_switched_off"),
    ],
)
def test_azure_kit_that_is_not_the_current_one(standing: PlayedAzure, tag: str, value: str, code: str) -> None:
    group = standing.read(standing.kit_group)
    answer = standing.account.owner("PATCH", standing.kit_group, {"tags": {**group["tags"], tag: value}})
    assert answer.status == 200, answer

    found = standing.adapter().describe_kit()

    assert refusal(lambda: require_current_kit(found, standing.target)).code == code


# --- trust as shipped ----------------------------------------------------------------------------------------------------


def test_azure_trust_as_shipped_passes(standing: PlayedAzure) -> None:
    standing.adapter().check_trust_unedited()


@pytest.mark.parametrize("switch", ["allowChanges", "allowSupport"])
def test_azure_switch_of_the_customer_is_no_edit(standing: PlayedAzure, switch: str) -> None:
    assert standing.run_kit(**{switch: "no"}) == "Succeeded"

    standing.adapter().check_trust_unedited()


def credential(played: PlayedAzure, identity: str, name: str, group: str = "", **changes: Any) -> None:
    subject = f"account:{ACCOUNT}:{'support' if identity == 'support' else 'ops'}"
    shipped = {"issuer": played.target.issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    played.put(f"{played.identity(identity, group)}/federatedIdentityCredentials/{name}", {**shipped, **changes})


def trust_another_issuer_too(played: PlayedAzure) -> None:
    credential(played, "operator", "second", issuer="https://token.actions.githubusercontent.com", subject="repo:a/b:ref:refs/heads/main")


def let_ops_open_support(played: PlayedAzure) -> None:
    credential(played, "support", "portal", subject=f"account:{ACCOUNT}:ops")


def let_ops_open_support_too(played: PlayedAzure) -> None:
    credential(played, "support", "second", subject=f"account:{ACCOUNT}:ops")


def let_somebody_be_the_cluster(played: PlayedAzure) -> None:
    credential(played, "cell-cluster", "portal", played.cell_group)


def change_support_audience(played: PlayedAzure) -> None:
    credential(played, "support", "portal", audiences=["other.example"])


def delete_support_credential(played: PlayedAzure) -> None:
    played.remove(f"{played.identity('support')}/federatedIdentityCredentials/portal")


def delete_support_identity(played: PlayedAzure) -> None:
    played.remove(played.identity("support"))


def write_role(played: PlayedAzure, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    role = played.role(name)
    properties = {key: role["properties"][key] for key in ("roleName", "description", "type", "permissions", "assignableScopes")}
    edit(properties)
    played.put(f"{ROOT}/roleDefinitions/{role['name']}", properties)


def widen_support(played: PlayedAzure) -> None:
    write_role(played, "support", lambda role: role["permissions"][0]["actions"].append("Microsoft.Compute/virtualMachines/write"))


def narrow_operator(played: PlayedAzure) -> None:
    write_role(played, "operator", lambda role: role["permissions"][0]["actions"].remove("Microsoft.Authorization/locks/read"))


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


def delete_support_role(played: PlayedAzure) -> None:
    (entry,) = played.assignments("support")
    played.remove(entry["id"])
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
    assert all(permission.endswith("/read") for permission in held)
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
    assert sorted(asked) == ["GET byoc-3f9a1c2e-g1-support", *["GET permissions"] * 4, "POST token", "POST token"]


# --- refusals ------------------------------------------------------------------------------------------------------------


def test_azure_wrong_sign_ins_are_refused(standing: PlayedAzure) -> None:
    results = standing.adapter().check_refusals()

    assert [(result.name, result.is_refused) for result in results] == [
        ("wrong_subject", True),
        ("wrong_audience", True),
        ("support_as_ops", True),
        ("ops_as_support", True),
    ]
    numbers = [result.evidence.split(":")[1].strip() for result in results]
    assert numbers == ["AADSTS700213", "AADSTS700212", "AADSTS700213", "AADSTS700213"]


def test_azure_refusals_of_an_identity_that_lets_nobody_in_prove_nothing(standing: PlayedAzure) -> None:
    """Support would refuse the operator's token in any case."""
    delete_support_credential(standing)

    assert refusal(standing.adapter().check_refusals).code == "provider_deleted"


def test_azure_too_wide_trust_is_found(standing: PlayedAzure) -> None:
    let_ops_open_support_too(standing)

    results = {result.name: result.is_refused for result in standing.adapter().check_refusals()}

    assert results == {"wrong_subject": True, "wrong_audience": True, "support_as_ops": False, "ops_as_support": True}


@pytest.mark.parametrize("kind", ["throttle", "500", "502_html", "access_denied"])
def test_azure_without_a_verdict_proves_no_refusal(standing: PlayedAzure, kind: str) -> None:
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "faults", {"kind": kind, "service": "entra", "action": "token"})

    assert refusal(adapter.check_refusals).code in {"throttled", "cloud_unavailable", "conditional_access"}


# --- faults --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["entra", "arm"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttle", "throttled"), ("500", "cloud_unavailable"), ("503", "cloud_unavailable"), ("502_html", "cloud_unavailable"),
     ("lost_reply", "cloud_unavailable")],
)  # fmt: skip
def test_azure_fault_of_the_cloud_is_passing(standing: PlayedAzure, service: str, kind: str, code: str) -> None:
    standing.account.control("POST", "faults", {"kind": kind, "service": service, "seconds": 120, "count": None})

    found = refusal(standing.adapter().probe_trust)

    assert (found.code, found.retryable) == (code, True)
    (fault,) = standing.account.control("GET", "faults")
    assert fault["hits"] == 1  # the engine tries again, with words on the page; not the SDK, by sleeping


def test_azure_token_revoked_in_the_middle_is_renewed(standing: PlayedAzure) -> None:
    """Continuous access evaluation: Azure asks for a new token, and gets one."""
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "faults", {"kind": "401_claims", "service": "arm"})

    assert adapter.describe_kit().status is KitStatus.COMPLETE


def test_azure_session_that_ends_in_the_middle(standing: PlayedAzure) -> None:
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "revoke", {"client": "*"})

    found = refusal(adapter.describe_kit)

    assert (found.code, found.retryable) == ("trust_refused", True)


def test_azure_nothing_listens(played: PlayedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_AZURE_AUTHORITY_URL", "https://127.0.0.1:9")

    found = refusal(played.adapter(reported={"client_id": "99999999-9999-4999-8999-999999999999"}).probe_trust)

    assert (found.code, found.retryable) == ("cloud_unavailable", True)


def test_azure_foreign_certificate_is_not_trusted(standing: PlayedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_AZURE_CA_FILE")

    found = refusal(standing.adapter().probe_trust)

    assert found.code == "cloud_unavailable"
    assert "certificate" in found.raw.lower()


def test_azure_errors_and_logs_hold_no_token(standing: PlayedAzure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    minted: list[str] = []
    mint = standing.tokens(standing.target)

    def tokens(*, subject: str, audience: str) -> str:
        minted.append(mint(subject=subject, audience=audience))
        return minted[-1]

    standing.tokens = lambda _target: tokens  # type: ignore[method-assign]
    adapter = standing.adapter(reported={"client_id": standing.target.reported["support_client_id"]})
    found = refusal(adapter.probe_trust)
    standing.adapter().probe_trust()

    assert len(minted) == 2
    texts = [found.raw, repr(found), str(found.__cause__), repr(adapter.__dict__), caplog.text]
    assert not any(token in text or token.split(".")[2] in text for token in minted for text in texts)
    assert "AADSTS" not in caplog.text


def test_azure_sdk_loads_with_the_first_adapter_only() -> None:
    """Start-up of the portal imports no SDK."""
    ask = (
        "import sys, accounts.clouds, accounts.kits.azure.template; print(sorted(name for name in sys.modules if name.startswith('azure')))"
    )

    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=30)

    assert found.stdout.strip() == "[]"


def test_azure_adapter_is_let_go_with_its_connections(standing: PlayedAzure) -> None:
    """Without the collector's help: a worker makes one for each step."""
    adapter = standing.adapter()
    adapter.probe_trust()
    session = weakref.ref(adapter._operator)

    del adapter

    assert session() is None


# --- the environment -----------------------------------------------------------------------------------------------------


def look(played: PlayedAzure, check: str, region: str = "westeurope", needs: Needs = NEEDS) -> Any:
    (finding,) = played.adapter().check_environment(region, needs, [check])
    assert finding.check == check
    return finding


def test_azure_environment_that_is_fine(standing: PlayedAzure) -> None:
    found = standing.adapter().check_environment("westeurope", NEEDS)

    assert [finding.check for finding in found] == CHECKS == [check.name for check in standing.kit.environment_checks]
    assert {finding.verdict for finding in found} == {Verdict.PASS}
    assert not any(finding.command or finding.link for finding in found)


def test_azure_environment_words_fit_every_finding(standing: PlayedAzure) -> None:
    words = {check.name: check for check in standing.kit.environment_checks}
    tight = replace(NEEDS, vcpus=1000, networks=10_000, addresses=50)

    for finding in standing.adapter().check_environment("westeurope", tight):
        check = words[finding.check]
        sentence = {Verdict.PASS: check.passed, Verdict.BLOCK: check.blocked, Verdict.WARN: check.warned}[finding.verdict]
        assert str(sentence) % finding.params  # KeyError where a sentence names what the finding does not


def test_azure_environment_location_that_is_not_offered(standing: PlayedAzure) -> None:
    standing.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "location_denials": ["uksouth"]})

    assert look(standing, "region_enabled").verdict is Verdict.PASS
    found = look(standing, "region_enabled", "uksouth")
    assert (found.verdict, found.params["region"]) == (Verdict.BLOCK, "uksouth")


def test_azure_environment_provider_not_registered(standing: PlayedAzure) -> None:
    standing.account.control(
        "PATCH", "subscriptions", {"id": SUBSCRIPTION, "registered": ["Microsoft.ManagedIdentity", "Microsoft.Network"]}
    )

    found = look(standing, "services_enabled")

    assert found.verdict is Verdict.BLOCK
    assert found.params["names"] == "Microsoft.Compute, Microsoft.ContainerService, Microsoft.KeyVault"
    assert found.command.splitlines()[1] == (
        f"az provider register --subscription {SUBSCRIPTION} --namespace Microsoft.ContainerService --wait"
    )


@pytest.mark.parametrize(
    ("check", "service", "name"),
    [("quota_vcpus", "compute", "cores"), ("quota_networks", "network", "VirtualNetworks"),
     ("quota_addresses", "network", "StandardSkuPublicIpAddresses")],
)  # fmt: skip
def test_azure_environment_quota_that_is_too_low(standing: PlayedAzure, check: str, service: str, name: str) -> None:
    usage = {"subscription": SUBSCRIPTION, "service": service, "name": name, "used": 95, "limit": 95}
    standing.account.control("POST", "usages", usage)

    found = look(standing, check)

    assert (found.verdict, found.evidence) == (Verdict.BLOCK, "95 of 95 are used")
    assert (found.params["free"], found.params["limit"]) == ("0", "95")
    assert found.command.startswith("az ")
    assert found.link.startswith("https://portal.azure.com/")


def test_azure_environment_last_cores_are_enough(standing: PlayedAzure) -> None:
    usage = {"subscription": SUBSCRIPTION, "service": "compute", "name": "cores", "used": 88, "limit": 100}
    standing.account.control("POST", "usages", usage)

    assert look(standing, "quota_vcpus").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ({"kind": "locations", "allowed": ["westeurope", "North Europe"]}, Verdict.PASS),
        ({"kind": "locations", "allowed": ["eastus"]}, Verdict.BLOCK),
        ({"kind": "types", "forbidden": ["Microsoft.ContainerService/managedClusters"]}, Verdict.BLOCK),
        ({"kind": "types", "forbidden": ["Microsoft.Sql/servers"]}, Verdict.PASS),
        ({"kind": "issuers", "allowed": ["https://token.actions.githubusercontent.com"]}, Verdict.WARN),
    ],
)
def test_azure_environment_policies(standing: PlayedAzure, policy: dict[str, Any], verdict: Verdict) -> None:
    standing.account.control("POST", "policies", {"subscription": SUBSCRIPTION, **policy})

    assert look(standing, "organisation_policy").verdict is verdict


def test_azure_environment_policy_that_only_audits_or_is_not_enforced(standing: PlayedAzure) -> None:
    rule = {"if": {"field": "type", "like": "*"}, "then": {"effect": "[parameters('effect')]"}}
    properties = {
        "displayName": "All",
        "mode": "All",
        "policyRule": rule,
        "parameters": {"effect": {"type": "String", "defaultValue": "Deny"}},
    }
    order = {"subscription": SUBSCRIPTION, "kind": "rule", "name": "all", "properties": properties}

    standing.account.control("POST", "policies", {**order, "parameters": {"effect": {"value": "Audit"}}})
    assert look(standing, "organisation_policy").verdict is Verdict.PASS

    standing.account.control("POST", "policies", order)
    found = look(standing, "organisation_policy")
    assert (found.verdict, found.params["names"]) == (Verdict.WARN, "All")


@pytest.mark.parametrize(
    ("prefix", "verdict"), [("10.64.128.0/20", Verdict.WARN), ("10.0.0.0/8", Verdict.WARN), ("10.65.0.0/16", Verdict.PASS)]
)
def test_azure_environment_address_range(standing: PlayedAzure, prefix: str, verdict: Verdict) -> None:
    answer = standing.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
    assert answer.status == 201, answer
    network = {"addressSpace": {"addressPrefixes": [prefix]}}
    standing.put("/resourceGroups/theirs/providers/Microsoft.Network/virtualNetworks/office", network, location="westeurope")

    found = look(standing, "address_range")

    assert found.verdict is verdict
    assert found.params["names"] == (f"office ({prefix})" if verdict is Verdict.WARN else "")


def test_azure_environment_name_that_is_taken(standing: PlayedAzure) -> None:
    network = {"addressSpace": {"addressPrefixes": ["10.65.0.0/16"]}}
    standing.put(f"{standing.cell_group}/providers/Microsoft.Network/virtualNetworks/left-over", network, location="westeurope")
    answer = standing.account.owner("PUT", "/resourceGroups/byoc-3f9a1c2e-cell-theirs", {"location": "westeurope"})
    assert answer.status == 201, answer

    found = look(standing, "names_free")

    assert (found.verdict, found.params["names"]) == (Verdict.BLOCK, "byoc-3f9a1c2e-cell-theirs, left-over")


def test_azure_environment_identity_of_an_earlier_kit_is_in_nobodys_way(standing: PlayedAzure) -> None:
    identities = f"{standing.cell_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    standing.put(f"{identities}/byoc-3f9a1c2e-g7-cell-cluster", {}, location="westeurope")
    assert look(standing, "names_free").verdict is Verdict.PASS

    standing.put(f"{identities}/byoc-3f9a1c2e-gx-cell-cluster", {}, location="westeurope")
    assert look(standing, "names_free").params["names"] == "byoc-3f9a1c2e-gx-cell-cluster"


@pytest.mark.parametrize(
    ("scope", "level", "verdict"),
    [
        ("", "CanNotDelete", Verdict.WARN),
        ("", "ReadOnly", Verdict.BLOCK),
        ("/resourceGroups/byoc-3f9a1c2e-cell-westeurope", "ReadOnly", Verdict.BLOCK),
        ("/resourceGroups/theirs", "ReadOnly", Verdict.PASS),
    ],
)
def test_azure_environment_locks(standing: PlayedAzure, scope: str, level: str, verdict: Verdict) -> None:
    answer = standing.account.owner("PUT", "/resourceGroups/theirs", {"location": "westeurope"})
    assert answer.status == 201, answer
    standing.put(f"{scope}{ROOT}/locks/keep", {"level": level})

    found = look(standing, "locks")

    assert (found.verdict, found.params["names"]) == (verdict, "" if verdict is Verdict.PASS else "keep")


def test_azure_environment_subscription_about_to_be_disabled(standing: PlayedAzure) -> None:
    standing.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, "state": "PastDue"})

    found = look(standing, "identity")

    assert (found.verdict, found.params["state"]) == (Verdict.WARN, "PastDue")


def test_azure_environment_check_whose_call_is_refused_is_a_finding(standing: PlayedAzure) -> None:
    fault = {"kind": "access_denied", "service": "arm", "action": "Microsoft.Authorization/locks/read"}
    standing.account.control("POST", "faults", fault)

    found = standing.adapter().check_environment("westeurope", NEEDS, ["locks", "names_free"])

    assert [(finding.check, finding.verdict) for finding in found] == [("names_free", Verdict.PASS), ("locks", Verdict.UNKNOWN)]
    assert "AuthorizationFailed" in found[1].evidence


def test_azure_environment_permission_that_is_missing(standing: PlayedAzure) -> None:
    narrow_operator(standing)

    found = look(standing, "permissions")

    assert (found.verdict, found.params["count"]) == (Verdict.BLOCK, "1")
    assert found.evidence == "Microsoft.Authorization/locks/read"


def test_azure_environment_of_a_location_without_a_kit(standing: PlayedAzure) -> None:
    """The operator may build in the group that the kit made, and that is for one location."""
    found = look(standing, "permissions", "northeurope")

    assert found.verdict is Verdict.BLOCK
    assert "Microsoft.Resources/deployments/write" in found.evidence
    assert "Microsoft.Network/virtualNetworks/read" not in found.evidence.splitlines()


def test_azure_environment_that_cannot_be_asked_at_all(standing: PlayedAzure) -> None:
    standing.account.control("POST", "faults", {"kind": "503", "service": "arm", "count": None})

    assert refusal(lambda: standing.adapter().check_environment("westeurope", NEEDS)).code == "cloud_unavailable"
