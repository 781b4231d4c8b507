"""The Google Cloud kit's script against its manifest."""

import hashlib
import re
import subprocess
from dataclasses import replace

from accounts.kits import history
from accounts.kits.gcp import script
from accounts.kits.gcp.kit import permission_key
from accounts.kits.gcp.manifest import GRANTS
from accounts.kits.manifest import Phase, Role
from portal.sandbox.gcp.access import compile_condition
from portal.sandbox.gcp.expressions import Attributes
from tests.accounts.gcp_kit import KIT, NUMBER, SHIPPED, TARGET

_LOGS = "container.pods.getLogs"


def test_gcp_every_permission_of_the_script_has_a_reason_and_every_reason_a_permission():
    asked: dict[str, list[str]] = {}
    for grant in GRANTS:
        asked.setdefault(grant.sid.partition(".")[0], []).extend(grant.actions)

    # Given on single accounts, by a role of Google's own.
    assert asked.pop("machines") == ["iam.serviceAccounts.actAs"] * 3
    assert {name: sorted(found) for name, found in asked.items()} == {name: sorted(found) for name, found in script.permissions().items()}
    assert all(str(reason).endswith(".") and str(grant.limit).endswith(".") for grant in GRANTS for reason in grant.actions.values())


def test_gcp_permissions_are_single_ones_and_no_role_gives_any_away():
    every = [permission for found in script.permissions().values() for permission in found]

    assert all(re.fullmatch(r"[a-z]+(\.[A-Za-z]+){2}", permission) for permission in every)
    assert [
        found
        for found in every
        if found.endswith("setIamPolicy") or (found.startswith("iam.") and not re.search(r"\.(get|list|getIamPolicy)$", found))
    ] == ["resourcemanager.projects.setIamPolicy"]
    assert not re.search(r"roles/(owner|editor|viewer)\b", re.sub(r"^#.*$", "", script.text(), flags=re.MULTILINE))
    assert "keys create" not in script.text()


def test_gcp_script_sorts_its_lists():
    for name, permissions in script.permissions().items():
        assert list(permissions) == sorted(set(permissions)), name


def test_gcp_permissions_have_one_line_each():
    keys = [permission.key for permission in KIT.permissions]

    assert len(keys) == len(set(keys))
    assert set(keys) == {permission_key(grant.role, action) for grant in GRANTS for action in grant.actions}
    assert {permission.key: permission.sids for permission in KIT.permissions}["builder/iam.serviceAccounts.actAs"] == (
        "machines.run",
        "machines.agent",
    )
    assert {permission.phase for permission in KIT.permissions} == set(Phase)
    for role in (Role.SUPPORT, Role.BUILDER, Role.AGENT):
        assert all(permission.key.startswith(f"{role}/") == (permission.role == role) for permission in KIT.permissions)


def held_by(account: str) -> set[str]:
    return {permission for bound in SHIPPED.bindings if bound.account == account for permission in SHIPPED.roles.get(bound.role, ())}


def test_gcp_operator_reads_no_state_writes_no_bucket_and_builds_nothing_itself():
    """It orders; what is built is built by an account that no token of the portal opens."""
    operator, builder = held_by("operator"), held_by("builder")

    assert {"config.deployments.create", "config.deployments.get", "config.deployments.delete"} <= operator
    assert [name for name in operator if "State" in name or "Lock" in name or name.startswith("storage.")] == []
    assert {name for name in operator if name.startswith("logging.")} == {"logging.views.access", "logging.views.get"}
    changing = [name for name in operator if not re.search(r"\.(get|list|getIamPolicy)$", name)]
    assert sorted(changing) == [
        *(f"config.deployments.{verb}" for verb in ("create", "delete", "update")),
        *(f"config.previews.{verb}" for verb in ("create", "delete")),
        "logging.views.access",
        "resourcemanager.projects.setIamPolicy",
    ]
    assert {"config.deployments.getState", "config.revisions.getState", "storage.objects.get"} <= builder
    assert "config.deployments.create" not in builder


def test_gcp_nobody_acts_as_the_operator_and_no_token_opens_the_builder():
    members = {name: account.members for name, account in SHIPPED.accounts.items()}
    operator, builder = (f"serviceAccount:{SHIPPED.accounts[name].email}" for name in ("operator", "builder"))

    assert list(members["operator"]) == [f"principal://iam.googleapis.com/{SHIPPED.pool}/subject/account:{TARGET.account}:ops"]
    assert members["builder"] == {operator: ("roles/iam.serviceAccountUser",)}
    assert members["node"] == members["agent"] == {builder: ("roles/iam.serviceAccountUser",)}
    assert re.findall(r'^let_in "\$(\w+)" "serviceAccount:\$(\w+)@', script.text(), re.MULTILINE) == [
        ("BUILDER", "OPERATOR"),
        ("NODE", "BUILDER"),
        ("AGENTS", "BUILDER"),
    ]
    refused = {(probe.role, probe.action, probe.resource) for probe in KIT.forbidden_probes(TARGET)}
    assert ("operator", "iam.serviceAccounts.actAs", f"serviceAccounts/{SHIPPED.accounts['operator'].email}") in refused
    assert ("operator", "iam.serviceAccounts.getAccessToken", f"serviceAccounts/{SHIPPED.accounts['builder'].email}") in refused


def test_gcp_what_can_be_held_to_names_is():
    """Clusters, firewall rules and buckets are what Google Cloud can hold to names; a cell reserves no address and changes no subnet."""
    limited = {bound.role: bound.condition for bound in SHIPPED.bindings if bound.condition}
    free = {name for bound in SHIPPED.bindings if not bound.condition for name in SHIPPED.roles.get(bound.role, ())}
    changing = {name for name in free if not re.search(r"\.(get|list|getIamPolicy)$", name)}

    assert [name for name in changing if name.startswith(("compute.firewalls.", "storage.", "compute.addresses."))] == []
    assert "compute.subnetworks.update" not in changing
    assert not any("cloudresourcemanager" in condition for condition in limited.values())


def test_gcp_says_plainly_what_cannot_be_held_to_names():
    loose = [permission for permission in KIT.permissions if re.match(r"compute\.(networks|routers|subnetworks)\.\w+$", permission.action)]
    states = [permission for permission in KIT.permissions if permission.action.endswith(("getState", "updateState", "deleteState"))]

    builders = [permission for permission in loose if permission.role == Role.BUILDER]
    assert builders
    assert states
    assert all("cannot narrow" in str(found.limit) and "a project of its own" in str(found.limit) for found in [*builders, *states])
    (account, _number) = KIT.identity_fields
    assert "a project of its own" in str(account.help)
    assert "single networks" in str(account.help)
    assert "organisation" in str(KIT.words.promise_note)
    assert "The operator alone can give roles, and only the three of support" in str(KIT.words.promise_note)
    assert "metadata" in next(str(found.reason) for found in KIT.permissions if found.action == "compute.projects.get")


def test_gcp_earlier_kit_is_asked_for_what_it_promised():
    """An account under 1.0.0 has no builder, and its operator builds by itself: that is what its customer agreed to."""
    earlier = KIT.forbidden_probes(replace(TARGET, kit_version="1.0.0"))
    granted = {(probe.role, probe.action, probe.resource) for probe in history.probes("gcp", replace(TARGET, kit_version="1.0.0"))}

    assert len(earlier) > 30
    assert not {(probe.role, probe.action, probe.resource) for probe in earlier} & granted
    assert not any("builder" in f"{probe.role} {probe.resource}" for probe in earlier)
    gone = [probe.action for probe in earlier if probe not in KIT.forbidden_probes(TARGET)]
    assert gone == ["resourcemanager.projects.setIamPolicy"]
    assert len(earlier) < len(KIT.forbidden_probes(TARGET))


def test_gcp_agent_reads_logs_since_the_version_that_says_so():
    """Whoever agreed to an earlier one was promised that it reads none, and is asked for that still."""
    promised = {
        version: {probe.action for probe in KIT.forbidden_probes(replace(TARGET, kit_version=version)) if probe.role == "agent"}
        for version in ("1.2.0", "1.3.0", KIT.version)
    }
    assert [_LOGS in actions for actions in promised.values()] == [True, True, False]
    assert all("container.pods.exec" in actions for actions in promised.values())

    changes = history.difference("gcp", "1.3.0", "1.4.0")
    assert [(line.action, line.role) for line in changes.added] == [(_LOGS, "agent")]
    assert changes.removed == []
    ((before, after),) = changes.changed
    assert (before.action, before.role, after.role) == ("logging.views.access", "support", "support")
    assert "the three views of your log" in after.limit
    (added,) = changes.added
    assert "stands always, but is used only for a support access that you approved with logs, or for a diagnostic bundle" in added.reason
    assert added.limit.startswith("Only clusters whose names start with byoc-")


def test_gcp_support_only_looks():
    asked = [permission.action for permission in KIT.permissions if permission.role == Role.SUPPORT]

    assert [action for action in asked if not re.search(r"\.(get|list|access)$", action)] == []
    assert not any(action.startswith(("iam.", "storage.", "secretmanager.")) for action in asked)
    assert "logging.logEntries.list" not in asked


def test_gcp_roles_of_support_stand_with_nobody_and_may_be_given_alone():
    """The operator's right to give roles names the three of support and no other, as the local Google reads it."""
    (grant,) = (bound for bound in SHIPPED.bindings if "resourcemanager.projects.setIamPolicy" in SHIPPED.roles.get(bound.role, ()))
    lets = compile_condition(grant.condition)

    assert not {bound.role for bound in SHIPPED.bindings} & set(SHIPPED.lent)
    assert (grant.account, grant.switch) == ("operator", "AllowSupport")
    assert [role.rpartition("_g9999_")[2] for role in SHIPPED.lent] == ["support", "support_clusters", "support_logs"]
    for roles, is_let in (([*SHIPPED.lent], True), ([], True), (["roles/owner"], False), ([*SHIPPED.lent, grant.role], False)):
        assert lets({"api": Attributes({"iam.googleapis.com/modifiedGrantsByRole": roles})}) is is_let, roles


def test_gcp_resources_are_those_that_the_script_makes():
    made = {resource.logical_id for resource in KIT.resources}
    names = {resource.logical_id: resource.name for resource in KIT.resources}

    supporters, views = {"supporter", "supporter2", "supporter3"}, {"clusters_view", "nodes_view", "plane_view", "trail_view"}
    assert made == {"pool", "provider", "operator", "builder", *supporters, "node", "agent_account", *views, *script.LISTS}
    assert {name: names[name] for name in script.LISTS} == script.titles()
    assert [account.email.partition("@")[0] for account in SHIPPED.accounts.values()] == [
        names[name].format(suffix=TARGET.suffix)
        for name in ("operator", "builder", "supporter", "supporter2", "supporter3", "node", "agent_account")
    ]
    assert [name.rpartition("/")[2] for name in SHIPPED.views] == [
        names[name].format(suffix=TARGET.suffix) for name in ("clusters_view", "nodes_view", "plane_view", "trail_view")
    ]
    assert SHIPPED.pool.endswith("/" + names["pool"].format(suffix=TARGET.suffix))
    assert KIT.made_name(TARGET.suffix) == "byoc-3f9a1c2e-g9999"


def test_gcp_names_fit_into_what_google_takes():
    for account in SHIPPED.accounts.values():
        assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account.email.partition("@")[0])
    for role in SHIPPED.roles:
        assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", role.rpartition("/")[2])
    assert re.fullmatch(r"[a-z0-9-]{4,32}", KIT.made_name(TARGET.suffix))
    assert all(len(title.format(suffix=TARGET.suffix)) <= 100 for title in script.titles().values())
    description = (
        f"byoc kit={KIT.version} account={TARGET.account} generation=9999 allow-changes=yes allow-support=yes region={TARGET.region}"
    )
    assert len(description.encode()) <= 256
    grant = f"{TARGET.account}:{'x' * 32}"  # a grant's number, and the longest name of an engineer
    assert len(f"account:{TARGET.account}:support:{grant}".encode()) <= 127
    assert len(TARGET.audience) <= 256


def test_gcp_limits_let_own_names_through_and_no_other():
    """The conditions themselves, as the local Google reads them."""
    names, store = (next(b.condition for b in SHIPPED.bindings if b.role.endswith(name)) for name in ("_clusters", "_store"))

    def lets(expression: str, kind: str, name: str) -> bool:
        return bool(
            compile_condition(expression)({"resource.type": kind, "resource.name": name, "resource.service": kind.partition("/")[0]})
        )

    place = f"projects/{TARGET.external_id}"
    assert not lets(names, "cloudresourcemanager.googleapis.com/Project", place)
    assert lets(names, "container.googleapis.com/Cluster", f"{place}/locations/us-east1/clusters/byoc-3f9a1c2e-cell")
    assert lets(names, "compute.googleapis.com/Firewall", f"{place}/global/firewalls/byoc-3f9a1c2e-cell-egress")
    for name in ("orders", "byoc-3f9a1c2f-cell", "not-byoc-3f9a1c2e-cell"):
        assert not lets(names, "container.googleapis.com/Cluster", f"{place}/locations/us-east1/clusters/{name}")
        assert not lets(names, "compute.googleapis.com/Firewall", f"{place}/global/firewalls/{name}")
    assert not lets(names, "storage.googleapis.com/Bucket", "projects/_/buckets/orders")
    bucket = f"projects/_/buckets/{NUMBER}-{TARGET.region}-blueprint-config"
    assert lets(store, "storage.googleapis.com/Bucket", bucket)
    assert lets(store, "storage.googleapis.com/Object", f"{bucket}/objects/state")
    others = ("orders", f"{NUMBER}-prod-backups", f"{NUMBER}-us-east1-blueprint-config", bucket.rpartition("/")[2] + "-of-ours")
    for other in others:
        assert not lets(store, "storage.googleapis.com/Bucket", f"projects/_/buckets/{other}")
        assert not lets(store, "storage.googleapis.com/Object", f"projects/_/buckets/{other}/objects/state")
    assert not lets(store, "cloudresourcemanager.googleapis.com/Project", place)
    assert all(expression.count("&&") + expression.count("||") <= 12 for expression in (names, store))


def test_gcp_version_and_hash_are_of_the_text():
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", KIT.version)
    assert KIT.content_hash == hashlib.sha256(script.SCRIPT_PATH.read_bytes()).hexdigest() == KIT.documents[0].sha256
    assert KIT.documents[0].file == "byoc-kit.sh"


def test_gcp_script_is_bash_and_names_no_machine():
    assert subprocess.run(["bash", "-n", str(script.SCRIPT_PATH)], check=False, capture_output=True).returncode == 0
    assert script.text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script.text()


def test_gcp_policies_are_files_that_gcloud_reads():
    import yaml

    for role, text in KIT.policies:
        found = list(yaml.safe_load_all(text))
        assert found
        shown = {permission for document in found for permission in document["includedPermissions"]}
        asked = {permission.action for permission in KIT.permissions if permission.role == role} - {"iam.serviceAccounts.actAs"}
        assert shown == asked
    assert [role for role, _text in KIT.policies] == [Role.OPERATOR, Role.BUILDER, Role.SUPPORT, Role.AGENT]
    assert "blueprint-config/" in dict(KIT.policies)[Role.BUILDER]
    assert dict(KIT.policies)[Role.OPERATOR].count("# Only where: ") == 2
    assert dict(KIT.policies)[Role.SUPPORT].count("request.time < timestamp('<end>')") == 3
