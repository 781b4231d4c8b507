"""Everything the local Google says and is told, against Google's own description: methods, paths, parameters, fields, values."""

from typing import Any

import pytest

from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.discovery import problems
from tests.clouds.gcp.google import EMAIL, MEMBER, NUMBER, POOL_NAME, PROJECT, PROVIDER_NAME, ROLE, Google


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    made = Google(sandbox, issuer)
    made.control("DELETE", "journal")
    return made


def complaints(google: Google) -> list[str]:
    journal = google.control("GET", "journal")
    assert journal
    return [f"{entry['method']}: {problem}" for entry in journal for problem in problems(entry)]


def test_kit_and_sign_in_fit_the_description(google: Google) -> None:
    google.control("POST", "knobs", {"operation_seconds": 5})
    google.enable()
    google.control("POST", "clock", {"advance": 6})
    begun = google.create_pool(displayName="Fernhill", description="Lets the portal in")[1]
    google.create_provider(attributeCondition="assertion.sub == 'account:a:ops'", displayName="Portal")
    google.done("GET", f"/iam/v1/{begun['name']}")
    google.control("POST", "clock", {"advance": 6})
    google.done("GET", f"/iam/v1/{begun['name']}")
    google.install_rest()

    google.session()

    assert complaints(google) == []


def test_everything_the_owner_can_change_fits_the_description(google: Google) -> None:
    google.install()
    account = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}"
    role = f"/iam/v1/projects/{PROJECT}/roles/{ROLE}"
    services = f"/serviceusage/v1/projects/{PROJECT}/services"
    google.bind_project("roles/browser", "user:a@acme.example", 'request.time < timestamp("2099-01-01T00:00:00Z")')
    for verb, path, body in (
        ("PATCH", f"/iam/v1/{POOL_NAME}?updateMask=displayName", {"displayName": "New"}),
        ("PATCH", f"/iam/v1/{PROVIDER_NAME}?updateMask=oidc.allowedAudiences", {"oidc": {"allowedAudiences": ["fernhill"]}}),
        ("DELETE", f"/iam/v1/{PROVIDER_NAME}", None), ("POST", f"/iam/v1/{PROVIDER_NAME}:undelete", {}),
        ("DELETE", f"/iam/v1/{POOL_NAME}", None), ("POST", f"/iam/v1/{POOL_NAME}:undelete", {}),
        ("GET", f"/iam/v1/{POOL_NAME}", None), ("GET", f"/iam/v1/{PROVIDER_NAME}", None), ("GET", f"/iam/v1/{POOL_NAME}/providers", None),
        ("GET", f"/iam/v1/projects/{PROJECT}/locations/global/workloadIdentityPools?showDeleted=true", None),
        ("GET", account, None), ("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts?pageSize=1", None),
        ("PATCH", account, {"serviceAccount": {"displayName": "New"}, "updateMask": "displayName"}),
        ("POST", f"{account}:getIamPolicy?options.requestedPolicyVersion=3", {}), ("POST", f"{account}:disable", {}),
        ("POST", f"{account}:enable", {}), ("POST", f"{account}:testIamPermissions", {"permissions": ["iam.serviceAccounts.get"]}),
        ("POST", f"{account}/keys", {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE"}),
        ("GET", f"{account}/keys?keyTypes=USER_MANAGED", None),
        ("GET", role, None), ("GET", f"/iam/v1/projects/{PROJECT}/roles?view=FULL&showDeleted=true", None),
        ("PATCH", f"{role}?updateMask=title", {"title": "New"}), ("DELETE", role, None), ("POST", f"{role}:undelete", {}),
        ("GET", "/iam/v1/roles/iam.workloadIdentityUser", None),
        ("POST", "/iam/v1/permissions:queryTestablePermissions",
         {"fullResourceName": f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}", "pageSize": 1000}),
        ("GET", f"/crm/v1/projects/{PROJECT}", None), ("GET", f"/crm/v3/projects/{PROJECT}", None),
        ("POST", f"/crm/v1/projects/{PROJECT}:getAncestry", {}), ("POST", f"/crm/v3/projects/{PROJECT}:getIamPolicy", {}),
        ("POST", f"/crm/v3/projects/{PROJECT}:testIamPermissions", {"permissions": ["resourcemanager.projects.get"]}),
        ("GET", services, None), ("GET", f"{services}/iam.googleapis.com", None),
        ("GET", f"{services}:batchGet?names=projects/{PROJECT}/services/iam.googleapis.com", None),
        ("POST", f"{services}/config.googleapis.com:enable", {}), ("POST", f"{services}/config.googleapis.com:disable", {}),
    ):  # fmt: skip
        google.done(verb, path, body)

    assert complaints(google) == []


def test_surroundings_fit_the_description(google: Google) -> None:
    google.enable("iam.googleapis.com", "compute.googleapis.com", "orgpolicy.googleapis.com")
    subnet = {"name": "inner", "region": "europe-west3", "range": "10.9.0.0/16"}
    google.control("POST", "networks", {"project": PROJECT, "name": "corp", "subnetworks": [subnet]})
    google.control("POST", "resources", {"project": PROJECT, "path": "global/firewalls/x", "body": {"network": "corp", "priority": 1000}})
    google.control("POST", "resources", {"project": PROJECT, "path": "regions/europe-west3/routers/r", "body": {"network": "corp"}})
    peering = {"purpose": "VPC_PEERING", "address": "10.50.0.0", "prefixLength": 16, "addressType": "INTERNAL", "status": "RESERVED"}
    google.control("POST", "resources", {"project": PROJECT, "path": "global/addresses/a", "body": peering})
    base = f"/compute/compute/v1/projects/{PROJECT}"
    for path in ("", "/regions", "/regions/europe-west3", "/global/networks", "/global/firewalls", "/global/routes", "/global/addresses",
                 "/regions/europe-west3/addresses", "/regions/europe-west3/routers", "/regions/europe-west3/subnetworks",
                 "/aggregated/subnetworks"):  # fmt: skip
        google.done("GET", base + path)
    for constraint in ("iam.workloadIdentityPoolProviders", "compute.requireShieldedVm", "gcp.resourceLocations"):
        google.done("GET", f"/orgpolicy/v2/projects/{NUMBER}/policies/{constraint}:getEffectivePolicy")

    assert complaints(google) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"response": {"name": "x", "state": "ALIVE"}}, ["response.state: 'ALIVE' is not in the list"]),
        ({"response": {"number": 5}}, ["response: unknown field number"]),
        ({"response": {"createTime": "yesterday"}}, ["response.createTime: 'yesterday' is no google-datetime"]),
        ({"response": {"labels": {"a": 1}}}, ["response.labels.a: 1 is no string"]),
        ({"query": {"verbose": ["1"]}}, ["no query parameter verbose"]),
        ({"path": "/crm/v3/projekte/p"}, ["no method is GET /v3/projekte/p"]),
        ({"method": "cloudresourcemanager.projects.list"}, ["cloudresourcemanager.projects.list is cloudresourcemanager.projects.get"]),
    ],
)
def test_description_finds_planted_faults(change: dict[str, Any], said: list[str]) -> None:
    good = {
        "api": "crm", "method": "cloudresourcemanager.projects.get", "verb": "GET", "path": "/crm/v3/projects/p", "query": {},
        "request": None, "status": 200, "response": {"name": "projects/1", "state": "ACTIVE"},
    }  # fmt: skip

    assert problems(good) == []
    assert problems({**good, **change}) == said


def test_journal_keeps_no_secret(google: Google) -> None:
    google.install()
    session = google.session()
    text = str(google.control("GET", "journal"))

    assert session not in text
    assert "eyJ" not in text
    assert google.owner not in text
    assert MEMBER in text
