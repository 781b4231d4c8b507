"""Every verdict about a Google Cloud project's surroundings."""

import json

import pytest

from accounts.clouds.base import Verdict
from accounts.kits.gcp import script
from portal.operations.catalogue import fill
from tests.clouds.gcp.google import PROJECT
from tests.clouds.gcp.standing import NEEDS, found, played, standing

__all__ = ["played", "standing"]  # fixtures


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


def test_gcp_environment_permissions_of_a_kit_as_shipped_are_held(standing):
    """Also what the operator holds of one view of the log only, which the question about the project does not show."""
    assert found(standing, "permissions").verdict == Verdict.PASS

    standing.unbind(standing.role("grant"))  # support is nothing that a cell needs

    assert found(standing, "permissions").verdict == Verdict.PASS


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
