"""What the operator role may look at."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.aws.manifest.scopes import ANY_READ, IN_A_STACK, OPERATOR_ROLE, SUPPORT_ROLE
from accounts.kits.manifest import ALL, Grant, Phase, Role

READ: tuple[Grant, ...] = (
    Grant(
        "ReadPlace",
        Role.OPERATOR,
        Phase.SETUP,
        ANY_READ,
        {
            "ec2:DescribeAvailabilityZones": _("Choose zones that exist for this account."),
            "ec2:DescribeInstances": _("Count the vCPUs in use against your limit. Only the number is kept."),
            "ec2:DescribeRegions": _("Check that a region is enabled before anything is created there."),
            "ec2:DescribeTransitGatewayVpcAttachments": _("See whether a network that overlaps a cell's range is connected with others."),
            "ec2:DescribeVpcPeeringConnections": _("See whether a network that overlaps a cell's range is peered."),
            "ec2:GetEbsDefaultKmsKeyId": _("See whether new disks are encrypted with a key of yours."),
            "ec2:GetEbsEncryptionByDefault": _("See whether new disks are encrypted by default."),
            "eks:ListClusters": _("See whether a name that a cell needs is taken."),
            "servicequotas:GetAWSDefaultServiceQuota": _("Know the limit that holds when none was set for this account."),
            "servicequotas:GetServiceQuota": _("Tell you about a limit that is too low before a cell fails on it."),
        },
        recovers=("ec2:DescribeInstances", "ec2:DescribeRegions", "eks:ListClusters"),
    ),
    Grant(
        "ReadNetwork",
        Role.OPERATOR,
        Phase.RUN,
        ANY_READ,
        {
            "cloudformation:DescribeStackDriftDetectionStatus": _("See whether a comparison of a cell with its template has ended."),
            "ec2:DescribeAddresses": _("Watch the public address of a cell."),
            "ec2:DescribeInternetGateways": _("Watch the internet gateway of a cell."),
            "ec2:DescribeLaunchTemplates": _("Find the templates that the machines of a cell are started from, by name."),
            "ec2:DescribeNatGateways": _("Watch the NAT gateway of a cell, and know when it is gone."),
            "ec2:DescribeNetworkAcls": _("Compare the subnets of a cell with what was installed."),
            "ec2:DescribeNetworkInterfaces": _("Find network interfaces that keep a network from being deleted."),
            "ec2:DescribeRouteTables": _("Watch the routes of a cell."),
            "ec2:DescribeSecurityGroupRules": _("Compare firewall rules with what was installed."),
            "ec2:DescribeSecurityGroups": _("Watch the firewall groups of a cell."),
            "ec2:DescribeSubnets": _("Watch the subnets of a cell, and avoid address ranges in use."),
            "ec2:DescribeVolumes": _("Find disks left over when a cell is deleted."),
            "ec2:DescribeVpcAttribute": _("Check the name resolution settings of a cell's network."),
            "ec2:DescribeVpcs": _("Watch the network of a cell, and avoid address ranges in use."),
        },
        recovers=(
            "ec2:DescribeAddresses",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcs",
        ),
    ),
    Grant(
        "ReadInsideStacks",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only by CloudFormation, which reads the start templates of the cell's own stack. AWS cannot narrow this action to single "
            "templates, so the operator role is refused when it asks by itself."
        ),
        {"ec2:DescribeLaunchTemplateVersions": _("Let CloudFormation and EKS start a cell's machines, and compare how they are started.")},
        context=IN_A_STACK,
    ),
    Grant(
        "ReadLeftovers",
        Role.OPERATOR,
        Phase.DELETE,
        ANY_READ,
        {
            "kms:ListAliases": _("Find key names left over when a cell is deleted."),
            "tag:GetResources": _("Search a region for everything with our tag, so that nothing is forgotten."),
        },
        recovers=ALL,
    ),
    Grant(
        "ReadOwnKit",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the stack of this kit."),
        {"cloudformation:DescribeStacks": _("See that the kit's stack has finished, and which version it is.")},
        resource="arn:aws:cloudformation:{region}:{account_id}:stack/byoc-{suffix}-kit/1",
        recovers=ALL,
    ),
    Grant(
        "ReadOwnTrust",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the six roles of this kit."),
        {
            "iam:GetRole": _("Check that the trust of every role is still as shipped."),
            "iam:GetRolePolicy": _("Check that the rights of every role are still as shipped."),
            "iam:ListAttachedRolePolicies": _("Check that nothing was attached to the roles or taken off them."),
            "iam:ListRolePolicies": _("Check that no policy was added to the roles or removed from them."),
            "iam:SimulatePrincipalPolicy": _("Ask AWS whether each permission on this page is really held."),
        },
        resource=OPERATOR_ROLE,
        recovers=ALL,
    ),
    Grant(
        "EndSupport",
        Role.OPERATOR,
        Phase.SUPPORT,
        _(
            "Only the inline policies of this kit's support role, and only while its boundary is on it: whatever was written there, "
            "support reads what the boundary lets it read and changes nothing."
        ),
        {
            "iam:DeleteRolePolicy": _("Take that denial away again when no session is left for it."),
            "iam:PutRolePolicy": _("End support access at once, also in open sessions: AWS denies a session by a policy of its role."),
        },
        resource=SUPPORT_ROLE,
        context={"iam:PermissionsBoundary": "arn:aws:iam::{account_id}:policy/byoc-{suffix}-support-boundary"},
    ),
    Grant(
        "ReadOwnTrail",
        Role.OPERATOR,
        Phase.SUPPORT,
        _(
            "The list of calls to AWS in this account in the last 90 days: who, when, which call. AWS cannot narrow this action. The "
            "portal asks for the calls of one support session at a time, and keeps these."
        ),
        {"cloudtrail:LookupEvents": _("Compare what support did with AWS's own record of it, and tell you of a difference.")},
    ),
    Grant(
        "ReadOwnLimits",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the three boundaries of this kit."),
        {
            "iam:GetPolicy": _("Check that the boundaries are there."),
            "iam:GetPolicyVersion": _("Check that the boundaries are still as shipped."),
        },
        resource="arn:aws:iam::{account_id}:policy/byoc-{suffix}-operator-boundary",
        recovers=ALL,
    ),
    Grant(
        "ReadOwnProvider",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the identity provider of this kit."),
        {"iam:GetOpenIDConnectProvider": _("Check that the identity provider is still as shipped.")},
        resource="arn:aws:iam::{account_id}:oidc-provider/{issuer_path}",
        recovers=ALL,
    ),
)
