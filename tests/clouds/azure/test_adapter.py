"""The Azure adapter on the strict local Azure: signing in, and what it says of the kit."""

import pytest
from azure.core.exceptions import HttpResponseError

from accounts.clouds.base import KitStatus, Place, require_current_kit
from tests.clouds.azure.account import GLOBEX, GLOBEX_TENANT, SECOND, SUBSCRIPTION, TENANT
from tests.clouds.azure.played import ACCOUNT, SUFFIX, PlayedAzure
from tests.clouds.azure.standing import READER, ROOT, played, refusal, standing
from tests.clouds.conftest import SandboxProcess, TestIssuer

__all__ = ["played", "standing"]  # fixtures


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
    inside = {(standing.kit_group, "kit"), (standing.cell_group, "cell"), (standing.kit_group, "janitor")}
    assert {path.lower() for path in paths} == {
        f"/subscriptions/{SUBSCRIPTION}{group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-{name}".lower()
        for group, name in inside
    }
    session = standing.adapter().operator  # type: ignore[attr-defined]
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        session.deployments(SUBSCRIPTION).deployments.get_at_subscription_scope(f"byoc-{SUFFIX}-kit")


def test_azure_kit_without_a_record_is_what_stands(standing: PlayedAzure) -> None:
    standing.remove(f"{standing.kit_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-kit")
    standing.remove(f"{standing.cell_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-cell")
    standing.remove(f"{standing.kit_group}/providers/Microsoft.Resources/deployments/byoc-{SUFFIX}-janitor")

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
    for _look in range(50):
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
