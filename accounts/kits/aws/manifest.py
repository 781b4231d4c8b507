"""The AWS kit in words: a reason for every action of every Allow statement in template.yaml. A test keeps the two equal."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import Denial, Grant, KitResource, Phase, Role, Switch

_REQUEST_TAG = {"aws:RequestTag/byoc:account": "{account}"}
_OUR_TAG = {"aws:ResourceTag/byoc:account": "{account}"}
_IN_A_STACK = {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}
_STACK = "arn:aws:cloudformation:{region}:{account_id}:stack/byoc-{short}-cell-check/1"
_CLUSTER = "arn:aws:eks:{region}:{account_id}:cluster/byoc-{short}-cell-check"
_ENTRY = "arn:aws:eks:{region}:{account_id}:access-entry/byoc-{short}-cell-check/role/{account_id}/"
_CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
_CELL_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-cell-node"
_AGENT_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-cell-agent"
_OPERATOR_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-operator"
_SUPPORT_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-support"

_ANY_READ = _("Lists only. AWS cannot narrow this action to single resources; it shows names and settings, no content.")
_TAGGED_NEW = _("Only if the new resource carries this account's byoc:account tag.")
_TAGGED_OURS = _("Only on resources that carry this account's byoc:account tag.")
_CELL_STACKS = _("Only stacks whose name starts with byoc-, this account's short code and -cell-.")
_CELL_CLUSTERS = _("Only clusters whose name starts with byoc-, this account's short code and -cell-.")

READ: tuple[Grant, ...] = (
    Grant(
        "ReadPlace",
        Role.OPERATOR,
        Phase.SETUP,
        _ANY_READ,
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
    ),
    Grant(
        "ReadNetwork",
        Role.OPERATOR,
        Phase.RUN,
        _ANY_READ,
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
        context=_IN_A_STACK,
    ),
    Grant(
        "ReadLeftovers",
        Role.OPERATOR,
        Phase.DELETE,
        _ANY_READ,
        {
            "kms:ListAliases": _("Find key names left over when a cell is deleted."),
            "tag:GetResources": _("Search a region for everything with our tag, so that nothing is forgotten."),
        },
    ),
    Grant(
        "ReadOwnKit",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the stack of this kit."),
        {"cloudformation:DescribeStacks": _("See that the kit's stack has finished, and which version it is.")},
        resource="arn:aws:cloudformation:{region}:{account_id}:stack/byoc-{suffix}-kit/1",
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
        resource=_OPERATOR_ROLE,
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
        resource=_SUPPORT_ROLE,
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
    ),
    Grant(
        "ReadOwnProvider",
        Role.OPERATOR,
        Phase.SETUP,
        _("Only the identity provider of this kit."),
        {"iam:GetOpenIDConnectProvider": _("Check that the identity provider is still as shipped.")},
        resource="arn:aws:iam::{account_id}:oidc-provider/{issuer_path}",
    ),
)

NETWORK: tuple[Grant, ...] = (
    Grant(
        "CreateNetwork",
        Role.OPERATOR,
        Phase.RUN,
        _TAGGED_NEW,
        {
            "ec2:AllocateAddress": _("Give the cell's NAT gateway a public address."),
            "ec2:CreateInternetGateway": _("Let the cell reach the internet."),
            "ec2:CreateLaunchTemplate": _("Say how the machines of a cell are started: encrypted disks, our tags, no open door."),
            "ec2:CreateNatGateway": _("Let machines without a public address reach the internet."),
            "ec2:CreateRouteTable": _("Give the cell's subnets their routes."),
            "ec2:CreateSecurityGroup": _("Give the cell its own firewall groups."),
            "ec2:CreateSubnet": _("Divide the cell's network over availability zones."),
            "ec2:CreateVpc": _("Give the cell a network of its own, apart from yours."),
        },
        context=_REQUEST_TAG,
    ),
    Grant(
        "TagWhileCreating",
        Role.OPERATOR,
        Phase.RUN,
        _("Only while one of the network resources above, a machine or its disk is being created."),
        {"ec2:CreateTags": _("Mark new network resources and machines as belonging to this account's cells.")},
        context={**_REQUEST_TAG, "ec2:CreateAction": "CreateVpc"},
    ),
    Grant(
        "ChangeOwnTags",
        Role.OPERATOR,
        Phase.RUN,
        _("Only on resources that carry this account's byoc:account tag, and never that tag itself."),
        {
            "ec2:CreateTags": _("Put your own tags on a cell's network when you ask for them."),
            "ec2:DeleteTags": _("Take a tag off a cell's network when you ask for it."),
        },
        context={**_OUR_TAG, "aws:TagKeys": "Name"},
    ),
    Grant(
        "ChangeOwnNetwork",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only on resources that carry this account's byoc:account tag. What is new goes only into such networks, and comes only from "
            "such launch templates."
        ),
        {
            "ec2:AssociateRouteTable": _("Connect subnets with their routes."),
            "ec2:AttachInternetGateway": _("Connect the internet gateway with the cell's network."),
            "ec2:AuthorizeSecurityGroupEgress": _("Allow the outgoing traffic that a cell needs."),
            "ec2:AuthorizeSecurityGroupIngress": _("Allow the incoming traffic that a cell needs."),
            "ec2:CreateLaunchTemplateVersion": _("Change how the machines of a cell are started."),
            "ec2:CreateNatGateway": _("Place the NAT gateway in the cell's own subnet."),
            "ec2:CreateRoute": _("Lead the cell's traffic to its gateways."),
            "ec2:CreateRouteTable": _("Place routes in the cell's own network."),
            "ec2:CreateSecurityGroup": _("Place firewall groups in the cell's own network."),
            "ec2:CreateSubnet": _("Place subnets in the cell's own network."),
            "ec2:DescribeInstanceAttribute": _(
                "Let CloudFormation compare the agent's machine with what was installed, what it was told when it started included."
            ),
            "ec2:ModifyVpcAttribute": _("Switch on name resolution in the cell's network."),
            "ec2:ReplaceRoute": _("Change a route without interrupting traffic."),
            "ec2:RunInstances": _("Place machines in the cell's own network, from the cell's own launch templates."),
        },
        context=_OUR_TAG,
    ),
    Grant(
        "AddRulesToOwnGroups",
        Role.OPERATOR,
        Phase.RUN,
        _("Only the new rule itself; the group it goes into must carry this account's byoc:account tag."),
        {
            "ec2:AuthorizeSecurityGroupEgress": _("Add an outgoing rule to a cell's firewall group."),
            "ec2:AuthorizeSecurityGroupIngress": _("Add an incoming rule to a cell's firewall group."),
        },
        resource="arn:aws:ec2:{region}:{account_id}:security-group-rule/*",
    ),
    Grant(
        "DeleteOwnNetwork",
        Role.OPERATOR,
        Phase.DELETE,
        _TAGGED_OURS,
        {
            "ec2:DeleteInternetGateway": _("Remove the internet gateway with its cell."),
            "ec2:DeleteLaunchTemplate": _("Remove the launch templates with their cell."),
            "ec2:DeleteNatGateway": _("Remove the NAT gateway with its cell, so that it stops costing."),
            "ec2:DeleteNetworkInterface": _("Remove left-over network interfaces, which would keep the network alive."),
            "ec2:DeleteRoute": _("Remove a route that is no longer needed."),
            "ec2:DeleteRouteTable": _("Remove the routes with their cell."),
            "ec2:DeleteSecurityGroup": _("Remove the firewall groups with their cell."),
            "ec2:DeleteSubnet": _("Remove the subnets with their cell."),
            "ec2:DeleteVolume": _("Remove left-over disks, so that they stop costing."),
            "ec2:DeleteVpc": _("Remove the network with its cell."),
            "ec2:DetachInternetGateway": _("Take the internet gateway off before it is removed."),
            "ec2:DisassociateAddress": _("Take the public address off before it is given back."),
            "ec2:DisassociateRouteTable": _("Take routes off subnets before they are removed."),
            "ec2:ReleaseAddress": _("Give the public address back, so that it stops costing."),
            "ec2:RevokeSecurityGroupEgress": _("Take back an outgoing rule that is no longer needed."),
            "ec2:RevokeSecurityGroupIngress": _("Take back an incoming rule that is no longer needed."),
            "ec2:TerminateInstances": _("Remove the agent's machine with its cell."),
            "elasticloadbalancing:DeleteLoadBalancer": _("Remove left-over load balancers, so that they stop costing."),
        },
        context=_OUR_TAG,
    ),
)

CELLS: tuple[Grant, ...] = (
    Grant(
        "CreateCellStacks",
        Role.OPERATOR,
        Phase.RUN,
        _("Only stacks with the cell's name and this account's tag, and never an import of something that exists already."),
        {"cloudformation:CreateStack": _("Create a cell as one stack, which you can watch in your own console.")},
        resource=_STACK,
        context=_REQUEST_TAG,
    ),
    Grant(
        "ChangeCellStacks",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_STACKS,
        {
            "cloudformation:ContinueUpdateRollback": _("Finish undoing an update that got stuck."),
            "cloudformation:DeleteStack": _("Delete a cell with everything in it."),
            "cloudformation:DescribeStackEvents": _("Show the progress of a cell, and why it failed if it does."),
            "cloudformation:DescribeStackResourceDrifts": _("Read what is no longer as it was installed."),
            "cloudformation:DescribeStackResources": _("List what a cell consists of."),
            "cloudformation:DescribeStacks": _("See whether a cell is ready."),
            "cloudformation:DetectStackDrift": _("Have AWS compare a cell with its template. It reads and changes nothing."),
            "cloudformation:UpdateStack": _("Bring a cell to a newer version."),
        },
        resource=_STACK,
    ),
    Grant(
        "CreateClusters",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only clusters with the cell's name and this account's tag, only where access entries alone decide who gets in, and never with "
            "the operator role as an administrator."
        ),
        {"eks:CreateCluster": _("Create the cell's Kubernetes cluster.")},
        resource=_CLUSTER,
        context={**_REQUEST_TAG, "eks:authenticationMode": "API", "eks:bootstrapClusterCreatorAdminPermissions": "false"},
    ),
    Grant(
        "CreateInClusters",
        Role.OPERATOR,
        Phase.RUN,
        _("Only in clusters with the cell's name, and only if what is new carries this account's byoc:account tag."),
        {
            "eks:CreateAddon": _("Install the cluster's network and disk add-ons."),
            "eks:CreateNodegroup": _("Create the cell's machines."),
        },
        resource=_CLUSTER,
        context=_REQUEST_TAG,
    ),
    Grant(
        "LetAgentIn",
        Role.OPERATOR,
        Phase.RUN,
        _("Only for the agent's role of this kit, in clusters with the cell's name. The operator role is never let in itself."),
        {
            "eks:CreateAccessEntry": _(
                "Let the agent's machine into the cluster. What that machine is told when it starts decides what it does there, and the "
                "operator role is what tells it."
            ),
        },
        resource=_CLUSTER,
        context={**_REQUEST_TAG, "eks:principalArn": _AGENT_ROLE},
    ),
    Grant(
        "LetAgentAct",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only for the agent's role of this kit, and only AWS's policy for administrators of one cluster. None of AWS's narrower "
            "policies lets it make and limit the spaces that keep instances apart."
        ),
        {"eks:AssociateAccessPolicy": _("Let the agent install what you order in its cluster, which it can change as a whole.")},
        resource=_ENTRY + "byoc-{suffix}-cell-agent/1",
        context={"eks:policyArn": _CLUSTER_ADMIN},
    ),
    Grant(
        "StartMachines",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only machines that carry this account's byoc:account tag, of the four sizes that a cell uses, which give their identity to "
            "nobody who does not ask for it in the safe way (IMDSv2), and with no other identity than the agent's."
        ),
        {
            "ec2:RunInstances": _(
                "Start the agent's machine, and let EKS start the cluster's. What the agent's machine is told when it starts decides what "
                "it runs, and it may change everything in the cell's cluster; nobody can log in to it, and the operator role can run "
                "nothing on it later."
            ),
        },
        resource="arn:aws:ec2:{region}:{account_id}:instance/*",
        context={
            **_REQUEST_TAG,
            "ec2:InstanceType": "t3.small",
            "ec2:MetadataHttpTokens": "required",
            "ec2:InstanceProfile": "arn:aws:iam::{account_id}:instance-profile/byoc-{suffix}-cell-agent",
        },
    ),
    Grant(
        "StartWithDisks",
        Role.OPERATOR,
        Phase.RUN,
        _("Only disks that are encrypted and network interfaces, both with this account's byoc:account tag."),
        {"ec2:RunInstances": _("Give a cell's machines their disks and network interfaces.")},
        resource="arn:aws:ec2:{region}:{account_id}:volume/*",
        context={**_REQUEST_TAG, "ec2:Encrypted": "true"},
    ),
    Grant(
        "StartFromImages",
        Role.OPERATOR,
        Phase.RUN,
        _("Only images that Amazon itself publishes."),
        {"ec2:RunInstances": _("Start a cell's machines from Amazon's own images.")},
        resource="arn:aws:ec2:{region}::image/ami-0123456789abcdef0",
        context={"ec2:Owner": "amazon"},
    ),
    Grant(
        "FindNewestImage",
        Role.OPERATOR,
        Phase.RUN,
        _("Only AWS's own public list of its newest Amazon Linux images; no parameter of yours."),
        {"ssm:GetParameters": _("Start the agent's machine from the newest Amazon Linux image.")},
        resource="arn:aws:ssm:{region}::parameter/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    ),
    Grant(
        "ChangeClusters",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_CLUSTERS,
        {
            "eks:CreatePodIdentityAssociation": _("Let the cluster's disk add-on use the storage role of this kit."),
            "eks:DeleteAccessEntry": _("Take an identity's access to the cluster away."),
            "eks:DeleteAddon": _("Remove an add-on with its cell."),
            "eks:DeleteCluster": _("Remove the cluster with its cell."),
            "eks:DeleteNodegroup": _("Remove the machines with their cell."),
            "eks:DeletePodIdentityAssociation": _("Take the storage role away from the disk add-on."),
            "eks:DescribeAccessEntry": _("Check who has access to the cluster."),
            "eks:DescribeAddon": _("Watch the version and health of add-ons."),
            "eks:DescribeCluster": _("Watch the state of the cluster."),
            "eks:DescribeNodegroup": _("Watch the state of the machines."),
            "eks:DescribePodIdentityAssociation": _("Check which add-on uses the storage role."),
            "eks:DisassociateAccessPolicy": _("Narrow what an identity may do in the cluster."),
            "eks:ListAssociatedAccessPolicies": _("Check what each identity may do in the cluster."),
            "eks:TagResource": _("Put your own tags on the cluster when you ask for them."),
            "eks:UntagResource": _("Take a tag off the cluster when you ask for it."),
            "eks:UpdateAddon": _("Keep add-ons up to date."),
            "eks:UpdateClusterConfig": _("Change the cluster's network access and logging."),
            "eks:UpdateClusterVersion": _("Keep Kubernetes up to date."),
            "eks:UpdateNodegroupConfig": _("Give a cell more or fewer machines."),
            "eks:UpdateNodegroupVersion": _("Keep the machines up to date."),
        },
        resource=_CLUSTER,
    ),
    Grant(
        "GiveCellRolesToAws",
        Role.OPERATOR,
        Phase.RUN,
        _("Only the four cell roles of this kit, and only to EKS and EC2."),
        {"iam:PassRole": _("Hand the cell roles of this kit to the services that run a cell.")},
        resource=_CELL_ROLE,
        context={"iam:PassedToService": "eks.amazonaws.com"},
    ),
    Grant(
        "LetAwsMakeItsOwnRoles",
        Role.OPERATOR,
        Phase.RUN,
        _("Only the roles that AWS defines for EKS, its machine groups, scaling and load balancing."),
        {"iam:CreateServiceLinkedRole": _("Let AWS create its own roles the first time a service is used in this account.")},
        resource="arn:aws:iam::{account_id}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
        context={"iam:AWSServiceName": "eks.amazonaws.com"},
    ),
    Grant(
        "CreateKeys",
        Role.OPERATOR,
        Phase.RUN,
        _("Only inside a CloudFormation stack, and only if the key carries this account's byoc:account tag."),
        {
            "kms:CreateKey": _("Give the cell an encryption key of its own."),
            "kms:TagResource": _("Mark the key as belonging to the cell."),
        },
        context={**_REQUEST_TAG, **_IN_A_STACK},
    ),
    Grant(
        "ChangeOwnKeys",
        Role.OPERATOR,
        Phase.RUN,
        _TAGGED_OURS,
        {
            "kms:CreateAlias": _("Give the cell's key a readable name."),
            "kms:DeleteAlias": _("Remove the key's name with its cell."),
            "kms:DescribeKey": _("Check that the key is usable."),
            "kms:EnableKeyRotation": _("Have AWS renew the key every year."),
            "kms:GetKeyPolicy": _("Check who may use the key."),
            "kms:GetKeyRotationStatus": _("Check that the key is renewed every year."),
            "kms:ListResourceTags": _("Check that the key belongs to the cell."),
            "kms:ScheduleKeyDeletion": _("Remove the key when its cell is deleted."),
        },
        context=_OUR_TAG,
    ),
    Grant(
        "LetClustersUseOwnKeys",
        Role.OPERATOR,
        Phase.RUN,
        _("Only on keys that carry this account's byoc:account tag, and only for AWS services."),
        {"kms:CreateGrant": _("Let EKS encrypt the cluster's secrets with the cell's key.")},
        context={**_OUR_TAG, "kms:GrantIsForAWSResource": "true"},
    ),
    Grant(
        "NameOwnKeys",
        Role.OPERATOR,
        Phase.RUN,
        _("Only names that start with byoc-, this account's short code and -cell-."),
        {
            "kms:CreateAlias": _("Create the readable name of the cell's key."),
            "kms:DeleteAlias": _("Remove the readable name of the cell's key."),
        },
        resource="arn:aws:kms:{region}:{account_id}:alias/byoc-{short}-cell-check",
    ),
    Grant(
        "ChangesSwitchedOn",
        Role.OPERATOR,
        Phase.SETUP,
        _("Tells nothing but the caller's own name."),
        {"sts:GetCallerIdentity": _("Check that the account is the one you named. Stands where your switch for changes is.")},
    ),
)

SUPPORT: tuple[Grant, ...] = (
    Grant(
        "SeeCells",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_STACKS,
        {
            "cloudformation:DescribeStackEvents": _("See when and why a cell failed."),
            "cloudformation:DescribeStackResources": _("See what a cell consists of."),
            "cloudformation:DescribeStacks": _("See the state of a cell."),
        },
        resource=_STACK,
    ),
    Grant(
        "SeeClusters",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_CLUSTERS,
        {
            "eks:DescribeAddon": _("See the version and health of add-ons."),
            "eks:DescribeCluster": _("See the state of the cluster."),
            "eks:DescribeNodegroup": _("See the state of the machines."),
            "eks:DescribeUpdate": _("See what an update of the cluster did."),
            "eks:ListNodegroups": _("See which groups of machines there are."),
            "eks:ListUpdates": _("See which updates there were."),
        },
        resource=_CLUSTER,
    ),
    Grant(
        "SeeNetwork",
        Role.SUPPORT,
        Phase.SUPPORT,
        _ANY_READ,
        {
            "ec2:DescribeNatGateways": _("See whether a cell can reach the internet."),
            "ec2:DescribeSecurityGroups": _("See whether a firewall rule is in the way."),
            "ec2:DescribeSubnets": _("See whether a subnet has run out of addresses."),
            "ec2:DescribeVpcs": _("See the network of a cell."),
        },
    ),
    Grant(
        "ReadClusterLogs",
        Role.SUPPORT,
        Phase.SUPPORT,
        _("Only logs of clusters whose name starts with byoc-, this account's short code and -cell-."),
        {
            "logs:DescribeLogStreams": _("Find the log of the time in question."),
            "logs:FilterLogEvents": _(
                "Search the cluster's own log: who asked the cluster for what, the agent included. What your instances write is not in it."
            ),
            "logs:GetLogEvents": _(
                "Read the cluster's own log: who asked the cluster for what, the agent included. What your instances write is not in it."
            ),
        },
        resource="arn:aws:logs:{region}:{account_id}:log-group:/aws/eks/byoc-{short}-cell-check/cluster",
    ),
    Grant(
        "SupportSwitchedOn",
        Role.SUPPORT,
        Phase.SUPPORT,
        _("Tells nothing but the caller's own name."),
        {"sts:GetCallerIdentity": _("Prove which role a session has. Stands where your switch for support is.")},
    ),
)

GRANTS: tuple[Grant, ...] = READ + NETWORK + CELLS + SUPPORT

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
        _OPERATOR_ROLE,
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
        _SUPPORT_ROLE,
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
        _CELL_ROLE,
        {"iam:PermissionsBoundary": "arn:aws:iam::{account_id}:policy/byoc-{suffix}-cell-boundary", **_REQUEST_TAG},
    ),
    Denial(
        _("Never let anybody but the agent's machine into a cluster: no identity of yours, and none of anybody else."),
        ("eks:CreateAccessEntry",),
        Role.OPERATOR,
        _CLUSTER,
        {**_REQUEST_TAG, "eks:principalArn": "arn:aws:iam::999999999999:role/check"},
    ),
    Denial(
        _(
            "Never let itself into a cluster. It starts the agent's machine, though, which may change everything in the cell's cluster: "
            "whoever decides what that machine is told, decides what runs there."
        ),
        ("eks:CreateAccessEntry",),
        Role.OPERATOR,
        _CLUSTER + "-itself",
        {**_REQUEST_TAG, "eks:principalArn": _OPERATOR_ROLE},
    ),
    Denial(
        _("Never start a machine that has another identity than the agent's."),
        ("ec2:RunInstances",),
        Role.OPERATOR,
        "arn:aws:ec2:{region}:{account_id}:instance/*",
        {
            **_REQUEST_TAG,
            "ec2:InstanceType": "t3.small",
            "ec2:MetadataHttpTokens": "required",
            "ec2:InstanceProfile": "arn:aws:iam::{account_id}:instance-profile/check",
        },
    ),
    Denial(
        _("Never give another identity rights in a cluster, the support role included."),
        ("eks:AssociateAccessPolicy",),
        Role.OPERATOR,
        _ENTRY + "byoc-{suffix}-support/1",
        {"eks:policyArn": _CLUSTER_ADMIN},
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
        context={**_REQUEST_TAG, **_OUR_TAG, "aws:TagKeys": "byoc:account"},
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
        context=_OUR_TAG,
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
        _CLUSTER,
    ),
    Denial(
        _("Support never becomes somebody else and never reads data or secrets."),
        ("sts:AssumeRole", "iam:GetRole", "iam:CreateAccessKey", "s3:GetObject", "secretsmanager:GetSecretValue", "kms:Decrypt"),
        Role.SUPPORT,
    ),
)

_NOW = pgettext_lazy("when a resource is created", "With the kit")
_FREE = _("Nobody: AWS does not charge for it.")
_TAGS = "byoc:account"

RESOURCES: tuple[KitResource, ...] = (
    KitResource(
        "IdentityProvider",
        "AWS::IAM::OIDCProvider",
        "{issuer_path}",
        _("Makes this account check the portal's short-lived tokens. It is what replaces a stored key."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "OperatorBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-operator-boundary",
        _("The most that the operator role can ever do, whatever is attached to it."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "OperatorRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-operator",
        _("Creates, updates and deletes deployment cells, and checks this kit."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "SupportBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-support-boundary",
        _("The most that the support role can ever do: read."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "SupportRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-support",
        _("Is opened only during support access that you approved, and ends with it."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-cell-boundary",
        _("The most that the clusters and machines of your cells can ever do: change what carries our tag, and read none of your images."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "CellClusterRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-cluster",
        _(
            "Is taken by EKS, and nobody else, to run the clusters of your cells. Carries AWS's AmazonEKSClusterPolicy within the cell "
            "boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellNodeRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-node",
        _(
            "Is taken by EC2, and nobody else, for the machines of your cells. Carries AWS's AmazonEKSWorkerNodePolicy, "
            "AmazonEKS_CNI_Policy and AmazonEC2ContainerRegistryPullOnly within the cell boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellStorageRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-storage",
        _(
            "Is taken by EKS, and nobody else, for the disk add-on of your cells. Carries AWS's AmazonEBSCSIDriverPolicy within the cell "
            "boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellAgentRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-agent",
        _(
            "Is taken by EC2, and nobody else, for the machine of the agent in each cell. It can look its cluster up, and is the only "
            "identity of this account that your cells let into their clusters, where it may change everything."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellAgentProfile",
        "AWS::IAM::InstanceProfile",
        "byoc-{suffix}-cell-agent",
        _("Hands the agent's role to its machine, as EC2 wants it."),
        _NOW,
        _FREE,
        "",
    ),
)

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "AllowChanges",
        _("Changes by the operator role"),
        _(
            "Update the kit's stack with “no” and every change by the operator role stops at once, also in open sessions. Cells cannot be "
            "created, updated or deleted until you set it to “yes”, and clusters cannot create or delete disks, snapshots, firewall groups "
            "or load balancers. What runs keeps running: machines still join, pull images and attach the disks and addresses they have. "
            "Reading goes on. What runs inside a cluster is not stopped by this switch."
        ),
    ),
    Switch(
        "AllowSupport",
        _("Support access"),
        _(
            "Update the kit's stack with “no” and support access is refused at once, also in open sessions and whatever was approved here. "
            "Your instances are not affected."
        ),
    ),
)
