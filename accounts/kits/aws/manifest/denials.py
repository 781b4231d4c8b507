"""What the kit promises never to allow."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.aws.manifest.scopes import CELL_ROLE, CLUSTER, CLUSTER_ADMIN, ENTRY, OPERATOR_ROLE, OUR_TAG, REQUEST_TAG, SUPPORT_ROLE
from accounts.kits.manifest import Denial, Role

DENIALS: tuple[Denial, ...] = (
    Denial(
        _("Never create a user or an access key."),
        ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:AddUserToGroup"),
        Role.OPERATOR,
        "arn:aws:iam::{account_id}:user/check",
    ),
    Denial(
        _("Never change its own trust, its own boundary or its own policies."),
        (
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRole",
            "iam:TagRole",
        ),
        Role.OPERATOR,
        OPERATOR_ROLE,
    ),
    Denial(
        _("Never open the support role to anybody, itself included, and never take its boundary off."),
        (
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:PutRolePermissionsBoundary",
            "iam:PassRole",
            "iam:DeleteRole",
            "iam:TagRole",
            "sts:AssumeRole",
        ),
        Role.OPERATOR,
        SUPPORT_ROLE,
    ),
    Denial(
        _("Never create, become or change a role of a cell: those of this kit are all there are."),
        (
            "iam:CreateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRole",
            "iam:TagRole",
            "sts:AssumeRole",
        ),
        Role.OPERATOR,
        CELL_ROLE,
        {"iam:PermissionsBoundary": "arn:aws:iam::{account_id}:policy/byoc-{suffix}-cell-boundary", **REQUEST_TAG},
    ),
    Denial(
        _("Never let anybody but the agent's machine into a cluster: no identity of yours, and none of anybody else."),
        ("eks:CreateAccessEntry",),
        Role.OPERATOR,
        CLUSTER,
        {**REQUEST_TAG, "eks:principalArn": "arn:aws:iam::999999999999:role/check"},
    ),
    Denial(
        _(
            "Never let itself into a cluster. It starts the agent's machine, though, which may change everything in the cell's cluster: "
            "whoever decides what that machine is told, decides what runs there."
        ),
        ("eks:CreateAccessEntry",),
        Role.OPERATOR,
        CLUSTER + "-itself",
        {**REQUEST_TAG, "eks:principalArn": OPERATOR_ROLE},
    ),
    Denial(
        _("Never start a machine that has another identity than the agent's."),
        ("ec2:RunInstances",),
        Role.OPERATOR,
        "arn:aws:ec2:{region}:{account_id}:instance/*",
        {
            **REQUEST_TAG,
            "ec2:InstanceType": "t3.small",
            "ec2:MetadataHttpTokens": "required",
            "ec2:InstanceProfile": "arn:aws:iam::{account_id}:instance-profile/check",
        },
    ),
    Denial(
        _("Never give another identity rights in a cluster, the support role included."),
        ("eks:AssociateAccessPolicy",),
        Role.OPERATOR,
        ENTRY + "byoc-{suffix}-support/1",
        {"eks:policyArn": CLUSTER_ADMIN},
    ),
    Denial(
        _("Never create, use or change a role of yours."),
        ("iam:CreateRole", "iam:PassRole", "iam:UpdateRole", "iam:DeleteRole", "iam:PutRolePolicy", "sts:AssumeRole"),
        Role.OPERATOR,
        "arn:aws:iam::{account_id}:role/check",
        {"iam:PassedToService": "eks.amazonaws.com"},
    ),
    Denial(
        _("Never change a policy, the boundaries included."),
        ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion"),
        Role.OPERATOR,
        "arn:aws:iam::{account_id}:policy/byoc-{suffix}-operator-boundary",
    ),
    Denial(
        _("Never change whom this account trusts."),
        ("iam:UpdateOpenIDConnectProviderThumbprint", "iam:AddClientIDToOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"),
        Role.OPERATOR,
        "arn:aws:iam::{account_id}:oidc-provider/{issuer_path}",
    ),
    Denial(
        _("Never touch a stack that is not a deployment cell, this kit included."),
        ("cloudformation:UpdateStack", "cloudformation:DeleteStack", "cloudformation:CreateStack"),
        Role.OPERATOR,
        "arn:aws:cloudformation:{region}:{account_id}:stack/byoc-{suffix}-kit/1",
    ),
    Denial(
        _("Never touch your organisation or its rules."),
        ("organizations:AttachPolicy", "organizations:LeaveOrganization", "account:CloseAccount"),
        Role.OPERATOR,
    ),
    Denial(
        _("Never delete or change a network, machine, disk, load balancer or key without our tag."),
        (
            "ec2:DeleteVpc",
            "ec2:DeleteVolume",
            "ec2:DeleteSecurityGroup",
            "ec2:ModifyVpcAttribute",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:TerminateInstances",
            "elasticloadbalancing:DeleteLoadBalancer",
            "kms:ScheduleKeyDeletion",
        ),
        Role.OPERATOR,
    ),
    Denial(
        _("Never put our tag on something that exists already, which would make it look like ours, and never take it off."),
        ("ec2:CreateTags", "ec2:DeleteTags", "kms:TagResource"),
        Role.OPERATOR,
        context={**REQUEST_TAG, **OUR_TAG, "aws:TagKeys": "byoc:account"},
    ),
    Denial(
        _("Never read your data: no storage, database, secret or parameter."),
        ("s3:GetObject", "dynamodb:GetItem", "secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt"),
        Role.OPERATOR,
    ),
    Denial(
        _("Never read what a machine of yours is told when it starts, where many keep secrets."),
        ("ec2:DescribeInstanceAttribute", "ec2:DescribeLaunchTemplateVersions", "ec2:GetLaunchTemplateData", "ec2:GetConsoleOutput"),
        Role.OPERATOR,
    ),
    Denial(
        _("Never run a command on a machine, or log in to one, the agent's included."),
        (
            "ec2-instance-connect:SendSSHPublicKey",
            "ec2-instance-connect:OpenTunnel",
            "ec2:ModifyInstanceAttribute",
            "ec2:GetConsoleScreenshot",
            "ssm:SendCommand",
            "ssm:StartSession",
        ),
        Role.OPERATOR,
        context=OUR_TAG,
    ),
    Denial(
        _("Never read or delete the log of a cluster, the record of what the agent did: it is yours."),
        ("logs:GetLogEvents", "logs:FilterLogEvents", "logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy"),
        Role.OPERATOR,
        "arn:aws:logs:{region}:{account_id}:log-group:/aws/eks/byoc-{short}-cell-check/cluster",
    ),
    Denial(
        _("Never read a parameter of yours in AWS Systems Manager."),
        ("ssm:GetParameters",),
        Role.OPERATOR,
        "arn:aws:ssm:{region}:{account_id}:parameter/check",
    ),
    Denial(
        _("Support never changes anything."),
        ("ec2:CreateVpc", "ec2:DeleteVpc", "eks:UpdateClusterConfig", "eks:DeleteCluster", "cloudformation:DeleteStack"),
        Role.SUPPORT,
        CLUSTER,
    ),
    Denial(
        _("Support never becomes somebody else and never reads data or secrets."),
        ("sts:AssumeRole", "iam:GetRole", "iam:CreateAccessKey", "s3:GetObject", "secretsmanager:GetSecretValue", "kms:Decrypt"),
        Role.SUPPORT,
    ),
)
