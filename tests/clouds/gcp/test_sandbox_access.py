"""Who may do what at the local Google: permissions from policies, conditions, what is switched off, deleted or made anew."""

import pytest

from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import (
    BAD_TARGET,
    EMAIL,
    GET_PROJECT,
    MEMBER,
    NUMBER,
    OPERATE,
    POOL_NAME,
    PROJECT,
    ROLE,
    Google,
    forget_violations,
    in_seconds,
    no_project,
)


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


@pytest.fixture
def connected(google: Google) -> Google:
    google.install()
    return google


# --- Permissions ---


@pytest.mark.parametrize("project", ["globex-analytics", "no-such-project", "999999999999"])
def test_foreign_and_unknown_projects_are_refused_alike(connected: Google, project: str) -> None:
    for token in (connected.owner, connected.session()):
        assert connected.call("GET", f"/crm/v3/projects/{project}", token=token) == (403, no_project(project))


def test_session_may_do_what_its_role_holds_and_nothing_more(connected: Google) -> None:
    session = connected.session()
    asked = [*OPERATE, "resourcemanager.projects.delete", "iam.serviceAccounts.list"]

    held = connected.call("POST", f"{GET_PROJECT}:testIamPermissions", {"permissions": asked}, token=session)

    assert held == (200, {"permissions": OPERATE})
    status, refused = connected.call("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts", token=session)
    assert (status, refused["error"]["message"]) == (403, "Permission 'iam.serviceAccounts.list' denied on resource (or it may not exist).")


def test_nothing_held_is_an_empty_object(google: Google) -> None:
    stranger = google.person(email="stranger@elsewhere.example")

    assert google.call("POST", f"{GET_PROJECT}:testIamPermissions", {"permissions": OPERATE}, token=stranger) == (200, {})


def test_viewer_cannot_run_a_kit(google: Google) -> None:
    google.enable()
    google.owner = google.person(email="viewer@acme.example")

    assert google.call("GET", GET_PROJECT)[0] == 200
    assert google.create_pool()[1]["error"]["message"] == (
        "Permission 'iam.workloadIdentityPools.create' denied on resource "
        f"'//iam.googleapis.com/projects/{PROJECT}/locations/global' (or it may not exist)."
    )
    status, answer = google.call("POST", f"/serviceusage/v1/projects/{PROJECT}/services/compute.googleapis.com:enable", {})
    assert (status, answer["error"]["details"][1]["reason"]) == (403, "AUTH_PERMISSION_DENIED")


def test_role_that_was_deleted_grants_nothing_until_it_is_had_back(connected: Google) -> None:
    session = connected.session()
    role = f"/iam/v1/projects/{PROJECT}/roles/{ROLE}"

    assert connected.done("DELETE", role)["deleted"] is True
    assert connected.call("GET", GET_PROJECT, token=session) == (403, no_project(PROJECT))
    connected.done("POST", f"{role}:undelete", {})
    assert connected.call("GET", GET_PROJECT, token=session)[0] == 200


@pytest.mark.parametrize(
    ("condition", "is_held"),
    [
        ('request.time < timestamp("2099-01-01T00:00:00Z")', True),
        ('request.time < timestamp("2020-01-01T00:00:00Z")', False),
        ('resource.type == "cloudresourcemanager.googleapis.com/Project"', True),
        (f'resource.name.startsWith("projects/{PROJECT}")', True),
        ('resource.name.startsWith("projects/other") && request.time < timestamp("2099-01-01T00:00:00Z")', False),
    ],
)
def test_binding_counts_while_its_condition_is_true(google: Google, condition: str, is_held: bool) -> None:
    reader = google.person(email="auditor@acme.example")
    assert google.bind_project("roles/browser", "user:auditor@acme.example", condition)[0] == 200

    assert (google.call("GET", GET_PROJECT, token=reader)[0] == 200) is is_held


def test_binding_until_a_time_ends_by_the_clouds_clock(google: Google) -> None:
    reader = google.person(email="auditor@acme.example", seconds=7200)
    google.bind_project("roles/browser", "user:auditor@acme.example", f'request.time < timestamp("{in_seconds(600)}")')
    assert google.call("GET", GET_PROJECT, token=reader)[0] == 200

    google.control("POST", "clock", {"advance": 601})

    assert google.call("GET", GET_PROJECT, token=reader) == (403, no_project(PROJECT))


def test_limited_grant_lets_only_the_listed_roles_be_given(google: Google) -> None:
    limit = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/browser'])"
    helper = google.person(email="helper@acme.example")
    assert google.bind_project("roles/resourcemanager.projectIamAdmin", "user:helper@acme.example", limit)[0] == 200
    policy = google.policy()

    for role, status in (("roles/browser", 200), ("roles/viewer", 403)):
        wanted = {**policy, "bindings": [*policy["bindings"], {"role": role, "members": ["user:new@acme.example"]}]}
        assert google.set_policy({**wanted, "etag": google.policy()["etag"]}, token=helper)[0] == status


@pytest.mark.parametrize(
    "condition", ["", "request.time <", "device.os == 'x'", "resource.matches('x')", 'timestamp("soon") < request.time']
)
def test_condition_that_is_none_is_refused_and_recorded(google: Google, condition: str) -> None:
    policy = google.policy()
    binding = {"role": "roles/browser", "members": ["user:a@acme.example"], "condition": {"title": "t", "expression": condition}}

    status, answer = google.set_policy({"version": 3, "bindings": [*policy["bindings"], binding]})

    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert [entry["field"] for entry in forget_violations(google)] == [f"condition {condition}"]


def test_condition_needs_version_three_and_no_basic_role(google: Google) -> None:
    condition = {"title": "t", "expression": 'request.time < timestamp("2099-01-01T00:00:00Z")'}

    def given(role: str, version: int) -> tuple[int, str]:
        status, answer = google.set_policy({
            "version": version,
            "bindings": [*google.policy()["bindings"], {"role": role, "members": ["user:a@acme.example"], "condition": condition}],
        })  # fmt: skip
        return status, answer.get("error", {}).get("status", "")

    assert given("roles/browser", 1) == (400, "INVALID_ARGUMENT")
    assert given("roles/viewer", 3) == (400, "INVALID_ARGUMENT")
    assert given("roles/browser", 3) == (200, "")


def test_policy_read_below_version_three_hides_conditions(google: Google) -> None:
    google.bind_project("roles/browser", "user:a@acme.example", 'request.time < timestamp("2099-01-01T00:00:00Z")')

    old = google.done("POST", f"/crm/v1/projects/{PROJECT}:getIamPolicy", {})

    assert old["version"] == 1
    assert [binding["role"][:24] for binding in old["bindings"]] == [
        "roles/browser_withcond_" + old["bindings"][0]["role"][23],
        "roles/owner",
        "roles/viewer",
    ]
    assert google.policy()["bindings"][0]["condition"]["title"] == "until"


def test_policy_with_an_old_etag_is_a_conflict(google: Google) -> None:
    policy = google.policy()
    assert google.set_policy(policy)[0] == 200

    assert google.set_policy(policy) == (409, {"error": {
        "code": 409, "status": "ABORTED",
        "message": "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
    }})  # fmt: skip


def test_etag_counts_in_either_alphabet_of_base64(google: Google) -> None:
    for _ in range(8):  # one of them will have a letter that differs
        policy = google.policy()
        assert google.set_policy({**policy, "etag": policy["etag"].replace("+", "-").replace("/", "_")})[0] == 200


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (
            f"serviceAccount:nobody@{PROJECT}.iam.gserviceaccount.com",
            f"Service account nobody@{PROJECT}.iam.gserviceaccount.com does not exist.",
        ),
        ("nobody", "Invalid member (nobody). The member must be of the form {type}:{id}."),
        (
            MEMBER,
            f"Identity Pool does not exist ({POOL_NAME}). Please check that you specified a valid resource name as returned in the `name` "
            "attribute in the configuration API.",
        ),
    ],
)
def test_policy_refuses_members_that_are_not_there(google: Google, member: str, message: str) -> None:
    assert google.bind_project("roles/browser", member)[1]["error"]["message"] == message


def test_policy_does_not_know_an_account_before_it_has_propagated(google: Google) -> None:
    google.enable()
    google.control("POST", "knobs", {"propagation_seconds": 60})
    google.create_account()

    assert (
        google.bind_project("roles/browser", f"serviceAccount:{EMAIL}")[1]["error"]["message"] == f"Service account {EMAIL} does not exist."
    )
    google.control("POST", "clock", {"advance": 61})
    assert google.bind_project("roles/browser", f"serviceAccount:{EMAIL}")[0] == 200


def test_policy_refuses_a_role_that_is_not_there(google: Google) -> None:
    name = f"projects/{PROJECT}/roles/none"

    assert (
        google.bind_project(name, "user:a@acme.example")[1]["error"]["message"]
        == f"Role ({name}) does not exist in the resource's hierarchy."
    )
    assert google.bind_project("roles/nothing.atAll", "user:a@acme.example")[1]["error"]["message"] == (
        "Role roles/nothing.atAll is not supported for this resource."
    )
    assert [entry["field"] for entry in forget_violations(google)] == ["role roles/nothing.atAll"]


# --- Switched off, deleted, made anew ---


def test_iam_must_be_switched_on(google: Google) -> None:
    url = f"https://console.developers.google.com/apis/api/iam.googleapis.com/overview?project={NUMBER}"

    assert google.create_pool() == (403, {"error": {
        "code": 403, "status": "PERMISSION_DENIED",
        "message": f"Identity and Access Management (IAM) API has not been used in project {NUMBER} before or it is disabled. Enable it by "
        f"visiting {url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and "
        "retry.",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help",
             "links": [{"description": "Google developers console API activation", "url": url}]},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
             "metadata": {"service": "iam.googleapis.com", "consumer": f"projects/{NUMBER}"}},
        ],
    }})  # fmt: skip


def test_service_works_when_its_operation_has_ended(google: Google) -> None:
    google.control("POST", "knobs", {"operation_seconds": 30})
    begun = google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/iam.googleapis.com:enable", {})
    assert "done" not in begun
    assert google.create_pool()[1]["error"]["details"][1]["reason"] == "SERVICE_DISABLED"

    google.control("POST", "clock", {"advance": 31})

    assert google.done("GET", f"/serviceusage/v1/{begun['name']}")["done"] is True
    assert google.create_pool()[0] == 200
    again = google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/iam.googleapis.com:enable", {})
    assert (again["name"], again["done"]) == ("operations/noop.DONE_OPERATION", True)


def test_deleted_project_answers_its_owner_and_refuses_what_counts_for_it(connected: Google) -> None:
    session = connected.session()
    federated = connected.exchange()[1]["access_token"]
    connected.control("DELETE", f"projects?id={PROJECT}")

    assert connected.call("GET", GET_PROJECT)[1]["state"] == "DELETE_REQUESTED"
    for status, answer in (
        connected.call("GET", GET_PROJECT, token=session),
        connected.impersonate(federated),
        connected.create_pool("pool-2"),
    ):
        assert (status, answer["error"]["message"]) == (403, f"Project #{NUMBER} has been deleted.")
        assert answer["error"]["details"][0]["reason"] == "CONSUMER_INVALID"


def test_project_made_anew_has_another_number_and_knows_nobody(connected: Google) -> None:
    session = connected.session()

    number = connected.control("POST", "projects/recreate", {"id": PROJECT})["number"]

    assert number != NUMBER
    assert connected.call("GET", GET_PROJECT)[1]["name"] == f"projects/{number}"
    assert connected.exchange() == (400, BAD_TARGET)
    assert connected.call("GET", GET_PROJECT, token=session)[0] == 401
