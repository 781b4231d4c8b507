"""What AWS refuses, the local AWS refuses: with the real boto3, by AWS's own error codes.

Against a real account: FIDELITY_ISSUER=https://<issuer> FIDELITY_ISSUER_KEY=<pem> and owner credentials in the environment.
Tests that order a fault or move time need the sandbox, and are skipped there with that reason.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clouds.aws import kit
from tests.clouds.conftest import ISSUER_HOST, Cloud, TestIssuer

ROLE = "fidelity-operator"


def refusal(call: Any, *args: Any, **kwargs: Any) -> tuple[str, int]:
    """The code and HTTP status that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call(*args, **kwargs)
    return refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def connected(cloud: Cloud) -> Iterator[Cloud]:
    """An account whose owner has run the kit."""
    stack = kit.create(cloud)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    if cloud.sandbox is None:
        time.sleep(15)  # real IAM needs its seconds
    yield cloud
    if cloud.sandbox is None:
        cloud.owner("cloudformation").delete_stack(StackName="fidelity")
        cloud.finish(cloud.owner("cloudformation"), stack["StackId"])


@pytest.fixture
def only_here(cloud: Cloud) -> Cloud:
    if cloud.sandbox is None:
        pytest.skip("needs the sandbox's control endpoint")
    return cloud


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


# --- CloudFormation ---


def test_stack_refuses_without_the_named_iam_capability(cloud: Cloud) -> None:
    assert refusal(kit.create, cloud, Capabilities=[]) == ("InsufficientCapabilitiesException", 400)
    assert refusal(kit.create, cloud, Capabilities=["CAPABILITY_IAM"]) == ("InsufficientCapabilitiesException", 400)


def test_stack_validates_its_parameters(cloud: Cloud) -> None:
    assert refusal(kit.create, cloud, Parameters=[]) == ("ValidationError", 400)
    wrong = [{"ParameterKey": "Issuer", "ParameterValue": "NOT ALLOWED"}]
    assert refusal(kit.create, cloud, Parameters=wrong) == ("ValidationError", 400)


@pytest.mark.parametrize("place", ["AWS::AccountId", "AWS::Region"])
def test_stack_refuses_another_place_than_its_rules_name_and_makes_nothing(cloud: Cloud, place: str) -> None:
    body = json.loads(kit.template())
    right = {"AWS::AccountId": cloud.account, "AWS::Region": "eu-central-1"}[place]
    body["Rules"] = {
        "RightPlace": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": place}, "elsewhere"]}, "AssertDescription": "Not here."}]}
    }

    with pytest.raises(ClientError, match=r"Not here\.") as refused:
        kit.create(cloud, body=json.dumps(body))

    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refusal(cloud.owner("cloudformation").describe_stacks, StackName="fidelity") == ("ValidationError", 400)
    if cloud.sandbox is not None:
        body["Rules"]["RightPlace"]["Assertions"][0]["Assert"]["Fn::Equals"][1] = right
        assert kit.create(cloud, body=json.dumps(body))["StackStatus"] == "CREATE_COMPLETE"


def test_stack_refuses_a_taken_name(connected: Cloud) -> None:
    assert refusal(kit.create, connected)[0] == "AlreadyExistsException"


def test_stack_is_created_once_for_the_same_request_token(connected: Cloud) -> None:
    first = kit.create(connected, "again", body=_bucket("again"), Parameters=[], ClientRequestToken="token-1")

    second = kit.create(connected, "again", body=_bucket("again"), Parameters=[], ClientRequestToken="token-1")

    assert second["StackId"] == first["StackId"]
    if connected.sandbox is None:
        connected.owner("cloudformation").delete_stack(StackName="again")


def _bucket(name: str) -> str:
    return json.dumps(
        {
            "Resources": {
                "Policy": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {"ManagedPolicyName": name, "PolicyDocument": kit.document(kit.statement(["s3:*"]))},
                }
            }
        }
    )


def test_second_kit_for_the_same_issuer_rolls_back_and_leaves_the_first_alone(connected: Cloud) -> None:
    stack = kit.create(connected, "second")

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = _reasons(connected, stack["StackId"])
    assert "already exists" in reasons["Provider"]
    connected.assume(ROLE)


def test_role_name_clash_rolls_back(connected: Cloud) -> None:
    taken = json.loads(kit.template("clash"))
    taken["Resources"]["Role"]["Properties"]["RoleName"] = ROLE
    taken["Resources"]["Provider"]["Properties"]["Url"] = f"{ISSUER_HOST}/trust/other/g1"

    stack = kit.create(connected, "clash", body=json.dumps(taken))

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"Role with name {ROLE} already exists" in _reasons(connected, stack["StackId"])["Role"]
    connected.assume(ROLE)


def test_role_with_a_missing_boundary_rolls_back(cloud: Cloud) -> None:
    missing = json.loads(kit.template())
    missing["Resources"]["Role"]["Properties"]["PermissionsBoundary"] = f"arn:aws:iam::{cloud.account}:policy/nowhere"

    stack = kit.create(cloud, body=json.dumps(missing))

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "does not exist or is not attachable" in _reasons(cloud, stack["StackId"])["Role"]


def test_unknown_property_of_a_resource_rolls_back(cloud: Cloud) -> None:
    stack = kit.create(cloud, body=kit.template(MaxSessionLength=3600))

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "extraneous key [MaxSessionLength] is not permitted" in _reasons(cloud, stack["StackId"])["Role"]


def test_injected_failure_rolls_back_with_its_reason_and_nothing_stays(cloud: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    only_here.sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "reason": "Rate exceeded"}]})

    stack = kit.create(cloud)

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stack["StackStatusReason"] == "The following resource(s) failed to create: [Role]. Rollback requested by user."
    assert _reasons(cloud, stack["StackId"])["Role"] == "Rate exceeded"
    iam = cloud.owner("iam")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_service_control_policy_stops_the_kit_with_an_access_denied_reason(cloud: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    denied = kit.document(kit.statement(["*"]), kit.statement(["iam:CreateOpenIDConnectProvider"], "Deny"))
    only_here.sandbox.control("POST", "knobs", {"scps": {cloud.account: denied}})

    stack = kit.create(cloud)

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "iam:CreateOpenIDConnectProvider" in _reasons(cloud, stack["StackId"])["Provider"]


def test_stack_shows_its_progress(cloud: Cloud, only_here: Cloud) -> None:
    assert only_here.sandbox is not None
    only_here.sandbox.control("POST", "knobs", {"pace_seconds": 0.3})
    cloudformation = cloud.owner("cloudformation")
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": cloud.issuer_url.removeprefix("https://")}]
    cloudformation.create_stack(
        StackName="fidelity", TemplateBody=kit.template(), Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
    )

    stack = cloudformation.describe_stacks(StackName="fidelity")["Stacks"][0]
    events = cloudformation.describe_stack_events(StackName="fidelity")["StackEvents"]

    assert stack["StackStatus"] == "CREATE_IN_PROGRESS"
    assert events[-1]["ResourceStatusReason"] == "User Initiated"
    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "CREATE_COMPLETE"


def test_deleted_stack_takes_the_trust_with_it(connected: Cloud) -> None:
    cloudformation = connected.owner("cloudformation")
    number = cloudformation.describe_stacks(StackName="fidelity")["Stacks"][0]["StackId"]

    cloudformation.delete_stack(StackName="fidelity")

    assert connected.finish(cloudformation, number)["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cloudformation.describe_stacks, StackName="fidelity") == ("ValidationError", 400)
    assert refusal(connected.assume, ROLE)[0] == "InvalidIdentityToken"


def test_stack_belongs_to_its_region_and_account(connected: Cloud, only_here: Cloud) -> None:
    assert refusal(connected.owner("cloudformation", region="us-east-1").describe_stacks, StackName="fidelity") == ("ValidationError", 400)
    assert refusal(connected.owner("cloudformation", account="222233334444").describe_stacks, StackName="fidelity") == (
        "ValidationError",
        400,
    )


def test_termination_protection_is_kept(cloud: Cloud) -> None:
    kit.create(cloud, EnableTerminationProtection=True)

    assert refusal(cloud.owner("cloudformation").delete_stack, StackName="fidelity") == ("ValidationError", 400)


def test_update_changes_the_role_in_place_and_refuses_no_change(connected: Cloud) -> None:
    cloudformation = connected.owner("cloudformation")
    request = {
        "StackName": "fidelity",
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [{"ParameterKey": "Issuer", "UsePreviousValue": True}],
    }

    assert refusal(cloudformation.update_stack, TemplateBody=kit.template(), **request) == ("ValidationError", 400)
    cloudformation.update_stack(TemplateBody=kit.template(MaxSessionDuration=7200), **request)

    assert connected.finish(cloudformation, "fidelity")["StackStatus"] == "UPDATE_COMPLETE"
    role = connected.owner("iam").get_role(RoleName=ROLE)["Role"]
    assert role["MaxSessionDuration"] == 7200
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/fidelity-boundary")


def test_template_address_must_be_readable_s3(cloud: Cloud) -> None:
    cloudformation = cloud.owner("cloudformation")

    for url in ("https://example.org/template.yaml", "https://no-such-bucket-of-ours.s3.eu-central-1.amazonaws.com/template.yaml"):
        assert refusal(cloudformation.create_stack, StackName="far", TemplateURL=url) == ("ValidationError", 400)


def test_template_of_another_account_needs_its_grant(cloud: Cloud, only_here: Cloud) -> None:
    provider = cloud.owner("s3", account="999988887777", region="us-east-1")
    provider.create_bucket(Bucket="provider-kits")
    provider.put_object(Bucket="provider-kits", Key="kits/template.json", Body=kit.template().encode())
    address = {
        "TemplateURL": "https://provider-kits.s3.us-east-1.amazonaws.com/kits/template.json",
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    cloudformation = cloud.owner("cloudformation")
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": "id.portal.test/trust/a/g1"}]
    assert refusal(cloudformation.create_stack, StackName="fidelity", Parameters=parameters, **address) == ("ValidationError", 400)
    provider.put_public_access_block(Bucket="provider-kits", PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::provider-kits/kits/*"}

    provider.put_bucket_policy(Bucket="provider-kits", Policy=json.dumps(kit.document(grant)))

    cloudformation.create_stack(StackName="fidelity", Parameters=parameters, **address)
    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "CREATE_COMPLETE"


def _reasons(cloud: Cloud, stack: str) -> dict[str, str]:
    """The reasons of the resources that failed to be created."""
    events = cloud.owner("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return {event["LogicalResourceId"]: event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "CREATE_FAILED"}


# --- IAM ---


def test_provider_needs_https_and_a_free_url(connected: Cloud) -> None:
    iam = connected.owner("iam")

    assert refusal(iam.create_open_id_connect_provider, Url="http://id.portal.test", ClientIDList=["a"]) == ("ValidationError", 400)
    assert refusal(iam.create_open_id_connect_provider, Url=connected.issuer_url, ClientIDList=["a"]) == ("EntityAlreadyExists", 409)


def test_provider_answers_its_url_without_the_scheme(connected: Cloud) -> None:
    arn = f"arn:aws:iam::{connected.account}:oidc-provider/{connected.issuer_url.removeprefix('https://')}"

    found = connected.owner("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)

    assert found["Url"] == connected.issuer_url.removeprefix("https://")
    assert found["ClientIDList"] == ["sts.amazonaws.com"]


def test_audience_taken_from_the_provider_is_refused(connected: Cloud) -> None:
    iam = connected.owner("iam")
    arn = f"arn:aws:iam::{connected.account}:oidc-provider/{connected.issuer_url.removeprefix('https://')}"

    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")

    assert refusal(connected.assume, ROLE) == ("InvalidIdentityToken", 400)


def test_policy_used_as_a_boundary_cannot_be_deleted(connected: Cloud) -> None:
    arn = f"arn:aws:iam::{connected.account}:policy/fidelity-boundary"

    assert refusal(connected.owner("iam").delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)


BAD_DOCUMENTS = [
    ("update_assume_role_policy", {"RoleName": "fidelity-operator"}, "PolicyDocument"),
    ("put_role_policy", {"RoleName": "fidelity-operator", "PolicyName": "bad"}, "PolicyDocument"),
    ("create_role", {"RoleName": "bad"}, "AssumeRolePolicyDocument"),
    ("create_policy", {"PolicyName": "bad"}, "PolicyDocument"),
    ("create_policy_version", {"PolicyArn": "arn:aws:iam::{account}:policy/fidelity-boundary"}, "PolicyDocument"),
]


@pytest.mark.parametrize(("action", "names", "field"), BAD_DOCUMENTS)
@pytest.mark.parametrize("text", ["{bad", "[]", "nothing"])
def test_iam_refuses_a_policy_that_is_none(cloud: Cloud, action: str, names: dict[str, str], field: str, text: str) -> None:
    kit.create(cloud)
    names = {name: value.replace("{account}", cloud.account) for name, value in names.items()}

    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        getattr(cloud.owner("iam"), action)(**names, **{field: text})
