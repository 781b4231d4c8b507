"""The Azure kit: what it asks for, what it refuses, what the customer is handed."""

import hashlib
import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.clouds.azure.environment import NAMESPACES
from accounts.clouds.azure.errors import ROWS
from accounts.clouds.base import Target
from accounts.failures import FAILURES as SHARED
from accounts.failures import WAITS as SHARED_WAITS
from accounts.kits.azure import template
from accounts.kits.azure.failures import FAILURES, WAITS
from accounts.kits.azure.inside import AGENT, CLUSTER, FINDING
from accounts.kits.azure.kit import AUDIENCE, HOLDERS, AzureKit, permission_key, vault_name
from accounts.kits.azure.manifest import BOTH_GROUPS, CELL_GROUP, GRANTS, KIT_GROUP
from accounts.kits.azure.manifest import SUBSCRIPTION as SUBSCRIPTION_SCOPE
from accounts.kits.base import Publication, search_permissions
from accounts.kits.manifest import Role
from portal.operations.catalogue import fill
from tests.clouds.azure.account import SUBSCRIPTION, TENANT

KIT = AzureKit()
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id=SUBSCRIPTION,
    region="germanywestcentral",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience=AUDIENCE,
    identity={"tenant_id": TENANT},
)
PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "", "https://portal.example/kits/report/abc:def_-/")
CLIENT, SUPPORT = "605aaa51-8c1a-4699-a3ba-9ada7b28db45", "805aaa51-8c1a-4699-a3ba-9ada7b28db46"
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SCRIPT = Path(template.SCRIPT_PATH)


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


# --- The template --------------------------------------------------------------------------------------------------------


def test_azure_kit_every_action_has_a_reason_and_every_reason_an_action() -> None:
    lists = {name: value for name, value in template.parsed()["variables"].items() if isinstance(value, list)}
    by_manifest = {grant.sid: sorted(grant.actions) for grant in GRANTS}
    of_the_cluster = lists["ClusterUsesNetwork"] + lists["ClusterUsesKey"]
    of_the_agent = lists["AgentFindsCluster"] + lists["AgentUsesCluster"]

    assert by_manifest == {name: sorted(value) for name, value in lists.items() if not name.startswith(("Cluster", "Agent"))}
    assert sorted(CLUSTER) == sorted(of_the_cluster)
    assert sorted(AGENT) == sorted(of_the_agent)
    assert sorted(FINDING) == sorted(lists["AgentFindsCluster"])
    assert all(str(reason).endswith(".") for reason in (*CLUSTER.values(), *AGENT.values()))
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


def test_azure_kit_names_single_actions_and_gives_nobody_the_right_to_give_rights() -> None:
    actions = {action for value in template.parsed()["variables"].values() if isinstance(value, list) for action in value}

    assert not any("*" in action for action in actions)
    assert all(action.endswith("/read") for action in actions if action.startswith("Microsoft.Authorization/"))
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

    assert len(found) == len(template.ROLES) == len(HOLDERS)
    assert {entry["properties"]["principalType"] for entry in found} == {"ServicePrincipal"}


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
    assert names == {Role.OPERATOR: ["operator", "operator-kit", "operator-cells"], Role.SUPPORT: ["support"]}
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


# --- What the customer runs ----------------------------------------------------------------------------------------------


def test_azure_kit_shell_command_has_the_one_form_and_every_value() -> None:
    shell, _portal = KIT.routes(TARGET, PUBLISHED)
    (command,) = [act.command for act in shell.acts if act.command]
    joined = command.replace("\\\n", " ")
    base = f"https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/azure/{KIT.version}/{KIT.content_hash}"
    script_sha = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()

    form = r"curl -fsSLo byoc-kit\.sh '(\S+)' && +echo '(\S+)  byoc-kit\.sh' \| sha256sum --check && +bash byoc-kit\.sh +(.*)"
    found = re.fullmatch(form, joined)

    assert found is not None
    assert (found[1], found[2]) == (f"{base}/kit.sh", script_sha)
    words = shlex.split(found[3])
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--subscription": SUBSCRIPTION,
        "--tenant": TENANT,
        "--account": TARGET.account,
        "--generation": "9999",
        "--suffix": "3f9a1c2e-g9999",
        "--issuer": TARGET.issuer,
        "--region": "germanywestcentral",
        "--template-url": f"{base}/kit.json",
        "--template-sha256": KIT.content_hash,
        "--report": PUBLISHED.report_url,
    }
    assert shell.code == "shell"
    assert shell.acts[0].link == "https://shell.azure.com/bash"


def test_azure_kit_portal_route_opens_the_template_and_hands_over_the_parameters() -> None:
    _shell, portal = KIT.routes(TARGET, PUBLISHED)
    link = portal.acts[0].link
    (parameters,) = [json.loads(act.command) for act in portal.acts if act.command]

    assert link.startswith("https://portal.azure.com/#create/Microsoft.Template/uri/https%3A%2F%2Ffernhill-kits.s3.")
    assert unquote(link.rpartition("/uri/")[2]).endswith(f"/{KIT.content_hash}/kit.json")
    assert {name: entry["value"] for name, entry in parameters["parameters"].items()} == KIT.parameters(TARGET)


def test_azure_kit_links_lead_to_a_played_console_where_one_is_set() -> None:
    publication = replace(PUBLISHED, base_url="http://127.0.0.1:8202/kits", console_url="http://127.0.0.1:8202/console/azure/")
    shell, portal = KIT.routes(TARGET, publication)

    assert shell.acts[0].link == "http://127.0.0.1:8202/console/shell/azure"
    assert portal.acts[0].link.startswith("http://127.0.0.1:8202/console/azure/deploy#create/Microsoft.Template/uri/http%3A%2F%2F127.0.0.1")


def test_azure_kit_unpublished_runs_from_downloaded_files() -> None:
    (shell,) = KIT.routes(TARGET, Publication("", "", "", ""))
    (command,) = [act.command for act in shell.acts if act.command]

    assert "curl" not in command
    assert "--report" not in command
    assert f'--template-url "file://$PWD/{KIT.documents[0].file}"' in command


def test_azure_kit_removal_names_everything_that_the_kit_made() -> None:
    lines = KIT.removal_command(TARGET).splitlines()
    run = [line for line in lines if not line.startswith("#")]

    assert all(line.startswith("az ") and f"--subscription {SUBSCRIPTION} " in f"{line} " for line in run)
    assert not re.search(r"[$`|;&<>()]", "".join(run))  # one program a line, no shell
    for role in HOLDERS:
        assert sum(f" byoc-{TARGET.suffix}-{role} " in line for line in run) >= 2, role
    assert run.index(next(line for line in run if "role definition delete" in line)) > max(
        index for index, line in enumerate(run) if "role assignment delete" in line
    )
    assert sum("byoc-3f9a1c2e-cell-germanywestcentral" in line and "group delete" in line for line in run) == 0


# --- The script, as far as it goes without Azure -------------------------------------------------------------------------


def run_script(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """By the real bash. There is no az: whatever gets that far fails on it."""
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=30, check=False, env={"PATH": "/usr/bin:/bin"}
    )


def arguments(**changes: str) -> list[str]:
    given = {
        "subscription": SUBSCRIPTION, "tenant": TENANT, "account": TARGET.account, "generation": "9999", "suffix": TARGET.suffix,
        "issuer": TARGET.issuer, "region": TARGET.region, "template_url": "https://kits.example/kit.json", "template_sha256": "0" * 64,
        **changes,
    }  # fmt: skip
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subscription": ""},
        {"subscription": "production"},
        {"tenant": "acme.onmicrosoft.com"},
        {"account": "x"},
        {"generation": "0"},
        {"suffix": "3f9a1c2e-g1"},  # of another generation
        {"suffix": "00000000-g9999"},  # of another account
        {"issuer": "http://portal.example/trust"},
        {"issuer": "https://portal.example/$(id)"},
        {"region": "West Europe"},
        {"template_url": "ftp://kits.example/kit.json"},
        {"template_url": "https://kits.example/kit.json; id"},
        {"template_sha256": "abc"},
        {"report": "https://portal.example/`id`"},
        {"allow_changes": "maybe"},
        {"allow_support": ""},
        {"surprise": "yes"},
    ],
)
def test_azure_kit_script_stops_at_anything_that_the_portal_does_not_hand_out(changes: dict[str, str]) -> None:
    stopped = run_script(*arguments(**changes))

    assert stopped.returncode == 1
    assert "Copy the whole command from the portal." in stopped.stderr


def test_azure_kit_script_stops_when_the_last_value_was_lost() -> None:
    stopped = run_script(*arguments(), "--report")

    assert stopped.returncode == 1
    assert "--report has no value" in stopped.stderr


def test_azure_kit_script_stops_where_nobody_is_signed_in() -> None:
    stopped = run_script(*arguments())

    assert stopped.returncode == 1
    assert f"this shell does not see subscription {SUBSCRIPTION}" in stopped.stderr


def test_azure_kit_script_registers_what_a_cell_needs_and_says_why() -> None:
    block = re.search(r"providers=\(\n(.*?)\n\)", template.script(), re.DOTALL)
    assert block is not None
    rows = [line.split("#") for line in block[1].splitlines()]

    assert {row[0].strip() for row in rows} == {*NAMESPACES, "Microsoft.Resources", "Microsoft.Authorization"}
    assert all(row[1].strip() for row in rows)


# --- What is said about a kit that was run -------------------------------------------------------------------------------

SENT = {"kit": "azure", "subscription_id": SUBSCRIPTION, "tenant_id": TENANT, "client_id": CLIENT, "support_client_id": SUPPORT}
SAYINGS = {
    "as the script sends it": json.dumps(SENT),
    "the script's line with what stands around it": f"Done. Copy the next line into the portal:\n{json.dumps(SENT)}\nowner@Azure:~$",
    "outputs of the deployment": json.dumps(
        {"clientId": {"type": "String", "value": CLIENT.upper()}, "supportClientId": {"type": "String", "value": SUPPORT}}
    ),
    "the whole deployment": json.dumps({"outputs": {"clientId": {"value": CLIENT}, "supportClientId": {"value": SUPPORT}}}),
    "lines of the portal": f"clientId\n{CLIENT}\n\nsupportClientId\n{SUPPORT}\n",
    "lines with a colon": f"clientId: {CLIENT}\nsupportClientId: {SUPPORT}",
    "quoted lines": f'"client_id": "{CLIENT}",\n"support_client_id": "{SUPPORT}"',
    "bare ids": f"{CLIENT}\n{SUPPORT}\n",
}


@pytest.mark.parametrize("text", SAYINGS.values(), ids=SAYINGS.keys())
def test_azure_kit_reads_what_was_pasted(text: str) -> None:
    told = KIT.read_report(text)

    assert told is not None
    assert (told.values["client_id"], told.values["support_client_id"]) == (CLIENT, SUPPORT)
    assert told.external_id in {"", SUBSCRIPTION}


def test_azure_kit_report_tells_where_it_stands() -> None:
    told = KIT.read_report(json.dumps({**SENT, "region": "westeurope", "surprise": "x"}))

    assert told is not None
    assert (told.external_id, told.region) == (SUBSCRIPTION, "westeurope")
    assert set(told.values) == {"client_id", "support_client_id", "tenant_id"}


@pytest.mark.parametrize(
    "text",
    ["", "it is done", "{}", "[]", "null", '{"clientId": 7}', '{"client_id": "not-an-id"}', f"subscription_id: {SUBSCRIPTION}",
     f"{CLIENT} {SUPPORT} {TENANT}", "{" * 4000],
)  # fmt: skip
def test_azure_kit_does_not_guess(text: str) -> None:
    assert KIT.read_report(text) is None


@given(st.text(max_size=300))
def test_azure_kit_report_takes_anything(text: str) -> None:
    told = KIT.read_report(text)

    assert told is None or re.fullmatch(GUID, told.values["client_id"])


# --- Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SUBSCRIPTION, SUBSCRIPTION.upper(), f"  {SUBSCRIPTION}\n", f"/subscriptions/{SUBSCRIPTION}"])
def test_azure_kit_cleans_what_was_pasted(text: str) -> None:
    for question in KIT.identity_fields:
        assert question.clean(text) == SUBSCRIPTION


@pytest.mark.parametrize("text", ["", "production", "acme.onmicrosoft.com", "00000000-0000-0000-0000-000000000000", "1" * 36])
def test_azure_kit_refuses_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        KIT.identity_fields[0].clean(text)


def test_azure_kit_refuses_two_ids_for_one() -> None:
    with pytest.raises(ValueError, match="This holds 2 IDs"):
        KIT.identity_fields[0].clean(f"{SUBSCRIPTION} {TENANT}")


def test_azure_kit_has_words_for_every_code() -> None:
    codes = {row.code for row in ROWS} | {row.once for row in ROWS if row.once} | {"wrong_account", "kit_not_run"}
    words = {**SHARED, **FAILURES}

    assert codes - set(words) - set(SHARED_WAITS) - set(WAITS) - {"stack_busy"} == set()  # its words are the cells'
    params = dict.fromkeys(("found", "expected", "state", "namespace", "names", "account_id", "count", "cloud", "kind"), "x")
    for text in FAILURES.values():
        for sentence in (text.happened, text.means, text.act):
            assert not re.search(r"%\(\w+\)s", fill(sentence, params)), sentence
            assert fill(sentence, {}).strip().endswith(".")
