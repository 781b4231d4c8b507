"""The local Google's log: its filters, views of it, and what of reading is written down. What Google refuses is refused here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.clouds.gcp.leases import expressions
from accounts.kits.gcp import script
from portal.sandbox.gcp.log_filter import LONGEST, FilterError, compile_filter
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import PROJECT, Google, forget_violations
from tests.clouds.gcp.test_support_doors import GcpCellStand, addresses, grant_of, support

VIEWS = f"/logging/v2/projects/{PROJECT}/locations/global/buckets/_Default/views"
NAMES = f"projects/{PROJECT}/locations/global/buckets/_Default/views"
ENTRY = {
    "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access",
    "timestamp": "2026-03-01T12:00:00.5Z",
    "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "byoc-1-cell"}},
    "protoPayload": {"authenticationInfo": {"delegation": [{"who": "anna"}, {"who": "Mia"}]}},
    "textPayload": 'said "no"',
}


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Iterator[Google]:
    made = Google(sandbox, issuer)
    made.enable("logging.googleapis.com", "iam.googleapis.com", "cloudresourcemanager.googleapis.com")
    yield made
    made.done("POST", f"/crm/v3/projects/{PROJECT}:setIamPolicy", {"policy": {"auditConfigs": []}, "updateMask": "auditConfigs"})


# --- Filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_in"),
    [
        ("", True),
        ('resource.type="k8s_cluster"', True),
        ('resource.type = "K8S_Cluster"', True),
        ('resource.type="k8s"', False),
        ('resource.type:"k8s"', True),
        ('resource.labels.cluster_name="byoc-1-cell"', True),
        ('resource.labels.nothing=""', False),
        ('protoPayload.authenticationInfo.delegation.who="mia"', True),
        ('protoPayload.authenticationInfo.delegation.who="eva"', False),
        ('LOG_ID("cloudaudit.googleapis.com/data_access")', True),
        ('LOG_ID("cloudaudit.googleapis.com/activity")', False),
        ('timestamp>="2026-03-01T12:00:00.5Z" AND timestamp<="2026-03-01T13:00:00.5+01:00"', True),
        ('timestamp>"2026-03-01T12:00:00.5Z"', False),
        ('timestamp<"2026-03-01T12:00:01Z"', True),
        ('"SAID \\"no\\""', True),
        ('"yes"', False),
        ('"textPayload"', False),
        ('NOT resource.type="k8s_cluster"', False),
        ('NOT "yes" AND NOT "perhaps"', True),
        # OR binds closer than AND: this is ("no" OR "yes") AND "yes".
        ('"no" OR "yes" AND "yes"', False),
        ('"no" OR ("yes" AND "yes")', True),
        ('"yes" AND "yes" OR "no"', False),
    ],
)
def test_gcp_filter_says_what_google_would_say(text: str, is_in: bool) -> None:
    assert compile_filter(text)(ENTRY) is is_in


@pytest.mark.parametrize(
    "text",
    [
        "resource.type=k8s_cluster",
        'resource.type="a" resource.type="b"',
        'resource.type!="k8s_cluster"',
        'resource.type>"k8s_cluster"',
        'timestamp>="soon"',
        '("no"',
        '"no")',
        '"no" AND',
        'AND "no"',
        'OR = "no"',
        "NOT",
        'LOG_ID "x"',
        '"never ended',
        "resource.type =~ 'k8s'",
        '"x" OR ' * (LONGEST // 7 + 1) + '"x"',
    ],
)
def test_gcp_filter_that_is_none_or_is_not_played_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text)(ENTRY)


def test_gcp_filter_that_is_none_is_refused_by_the_api_and_recorded(google: Google) -> None:
    google.done("POST", f"{VIEWS}?viewId=mine", {"filter": ""})

    status, answer = google.call("POST", "/logging/v2/entries:list", {"resourceNames": [f"{NAMES}/mine"], "filter": "type=x"})

    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert answer["error"]["message"].startswith("Unparseable filter")
    assert forget_violations(google)


# --- Views -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        'resource.type="k8s_cluster"',
        'LOG_ID("cloudaudit.googleapis.com/data_access")',
        'resource.type = "gce_instance" AND NOT LOG_ID("stdout")',
        'NOT resource.type="k8s_container" AND NOT LOG_ID("stdout") AND resource.type="k8s_node"',
    ],
)
def test_gcp_view_takes_conjunctions(google: Google, text: str) -> None:
    assert google.done("POST", f"{VIEWS}?viewId=mine", {"filter": text})["filter"] == text


@pytest.mark.parametrize(
    "text",
    [
        'resource.type="k8s_cluster" OR resource.type="k8s_node"',
        '(resource.type="k8s_cluster")',
        'resource.type="k8s_cluster" resource.type="k8s_node"',
        'resource.type="k8s_cluster" AND',
        'resource.labels.cluster_name="byoc-1-cell"',
        'severity="ERROR"',
        'timestamp>="2026-01-01T00:00:00Z"',
        '"words"',
        "resource.type=k8s_cluster",
    ],
)
def test_gcp_view_refuses_every_other_filter_when_made_and_when_changed(google: Google, text: str) -> None:
    google.done("POST", f"{VIEWS}?viewId=mine", {"filter": ""})

    for verb, path in (("POST", f"{VIEWS}?viewId=other"), ("PATCH", f"{VIEWS}/mine?updateMask=filter")):
        status, answer = google.call(verb, path, {"filter": text})
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert google.call("GET", f"{VIEWS}/other")[0] == 404
    assert google.done("GET", f"{VIEWS}/mine")["filter"] == ""


def test_gcp_view_is_made_once_changed_by_its_mask_and_deleted(google: Google) -> None:
    google.done("POST", f"{VIEWS}?viewId=mine", {"filter": 'LOG_ID("a")', "description": "Mine"})

    assert google.call("POST", f"{VIEWS}?viewId=mine", {})[0] == 409
    google.done("PATCH", f"{VIEWS}/mine?updateMask=description", {"filter": "", "description": "Yours"})
    found = google.done("GET", f"{VIEWS}/mine")
    assert (found["name"], found["filter"], found["description"]) == (f"{NAMES}/mine", 'LOG_ID("a")', "Yours")
    assert google.call("PATCH", f"{VIEWS}/mine?updateMask=name", {"name": "x"})[0] == 400
    google.done("DELETE", f"{VIEWS}/mine")
    assert [google.call(verb, f"{VIEWS}/mine")[0] for verb in ("GET", "DELETE")] == [404, 404]
    assert google.call("POST", f"{VIEWS}?viewId=a%20view", {})[0] == 400


def test_gcp_views_of_the_kit_are_ones_that_google_takes(google: Google) -> None:
    for ending, text in script.views().items():
        assert google.call("POST", f"{VIEWS}?viewId={ending}", {"filter": text})[0] == 200, ending


def test_gcp_view_is_read_by_whoever_may_and_others_hear_nothing_of_it(google: Google) -> None:
    google.done("POST", f"{VIEWS}?viewId=mine", {"filter": ""})
    stranger = google.person(email="eva@globex.example")
    asked = {"resourceNames": [f"{NAMES}/mine"]}

    assert google.call("POST", "/logging/v2/entries:list", asked)[0] == 200
    assert google.call("POST", "/logging/v2/entries:list", asked, token=stranger)[0] == 403
    assert google.call("POST", "/logging/v2/entries:list", asked, token="")[0] == 401
    assert google.call("POST", "/logging/v2/entries:list", {"resourceNames": [f"{NAMES}/none"]})[0] == 404
    assert google.call("POST", "/logging/v2/entries:list", {**asked, "orderBy": "severity"})[0] == 400


# --- What is written down of reading ---------------------------------------------------------------------------------


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> GcpCellStand:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    made = GcpCellStand(sandbox, issuer)
    made.stacks().apply(made.order())
    return made


def audit(stand: GcpCellStand, configs: list[dict[str, Any]]) -> tuple[int, Any]:
    body = {"policy": {"auditConfigs": configs}, "updateMask": "auditConfigs"}
    return stand.google.call("POST", f"/crm/v3/projects/{PROJECT}:setIamPolicy", body)


def written(stand: GcpCellStand) -> list[str]:
    """What an owner finds of reading, through the kit's view."""
    (trail,) = (name for name in stand.shipped.views if name.endswith("-trail"))
    entries = stand.google.done("POST", "/logging/v2/entries:list", {"resourceNames": [trail]}).get("entries", [])
    return [entry["protoPayload"]["methodName"].rpartition(".")[2] for entry in entries]


def read(stand: GcpCellStand) -> None:
    grant = grant_of(stand)
    support(stand).probe(support(stand).open(grant), grant)


def test_gcp_reading_is_written_down_as_the_kit_asks_and_not_without(stand: GcpCellStand) -> None:
    assert audit(stand, [])[0] == 200
    before = written(stand)
    read(stand)
    assert written(stand) == before

    assert audit(stand, [json.loads(entry) for entry in script.audited()])[0] == 200
    read(stand)
    assert "GetDeployment" in written(stand)[len(before) :]


def test_gcp_audit_configuration_counts_for_its_service_its_kind_and_those_it_does_not_exempt(stand: GcpCellStand) -> None:
    whole = {"service": "config.googleapis.com", "auditLogConfigs": [{"logType": "ADMIN_READ"}]}
    who = [f"serviceAccount:{stand.shipped.accounts[name].email}" for name in stand.shipped.supporters]
    silent = [
        {**whole, "service": "logging.googleapis.com"},
        {**whole, "auditLogConfigs": [{"logType": "DATA_READ"}]},
        {**whole, "auditLogConfigs": [{"logType": "ADMIN_READ", "exemptedMembers": who}]},
    ]
    for config in silent:
        audit(stand, [config])
        before = written(stand)
        read(stand)
        assert written(stand) == before, config

    for config in (whole, {**whole, "service": "allServices"}):
        audit(stand, [config])
        before = written(stand)
        read(stand)
        assert len(written(stand)) > len(before), config


@pytest.mark.parametrize("kind", ["", "READ", "admin_read"])
def test_gcp_audit_configuration_of_an_unknown_kind_is_refused(stand: GcpCellStand, kind: str) -> None:
    status, answer = audit(stand, [{"service": "allServices", "auditLogConfigs": [{"logType": kind}]}])

    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_gcp_audit_configuration_stays_when_bindings_are_written(stand: GcpCellStand) -> None:
    before = stand.policy("")["auditConfigs"]

    read(stand)  # binds the roles of support, with the library's own mask

    assert stand.policy("")["auditConfigs"] == before != []


def test_gcp_refused_reading_is_written_down_as_refused_and_names_grant_and_engineer(stand: GcpCellStand) -> None:
    grant = grant_of(stand)
    door = support(stand).open(grant)
    support(stand).close(grant)
    assert support(stand).probe(door, grant).is_refused
    (trail,) = (name for name in stand.shipped.views if name.endswith("-trail"))

    last = stand.google.done("POST", "/logging/v2/entries:list", {"resourceNames": [trail], "orderBy": "timestamp desc"})["entries"]
    refused = next(entry["protoPayload"] for entry in last if entry["protoPayload"]["status"].get("code") == 7)

    assert refused["authorizationInfo"][0]["granted"] is False
    (delegation,) = refused["authenticationInfo"]["serviceAccountDelegationInfo"]
    assert delegation["principalSubject"].endswith(f":support:{grant.grant}:{grant.engineer}")


# --- The condition of the three views --------------------------------------------------------------------------------


def test_gcp_role_for_logs_opens_the_views_of_clusters_and_no_other(stand: GcpCellStand) -> None:
    token = support(stand).open(grant_of(stand)).secret["token"]
    own = [name.rpartition("/")[2] for name in stand.shipped.cluster_views]
    other = f"byoc-{stand.suffix}"
    for name in (f"{other}-clusters-mine", f"{other}-trail-clusters", "byoc-00000000-g1-clusters", "_Default", "clusters"):
        stand.google.done("POST", f"{VIEWS}?viewId={name}", {"filter": ""})

    def status(name: str) -> int:
        return stand.google.call("POST", "/logging/v2/entries:list", {"resourceNames": [f"{NAMES}/{name}"]}, token=token)[0]

    assert len(own) == 3
    assert {status(name) for name in own} == {200}
    assert {
        status(name)
        for name in (
            f"{other}-clusters-mine",
            f"{other}-trail",
            f"{other}-trail-clusters",
            "byoc-00000000-g1-clusters",
            "_Default",
            "clusters",
        )
    } == {403}
    assert (
        stand.google.call(
            "POST", "/logging/v2/entries:list", {"resourceNames": [*stand.shipped.cluster_views, f"{NAMES}/clusters"]}, token=token
        )[0]
        == 403
    )
    assert any(f" == '{other}-clusters-plane')" in text for text in expressions(grant_of(stand), stand.shipped).values())
