"""Stacks, clusters, keys and machines of a cell, and its agent."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.aws.manifest.scopes import (
    CELL_CLUSTERS,
    CELL_ROLE,
    CELL_STACKS,
    CLUSTER,
    CLUSTER_ADMIN,
    ENTRY,
    IN_A_STACK,
    OUR_TAG,
    REQUEST_TAG,
    STACK,
    TAGGED_OURS,
)
from accounts.kits.manifest import ALL, Grant, Phase, Role

_AGENT_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-cell-agent"

CELLS: tuple[Grant, ...] = (
    Grant(
        "CreateCellStacks",
        Role.OPERATOR,
        Phase.RUN,
        _("Only stacks with the cell's name and this account's tag, and never an import of something that exists already."),
        {"cloudformation:CreateStack": _("Create a cell as one stack, which you can watch in your own console.")},
        resource=STACK,
        context=REQUEST_TAG,
    ),
    Grant(
        "ChangeCellStacks",
        Role.OPERATOR,
        Phase.RUN,
        CELL_STACKS,
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
        resource=STACK,
        recovers=(
            "cloudformation:DeleteStack",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
        ),
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
        resource=CLUSTER,
        context={**REQUEST_TAG, "eks:authenticationMode": "API", "eks:bootstrapClusterCreatorAdminPermissions": "false"},
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
        resource=CLUSTER,
        context=REQUEST_TAG,
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
        resource=CLUSTER,
        context={**REQUEST_TAG, "eks:principalArn": _AGENT_ROLE},
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
        resource=ENTRY + "byoc-{suffix}-cell-agent/1",
        context={"eks:policyArn": CLUSTER_ADMIN},
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
            **REQUEST_TAG,
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
        context={**REQUEST_TAG, "ec2:Encrypted": "true"},
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
        CELL_CLUSTERS,
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
        resource=CLUSTER,
        recovers=(
            "eks:DeleteAccessEntry",
            "eks:DeleteAddon",
            "eks:DeleteCluster",
            "eks:DeleteNodegroup",
            "eks:DeletePodIdentityAssociation",
            "eks:DescribeAccessEntry",
            "eks:DescribeAddon",
            "eks:DescribeCluster",
            "eks:DescribeNodegroup",
            "eks:DescribePodIdentityAssociation",
            "eks:DisassociateAccessPolicy",
            "eks:ListAssociatedAccessPolicies",
        ),
    ),
    Grant(
        "GiveCellRolesToAws",
        Role.OPERATOR,
        Phase.RUN,
        _("Only the four cell roles of this kit, and only to EKS and EC2."),
        {"iam:PassRole": _("Hand the cell roles of this kit to the services that run a cell.")},
        resource=CELL_ROLE,
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
        context={**REQUEST_TAG, **IN_A_STACK},
    ),
    Grant(
        "ChangeOwnKeys",
        Role.OPERATOR,
        Phase.RUN,
        TAGGED_OURS,
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
        context=OUR_TAG,
        recovers=("kms:DeleteAlias", "kms:DescribeKey", "kms:ListResourceTags", "kms:ScheduleKeyDeletion"),
    ),
    Grant(
        "LetClustersUseOwnKeys",
        Role.OPERATOR,
        Phase.RUN,
        _("Only on keys that carry this account's byoc:account tag, and only for AWS services."),
        {"kms:CreateGrant": _("Let EKS encrypt the cluster's secrets with the cell's key.")},
        context={**OUR_TAG, "kms:GrantIsForAWSResource": "true"},
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
        recovers=("kms:DeleteAlias",),
    ),
    Grant(
        "ChangesSwitchedOn",
        Role.OPERATOR,
        Phase.SETUP,
        _("Tells nothing but the caller's own name."),
        {"sts:GetCallerIdentity": _("Check that the account is the one you named. Stands where your switch for changes is.")},
        recovers=ALL,
    ),
)
