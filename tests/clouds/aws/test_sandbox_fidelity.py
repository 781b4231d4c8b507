"""What AWS refuses, the local AWS refuses: with the real boto3, by AWS's own error codes. Web identity, sessions, rights, simulation.

Against a real account: FIDELITY_ISSUER=https://<issuer> FIDELITY_ISSUER_KEY=<pem> and owner credentials in the environment.
Tests that order a fault or move time need the sandbox, and are skipped there with that reason.
"""

import json
import time
from typing import Any

import pytest

from tests.clouds.aws import kit
from tests.clouds.aws.connected import ROLE, connected, only_here, refusal
from tests.clouds.conftest import ISSUER_HOST, Cloud, TestIssuer

__all__ = ["connected", "only_here"]  # fixtures


# --- Web identity ---


def test_web_identity_opens_a_session_of_the_role(connected: Cloud) -> None:
    session = connected.assume(ROLE)

    identity = connected.portal("sts", session).get_caller_identity()

    assert identity["Account"] == connected.account
    assert identity["Arn"] == f"arn:aws:sts::{connected.account}:assumed-role/{ROLE}/portal"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"subject": "account:b:ops"}, ("AccessDenied", 403)),
        ({"subject": "ACCOUNT:A:OPS"}, ("AccessDenied", 403)),
        ({"subject": "account:a:support"}, ("AccessDenied", 403)),
        ({"audience": "https://elsewhere.example"}, ("InvalidIdentityToken", 400)),
        ({"audience": ["sts.amazonaws.com", "other"]}, ("AccessDenied", 403)),
        ({"lifetime": -10}, ("ExpiredTokenException", 400)),
        ({"kid": "unknown"}, ("InvalidIdentityToken", 400)),
        ({"seconds": 7200}, ("ValidationError", 400)),
        ({"seconds": 50000}, ("ValidationError", 400)),
        ({"issuer": "https://evil.example/trust/a/g1"}, ("InvalidIdentityToken", 400)),
        ({"issuer": "http://id.portal.test/trust/a/g1"}, ("InvalidIdentityToken", 400)),
        ({"token": "not-a-token"}, ("InvalidIdentityToken", 400)),
    ],
)
def test_web_identity_refuses(connected: Cloud, claims: dict[str, Any], code: tuple[str, int]) -> None:
    assert refusal(connected.assume, ROLE, **claims) == code


def test_web_identity_refuses_a_neighbour_path_of_the_issuer(connected: Cloud) -> None:
    assert refusal(connected.assume, ROLE, issuer=connected.issuer_url + "1") == ("InvalidIdentityToken", 400)


def test_web_identity_refuses_a_forged_signature_under_a_known_key_id(connected: Cloud) -> None:
    rogue = TestIssuer()
    rogue.add_key("one")

    token = rogue.token(issuer=connected.issuer_url, subject="account:a:ops")

    assert refusal(connected.assume, ROLE, token=token) == ("InvalidIdentityToken", 400)


@pytest.mark.parametrize(("algorithm", "key"), [("none", ""), ("HS256", "a secret of thirty-two characters")])
def test_web_identity_refuses_other_algorithms(connected: Cloud, algorithm: str, key: str) -> None:
    assert refusal(connected.assume, ROLE, algorithm=algorithm, key=key) == ("InvalidIdentityToken", 400)


@pytest.mark.parametrize("claim", ["iat", "exp", "sub"])
def test_web_identity_refuses_a_token_without_a_required_claim(connected: Cloud, claim: str) -> None:
    assert refusal(connected.assume, ROLE, token=_without(connected, claim))[0] == "InvalidIdentityToken"


def _without(cloud: Cloud, claim: str) -> str:
    import jwt

    whole = cloud.issuer.token(issuer=cloud.issuer_url, subject="account:a:ops")
    claims = jwt.decode(whole, options={"verify_signature": False})
    del claims[claim]
    return jwt.encode(claims, cloud.issuer.keys["one"], algorithm="RS256", headers={"kid": "one"})


def test_web_identity_refuses_a_token_from_the_future(connected: Cloud) -> None:
    later = int(time.time()) + 600

    assert refusal(connected.assume, ROLE, iat=later, nbf=later, exp=later + 300) == ("InvalidIdentityToken", 400)


def test_web_identity_refuses_a_missing_role_like_one_that_does_not_trust(connected: Cloud) -> None:
    assert refusal(connected.assume, "no-such-role") == ("AccessDenied", 403)


def test_web_identity_refuses_in_an_account_without_the_provider(connected: Cloud) -> None:
    assert refusal(connected.assume, ROLE, account="111122223334") == ("InvalidIdentityToken", 400)


def test_web_identity_refuses_after_the_trust_policy_was_edited(connected: Cloud) -> None:
    trust = kit.document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{connected.account}:root"}, "Action": "sts:AssumeRole"})

    connected.owner("iam").update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))

    assert refusal(connected.assume, ROLE) == ("AccessDenied", 403)


def test_web_identity_refuses_after_the_provider_was_deleted(connected: Cloud) -> None:
    arn = f"arn:aws:iam::{connected.account}:oidc-provider/{connected.issuer_url.removeprefix('https://')}"

    connected.owner("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)

    assert refusal(connected.assume, ROLE) == ("InvalidIdentityToken", 400)


def test_web_identity_takes_a_new_key_at_once_and_drops_a_removed_one_after_the_cache(connected: Cloud, only_here: Cloud) -> None:
    issuer = connected.issuer
    connected.assume(ROLE)
    issuer.add_key("two")

    connected.assume(ROLE, kid="two", key=issuer.keys["two"])

    removed = issuer.keys.pop("two")
    assert only_here.sandbox is not None
    only_here.sandbox.control("POST", "forget-keys", {})
    assert refusal(connected.assume, ROLE, kid="two", key=removed) == ("InvalidIdentityToken", 400)


def test_web_identity_says_when_the_issuer_is_down(connected: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    only_here.sandbox.control("POST", "forget-keys", {})
    connected.issuer.is_down = True

    assert refusal(connected.assume, ROLE) == ("IDPCommunicationError", 400)


def test_web_identity_refuses_a_dead_generation_whose_issuer_answers_gone(cloud: Cloud, only_here: Cloud) -> None:
    cloud.issuer_url = f"{ISSUER_HOST}/trust/dead/g1"
    kit.create(cloud)

    assert refusal(cloud.assume, ROLE) == ("InvalidIdentityToken", 400)


def test_web_identity_waits_until_a_new_role_is_known(cloud: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    only_here.sandbox.control("POST", "knobs", {"propagation_seconds": 1.0})
    kit.create(cloud)

    assert refusal(cloud.assume, ROLE) == ("AccessDenied", 403)

    time.sleep(1.1)
    assert cloud.assume(ROLE)["AccessKeyId"].startswith("ASIA")


# --- Keys and sessions on the portal's endpoint ---


@pytest.mark.parametrize("service", ["sts", "iam", "cloudformation"])
def test_portal_port_knows_no_root_keys(only_here: Cloud, service: str) -> None:
    client = only_here.portal(service, ("111122223333", "any", None))
    call = {"sts": "get_caller_identity", "iam": "list_roles", "cloudformation": "describe_stacks"}[service]

    assert refusal(getattr(client, call)) == ("InvalidClientTokenId", 403)


def test_portal_port_knows_no_root_keys_of_s3_and_ec2(only_here: Cloud) -> None:
    root = ("111122223333", "any", None)

    assert refusal(only_here.portal("s3", root).list_buckets) == ("InvalidAccessKeyId", 403)
    assert refusal(only_here.portal("ec2", root).describe_vpcs) == ("AuthFailure", 401)
    assert refusal(only_here.portal("service-quotas", root).list_service_quotas, ServiceCode="vpc")[0] == "UnrecognizedClientException"


def test_unknown_key_is_refused(cloud: Cloud) -> None:
    assert refusal(cloud.portal("sts", ("AKIAUNKNOWNUNKNOWN12", "any", None)).get_caller_identity) == ("InvalidClientTokenId", 403)


def test_wrong_secret_and_wrong_session_token_are_refused(connected: Cloud) -> None:
    session = connected.assume(ROLE)
    key, secret, token = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]

    assert refusal(connected.portal("sts", (key, secret + "x", token)).get_caller_identity) == ("SignatureDoesNotMatch", 403)
    assert refusal(connected.portal("sts", (key, secret, token + "x")).get_caller_identity)[1] == 403
    assert refusal(connected.portal("sts", (key, secret, None)).get_caller_identity)[1] == 403


def test_ended_session_is_refused_in_each_services_own_words(connected: Cloud, only_here: Cloud) -> None:
    session = connected.assume(ROLE)
    assert only_here.sandbox is not None
    assert only_here.sandbox.control("POST", "age-sessions", {"seconds": 3700}) == {"sessions": 1}
    connected.assume(ROLE)  # a later session does not make the old one unknown

    assert refusal(connected.portal("sts", session).get_caller_identity) == ("ExpiredToken", 403)
    assert refusal(connected.portal("cloudformation", session).describe_stacks)[0] == "ExpiredToken"
    assert refusal(connected.portal("ec2", session).describe_vpcs)[0] == "RequestExpired"
    assert refusal(connected.portal("s3", session).list_buckets)[0] == "ExpiredToken"
    assert refusal(connected.portal("service-quotas", session).list_service_quotas, ServiceCode="vpc")[0] == "ExpiredTokenException"


# --- Rights ---


def test_role_may_do_what_its_policy_and_its_boundary_both_allow(connected: Cloud) -> None:
    session = connected.assume(ROLE)

    role = connected.portal("iam", session).get_role(RoleName=ROLE)["Role"]

    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{connected.account}:policy/fidelity-boundary"
    assert connected.portal("service-quotas", session).get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"] == 5.0


def test_role_may_not_do_what_its_policy_does_not_name(connected: Cloud) -> None:
    assert refusal(connected.portal("iam", connected.assume(ROLE)).list_roles) == ("AccessDenied", 403)


def test_boundary_takes_away_what_the_policy_gives(connected: Cloud) -> None:
    assert refusal(connected.portal("s3", connected.assume(ROLE)).list_buckets) == ("AccessDenied", 403)


def test_explicit_deny_in_the_boundary_wins(cloud: Cloud) -> None:
    kit.create(cloud, body=kit.template(boundary=[kit.statement(["*"]), kit.statement(["iam:GetRole"], "Deny")]))

    assert refusal(cloud.portal("iam", cloud.assume(ROLE)).get_role, RoleName=ROLE) == ("AccessDenied", 403)


def test_session_policy_narrows_the_session(connected: Cloud) -> None:
    session = connected.assume(ROLE, policy=json.dumps(kit.document(kit.statement(["ec2:DescribeVpcs"]))))

    connected.portal("ec2", session).describe_vpcs()
    assert refusal(connected.portal("iam", session).get_role, RoleName=ROLE) == ("AccessDenied", 403)


def test_region_condition_is_kept(cloud: Cloud) -> None:
    here = kit.statement(["ec2:DescribeVpcs"], Condition={"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})
    kit.create(cloud, body=kit.template(policy=[here]))
    session = cloud.assume(ROLE)

    cloud.portal("ec2", session).describe_vpcs()
    assert refusal(cloud.portal("ec2", session, region="us-east-1").describe_vpcs) == ("UnauthorizedOperation", 403)


def test_revoked_sessions_are_refused_and_new_ones_are_not(connected: Cloud) -> None:
    old = connected.assume(ROLE)
    time.sleep(1.1)  # aws:TokenIssueTime counts whole seconds
    cut = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    revoke = kit.document(kit.statement(["*"], "Deny", Condition={"DateLessThan": {"aws:TokenIssueTime": cut}}))

    connected.owner("iam").put_role_policy(RoleName=ROLE, PolicyName="revoke", PolicyDocument=json.dumps(revoke))

    assert refusal(connected.portal("iam", old).get_role, RoleName=ROLE) == ("AccessDenied", 403)
    connected.portal("iam", connected.assume(ROLE)).get_role(RoleName=ROLE)


def test_chained_role_is_refused_without_a_right_to_it(connected: Cloud) -> None:
    arn = f"arn:aws:iam::{connected.account}:role/{ROLE}"

    assert refusal(connected.portal("sts", connected.assume(ROLE)).assume_role, RoleArn=arn, RoleSessionName="again") == (
        "AccessDenied",
        403,
    )


def test_service_control_policy_limits_the_role_and_the_owner(connected: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    denied = kit.document(kit.statement(["*"]), kit.statement(["iam:GetRole"], "Deny"))
    only_here.sandbox.control("POST", "knobs", {"scps": {connected.account: denied}})

    assert refusal(connected.portal("iam", connected.assume(ROLE)).get_role, RoleName=ROLE) == ("AccessDenied", 403)
    assert refusal(connected.owner("iam").get_role, RoleName=ROLE) == ("AccessDenied", 403)


# --- Simulation ---


def _decisions(cloud: Cloud, actions: list[str], **more: Any) -> dict[str, str]:
    iam = cloud.portal("iam", cloud.assume(ROLE))
    found = iam.simulate_principal_policy(PolicySourceArn=f"arn:aws:iam::{cloud.account}:role/{ROLE}", ActionNames=actions, **more)
    return {entry["EvalActionName"]: entry["EvalDecision"] for entry in found["EvaluationResults"]}


def test_simulation_counts_the_boundary(connected: Cloud) -> None:
    decisions = _decisions(connected, ["iam:GetRole", "s3:ListAllMyBuckets", "ec2:RunInstances"])

    assert decisions == {"iam:GetRole": "allowed", "s3:ListAllMyBuckets": "implicitDeny", "ec2:RunInstances": "implicitDeny"}


def test_simulation_answers_every_resource(cloud: Cloud) -> None:
    mine = f"arn:aws:iam::{cloud.account}:role/mine"
    own = {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": mine}
    kit.create(cloud, body=kit.template(policy=[kit.statement(["iam:SimulatePrincipalPolicy"]), own]))
    iam = cloud.portal("iam", cloud.assume(ROLE))

    found = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{cloud.account}:role/{ROLE}",
        ActionNames=["iam:PassRole"],
        ResourceArns=[mine, f"arn:aws:iam::{cloud.account}:role/other"],
    )

    assert [entry["EvalDecision"] for entry in found["EvaluationResults"]] == ["allowed", "implicitDeny"]


def test_simulation_reads_context_entries_and_names_the_missing_ones(cloud: Cloud) -> None:
    tagged = kit.statement(["ec2:CreateVpc"], Condition={"StringEquals": {"aws:RequestTag/owner": "portal"}})
    kit.create(cloud, body=kit.template(policy=[kit.statement(["iam:SimulatePrincipalPolicy"]), tagged]))
    entry = {"ContextKeyName": "aws:RequestTag/owner", "ContextKeyValues": ["portal"], "ContextKeyType": "string"}

    assert _decisions(cloud, ["ec2:CreateVpc"], ContextEntries=[entry]) == {"ec2:CreateVpc": "allowed"}
    assert _decisions(cloud, ["ec2:CreateVpc"]) == {"ec2:CreateVpc": "implicitDeny"}


def test_simulation_of_a_missing_role_is_refused(connected: Cloud) -> None:
    iam = connected.owner("iam")
    source = f"arn:aws:iam::{connected.account}:role/nobody"

    assert refusal(iam.simulate_principal_policy, PolicySourceArn=source, ActionNames=["iam:GetRole"]) == ("NoSuchEntity", 404)
