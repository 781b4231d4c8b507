"""What AWS refuses, the local AWS refuses: CloudFormation and IAM. Against a real account as `test_sandbox_fidelity.py` says."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.clouds.aws import kit
from tests.clouds.aws.connected import ROLE, connected, only_here, refusal
from tests.clouds.conftest import ISSUER_HOST, Cloud

__all__ = ["connected", "only_here"]  # fixtures


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
