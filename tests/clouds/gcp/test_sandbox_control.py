"""The local Google's control endpoint: faults, clock, surroundings, its memory across restarts, and the shared reset."""

import http.client
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer, start_sandbox
from tests.clouds.gcp.google import EMAIL, NUMBER, POOL_NAME, PROJECT, Google

GET_PROJECT = f"/crm/v3/projects/{PROJECT}"
COMPUTE = f"/compute/compute/v1/projects/{PROJECT}"


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


def order(google: Google, **fault: Any) -> None:
    google.control("POST", "faults", {"service": "crm", **fault})


# --- Faults ---


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", 429, "RESOURCE_EXHAUSTED"),
        ("500", 500, "INTERNAL"),
        ("503", 503, "UNAVAILABLE"),
        ("access_denied", 403, "PERMISSION_DENIED"),
    ],
)
def test_fault_answers_once_then_all_is_well(google: Google, kind: str, code: int, status: str) -> None:
    order(google, kind=kind)

    answered, body = google.call("GET", GET_PROJECT)

    assert (answered, body["error"]["code"], body["error"]["status"]) == (code, code, status)
    assert google.call("GET", GET_PROJECT)[0] == 200


def test_fault_502_is_html(google: Google) -> None:
    order(google, kind="502_html")

    status, body = google.call("GET", GET_PROJECT)

    assert status == 502
    assert body.startswith("<html>")


def test_fault_matches_service_method_and_project(google: Google) -> None:
    order(google, kind="500", action="cloudresourcemanager.projects.get", account=PROJECT, count=None)

    assert google.call("GET", GET_PROJECT)[0] == 500
    assert google.call("GET", f"/crm/v3/projects/{NUMBER}")[0] == 500
    assert google.call("GET", "/crm/v3/projects/acme-sandbox")[0] == 200
    assert google.call("POST", f"{GET_PROJECT}:testIamPermissions", {})[0] == 200
    google.control("DELETE", "faults")
    assert google.call("GET", GET_PROJECT)[0] == 200


def test_fault_of_a_sign_in_matches_the_accounts_project(google: Google) -> None:
    google.install()
    google.control("POST", "faults", {"kind": "throttle", "service": "iamcredentials", "account": PROJECT})

    assert google.impersonate()[0] == 429
    assert google.impersonate()[0] == 200


def test_fault_lost_reply_does_the_work_and_drops_the_connection(google: Google) -> None:
    google.enable()
    google.control("POST", "faults", {"kind": "lost_reply", "service": "iam"})

    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError, urllib.error.URLError)):
        google.create_account()

    assert google.done("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}")["email"] == EMAIL


def test_fault_delay_answers_late(google: Google) -> None:
    order(google, kind="delay", seconds=0.3)
    began = time.monotonic()

    assert google.call("GET", GET_PROJECT)[0] == 200
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("faults", {"kind": "earthquake"}),
        ("knobs", {"speed": 1}),
        ("projects", {"id": PROJECT, "owner": "a@acme.example"}),
        ("projects/recreate", {"id": "none"}),
        ("org-policies", {"project": PROJECT, "constraint": "made.up"}),
        ("quotas", {"project": PROJECT, "region": "moon-west1", "metric": "CPUS", "limit": 1}),
    ],
)
def test_control_refuses_what_it_does_not_know(google: Google, path: str, values: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        google.control("POST", path, values)

    refused.value.close()
    assert refused.value.code == 400


# --- Surroundings ---


def test_regions_and_quotas_are_told_and_turned(google: Google) -> None:
    google.enable("compute.googleapis.com")
    google.control("POST", "quotas", {"project": PROJECT, "region": "europe-west3", "metric": "CPUS", "limit": 8, "usage": 6})

    region = google.done("GET", f"{COMPUTE}/regions/europe-west3")

    assert {"metric": "CPUS", "limit": 8.0, "usage": 6.0} in region["quotas"]
    assert region["status"] == "UP"
    names = [entry["name"] for entry in google.done("GET", f"{COMPUTE}/regions")["items"]]
    assert len(names) == 43
    assert "europe-west3" in names


def test_regions_come_in_pages(google: Google) -> None:
    google.enable("compute.googleapis.com")
    found: list[str] = []
    page = google.done("GET", f"{COMPUTE}/regions?maxResults=20")
    while "nextPageToken" in page:
        found += [entry["name"] for entry in page["items"]]
        page = google.done("GET", f"{COMPUTE}/regions?maxResults=20&pageToken={page['nextPageToken']}")

    assert len({*found, *(entry["name"] for entry in page["items"])}) == 43


def test_region_that_is_none_is_not_found_in_computes_own_words(google: Google) -> None:
    google.enable("compute.googleapis.com")
    message = f"The resource 'projects/{PROJECT}/regions/moon-west1' was not found"

    assert google.call("GET", f"{COMPUTE}/regions/moon-west1") == (404, {"error": {
        "code": 404, "message": message, "status": "NOT_FOUND", "errors": [{"message": message, "domain": "global", "reason": "notFound"}],
    }})  # fmt: skip


def test_compute_refuses_in_its_own_words(google: Google) -> None:
    stranger = google.person(email="stranger@elsewhere.example")
    google.enable("compute.googleapis.com")

    status, answer = google.call("GET", f"{COMPUTE}/regions", token=stranger)

    assert (status, answer["error"]["message"]) == (403, f"Required 'compute.regions.list' permission for 'projects/{PROJECT}'")
    assert answer["error"]["errors"][0]["reason"] == "forbidden"


def test_networks_somebody_made_are_seen_and_counted(google: Google) -> None:
    google.enable("compute.googleapis.com")
    subnet = {"name": "inner", "region": "europe-west3", "range": "10.9.0.0/16"}
    google.control("POST", "networks", {"project": PROJECT, "name": "corp", "subnetworks": [subnet]})

    networks = {network["name"]: network for network in google.done("GET", f"{COMPUTE}/global/networks")["items"]}
    scopes = google.done("GET", f"{COMPUTE}/aggregated/subnetworks")["items"]
    quotas = {quota["metric"]: quota["usage"] for quota in google.done("GET", COMPUTE)["quotas"]}

    assert set(networks) == {"default", "corp"}
    assert networks["corp"]["subnetworks"] == [
        f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/regions/europe-west3/subnetworks/inner"
    ]
    inner = next(found for found in scopes["regions/europe-west3"]["subnetworks"] if found["name"] == "inner")
    assert (inner["ipCidrRange"], inner["network"]) == ("10.9.0.0/16", networks["corp"]["selfLink"])
    assert scopes["regions/me-west1"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    assert quotas["NETWORKS"] == 2.0
    google.control("DELETE", f"networks?project={PROJECT}&name=corp")
    assert [network["name"] for network in google.done("GET", f"{COMPUTE}/global/networks")["items"]] == ["default"]


def test_organisation_policy_of_the_project_wins_over_the_organisations(google: Google) -> None:
    google.enable("orgpolicy.googleapis.com")
    path = f"/orgpolicy/v2/projects/{NUMBER}/policies/gcp.resourceLocations:getEffectivePolicy"
    europe = {"rules": [{"values": {"allowedValues": ["in:eu-locations"]}}]}
    assert google.done("GET", path)["spec"] == {"rules": [{"allowAll": True}]}

    google.control("POST", "org-policies", {"organization": "700000000001", "constraint": "gcp.resourceLocations", "spec": europe})
    assert google.done("GET", path)["spec"] == europe
    nowhere = {"rules": [{"denyAll": True}]}
    google.control("POST", "org-policies", {"project": PROJECT, "constraint": "gcp.resourceLocations", "spec": nowhere})
    assert google.done("GET", path)["spec"] == nowhere
    google.control("POST", "org-policies", {"project": PROJECT, "constraint": "gcp.resourceLocations", "spec": None})
    assert google.done("GET", path)["spec"] == europe


def test_keys_of_people_stand_beside_googles_own(google: Google) -> None:
    google.install()
    keys = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}/keys"
    assert [key["keyType"] for key in google.done("GET", keys)["keys"]] == ["SYSTEM_MANAGED"]
    assert google.done("GET", f"{keys}?keyTypes=USER_MANAGED") == {}

    made = google.done("POST", keys, {})

    assert [key["name"] for key in google.done("GET", f"{keys}?keyTypes=USER_MANAGED")["keys"]] == [made["name"]]


# --- Reset, ports, memory ---


def test_global_reset_brings_the_demos_world_back(google: Google) -> None:
    google.install()
    google.control("POST", "projects", {"id": "extra-project", "owner": "a@acme.example"})
    order(google, kind="500")

    google.sandbox.control("POST", "reset")

    overview = google.control("GET", "")
    assert overview["projects"] == {
        "acme-data-prod": "123456789012", "acme-sandbox": "345678901234", "acme-locked": "456789012345", "globex-analytics": "210987654321",
        "fernhill-releases": "567890123456",
    }  # fmt: skip
    assert overview["faults"] == []
    assert google.call("GET", GET_PROJECT)[0] == 401


def test_google_port_knows_no_control_and_no_foreign_name(google: Google) -> None:
    assert google.call("POST", "/_sandbox/gcp/owner-token", {"project": PROJECT})[0] == 404
    assert [entry["kind"] for entry in google.sandbox.control("GET", "violations")] == ["route"]
    google.sandbox.control("DELETE", "violations")
    connection = http.client.HTTPConnection("127.0.0.1", google.sandbox.gcp, timeout=5)
    connection.request("GET", GET_PROJECT, headers={"Host": "evil.example", "Authorization": f"Bearer {google.owner}"})
    assert connection.getresponse().status == 421
    connection.close()


def resolve(issuer: TestIssuer) -> tuple[str, str]:
    return "--issuer-resolve", f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"


def test_world_outlives_a_kill(tmp_path: Path, issuer: TestIssuer) -> None:
    arguments = ("--pace", "0", "--propagation", "0", "--state-dir", str(tmp_path), *resolve(issuer))
    first = start_sandbox(*arguments)
    try:
        google = Google(first, issuer)
        google.install()
        session = google.session()
        google.control("POST", "org-policies", {"project": PROJECT, "constraint": "compute.requireShieldedVm", "spec": {"rules": []}})
        google.control("POST", "clock", {"advance": 60})
        time.sleep(1.2)
        os.kill(first.process.pid, signal.SIGKILL)
    finally:
        first.process.kill()
        first.process.communicate()

    second = start_sandbox(*arguments)
    try:
        again = Google(second, issuer, owner=google.owner)
        assert again.call("GET", GET_PROJECT, token=session)[0] == 200
        assert again.impersonate()[0] == 200
        assert again.done("GET", f"/iam/v1/{POOL_NAME}")["state"] == "ACTIVE"
        assert again.control("GET", "")["now"] > time.time() + 55
        assert oct((tmp_path / "gcp.json").stat().st_mode)[-3:] == "600"
    finally:
        second.stop()


def test_world_that_cannot_be_read_starts_afresh_and_is_kept_aside(tmp_path: Path, issuer: TestIssuer) -> None:
    (tmp_path / "gcp.json").write_text('{"format": 0}')

    running = start_sandbox("--state-dir", str(tmp_path), *resolve(issuer))

    try:
        assert running.control("GET", "gcp/")["projects"][PROJECT] == NUMBER
        assert (tmp_path / "gcp.unreadable").read_text() == '{"format": 0}'
    finally:
        running.stop()


def test_demos_pace_is_a_delay_of_operations_and_of_iam(issuer: TestIssuer) -> None:
    running = start_sandbox("--pace", "1.5", "--propagation", "2", *resolve(issuer))

    try:
        assert running.control("GET", "gcp/")["knobs"] == {"propagation_seconds": 2.0, "operation_seconds": 1.5}
    finally:
        running.stop()
