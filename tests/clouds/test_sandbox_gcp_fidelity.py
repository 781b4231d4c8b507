"""What Google Cloud refuses, the local one refuses, by the bodies that Google writes."""

import datetime as dt
import re
from typing import Any

import pytest

from portal.sandbox.gcp import apis
from portal.sandbox.gcp.methods import METHODS
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer
from tests.clouds.google import (
    EMAIL,
    ISSUER,
    MEMBER,
    NUMBER,
    OPERATE,
    POOL,
    POOL_NAME,
    PROJECT,
    PROVIDER_NAME,
    ROLE,
    SUBJECT,
    Google,
    in_seconds,
)

assert apis  # fills METHODS
BAD_TARGET = {
    "error": "invalid_target",
    "error_description": 'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or '
    "provider is disabled or deleted or because it doesn't exist.",
}
BAD_AUDIENCE = {
    "error": "invalid_request",
    "error_description": 'Invalid value for "audience". This value should be the full resource name of the Identity Provider. See '
    "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats.",
}
NO_ACCESS_TOKEN = {
    "error": {
        "code": 403,
        "message": "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        "status": "PERMISSION_DENIED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "iam.googleapis.com",
                "metadata": {"permission": "iam.serviceAccounts.getAccessToken"},
            }
        ],
    }
}
POOLS = f"/iam/v1/projects/{PROJECT}/locations/global/workloadIdentityPools"
GET_PROJECT = f"/crm/v3/projects/{PROJECT}"


def no_project(name: str, permission: str = "resourcemanager.projects.get") -> dict[str, Any]:
    return {
        "error": {
            "code": 403,
            "message": f"Permission '{permission}' denied on resource '//cloudresourcemanager.googleapis.com/projects/{name}' "
            "(or it may not exist).",
            "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "IAM_PERMISSION_DENIED",
                    "domain": "cloudresourcemanager.googleapis.com",
                    "metadata": {"permission": permission, "resource": f"projects/{name}"},
                }
            ],
        }
    }


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


@pytest.fixture
def connected(google: Google) -> Google:
    google.install()
    return google


def forget_violations(google: Google) -> list[dict[str, str]]:
    found: list[dict[str, str]] = google.sandbox.control("GET", "violations")
    google.sandbox.control("DELETE", "violations")
    return found


# --- The exchange ---


def test_exchange_gives_a_token_no_longer_than_the_one_it_came_from(connected: Google) -> None:
    status, answer = connected.exchange(lifetime=250)

    assert status == 200
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert answer["token_type"] == "Bearer"
    assert 245 <= answer["expires_in"] <= 250


@pytest.mark.parametrize("audience", [f"https://iam.googleapis.com/{PROVIDER_NAME}", f"//iam.googleapis.com/{PROVIDER_NAME}"])
def test_exchange_expects_the_providers_name_with_or_without_https(connected: Google, audience: str) -> None:
    assert connected.exchange(audience=audience)[0] == 200


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        (
            {"audience": "sts.amazonaws.com"},
            "invalid_grant",
            "The audience in ID Token [sts.amazonaws.com] does not match the expected audience.",
        ),
        (
            {"issuer": f"{ISSUER}1"},
            "invalid_grant",
            f"The issuer in ID Token {ISSUER}1 does not match the expected ones: {ISSUER}.",
        ),
        ({"kid": "unknown"}, "invalid_grant", "Error connecting to the given credential's issuer."),
        ({"token": "not-a-token"}, "invalid_request", "Unable to parse the ID Token."),
        (
            {"subject": "a" * 128},
            "invalid_request",
            "The size of mapped attribute google.subject exceeds the 127 bytes limit. Either modify your attribute mapping or the incoming "
            "assertion to produce a mapped attribute that is less than 127 bytes.",
        ),
    ],
)
def test_exchange_refuses(connected: Google, claims: dict[str, Any], error: str, description: str) -> None:
    assert connected.exchange(**claims) == (400, {"error": error, "error_description": description})


@pytest.mark.parametrize("claims", [{"lifetime": -5}, {"iat": 1_700_000_000}])
def test_exchange_refuses_a_stale_token(connected: Google, claims: dict[str, Any]) -> None:
    status, answer = connected.exchange(**claims)

    assert (status, answer["error"]) == (400, "invalid_grant")
    assert answer["error_description"].startswith("ID Token issued at ")
    assert answer["error_description"].endswith(" is stale to sign-in.")


@pytest.mark.parametrize(("algorithm", "key"), [("none", ""), ("HS256", "a secret of thirty-two characters")])
def test_exchange_refuses_other_algorithms(connected: Google, algorithm: str, key: str) -> None:
    assert connected.exchange(algorithm=algorithm, key=key)[1]["error"] == "invalid_grant"


def test_exchange_refuses_a_forged_signature(connected: Google) -> None:
    rogue = TestIssuer()
    rogue.add_key("one")

    token = rogue.token(issuer=ISSUER, subject=SUBJECT, audience=f"https://iam.googleapis.com/{PROVIDER_NAME}")

    assert connected.exchange(token)[1] == {"error": "invalid_grant", "error_description": "Invalid ID Token: Token signature invalid."}


def test_exchange_says_when_the_issuer_is_down(connected: Google, issuer: TestIssuer) -> None:
    connected.sandbox.control("POST", "forget-keys")
    issuer.is_down = True

    assert connected.exchange()[1] == {
        "error": "invalid_grant", "error_description": "Error connecting to the given credential's issuer.",
    }  # fmt: skip


@pytest.mark.parametrize(
    "audience", ["", "sts", f"//iam.googleapis.com/{POOL_NAME}", f"https://iam.googleapis.com/{PROVIDER_NAME}",
                 f"//iam.googleapis.com/{PROVIDER_NAME.replace(NUMBER, PROJECT)}"],
)  # fmt: skip
def test_exchange_refuses_a_malformed_audience(connected: Google, audience: str) -> None:
    assert connected.exchange(form={"audience": audience}) == (400, BAD_AUDIENCE)


@pytest.mark.parametrize("gone", [POOL_NAME.replace(POOL, "fernhill-g2") + "/providers/portal", PROVIDER_NAME + "-2"])
def test_exchange_refuses_an_absent_pool_or_provider(connected: Google, gone: str) -> None:
    assert connected.exchange(form={"audience": f"//iam.googleapis.com/{gone}"}) == (400, BAD_TARGET)


@pytest.mark.parametrize("path", [POOL_NAME, PROVIDER_NAME])
def test_exchange_refuses_a_deleted_pool_or_provider_until_it_is_had_back(connected: Google, path: str) -> None:
    connected.done("DELETE", f"/iam/v1/{path}")
    assert connected.exchange() == (400, BAD_TARGET)

    connected.done("POST", f"/iam/v1/{path}:undelete", {})
    assert connected.exchange()[0] == 200


@pytest.mark.parametrize("path", [POOL_NAME, PROVIDER_NAME])
def test_exchange_refuses_a_disabled_pool_or_provider(connected: Google, path: str) -> None:
    connected.done("PATCH", f"/iam/v1/{path}?updateMask=disabled", {"disabled": True})

    assert connected.exchange() == (400, BAD_TARGET)


def test_exchange_refuses_when_the_project_was_deleted(connected: Google) -> None:
    connected.control("DELETE", f"projects?id={PROJECT}")

    assert connected.exchange() == (400, BAD_TARGET)


@pytest.mark.parametrize(
    ("condition", "is_let_in"),
    [
        ("assertion.sub == 'account:a:ops'", True),
        ('google.subject == "account:a:ops" && assertion.iss.startsWith("https://id.")', True),
        ("assertion.sub in ['account:b:ops', 'account:a:support']", False),
        ("assertion.tenant == 'a'", False),
    ],
)
def test_exchange_heeds_the_attribute_condition(connected: Google, condition: str, is_let_in: bool) -> None:
    connected.done("PATCH", f"/iam/v1/{PROVIDER_NAME}?updateMask=attributeCondition", {"attributeCondition": condition})

    status, answer = connected.exchange()

    assert (status == 200) is is_let_in
    if not is_let_in:
        assert answer == {
            "error": "unauthorized_client", "error_description": "The given credential is rejected by the attribute condition.",
        }  # fmt: skip


def test_exchange_takes_allowed_audiences_instead_of_the_default(connected: Google) -> None:
    connected.done("PATCH", f"/iam/v1/{PROVIDER_NAME}?updateMask=oidc.allowedAudiences", {"oidc": {"allowedAudiences": ["fernhill"]}})

    assert connected.exchange(audience="fernhill")[0] == 200
    assert connected.exchange()[1]["error"] == "invalid_grant"


def test_exchange_does_not_know_a_new_pool_before_it_has_propagated(google: Google) -> None:
    google.control("POST", "knobs", {"propagation_seconds": 60})
    google.enable()
    assert google.create_pool()[0] == 200
    assert google.create_provider()[0] == 200
    assert google.exchange() == (400, BAD_TARGET)

    google.control("POST", "clock", {"advance": 61})

    assert google.exchange()[0] == 200


# --- Acting as the service account ---


def test_impersonation_gives_a_token_with_a_whole_expire_time(connected: Google) -> None:
    status, answer = connected.impersonate(lifetime="900s")

    ends = dt.datetime.strptime(answer["expireTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    assert status == 200
    assert 895 <= (ends - dt.datetime.now(dt.UTC)).total_seconds() <= 900
    assert connected.call("GET", GET_PROJECT, token=answer["accessToken"])[1]["name"] == f"projects/{NUMBER}"


@pytest.mark.parametrize("subject", ["account:a:support", "account:b:ops", "ACCOUNT:A:OPS"])
def test_impersonation_refuses_another_subject(connected: Google, subject: str) -> None:
    federated = connected.exchange(subject=subject)[1]["access_token"]

    assert connected.impersonate(federated) == (403, NO_ACCESS_TOKEN)


def test_impersonation_refuses_an_absent_account_as_one_that_does_not_trust(connected: Google) -> None:
    assert connected.impersonate(email=f"nobody@{PROJECT}.iam.gserviceaccount.com") == (403, NO_ACCESS_TOKEN)


def test_impersonation_refuses_after_the_binding_is_gone(connected: Google) -> None:
    connected.bind_account()

    assert connected.impersonate() == (403, NO_ACCESS_TOKEN)


def test_impersonation_does_not_know_a_new_binding_before_it_has_propagated_nor_forgets_an_old_one(connected: Google) -> None:
    connected.bind_account()
    connected.control("POST", "clock", {"advance": 100})
    connected.control("POST", "knobs", {"propagation_seconds": 60})

    connected.bind_account(MEMBER)
    assert connected.impersonate() == (403, NO_ACCESS_TOKEN)
    connected.control("POST", "clock", {"advance": 61})
    assert connected.impersonate()[0] == 200
    connected.bind_account()
    assert connected.impersonate()[0] == 200
    connected.control("POST", "clock", {"advance": 61})
    assert connected.impersonate() == (403, NO_ACCESS_TOKEN)


def test_impersonation_works_by_attribute_and_by_the_whole_pool(connected: Google) -> None:
    mapping = {"google.subject": "assertion.sub", "attribute.account": "assertion.account"}
    connected.done("PATCH", f"/iam/v1/{PROVIDER_NAME}?updateMask=attributeMapping", {"attributeMapping": mapping})
    federated = connected.exchange(account="a")[1]["access_token"]
    pool = MEMBER.partition("/subject/")[0].replace("principal://", "principalSet://")

    for member, status in ((f"{pool}/attribute.account/b", 403), (f"{pool}/attribute.account/a", 200), (f"{pool}/*", 200)):
        connected.bind_account(member)
        assert connected.impersonate(federated)[0] == status


@pytest.mark.parametrize(("lifetime", "message"), [
    ("3601s", "Request contains an invalid argument."), ("0s", "Request contains an invalid argument."),
    ("900", "Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), \"900\""),
])  # fmt: skip
def test_impersonation_refuses_a_lifetime(connected: Google, lifetime: str, message: str) -> None:
    status, answer = connected.impersonate(lifetime=lifetime)

    assert (status, answer["error"]["status"], answer["error"]["message"]) == (400, "INVALID_ARGUMENT", message)


def test_impersonation_needs_the_credentials_api(connected: Google) -> None:
    connected.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/iamcredentials.googleapis.com:disable", {})

    assert connected.impersonate()[1]["error"]["details"][1] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
        "metadata": {"service": "iamcredentials.googleapis.com", "consumer": f"projects/{NUMBER}"},
    }  # fmt: skip


def test_session_ends_by_the_clouds_clock(connected: Google) -> None:
    session = connected.session()
    connected.control("POST", "clock", {"advance": 901})

    status, answer = connected.call("GET", GET_PROJECT, token=session)

    assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert answer["error"]["details"][0]["reason"] == "ACCESS_TOKEN_EXPIRED"


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_session_ends_with_its_account(connected: Google, how: str) -> None:
    session = connected.session()
    account = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}"
    connected.done("DELETE", account) if how == "delete" else connected.done("POST", f"{account}:disable", {})

    status, answer = connected.call("GET", GET_PROJECT, token=session)

    assert (status, answer["error"]["details"][0]["reason"]) == (401, "ACCOUNT_STATE_INVALID")


def test_account_made_anew_is_another_identity(connected: Google) -> None:
    connected.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}")
    assert connected.create_account()[0] == 200
    assert connected.bind_account(MEMBER)[0] == 200

    assert connected.call("GET", GET_PROJECT, token=connected.session()) == (403, no_project(PROJECT))
    shown = next(binding for binding in connected.policy()["bindings"] if binding["role"].endswith(ROLE))
    assert shown["members"][0].startswith(f"deleted:serviceAccount:{EMAIL}?uid=")


@pytest.mark.parametrize("token", ["", "ya29.made-up"])
def test_calls_need_a_token_of_this_cloud(google: Google, token: str) -> None:
    status, answer = google.call("GET", GET_PROJECT, token=token)

    assert (status, answer["error"]["code"], answer["error"]["status"]) == (401, 401, "UNAUTHENTICATED")
    assert answer["error"]["details"][0]["metadata"]["service"] == "cloudresourcemanager.googleapis.com"


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
