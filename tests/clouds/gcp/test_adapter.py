"""What only Google Cloud knows: projects made anew, pools with a second provider, keys, conditions, APIs that are off, its own rules."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from accounts.clouds.base import CloudError, KitStatus, Needs, PermissionProbe, Place, Subject, Verdict, require_current_kit
from accounts.clouds.gcp.clients import HOSTS, Endpoints
from accounts.clouds.gcp.trust import check_provider
from accounts.kits.gcp import script
from portal.operations.catalogue import fill
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer
from tests.clouds.gcp.discovery import problems
from tests.clouds.gcp.google import ACCESS, NUMBER, PROJECT, in_seconds
from tests.clouds.gcp.played import STRANGER, SUFFIX, PlayedGcp

NEEDS = Needs(vcpus=16, networks=1, addresses=2, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-")
IAM = f"/iam/v1/projects/{PROJECT}"


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> PlayedGcp:
    monkeypatch.setenv("PORTAL_GCP_URL", sandbox.google)
    return PlayedGcp(sandbox, issuer)


@pytest.fixture
def standing(played: PlayedGcp) -> PlayedGcp:
    """The kit was run and stands as shipped."""
    played.run_kit()
    return played


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


# --- the project ---


def test_gcp_project_of_another_number_is_another_project(standing):
    """The pool of one project, the account of another: what a number typed wrong, or a project made anew, comes down to."""
    adapter = standing.adapter()
    adapter.shipped = standing.kit.shipped(standing.target)
    object.__setattr__(adapter.shipped, "number", "999999999999")

    error = refusal(adapter.probe_trust)

    assert (error.code, error.params) == ("account_recreated", {"found": NUMBER, "expected": "999999999999"})


def test_gcp_project_made_anew_knows_no_kit(standing):
    standing.google.control("POST", "projects/recreate", {"id": PROJECT})

    assert refusal(standing.adapter().probe_trust).code in {"kit_not_run", "account_deleted"}
    assert refusal(standing.adapter(was_trusted=True).probe_trust).code in {"provider_deleted", "account_deleted"}


def test_gcp_project_marked_for_deletion_is_told(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.control("DELETE", f"projects?id={PROJECT}")

    error = refusal(adapter.probe_trust)

    assert (error.code, error.retryable) == ("account_deleted", False)
    assert NUMBER in error.raw


@pytest.mark.parametrize("service", ["cloudresourcemanager.googleapis.com", "iamcredentials.googleapis.com"])
def test_gcp_api_that_was_switched_off_is_named(standing, service):
    standing.google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/{service}:disable", {"disableDependentServices": True})

    error = refusal(standing.adapter().probe_trust)

    assert (error.code, error.retryable, error.params["service"]) == ("api_disabled", False, service)


def test_gcp_account_that_opens_before_its_roles_are_known_is_not_ready(standing):
    standing.unbind(standing.role("verify"))

    assert refusal(standing.adapter().probe_trust).code == "trust_not_ready"
    assert refusal(standing.adapter(was_trusted=True).probe_trust).code == "access_denied"


def test_gcp_other_place_without_a_number_is_passed_over(standing):
    assert standing.adapter().find_kit_elsewhere([Place("acme-sandbox")]) is None


# --- the kit's own words ---


@pytest.mark.parametrize("text", ["", "Operator of the portal", "byoc", "kit=1.1.0 byoc", "unfinished allow-changes=no allow-support=yes"])
def test_gcp_kit_that_says_nothing_of_itself_has_not_finished(standing, text):
    describe(standing, text)

    report = standing.adapter().describe_kit()

    assert report.status == KitStatus.CREATING
    assert refusal(lambda: require_current_kit(report, standing.target)).code == "kit_not_finished"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("byoc kit=0.9.0 account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1", "kit_version_wrong"),
        (f"byoc kit={script.version()} account=00000000-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1", "kit_of_another_account"),
        (f"byoc kit={script.version()} account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=٣", "kit_generation_wrong"),
        (f"byoc kit={script.version()} account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1 region=us-east1", "wrong_region"),
    ],
)
def test_gcp_kit_that_says_something_else_is_not_ours(standing, text, code):
    describe(standing, text)

    assert refusal(lambda: require_current_kit(standing.adapter().describe_kit(), standing.target)).code == code


def describe(played: PlayedGcp, text: str) -> None:
    path = f"{IAM}/serviceAccounts/{played.email('operator')}"
    played.google.done("PATCH", path, {"serviceAccount": {"description": text}, "updateMask": "description"})


# --- trust as shipped ---


def second_provider(played: PlayedGcp) -> None:
    played.add_provider("other", played.shipped, oidc={"issuerUri": f"{ISSUER_HOST}/trust/mallory/g1"})


def another_issuer(played: PlayedGcp) -> None:
    played.patch_provider("oidc.issuerUri", oidc={"issuerUri": f"{ISSUER_HOST}/trust/mallory/g1"})


def another_mapping(played: PlayedGcp) -> None:
    played.patch_provider("attributeMapping", attributeMapping={"google.subject": "assertion.email"})


def provider_disabled(played: PlayedGcp) -> None:
    played.patch_provider("disabled", disabled=True)


def stranger_at_the_machines(played: PlayedGcp) -> None:
    played.write_members(played.email("node"), {STRANGER: ["roles/iam.serviceAccountTokenCreator"]})


def stranger_at_support(played: PlayedGcp) -> None:
    members = {**played.shipped.accounts["support"].members, STRANGER: ["roles/iam.serviceAccountTokenCreator"]}
    played.write_members(played.email("support"), members)


def builder_may_not_use_machines(played: PlayedGcp) -> None:
    played.write_members(played.email("node"), {})


def operator_acts_as_itself(played: PlayedGcp) -> None:
    itself = {f"serviceAccount:{played.email('operator')}": ["roles/iam.serviceAccountUser"]}
    played.write_members(played.email("operator"), {**played.shipped.accounts["operator"].members, **itself})


def token_opens_the_builder(played: PlayedGcp) -> None:
    outside = {played.member(Subject.OPS): ["roles/iam.workloadIdentityUser"]}
    played.write_members(played.email("builder"), {**played.shipped.accounts["builder"].members, **outside})


def role_of_the_pool_itself(played: PlayedGcp) -> None:
    played.bind("roles/viewer", played.member(Subject.OPS))


def role_for_everybody_in_the_pool(played: PlayedGcp) -> None:
    played.bind("roles/viewer", f"principalSet://iam.googleapis.com/{played.shipped.pool}/*")


def limit_taken_off(played: PlayedGcp) -> None:
    played.unbind(played.role("clusters"))
    played.bind(played.role("clusters"), f"serviceAccount:{played.email('builder')}")


def limit_widened(played: PlayedGcp) -> None:
    played.unbind(played.role("store"))
    played.bind(played.role("store"), f"serviceAccount:{played.email('builder')}", "resource.name.startsWith('projects/_/buckets/')")


def reading_taken_away(played: PlayedGcp) -> None:
    played.unbind("roles/container.defaultNodeServiceAccount")


def role_deleted(played: PlayedGcp) -> None:
    played.google.done("DELETE", f"/iam/v1/{played.role('support')}")


def role_disabled(played: PlayedGcp) -> None:
    played.google.done("PATCH", f"/iam/v1/{played.role('support')}?updateMask=stage", {"stage": "DISABLED"})


def pool_deleted(played: PlayedGcp) -> None:
    played.google.done("DELETE", f"/iam/v1/{played.shipped.pool}")


def pool_disabled(played: PlayedGcp) -> None:
    played.google.done("PATCH", f"/iam/v1/{played.shipped.pool}?updateMask=disabled", {"disabled": True})


def key_made(played: PlayedGcp) -> None:
    played.google.done("POST", f"{IAM}/serviceAccounts/{played.email('support')}/keys", {})


EDITS = [
    (second_provider, "trust_policy_edited"),
    (another_issuer, "trust_policy_edited"),
    (another_mapping, "trust_policy_edited"),
    (provider_disabled, "trust_policy_edited"),
    (stranger_at_the_machines, "trust_policy_edited"),
    (stranger_at_support, "trust_policy_edited"),
    (builder_may_not_use_machines, "trust_policy_edited"),
    (operator_acts_as_itself, "trust_policy_edited"),
    (token_opens_the_builder, "trust_policy_edited"),
    (role_of_the_pool_itself, "policy_edited"),
    (role_for_everybody_in_the_pool, "policy_edited"),
    (limit_taken_off, "policy_edited"),
    (limit_widened, "policy_edited"),
    (reading_taken_away, "policy_edited"),
    (role_disabled, "policy_edited"),
    (role_deleted, "role_deleted"),
    (pool_deleted, "provider_deleted"),
    (pool_disabled, "trust_policy_edited"),
    (key_made, "key_found"),
]


@pytest.mark.parametrize(("edit", "code"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_gcp_edit_is_noticed(standing, edit, code):
    adapter = standing.adapter()
    adapter.probe_trust()  # the session is open: what follows would otherwise end at the door
    edit(standing)

    error = refusal(adapter.check_trust_unedited)

    assert (error.code, error.retryable) == (code, False)
    assert SUFFIX in error.raw or SUFFIX.replace("-", "_") in error.raw


def test_gcp_provider_that_was_deleted_alone_is_gone(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.done("DELETE", f"/iam/v1/{standing.shipped.provider}")

    assert refusal(adapter.check_trust_unedited).code == "provider_deleted"


def test_gcp_provider_with_keys_or_an_address_of_its_own_is_an_edit(played):
    """They would stand in for the issuer's. The local Google takes no such provider, so what Google would show is written here."""
    kit = played.shipped
    oidc = {"issuerUri": kit.issuer}
    shown = {"name": kit.provider, "state": "ACTIVE", "attributeMapping": dict(kit.mapping), "attributeCondition": kit.condition}
    check_provider({**shown, "oidc": oidc}, kit)

    for more in ({"jwksJson": "{}"}, {"discoveryUri": f"{kit.issuer}/.well-known/other"}):
        edited = {**shown, "oidc": {**oidc, **more}}
        assert refusal(lambda edited=edited: check_provider(edited, kit)).code == "trust_policy_edited"


def test_gcp_binding_of_somebody_else_is_nobodys_business(standing):
    assert standing.google.create_account("other-machines")[0] == 200
    standing.bind("roles/viewer", STRANGER)
    standing.bind("roles/container.defaultNodeServiceAccount", f"serviceAccount:other-machines@{PROJECT}.iam.gserviceaccount.com")

    standing.adapter().check_trust_unedited()


def test_gcp_operator_deleted_while_a_session_is_open(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.done("DELETE", f"{IAM}/serviceAccounts/{standing.email('operator')}")

    assert refusal(adapter.describe_kit).code in {"trust_refused", "trust_not_ready"}


# --- how it asks ---


def test_gcp_asks_for_all_permissions_in_few_calls(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.control("DELETE", "journal")

    adapter.check_permissions(standing.kit.probes(standing.target))

    asked = [entry["method"] for entry in standing.google.control("GET", "journal")]
    assert asked.count("cloudresourcemanager.projects.testIamPermissions") + asked.count("crm.projects.testIamPermissions") == 1
    # Two questions, the project's policy, those of two accounts, Google's own role on these, and each role that is not the operator's once.
    assert len(asked) == 2 + 1 + 2 + len(standing.shipped.roles) - 2 + 1


def test_gcp_reads_the_builders_permissions_from_its_roles(standing):
    """Nobody can sign in as the builder: a role that was taken away, disabled or lent to it must show nonetheless."""
    standing.unbind(standing.role("store"))
    standing.google.done("PATCH", f"/iam/v1/{standing.role('clusters')}?updateMask=stage", {"stage": "DISABLED"})
    standing.bind("roles/logging.viewer", f"serviceAccount:{standing.email('builder')}")
    kit, adapter = standing.kit, standing.adapter()

    held = {found.permission for found in adapter.check_permissions(kit.probes(standing.target)) if found.is_granted}
    lent = [probe for probe in kit.forbidden_probes(standing.target) if probe.role == "builder"]
    granted = {found.permission for found in adapter.check_permissions(lent) if found.is_granted}

    assert {"builder/compute.networks.create", "builder/iam.serviceAccounts.actAs"} <= held
    assert not {"builder/storage.objects.get", "builder/compute.firewalls.create"} & held
    assert granted == {"builder/logging.logEntries.list"}


def test_gcp_operator_of_the_kit_cannot_do_what_it_only_orders(standing):
    """Asked of the local Google itself, which computes it from the policies: state, store, networks, and each account."""
    adapter = standing.adapter()
    accounts = {name: f"serviceAccounts/{standing.email(name)}" for name in ("operator", "builder", "node", "support")}
    probes = [PermissionProbe(name, "operator", "iam.serviceAccounts.actAs", resource) for name, resource in accounts.items()]
    wanted = ("config.deployments.getState", "config.revisions.getState", "storage.objects.get", "compute.firewalls.create")
    probes += [PermissionProbe(action, "operator", action, f"projects/{PROJECT}") for action in wanted]
    probes += [PermissionProbe("open", "operator", "iam.serviceAccounts.getAccessToken", accounts["builder"])]

    assert {found.permission for found in adapter.check_permissions(probes) if found.is_granted} == {"builder"}


# --- refusals ---


def test_gcp_refusals_prove_nothing_where_the_right_sign_in_fails_too(standing):
    standing.write_members(standing.email("operator"), {STRANGER: ["roles/iam.workloadIdentityUser"]})

    assert refusal(standing.adapter().check_refusals).code == "trust_refused"


def test_gcp_refusals_prove_nothing_about_an_account_that_is_not_there(standing):
    standing.google.done("DELETE", f"{IAM}/serviceAccounts/{standing.email('support')}")

    assert refusal(standing.adapter().check_refusals).code == "role_deleted"


def test_gcp_token_refused_proves_the_audience_only(standing):
    """Tokens that are broken are refused whatever they say: that they were is no proof of a subject."""
    adapter = standing.adapter()
    minted = adapter.tokens
    adapter.tokens = lambda *, subject, audience: (
        minted(subject=subject, audience=audience) + ("" if subject == standing.target.subject(Subject.OPS) else "broken")
    )

    assert refusal(adapter.check_refusals).code == "token_refused"


def test_gcp_never_signs_in_as_support_to_find_out(standing):
    standing.google.control("DELETE", "journal")
    adapter = standing.adapter()

    adapter.check_trust_unedited()
    adapter.check_permissions(standing.kit.probes(standing.target))
    adapter.check_refusals()

    opened = [entry for entry in standing.google.control("GET", "journal") if entry["method"].endswith("generateAccessToken")]
    assert {entry["path"].rpartition("/")[2].partition(":")[0] for entry in opened if entry["status"] == 200} == {
        standing.email("operator")
    }


def test_gcp_resolves_no_name_and_leaves_this_machine_never(standing, monkeypatch):
    """google-auth would ask for regional boundaries at an address that no setting changes, in a thread of its own."""
    asked = []
    resolve = socket.getaddrinfo

    def watch(host, *more, **given):
        asked.append(host)
        return resolve(host, *more, **given)

    monkeypatch.setattr(socket, "getaddrinfo", watch)
    adapter = standing.adapter()
    adapter.check_environment("europe-west3", NEEDS)
    adapter.check_refusals()

    assert set(asked) == {"127.0.0.1"}


def test_gcp_every_question_fits_google_s_description(standing):
    standing.google.control("DELETE", "journal")
    adapter = standing.adapter()
    adapter.describe_kit()
    adapter.check_trust_unedited()
    adapter.check_permissions(standing.kit.probes(standing.target))
    adapter.check_environment("europe-west3", NEEDS)

    journal = standing.google.control("GET", "journal")

    assert {entry["api"] for entry in journal} == set(HOSTS) - {"storage"}  # asked by publish_plans alone, in the provider's own project
    assert [f"{entry['method']}: {problem}" for entry in journal for problem in problems(entry)] == []


def test_gcp_mints_a_fresh_token_for_each_sign_in(standing):
    seen = []
    for _ in range(2):
        adapter = standing.adapter()
        minted = adapter.tokens
        adapter.tokens = lambda minted=minted, **claims: seen.append(claims) or minted(**claims)
        adapter.probe_trust()

    assert seen == [{"subject": standing.target.subject(Subject.OPS), "audience": standing.target.audience}] * 2


@pytest.mark.parametrize("url", ["http://gcp.example.com", "ftp://127.0.0.1", "http://127.0.0.1.example.com", "gcp.example.com"])
def test_gcp_address_that_would_show_tokens_is_refused(monkeypatch, url):
    monkeypatch.setenv("PORTAL_GCP_URL", url)

    with pytest.raises(ValueError, match="must be https"):
        Endpoints.from_environment()


def test_gcp_without_a_setting_it_is_google_itself(monkeypatch):
    monkeypatch.delenv("PORTAL_GCP_URL", raising=False)

    assert {api: Endpoints.from_environment().url(api, "/x") for api in HOSTS} == {api: f"{host}/x" for api, host in HOSTS.items()}
    monkeypatch.setenv("PORTAL_GCP_URL", "https://gcp.example.com/")
    assert Endpoints.from_environment().url("iam", "/x") == "https://gcp.example.com/iam/x"


def test_gcp_sdk_loads_with_the_first_adapter_only_and_without_grpc():
    code = (
        "import sys, accounts.clouds; assert 'google.auth' not in sys.modules;"
        "import accounts.clouds.gcp.adapter; assert 'google.auth' in sys.modules;"
        "print([name for name in ('grpc', 'google.protobuf', 'google.api_core', 'django') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# --- the place ---


def found(played: PlayedGcp, check: str, region: str = "europe-west3", needs: Needs = NEEDS):
    (finding,) = played.adapter().check_environment(region, needs, only=[check])
    return finding


def test_gcp_environment_region_that_does_not_exist(standing):
    finding = found(standing, "region_enabled", "europe-west99")

    assert (finding.verdict, finding.params) == (Verdict.BLOCK, {"region": "europe-west99"})
    assert "europe-west3" in finding.evidence
    assert finding.command == f"gcloud compute regions list --project={PROJECT}"


def test_gcp_environment_api_that_is_off(standing):
    standing.google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/container.googleapis.com:disable", {})

    finding = found(standing, "services_enabled")

    assert (finding.verdict, finding.params) == (Verdict.BLOCK, {"services": "container.googleapis.com"})
    assert finding.command == f"gcloud services enable container.googleapis.com --project={PROJECT}"


@pytest.mark.parametrize(
    ("usage", "verdict", "free"), [(0, Verdict.PASS, "72"), (40, Verdict.PASS, "32"), (56, Verdict.WARN, "16"), (57, Verdict.BLOCK, "15")]
)
def test_gcp_environment_vcpus(standing, usage, verdict, free):
    standing.google.control("POST", "quotas", {"project": PROJECT, "region": "europe-west3", "metric": "CPUS", "limit": 72, "usage": usage})

    finding = found(standing, "quota_vcpus")

    assert (finding.verdict, finding.params["free"], finding.params["limit"], finding.params["needed"]) == (verdict, free, "72", "16")
    assert finding.evidence == f"CPUS: limit 72, usage {usage}"
    assert bool(finding.link) == (verdict != Verdict.PASS)


@pytest.mark.parametrize(
    ("check", "region", "metric"), [("quota_networks", "", "NETWORKS"), ("quota_addresses", "europe-west3", "IN_USE_ADDRESSES")]
)
def test_gcp_environment_other_quotas(standing, check, region, metric):
    standing.google.control("POST", "quotas", {"project": PROJECT, "region": region, "metric": metric, "limit": 5, "usage": 5})

    assert found(standing, check).verdict == Verdict.BLOCK


@pytest.mark.parametrize(
    ("constraint", "rules", "verdict"),
    [
        ("gcp.resourceLocations", [{"values": {"allowedValues": ["in:europe-west3-locations"]}}], Verdict.PASS),
        ("gcp.resourceLocations", [{"values": {"allowedValues": ["in:europe-locations"]}}], Verdict.PASS),
        ("gcp.resourceLocations", [{"values": {"allowedValues": ["is:europe-west3"]}}], Verdict.PASS),
        ("gcp.resourceLocations", [{"values": {"allowedValues": ["in:eu-locations"]}}], Verdict.WARN),
        ("gcp.resourceLocations", [{"values": {"allowedValues": ["in:us-locations"]}}], Verdict.BLOCK),
        ("gcp.resourceLocations", [{"values": {"deniedValues": ["europe-west3"]}}], Verdict.BLOCK),
        ("gcp.resourceLocations", [{"denyAll": True}], Verdict.BLOCK),
        (
            "iam.workloadIdentityPoolProviders",
            [{"values": {"allowedValues": ["https://token.actions.githubusercontent.com"]}}],
            Verdict.WARN,
        ),
        ("iam.workloadIdentityPoolProviders", [{"denyAll": True}], Verdict.WARN),
        ("iam.allowedPolicyMemberDomains", [{"values": {"allowedValues": ["C0acme01x"]}}], Verdict.PASS),
        ("compute.requireShieldedVm", [{"enforce": True}], Verdict.WARN),
        ("compute.requireShieldedVm", [{"enforce": False}], Verdict.PASS),
        ("compute.vmExternalIpAccess", [{"denyAll": True}], Verdict.WARN),
    ],
)
def test_gcp_environment_rules_of_the_organisation(standing, constraint, rules, verdict):
    standing.google.control("POST", "org-policies", {"project": PROJECT, "constraint": constraint, "spec": {"rules": rules}})

    finding = found(standing, "organisation_policy")

    assert finding.verdict == verdict
    if verdict != Verdict.PASS:
        assert finding.params == {"constraints": constraint}
        assert constraint in finding.evidence
        assert finding.command == f"gcloud org-policies describe {constraint} --project={PROJECT} --effective"


@pytest.mark.parametrize(
    ("cidr", "verdict"), [("10.64.128.0/20", Verdict.WARN), ("10.0.0.0/8", Verdict.WARN), ("10.65.0.0/16", Verdict.PASS)]
)
def test_gcp_environment_range_in_use_in_any_region(standing, cidr, verdict):
    subnets = [{"name": "orders", "region": "us-east1", "range": cidr}]
    standing.google.control("POST", "networks", {"project": PROJECT, "name": "prod", "subnetworks": subnets})

    finding = found(standing, "address_range")

    assert finding.verdict == verdict
    assert finding.params.get("overlaps", "") == ("" if verdict == Verdict.PASS else f"orders ({cidr})")


def test_gcp_environment_name_that_is_taken(standing):
    standing.google.control("POST", "networks", {"project": PROJECT, "name": "byoc-3f9a1c2e-cell"})

    finding = found(standing, "names_free")

    assert (finding.verdict, finding.params["names"]) == (Verdict.BLOCK, "networks/byoc-3f9a1c2e-cell")


def test_gcp_environment_permission_that_is_missing(standing):
    standing.unbind(standing.role("store"))

    finding = found(standing, "permissions")

    assert (finding.verdict, finding.params) == (Verdict.BLOCK, {"count": "9"})
    assert "builder/storage.objects.get" in finding.evidence.splitlines()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("global/networks/prod", "networks/prod"),
        ("locations/us-east1/clusters/orders", "clusters/orders"),
        ("locations/europe-west3/deployments/billing", "deployments/billing"),
    ],
)
def test_gcp_environment_warns_of_what_is_not_ours(standing, path, told):
    for name in (path, path.rpartition("/")[0] + "/byoc-3f9a1c2e-cell"):
        standing.google.control("POST", "resources", {"project": PROJECT, "path": name, "body": {}})

    finding = found(standing, "own_project")

    assert (finding.verdict, finding.evidence, finding.params) == (Verdict.WARN, told, {"count": "1", "names": told})


def test_gcp_environment_reads_limits_and_no_metadata(standing):
    """The permission would show the project's metadata, where some keep secrets."""
    standing.google.control("DELETE", "journal")

    assert found(standing, "quota_networks").verdict == Verdict.PASS

    asked = [entry for entry in standing.google.control("GET", "journal") if entry["method"] == "compute.projects.get"]
    assert asked
    assert all("hunter2" not in json.dumps(entry) for entry in asked)


def test_gcp_environment_check_whose_call_is_refused_is_a_finding(standing):
    standing.patch_role("verify", [name for name in script.permissions()["verify"] if not name.startswith("compute.regions.")])

    findings = {finding.check: finding for finding in standing.adapter().check_environment("europe-west3", NEEDS)}

    assert {name for name, finding in findings.items() if finding.verdict == Verdict.UNKNOWN} == {
        "region_enabled",
        "quota_vcpus",
        "quota_addresses",
    }
    assert findings["quota_vcpus"].params == {"code": "access_denied"}
    assert "compute.regions.get" in findings["quota_vcpus"].evidence
    assert findings["quota_networks"].verdict == Verdict.PASS


def test_gcp_environment_words_fit_every_finding(standing):
    """Each sentence finds what it names among the params of a finding of its verdict."""
    google = standing.google
    for region, metric in (("europe-west3", "CPUS"), ("", "NETWORKS"), ("europe-west3", "IN_USE_ADDRESSES")):
        google.control("POST", "quotas", {"project": PROJECT, "region": region, "metric": metric, "limit": 1, "usage": 1})
    google.control(
        "POST",
        "networks",
        {"project": PROJECT, "name": "byoc-3f9a1c2e-cell", "subnetworks": [{"name": "a", "region": "us-east1", "range": "10.64.0.0/16"}]},
    )
    google.control(
        "POST", "org-policies", {"project": PROJECT, "constraint": "gcp.resourceLocations", "spec": {"rules": [{"denyAll": True}]}}
    )
    google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/cloudbuild.googleapis.com:disable", {})
    standing.unbind(standing.role("store"))
    words = {check.name: check for check in standing.kit.environment_checks}

    for finding in standing.adapter().check_environment("europe-west3", NEEDS):
        check = words[finding.check]
        text = {Verdict.PASS: check.passed, Verdict.WARN: check.warned, Verdict.BLOCK: check.blocked}[finding.verdict]
        told = fill(text, finding.params)
        assert told == str(text) % {"provider": "Fernhill", **finding.params}, finding.check
        assert told
        assert finding.verdict == Verdict.PASS or finding.command or finding.link or finding.check == "permissions", finding.check


# --- where it goes ---


class Elsewhere(BaseHTTPRequestHandler):
    """A Google that points away: what it is asked first it answers, or not, and whoever follows it is found out."""

    points: str  # which API answers with a redirection
    seen: list[str]

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(self.path)
        api = self.path.split("/")[1]
        body = {"access_token": "a", "token_type": "Bearer", "expires_in": 900, "issued_token_type": ACCESS}
        if api == "iamcredentials":
            body = {"accessToken": "b", "expireTime": in_seconds(900)}
        self.send_response(307 if api == self.points else 200)
        if api == self.points:
            self.send_header("Location", f"/elsewhere{self.path}")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_GET = do_POST = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_more: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("points", "ask"),
    [
        ("sts", lambda adapter: adapter.probe_trust()),
        ("iamcredentials", lambda adapter: adapter.probe_trust()),
        ("crm", lambda adapter: adapter.probe_trust()),
        ("iam", lambda adapter: adapter.describe_kit()),
        ("serviceusage", lambda adapter: adapter._operator.libraries.services(NUMBER)),
        ("orgpolicy", lambda adapter: adapter._operator.libraries.rules(NUMBER, "gcp.resourceLocations")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_gcp_goes_nowhere_that_an_answer_points_to(played, monkeypatch, points, ask):
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Pointing", (Elsewhere,), {"points": points, "seen": seen})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PORTAL_GCP_URL", f"http://127.0.0.1:{server.server_port}")

        refusal(lambda: ask(played.adapter()))
        server.shutdown()

    assert [path for path in seen if path.startswith(f"/{points}/")]
    assert not any(path.startswith("/elsewhere") for path in seen)
