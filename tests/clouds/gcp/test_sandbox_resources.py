"""Pools, providers, accounts and roles of the local Google, and how strict it is about everything else."""

import re
from typing import Any

import pytest

from portal.sandbox.gcp import apis
from portal.sandbox.gcp.methods import METHODS
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer
from tests.clouds.gcp.google import (
    EMAIL,
    GET_PROJECT,
    ISSUER,
    MEMBER,
    POOL,
    POOL_NAME,
    PROJECT,
    PROVIDER_NAME,
    ROLE,
    Google,
    forget_violations,
)

assert apis  # fills METHODS
POOLS = f"/iam/v1/projects/{PROJECT}/locations/global/workloadIdentityPools"


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


@pytest.fixture
def connected(google: Google) -> Google:
    google.install()
    return google


# --- Pools, providers, accounts, roles ---


def test_pool_is_made_by_an_operation(google: Google) -> None:
    google.enable()
    google.control("POST", "knobs", {"operation_seconds": 10})

    begun = google.create_pool(displayName="Fernhill")[1]

    assert begun["name"].startswith(f"{POOL_NAME}/operations/")
    assert "done" not in google.done("GET", f"/iam/v1/{begun['name']}")
    google.control("POST", "clock", {"advance": 11})
    ended = google.done("GET", f"/iam/v1/{begun['name']}")
    assert ended["response"] == {
        "@type": "type.googleapis.com/google.iam.v1.WorkloadIdentityPool", "name": POOL_NAME, "displayName": "Fernhill", "state": "ACTIVE",
    }  # fmt: skip


def test_deleted_pool_blocks_its_name_for_thirty_days(connected: Google) -> None:
    connected.done("DELETE", f"{POOLS}/{POOL}")
    gone = connected.done("GET", f"{POOLS}/{POOL}")

    assert gone["state"] == "DELETED"
    assert gone["expireTime"]
    assert connected.create_pool() == (
        409,
        {"error": {"code": 409, "message": "Requested entity already exists", "status": "ALREADY_EXISTS"}},
    )
    connected.control("POST", "clock", {"advance": 31 * 86400})
    connected.owner = connected.person(project=PROJECT)
    assert connected.create_pool()[0] == 200


@pytest.mark.parametrize("pool", ["abc", "Fernhill", "gcp-fernhill", "a" * 33, "fernhill-"])
def test_pool_id_is_checked(google: Google, pool: str) -> None:
    google.enable()

    assert google.create_pool(pool)[1]["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "body",
    [
        {"oidc": {"issuerUri": "http://id.portal.test/a"}},
        {"oidc": {}},
        {"attributeMapping": {}},
        {"attributeMapping": {"google.subject": "assertion.sub", "google.name": "assertion.sub"}},
        {"oidc": {"issuerUri": ISSUER, "allowedAudiences": ["a" * 257]}},
    ],
)
def test_provider_is_checked(google: Google, body: dict[str, Any]) -> None:
    google.enable()
    google.create_pool()

    status, answer = google.create_provider(**body)

    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_provider_of_a_forbidden_issuer_is_refused_by_the_organisation(google: Google) -> None:
    google.enable(project="acme-locked")
    google.create_pool(project="acme-locked")

    assert google.create_provider(project="acme-locked") == (400, {"error": {
        "code": 400, "message": "Precondition check failed.", "status": "FAILED_PRECONDITION",
        "details": [{"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [{
            "type": "constraints/iam.workloadIdentityPoolProviders",
            "subject": f"orgpolicy:projects/acme-locked/locations/global/workloadIdentityPools/{POOL}",
            "description": f"Org Policy violated for value: '{ISSUER}'.",
        }]}],
    }})  # fmt: skip


def test_domain_restricted_sharing_hits_strangers_and_not_the_organisations_own(connected: Google) -> None:
    only_acme = {"rules": [{"values": {"allowedValues": ["C0acme01x"]}}]}
    connected.control("POST", "org-policies", {"project": PROJECT, "constraint": "iam.allowedPolicyMemberDomains", "spec": only_acme})

    for member in ("user:new@acme.example", f"serviceAccount:{EMAIL}", MEMBER):
        assert connected.bind_project("roles/browser", member)[0] == 200
    status, answer = connected.bind_project("roles/browser", "user:support@fernhill.example")
    assert (status, answer["error"]["message"]) == (400, "One or more users named in the policy do not belong to a permitted customer.")
    assert answer["error"]["details"][0]["violations"] == [{
        "type": "constraints/iam.allowedPolicyMemberDomains",
        "subject": f"orgpolicy:projects/{PROJECT}?configvalue=support@fernhill.example",
        "description": "User support@fernhill.example is not in permitted organization.",
    }]  # fmt: skip
    assert connected.bind_project("roles/browser", "allUsers")[0] == 400


def test_account_taken_and_misnamed(connected: Google) -> None:
    assert connected.create_account()[1]["error"] == {
        "code": 409, "status": "ALREADY_EXISTS",
        "message": f"Service account fernhill-ops already exists within project projects/{PROJECT}.",
    }  # fmt: skip
    assert connected.create_account("ops")[1]["error"]["status"] == "INVALID_ARGUMENT"


def test_account_is_had_back_by_its_unique_id(connected: Google) -> None:
    account = connected.done("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}")
    connected.done("DELETE", f"/iam/v1/projects/-/serviceAccounts/{EMAIL}")
    assert connected.call("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}") == (
        404, {"error": {"code": 404, "message": "Unknown service account", "status": "NOT_FOUND"}},
    )  # fmt: skip

    restored = connected.done("POST", f"/iam/v1/projects/-/serviceAccounts/{account['uniqueId']}:undelete", {})

    assert restored["restoredAccount"]["email"] == EMAIL
    assert connected.impersonate()[0] == 200


@pytest.mark.parametrize(
    "permission", ["compute.regions.nothing", "resourcemanager.projects.list", "resourcemanager.organizations.get", "*"]
)
def test_role_refuses_permissions_it_cannot_hold(google: Google, permission: str) -> None:
    google.enable()

    status, answer = google.call(
        "POST", f"/iam/v1/projects/{PROJECT}/roles", {"roleId": ROLE, "role": {"includedPermissions": [permission]}}
    )

    assert (status, answer["error"]["message"]) == (400, f"Permission {permission} is not valid.")


def test_deleted_role_blocks_its_id(connected: Google) -> None:
    connected.done("DELETE", f"/iam/v1/projects/{PROJECT}/roles/{ROLE}")

    status, answer = connected.call("POST", f"/iam/v1/projects/{PROJECT}/roles", {"roleId": ROLE, "role": {}})

    assert (status, answer["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert answer["error"]["message"] == (
        f"You can't create a role with role_id ({ROLE}) where there is an existing role with that role_id in a deleted state."
    )


def test_role_update_with_an_old_etag_is_a_conflict(connected: Google) -> None:
    role = connected.done("GET", f"/iam/v1/projects/{PROJECT}/roles/{ROLE}")
    path = f"/iam/v1/projects/{PROJECT}/roles/{ROLE}?updateMask=title"
    assert connected.call("PATCH", path, {"title": "One", "etag": role["etag"]})[0] == 200

    assert connected.call("PATCH", path, {"title": "Two", "etag": role["etag"]})[0] == 409


# --- Strictness ---


def test_unknown_routes_fields_and_parameters_are_violations(google: Google) -> None:
    google.enable()

    assert google.call("GET", "/iam/v9/projects")[0] == 404
    assert google.call("GET", "/dns/v1/projects")[0] == 404
    assert google.call("GET", f"{GET_PROJECT}?verbose=1")[1]["error"]["message"] == (
        'Invalid JSON payload received. Unknown name "verbose": Cannot bind query parameter. '
        "Field 'verbose' could not be found in request message."
    )
    assert (
        google.create_pool(owner="me")[1]["error"]["message"] == 'Invalid JSON payload received. Unknown name "owner": Cannot find field.'
    )
    assert [entry["kind"] for entry in forget_violations(google)] == ["route", "route", "field", "field"]


def test_issuers_origin_is_the_only_name_resolved(connected: Google) -> None:
    assert ISSUER.startswith(ISSUER_HOST)
    connected.done("PATCH", f"/iam/v1/{PROVIDER_NAME}?updateMask=oidc.issuerUri", {"oidc": {"issuerUri": "https://elsewhere.example"}})

    assert (
        connected.exchange(issuer="https://elsewhere.example")[1]["error_description"]
        == "Error connecting to the given credential's issuer."
    )


# --- Hostile input ---


def bodies() -> list[Any]:
    deep: Any = "x"
    for _ in range(200):
        deep = {"policy": deep}
    return [[], "text", 7, {"policy": []}, {"policy": {"bindings": [{"members": "all"}]}}, {"role": {"includedPermissions": "x"}}, deep,
            {"permissions": [None, 1]}, {"lifetime": "9" * 400 + "s"}, {"accountId": "\0"}]  # fmt: skip


def test_no_method_breaks_on_any_body_or_parameter(google: Google) -> None:
    google.install()
    names = {"project": PROJECT, "pool": POOL, "provider": "portal", "account": EMAIL, "role": ROLE, "service": "iam.googleapis.com"}
    broken = []
    for method in METHODS:
        if method.verb == "DELETE" or method.id.endswith((".disable", ".undelete")):
            continue
        path = f"/{method.api}" + re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x"), method.path)
        query = "&".join(f"{name}=%00%FFx" for name in sorted(method.query))
        for body in bodies():
            status, _answer = google.call(method.verb, f"{path}?{query}", body)
            broken += [f"{method.id} {str(body)[:60]}: {status}"] if status >= 500 and status != 501 else []

    assert broken == []
    forget_violations(google)


@pytest.mark.parametrize("expression", ["(" * 3000, "request.time < 5", "'a' in 5", "a" * 5000, "resource.name.hasOnly(5)", "1 ||"])
def test_conditions_that_cannot_be_judged_are_refused(google: Google, expression: str) -> None:
    assert google.bind_project("roles/browser", "user:a@acme.example", expression)[0] == 400

    assert len(forget_violations(google)) == 1
