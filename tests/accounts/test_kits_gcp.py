"""The Google Cloud kit: what it asks for, what it refuses, what the customer is handed."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace

import hcl2
import pytest

from accounts import kits
from accounts.clouds.base import Target
from accounts.kits import history
from accounts.kits.base import Publication
from accounts.kits.gcp import installer, script, terraform
from accounts.kits.gcp.kit import GcpKit, permission_key
from accounts.kits.gcp.manifest import GRANTS
from accounts.kits.gcp.words import clean_project_id, clean_project_number
from accounts.kits.manifest import Phase, Role
from portal.sandbox.gcp.access import compile_condition
from portal.sandbox.shell.command import GcloudLines, KitCommand, parse

KIT = GcpKit()
NUMBER = "123456789012"
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id="acme-data-prod-of-europe-2026x1",  # one more than the longest there is
    region="northamerica-northeast1",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience="",
    identity={"project_number": NUMBER},
)
TARGET = replace(TARGET, external_id=TARGET.external_id[:30])
TARGET = replace(TARGET, audience=KIT.audience(TARGET))
PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "", "https://portal.example.com/kits/report/3f9a:sig/")
NOWHERE = Publication("", "", "", "")
SHIPPED = KIT.shipped(TARGET)


# --- the script and the manifest ---


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
        if "setIamPolicy" in found or (found.startswith("iam.") and not re.search(r"\.(get|list|getIamPolicy)$", found))
    ] == []
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
    assert [name for name in operator if "State" in name or "Lock" in name or name.startswith(("storage.", "logging."))] == []
    changing = [name for name in operator if not re.search(r"\.(get|list|getIamPolicy)$", name)]
    assert sorted(changing) == [
        *(f"config.deployments.{verb}" for verb in ("create", "delete", "update")),
        *(f"config.previews.{verb}" for verb in ("create", "delete")),
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
    assert "metadata" in next(str(found.reason) for found in KIT.permissions if found.action == "compute.projects.get")


def test_gcp_earlier_kit_is_asked_for_what_it_promised():
    """An account under 1.0.0 has no builder, and its operator builds by itself: that is what its customer agreed to."""
    earlier = KIT.forbidden_probes(replace(TARGET, kit_version="1.0.0"))
    granted = {(probe.role, probe.action, probe.resource) for probe in history.probes("gcp", replace(TARGET, kit_version="1.0.0"))}

    assert len(earlier) > 30
    assert not {(probe.role, probe.action, probe.resource) for probe in earlier} & granted
    assert not any("builder" in f"{probe.role} {probe.resource}" for probe in earlier)
    assert earlier == KIT.forbidden_probes(TARGET)[: len(earlier)]
    assert len(earlier) < len(KIT.forbidden_probes(TARGET))


def test_gcp_support_only_looks():
    asked = [permission.action for permission in KIT.permissions if permission.role == Role.SUPPORT]

    assert [action for action in asked if not re.search(r"\.(get|list)$", action)] == []
    assert not any(action.startswith(("iam.", "logging.", "storage.", "secretmanager.")) for action in asked)


def test_gcp_resources_are_those_that_the_script_makes():
    made = {resource.logical_id for resource in KIT.resources}
    names = {resource.logical_id: resource.name for resource in KIT.resources}

    assert made == {"pool", "provider", "operator", "builder", "supporter", "node", "agent_account", *script.LISTS}
    assert {name: names[name] for name in script.LISTS} == script.titles()
    assert [account.email.partition("@")[0] for account in SHIPPED.accounts.values()] == [
        names[name].format(suffix=TARGET.suffix) for name in ("operator", "builder", "supporter", "node", "agent_account")
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
    assert len(f"account:{TARGET.account}:support".encode()) <= 127
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
    assert "# Only where: " not in dict(KIT.policies)[Role.OPERATOR]


# --- what the customer is handed ---


def test_gcp_command_is_one_that_the_played_shell_takes():
    shell, _ = KIT.routes(TARGET, PUBLISHED)
    (act,) = (act for act in shell.acts if act.command)

    command = parse(act.command)

    assert isinstance(command, KitCommand)
    assert command.sha256 == KIT.content_hash
    assert command.url == f"https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/gcp/{KIT.version}/{KIT.content_hash}/kit.sh"
    assert dict(zip(command.arguments[::2], command.arguments[1::2], strict=True)) == {
        "--project-id": TARGET.external_id,
        "--project-number": NUMBER,
        "--account": TARGET.account,
        "--generation": "9999",
        "--suffix": "3f9a1c2e-g9999",
        "--issuer": TARGET.issuer,
        "--region": TARGET.region,
        "--report": PUBLISHED.report_url,
    }


def test_gcp_command_without_a_published_script_takes_the_file_of_the_page():
    shell, module = KIT.routes(TARGET, NOWHERE)
    (act,) = (act for act in shell.acts if act.command)

    assert act.command.startswith(f"echo '{KIT.content_hash}  byoc-kit.sh' | sha256sum --check &&")
    assert "curl" not in act.command
    assert "--report" not in act.command
    assert module.acts[0].command.startswith(f"echo '{terraform.archive_sha256()}  terraform.zip' | sha256sum --check &&")
    assert '"./byoc-gcp-kit"' in module.acts[1].command


def test_gcp_link_opens_the_shell_and_the_played_one_in_the_project():
    links = [
        next(act.link for act in KIT.routes(TARGET, publication)[0].acts if act.link)
        for publication in (PUBLISHED, replace(PUBLISHED, console_url="http://127.0.0.1:9/console/shell/gcp/"))
    ]

    assert links == [
        "https://shell.cloud.google.com/?show=terminal",
        f"http://127.0.0.1:9/console/shell/gcp?project={TARGET.external_id}",
    ]


def test_gcp_removal_is_lines_that_the_played_shell_takes_and_names_the_30_days():
    text = KIT.removal_command(TARGET)

    lines = parse(text)

    assert isinstance(lines, GcloudLines)
    assert "30 days" in text
    assert lines.lines[0][:4] == ("iam", "workload-identity-pools", "delete", "byoc-3f9a1c2e-g9999")
    assert len(lines.lines) == 1 + 10 + 5 + 9


def test_gcp_rights_of_the_one_who_runs_it_are_single_permissions():
    import yaml

    found = yaml.safe_load(KIT.installer_rights(PUBLISHED, TARGET.issuer))

    assert tuple(found["includedPermissions"]) == installer.RIGHTS == tuple(sorted(installer.RIGHTS))


def test_gcp_published_files_are_the_script_the_module_and_a_record():
    files = KIT.files()
    base = f"kits/gcp/{KIT.version}/{KIT.content_hash}"

    assert set(files) == {f"{base}/kit.sh", f"{base}/terraform.zip", f"kits/gcp/{KIT.version}/kit.sha256"}
    assert hashlib.sha256(files[f"{base}/kit.sh"]).hexdigest() == KIT.content_hash


def test_gcp_regions_are_places_with_names():
    codes = [region.code for region in KIT.regions]

    assert len(codes) == len(set(codes)) > 40
    assert all(re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", code) for code in codes)
    assert KIT.region(KIT.default_region).name == "Iowa"
    with pytest.raises(KeyError):
        KIT.region("eu-central-1")


# --- input ---


@pytest.mark.parametrize("text", ["acme-data-prod", " acme-data-prod\n", "projects/acme-data-prod", "'acme-data-prod'", "ACME-data-prod"])
def test_gcp_project_id_is_read_as_pasted(text):
    assert clean_project_id(text) == "acme-data-prod"


@pytest.mark.parametrize(
    "text", ["", "acme", "1acme-data", "acme-data-", "acme data prod", "123456789012", "a" * 31, "acme_data", "acme\x00data"]
)
def test_gcp_project_id_that_is_none(text):
    with pytest.raises(ValueError, match="project id"):
        clean_project_id(text)


@pytest.mark.parametrize("text", ["123456789012", " 123 456 789 012 ", "projects/123456789012"])
def test_gcp_project_number_is_read_as_pasted(text):
    assert clean_project_number(text) == NUMBER


@pytest.mark.parametrize("text", ["", "acme-data-prod", "12345", "0123456789", "9" * 20, "١٢٣٤٥٦٧٨٩", "1e12"])
def test_gcp_project_number_that_is_none(text):
    with pytest.raises(ValueError, match="project number"):
        clean_project_number(text)


def test_gcp_report_of_the_script_is_read():
    told = {
        "kit": "gcp",
        "version": KIT.version,
        "generation": 1,
        "project_id": "acme-data-prod",
        "project_number": NUMBER,
        "region": "us-east1",
    }

    report = KIT.read_report(json.dumps(told))

    assert report is not None
    assert (report.external_id, report.region) == ("acme-data-prod", "us-east1")
    assert report.values == {"version": KIT.version, "generation": "1", "project_number": NUMBER}


def test_gcp_report_may_be_the_name_of_the_pool():
    report = KIT.read_report(f"name: {SHIPPED.pool}\nstate: ACTIVE")

    assert report is not None
    assert (report.values, report.external_id, report.region) == ({"pool": SHIPPED.pool, "project_number": NUMBER}, "", "")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"kit": "aws"}', '{"kit": ["gcp"]}', "[" * 100_000, "arn:aws:iam::1:role/x", "projects/1/locations/global"],
    ids=lambda text: text[:20],
)
def test_gcp_report_that_says_nothing(text):
    assert KIT.read_report(text) is None


@pytest.mark.parametrize("value", ["Acme Corp", "x" * 200, 7, None, ["acme-data-prod"], "acme-data-prod\n; rm"])
def test_gcp_report_keeps_no_nonsense(value):
    report = KIT.read_report(json.dumps({"kit": "gcp", "project_id": value, "region": value, "version": value}))

    assert report is not None
    assert (report.external_id, report.region) == ("", "")
    assert all(len(kept) <= 40 for kept in report.values.values())


# --- the Terraform module ---


def module() -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for path in sorted(terraform.MODULE_PATH.glob("*.tf")):
        for kind, blocks in hcl2.loads(path.read_text()).items():
            found.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [])
    return found


def names_of(kind: str) -> set[str]:
    return {name.strip('"') for block in module()[kind] for name in block if not name.startswith("__")}


@pytest.mark.parametrize("is_reviewed", [True, False])
def test_gcp_module_is_unpacked_only_if_it_is_the_reviewed_one(tmp_path, is_reviewed):
    """The command of the page, by the real shell: what Terraform then calls is there or not."""
    content = terraform.archive() if is_reviewed else terraform.archive() + b"\n"
    (tmp_path / "published.zip").write_bytes(content)

    done = subprocess.run(
        ["bash", "-c", terraform.fetch((tmp_path / "published.zip").as_uri())], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) == is_reviewed
    assert (tmp_path / "byoc-gcp-kit/main.tf").exists() == is_reviewed
    assert 'source = "./byoc-gcp-kit"' in terraform.snippet(TARGET)


def test_gcp_module_holds_the_suffix_to_account_and_generation():
    text = (terraform.MODULE_PATH / "main.tf").read_text()

    assert 'condition     = var.suffix == "${split("-", var.account_ref)[0]}-g${var.generation}"' in text


def test_gcp_module_is_as_the_script_makes_it():
    assert terraform.written_files() == terraform.generated_files()


def test_gcp_module_is_hcl_and_takes_what_the_portal_writes():
    given = re.findall(r"^  (\w+) +=", terraform.snippet(TARGET).partition("\n\n")[2], re.MULTILINE)

    assert names_of("variable") == set(given)
    assert hcl2.loads(terraform.snippet(TARGET) + "\n")["module"]


def test_gcp_module_makes_the_kinds_of_the_script_and_no_other():
    assert names_of("resource") == {
        "google_project_service",
        "google_project_iam_custom_role",
        "google_service_account",
        "google_project_iam_member",
        "google_service_account_iam_member",
        "google_iam_workload_identity_pool",
        "google_iam_workload_identity_pool_provider",
    }


def test_gcp_module_says_the_same_words_as_the_script():
    """What the adapter compares: names, condition, mapping, members."""
    text = (terraform.MODULE_PATH / "main.tf").read_text()

    assert "assertion.sub in ['account:${var.account_ref}:ops', 'account:${var.account_ref}:support']" in text
    assert "assertion.sub in ['account:$ACCOUNT:ops', 'account:$ACCOUNT:support']" in script.text()
    assert 'SWITCHES="allow-changes=$ALLOW_CHANGES allow-support=$ALLOW_SUPPORT"' in script.text()
    said = re.search(r'description  = "(byoc kit=[^"]+)"', text)[1]
    pairs = {
        "local.kit_version": "KIT_VERSION",
        "var.account_ref": "ACCOUNT",
        "var.generation": "GENERATION",
        "var.allow_changes": "ALLOW_CHANGES",
        "var.allow_support": "ALLOW_SUPPORT",
        "var.region": "REGION",
    }
    for inside, outside in pairs.items():
        said = said.replace(f"${{{inside}}}", f"${outside}")
    said = said.replace("allow-changes=$ALLOW_CHANGES allow-support=$ALLOW_SUPPORT", "$SWITCHES")
    assert f'--description="{said}"' in script.text()
    assert text.count('"roles/') == 4


def test_gcp_archive_is_the_module_and_the_same_bytes_each_time():
    first = terraform.archive()
    terraform.archive.cache_clear()

    assert terraform.archive() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {"main.tf", "outputs.tf", "variables.tf", "versions.tf", *terraform.generated_files()} == set(files)
    assert files == {name: (terraform.MODULE_PATH / name).read_bytes() for name in files}


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_gcp_module_is_formatted():
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive"], cwd=terraform.MODULE_PATH, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.returncode) == ("", 0)


def test_gcp_kit_is_loaded_by_its_name():
    assert kits.load("gcp").cloud == "gcp"
