"""The Azure kit's template against its manifest."""

import hashlib
import json
import re
from typing import Any

import pytest

from accounts.kits.azure import template
from accounts.kits.azure.inside import AGENT, CLUSTER, FINDING, JANITOR
from accounts.kits.azure.kit import AUDIENCE, permission_key
from accounts.kits.azure.manifest import BOTH_GROUPS, CELL_GROUP, GRANTS, KIT_GROUP
from accounts.kits.azure.manifest import SUBSCRIPTION as SUBSCRIPTION_SCOPE
from accounts.kits.azure.names import HOLDERS, vault_name
from accounts.kits.base import search_permissions
from accounts.kits.manifest import Role
from tests.accounts.azure_kit import KIT, SCRIPT, TARGET
from tests.clouds.azure.account import SUBSCRIPTION, TENANT

SUPPORT_ROLES = ["support", "support-logs", "support-lease"]


def resources(body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Every resource of the template, those of nested deployments too."""
    found = []
    for entry in (body or template.parsed())["resources"]:
        found.append(entry)
        if entry["type"] == "Microsoft.Resources/deployments":
            found += resources(entry["properties"]["template"])
    return found


def of_type(kind: str) -> list[dict[str, Any]]:
    return [entry for entry in resources() if entry["type"] == kind]


def every_text(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in every_text(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in every_text(inner)]
    return [value] if isinstance(value, str) else []


def test_azure_kit_every_action_has_a_reason_and_every_reason_an_action() -> None:
    lists = {name: value for name, value in template.parsed()["variables"].items() if isinstance(value, list)}
    by_manifest = {grant.sid: sorted(grant.actions) for grant in GRANTS}
    of_the_cluster = lists["ClusterUsesNetwork"] + lists["ClusterUsesKey"]
    of_the_agent = lists["AgentFindsCluster"] + lists["AgentUsesCluster"]

    assert by_manifest == {name: sorted(value) for name, value in lists.items() if not name.startswith(("Cluster", "Agent", "Janitor"))}
    assert sorted(CLUSTER) == sorted(of_the_cluster)
    assert sorted(AGENT) == sorted(of_the_agent)
    assert sorted(JANITOR) == sorted(lists["JanitorRemoves"])
    assert sorted(FINDING) == sorted(lists["AgentFindsCluster"])
    assert all(str(reason).endswith(".") for reason in (*CLUSTER.values(), *AGENT.values(), *JANITOR.values()))
    assert all(str(reason).endswith(".") and str(grant.limit).endswith(".") for grant in GRANTS for reason in grant.actions.values())
    assert len({action for value in lists.values() for action in value}) > 60


def test_azure_kit_roles_are_made_of_the_lists_that_the_kit_says() -> None:
    """The lists that stand in each role's expression, switch on and off, are those that are compared with what stands in Azure."""
    written = {}
    for entry in of_type("Microsoft.Authorization/roleDefinitions"):
        (permission,) = entry["properties"]["permissions"]
        name = re.fullmatch(r"\[concat\('byoc-', parameters\('suffix'\), '-([a-z-]+)'\)\]", entry["properties"]["roleName"])
        assert name is not None
        actions = permission["actions"]
        switch = re.search(r"if\(equals\(parameters\('(\w+)'\), 'yes'\), (.*), variables\('(\w+)'\)\)\]$", actions)
        on, off = (switch[2], (switch[3],)) if switch else (actions, ())
        data = permission["dataActions"]
        lists = tuple(re.findall(r"variables\('(\w+)'\)", on))
        data_lists = tuple(re.findall(r"variables\('(\w+)'\)", data)) if isinstance(data, str) else ()
        written[name[1]] = (lists, data_lists, switch[1] if switch else "", off)
        assert permission["notActions"] == permission["notDataActions"] == []
        assert entry["properties"]["assignableScopes"] == ["[subscription().id]"]

    assert written == {
        source.role: (tuple(source.lists), tuple(source.data_lists), source.switch, tuple(source.switched_off)) for source in template.ROLES
    }


def test_azure_kit_names_single_actions_and_gives_rights_under_a_condition_alone() -> None:
    lists = {name: value for name, value in template.parsed()["variables"].items() if isinstance(value, list)}
    actions = {action for value in template.parsed()["variables"].values() if isinstance(value, list) for action in value}

    assert not any("*" in action for action in actions)
    giving = {name for name, value in lists.items() for action in value if re.match(r"Microsoft\.Authorization/.*/(?!read)", action)}
    assert giving == {"GiveSupport", "JanitorRemoves"}
    conditional = {source.role for source in template.ROLES if source.condition}
    assert conditional == {source.role for source in template.ROLES if giving & set(source.lists)}
    form = r"Microsoft\.[A-Za-z]+(/[A-Za-z0-9.]+)+/(read|write|delete|action)"
    assert [action for action in actions if not re.fullmatch(form, action)] == []


def test_azure_kit_changes_are_held_in_the_cells_group_alone() -> None:
    for grant in GRANTS:
        if any(not action.endswith("/read") for action in grant.actions):
            assert (grant.role, grant.resource) == (Role.OPERATOR, CELL_GROUP), grant.sid


def test_azure_kit_reads_nobody_elses_deployments() -> None:
    """Their outputs and parameters may hold secrets."""
    wide = [action for grant in GRANTS if grant.resource == SUBSCRIPTION_SCOPE for action in grant.actions]

    assert wide
    assert not any(re.match(r"Microsoft\.Resources/deployment", action) for action in wide)


def test_azure_kit_runs_nothing_in_a_cluster_and_opens_no_vault() -> None:
    lists = {name: value for name, value in template.parsed()["variables"].items() if isinstance(value, list)}
    ours = {action for name, value in lists.items() if not name.startswith("Agent") for action in value}
    inside = {action for name, value in lists.items() if name.startswith("Agent") for action in value}

    opening = "(?i)runcommand|extensions/|credential/action|accesspolicies|vaults/(write|delete)$|/login"
    assert not [action for action in ours if re.search(opening, action)]
    assert [action for action in inside if re.search(opening, action)] == [FINDING[1]]


def test_azure_kit_agent_is_kept_to_the_cells_cluster() -> None:
    """It manages what charts hold; it gives nobody a right in the whole cluster, runs nothing in a pod, and acts as nobody else."""
    assert all(action.startswith("Microsoft.ContainerService/managedClusters/") for action in AGENT)
    assert not [action for action in AGENT if re.search("exec|portforward|impersonate|clusterrole|nodes/(write|delete)", action)]


def test_azure_kit_vault_opens_to_roles_alone() -> None:
    (vault,) = of_type("Microsoft.KeyVault/vaults")

    assert vault["properties"]["enableRbacAuthorization"] is True
    assert "accessPolicies" not in vault["properties"]
    assert vault_name(TARGET.account, TARGET.external_id, TARGET.region) == KIT.shipped(TARGET).vault


@pytest.mark.parametrize("location", [region.code for region in KIT.regions])
def test_azure_kit_vault_has_a_name_that_azure_takes(location) -> None:
    assert re.fullmatch(r"[a-z](?:-?[a-z0-9]){2,23}", vault_name(TARGET.account, TARGET.external_id, location))


def test_azure_kit_vaults_of_two_places_have_two_names() -> None:
    """One that was made in the wrong place must not keep the right one from being made."""
    places = [(subscription, region.code) for subscription in (SUBSCRIPTION, TENANT) for region in KIT.regions]

    assert len({vault_name(TARGET.account, *place) for place in places}) == len(places)


def test_azure_kit_breaks_none_of_its_promises() -> None:
    """What is held at a scope is held below it."""
    held = {(grant.role, action, grant.resource) for grant in GRANTS for action in grant.actions}

    for denial in KIT.denials:
        above = [scope for scope in (SUBSCRIPTION_SCOPE, denial.resource) if denial.resource.startswith(scope)]
        assert not {(denial.role, action, scope) for action in denial.actions for scope in above} & held, denial.promise


def test_azure_kit_limit_of_a_permission_names_every_place_it_is_held_in() -> None:
    scopes: dict[str, set[str]] = {}
    for grant in GRANTS:
        for action in grant.actions:
            scopes.setdefault(permission_key(grant.role, action), set()).add(grant.resource)
    twice = {key for key, found in scopes.items() if len(found) > 1}

    assert twice
    assert all(scopes[key] == {KIT_GROUP, CELL_GROUP} for key in twice)
    assert twice == {permission.key for permission in KIT.permissions if permission.limit == BOTH_GROUPS}


def test_azure_kit_support_reads_and_nothing_else() -> None:
    support = [action for grant in GRANTS if grant.role == Role.SUPPORT for action in grant.actions]

    assert support
    assert all(action.endswith("/read") for action in support)


def test_azure_kit_parameters_are_documented_used_and_filled() -> None:
    declared = template.parsed()["parameters"]
    texts = " ".join(every_text(template.parsed()))
    switches = {switch.parameter for switch in KIT.switches}
    given = KIT.parameters(TARGET) | dict.fromkeys(switches, "no")

    assert set(given) == set(declared)
    assert set(KIT.parameters(TARGET)) == set(declared) - switches  # nobody but the customer says yes
    assert not any("defaultValue" in shape for shape in declared.values())
    for name, shape in declared.items():
        assert shape["metadata"]["description"].endswith("."), name
        assert f"parameters('{name}')" in texts, name
        assert shape["minLength"] <= len(given[name]) <= shape["maxLength"] if "minLength" in shape else True, name
        assert given[name] in shape.get("allowedValues", [given[name]]), name
    assert all(re.fullmatch("[a-z0-9]{4,40}", region.code) for region in KIT.regions)
    assert KIT.region(KIT.default_region) in KIT.regions


def test_azure_kit_uses_every_variable_and_holds_no_secret() -> None:
    texts = " ".join(every_text(template.parsed()))

    for name in template.parsed()["variables"]:
        assert f"variables('{name}')" in texts, name
    assert not re.search("secureString|listKeys|password", texts, re.IGNORECASE)


def test_azure_kit_assignments_name_the_kind_of_their_principal() -> None:
    """Without it Azure looks a new identity up, and does not find it yet."""
    found = of_type("Microsoft.Authorization/roleAssignments")

    assert {source.role for source in template.ROLES} == set(HOLDERS)
    assert len(found) == len([holder for holder, _scope in HOLDERS.values() if holder])  # support's roles stand for nobody
    assert {entry["properties"]["principalType"] for entry in found} == {"ServicePrincipal"}
    bound = [entry["name"].rpartition("'")[0].rpartition("'")[2] for entry in found if "condition" in entry["properties"]]
    assert sorted(bound) == sorted(source.role for source in template.ROLES if source.condition)
    assert {entry["properties"].get("conditionVersion", "2.0") for entry in found} == {"2.0"}


def test_azure_kit_identities_trust_one_subject_each() -> None:
    trusts = {entry["properties"]["subject"]: entry["properties"] for entry in resources() if "Credentials" in entry["type"]}

    assert list(trusts) == [
        "[concat('account:', parameters('accountRef'), ':ops')]",
        "[concat('account:', parameters('accountRef'), ':support')]",
    ]
    assert all(trust["issuer"] == "[parameters('issuerUrl')]" and trust["audiences"] == [AUDIENCE] for trust in trusts.values())
    assert KIT.audience(TARGET) == AUDIENCE


def test_azure_kit_version_and_hash_hold_template_and_script() -> None:
    parsed = template.parsed()

    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", KIT.version)
    assert parsed["metadata"]["kitVersion"] == KIT.version
    assert f"version {KIT.version}." in template.script()
    assert parsed["metadata"]["scriptSha256"] == hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
    assert KIT.content_hash == KIT.documents[0].sha256 == hashlib.sha256(template.text().encode()).hexdigest()
    folder = f"kits/azure/{KIT.version}/{KIT.content_hash}"
    assert set(KIT.files()) == {f"{folder}/kit.json", f"{folder}/kit.sh", f"kits/azure/{KIT.version}/kit.sha256"}


def test_azure_kit_policies_are_the_roles_of_each_identity() -> None:
    shown = {role: json.loads(text) for role, text in KIT.policies}

    names = {role: [entry["roleName"].rpartition("<generation>-")[2] for entry in entries] for role, entries in shown.items()}
    assert names == {Role.OPERATOR: ["operator", "operator-kit", "operator-cells", "operator-support"], Role.SUPPORT: SUPPORT_ROLES}
    assert SUBSCRIPTION not in str(shown)
    for role, entries in shown.items():
        actions = {action for entry in entries for action in entry["permissions"][0]["actions"]}
        assert actions == {permission.action for permission in KIT.permissions if permission.role == role}


def test_azure_kit_review_lists_every_permission_once_and_finds_it() -> None:
    keys = [permission.key for permission in KIT.permissions]

    assert len(keys) == len(set(keys))
    found = search_permissions(KIT, "NATGATEWAYS/WRITE operator")
    assert [permission.key for permission in found] == ["Microsoft.Network/natGateways/write"]


def test_azure_kit_probes_are_filled_in() -> None:
    probes = (*KIT.probes(TARGET), *KIT.forbidden_probes(TARGET))

    assert {probe.key for probe in KIT.probes(TARGET)} == {permission.key for permission in KIT.permissions}
    assert not any("{" in probe.resource for probe in probes)
    assert {probe.resource for probe in probes} == {
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc-3f9a1c2e-g9999-kit",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc-3f9a1c2e-cell-germanywestcentral",
    }
