"""A kit as small as a kit can be, for the tests of the local AWS itself."""

import json
from typing import Any

from tests.clouds.conftest import Cloud

OPERATE = ["iam:GetRole", "iam:SimulatePrincipalPolicy", "s3:ListAllMyBuckets", "ec2:DescribeVpcs", "servicequotas:GetServiceQuota"]
ALLOWED = ["iam:*", "cloudformation:*", "ec2:*", "servicequotas:*"]  # and not s3: what the boundary takes away


def statement(actions: list[str], effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": "*", **more}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def template(
    name: str = "fidelity", *, boundary: list[dict[str, Any]] | None = None, policy: list[dict[str, Any]] | None = None, **role: Any
) -> str:
    """Provider, boundary and operator role; condition keys cannot hold functions, so the trust policy is one text."""
    trust = document({
        "Effect": "Allow", "Principal": {"Federated": "${Provider}"}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"${Issuer}:sub": "account:a:ops", "${Issuer}:aud": "sts.amazonaws.com"}},
    })  # fmt: skip
    resources = {
        "Provider": {
            "Type": "AWS::IAM::OIDCProvider",
            "Properties": {"Url": {"Fn::Sub": "https://${Issuer}"}, "ClientIdList": ["sts.amazonaws.com"]},
        },
        "Boundary": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"ManagedPolicyName": f"{name}-boundary", "PolicyDocument": document(*(boundary or [statement(ALLOWED)]))},
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": f"{name}-operator",
                "PermissionsBoundary": {"Ref": "Boundary"},
                "AssumeRolePolicyDocument": {"Fn::Sub": json.dumps(trust)},
                "Policies": [{"PolicyName": "operate", "PolicyDocument": document(*(policy or [statement(OPERATE)]))}],
                **role,
            },
        },
    }
    parameters = {"Issuer": {"Type": "String", "AllowedPattern": "[a-z0-9./-]+"}}
    return json.dumps(
        {"Parameters": parameters, "Resources": resources, "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}}
    )


def create(cloud: Cloud, name: str = "fidelity", *, body: str = "", account: str = "", **more: Any) -> dict[str, Any]:
    """Creates the kit's stack as the account's owner and waits for its end; the stack as it then stands."""
    cloudformation = cloud.owner("cloudformation", account=account)
    request = {"TemplateBody": body or template(name), "Capabilities": ["CAPABILITY_NAMED_IAM"], **more}
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": cloud.issuer_url.removeprefix("https://")}]
    made = cloudformation.create_stack(StackName=name, **{"Parameters": parameters, **request})
    return cloud.finish(cloudformation, made["StackId"])
