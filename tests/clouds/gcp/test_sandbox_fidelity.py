"""What Google refuses at the door, the local one refuses: the exchange of a token, and acting as a service account."""

import datetime as dt
from typing import Any

import pytest

from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import (
    BAD_TARGET,
    EMAIL,
    GET_PROJECT,
    ISSUER,
    MEMBER,
    NUMBER,
    POOL,
    POOL_NAME,
    PROJECT,
    PROVIDER_NAME,
    ROLE,
    SUBJECT,
    Google,
    no_project,
)

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


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


@pytest.fixture
def connected(google: Google) -> Google:
    google.install()
    return google


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
