"""The exact rights of the person who runs the kit through CloudFormation, as an IAM policy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def installer_policy(*, template_url: str, issuer: str, attached: Sequence[str], suffix: str = "*", bucket: str = "*") -> dict[str, Any]:
    """The IAM policy. `issuer` is the portal's token issuer, its scheme included; `attached` are AWS's own policies that the kit uses."""
    iam = "arn:aws:iam::*"
    stack = f"arn:aws:cloudformation:*:*:stack/byoc-{suffix}-kit/*"
    cells = f"{iam}:role/byoc-{suffix}-cell-*"
    agent = f"{iam}:role/byoc-{suffix}-cell-agent"
    roles = [f"{iam}:role/byoc-{suffix}-operator", f"{iam}:role/byoc-{suffix}-support", cells]
    limits = f"{iam}:policy/byoc-{suffix}-*-boundary"
    provider = f"{iam}:oidc-provider/{issuer.removeprefix('https://')}/trust/*"
    this_version = {"StringEquals": {"cloudformation:TemplateUrl": template_url}}
    by_stack: dict[str, Any] = {"StringEquals": {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}}
    limited = by_stack | {"ArnLike": {"iam:PermissionsBoundary": limits}}
    with_aws_policies = by_stack | {"ArnLike": {"iam:PermissionsBoundary": limits, "iam:PolicyARN": list(attached)}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("SeeStacks", ["cloudformation:GetTemplateSummary", "cloudformation:ListStacks", "cloudformation:ValidateTemplate"], "*"),
            _allow("RunThisVersion", ["cloudformation:CreateStack", "cloudformation:UpdateStack"], stack, this_version),
            _allow("WatchAndDeleteTheKit", _INSTALLER_STACK, stack),
            _allow("CreateItsRolesWithinLimits", _INSTALLER_LIMITED, roles, limited),
            _allow("GiveCellRolesAwsPolicies", ["iam:AttachRolePolicy", "iam:DetachRolePolicy"], cells, with_aws_policies),
            _allow("GiveTheAgentItsRole", _INSTALLER_PROFILE, [agent, f"{iam}:instance-profile/byoc-{suffix}-cell-agent"], by_stack),
            _allow("KeepItsRoles", _INSTALLER_ROLES, roles, by_stack),
            _allow("CreateItsLimits", _INSTALLER_POLICIES, limits, by_stack),
            _allow("CreateItsIdentityProvider", _INSTALLER_PROVIDER, provider, by_stack),
            _allow("ReadTheTemplate", ["s3:GetObject"], f"arn:aws:s3:::{bucket}/kits/aws/*"),
        ],
    }


def _allow(
    sid: str, actions: Iterable[str], resource: str | list[str], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | {"Condition": condition} if condition else statement


_INSTALLER_STACK = (
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:TagResource",
)
_INSTALLER_LIMITED = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
_INSTALLER_ROLES = (
    "iam:DeleteRole",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
# The role is passed to its profile, and nothing else takes this one.
_INSTALLER_PROFILE = (
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:DeleteInstanceProfile",
    "iam:GetInstanceProfile",
    "iam:PassRole",
    "iam:RemoveRoleFromInstanceProfile",
)
_INSTALLER_POLICIES = (
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:TagPolicy",
)
_INSTALLER_PROVIDER = (
    "iam:CreateOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
    "iam:UntagOpenIDConnectProvider",
    "iam:UpdateOpenIDConnectProviderThumbprint",
)
