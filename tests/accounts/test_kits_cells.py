"""What clusters and machines may do under the AWS kit."""

import pytest

from tests.accounts.aws_kit import _EC2, ADMIN, BALANCER, GROUP, INTERFACE, MACHINE, NUMBER, TARGET, VOLUME, installed, simulated

__all__ = ["installed"]  # fixtures
SNAPSHOT = f"arn:aws:ec2:{TARGET.region}::snapshot/snap-1"
CLUSTER = f"arn:aws:eks:{TARGET.region}:{NUMBER}:cluster/byoc-3f9a1c2e-cell-a"
NEW = {"aws:RequestTag/byoc:account": TARGET.account}
OURS = {"aws:ResourceTag/byoc:account": TARGET.account}
THEIRS = {"aws:ResourceTag/byoc:account": "00000000-0000-4000-8000-000000000000"}
MARKED_BY_EKS = {"aws:ResourceTag/eks:cluster-name": "byoc-3f9a1c2e-cell-a"}
GROUP_OF_CLUSTER = {"aws:ResourceTag/aws:eks:cluster-name": "byoc-3f9a1c2e-cell-a"}
CREATING = {**NEW, "aws:TagKeys": "byoc:account"}


def allowing(actions: str) -> dict:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions.split(), "Resource": "*"}]}


# What AWS's own policies allow on everything in an account, as far as it changes or reads something. Their conditions are left out.
AWS_POLICIES = {
    # AmazonEKSClusterPolicy
    "cluster": """
        autoscaling:UpdateAutoScalingGroup ec2:AttachVolume ec2:AuthorizeSecurityGroupIngress ec2:CreateRoute ec2:CreateSecurityGroup
        ec2:CreateTags ec2:CreateVolume ec2:DeleteRoute ec2:DeleteSecurityGroup ec2:DeleteVolume ec2:DescribeInstances ec2:DetachVolume
        ec2:ModifyInstanceAttribute ec2:ModifyVolume ec2:RevokeSecurityGroupIngress elasticloadbalancing:* iam:CreateServiceLinkedRole
        kms:DescribeKey
    """,
    # AmazonEKSWorkerNodePolicy, AmazonEKS_CNI_Policy, AmazonEC2ContainerRegistryPullOnly
    "node": """
        ec2:DescribeInstances eks:DescribeCluster eks-auth:AssumeRoleForPodIdentity ec2:AssignPrivateIpAddresses
        ec2:AttachNetworkInterface ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:DetachNetworkInterface ec2:CreateTags
        ec2:ModifyNetworkInterfaceAttribute ec2:UnassignPrivateIpAddresses ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability
        ecr:BatchGetImage ecr:GetDownloadUrlForLayer
    """,
    # AmazonEBSCSIDriverPolicy
    "storage": """
        ec2:CreateSnapshot ec2:AttachVolume ec2:DetachVolume ec2:ModifyVolume ec2:DescribeVolumes ec2:CreateTags ec2:DeleteTags
        ec2:CreateVolume ec2:DeleteVolume ec2:DeleteSnapshot ec2:EnableFastSnapshotRestores
    """,
}
NEEDED = [
    ("cluster", "ec2:DescribeInstances", "*", {}),
    ("cluster", "ec2:CreateSecurityGroup", GROUP, NEW),
    ("cluster", "ec2:CreateTags", GROUP, CREATING | {"ec2:CreateAction": "CreateSecurityGroup"}),
    ("cluster", "ec2:AuthorizeSecurityGroupIngress", GROUP, GROUP_OF_CLUSTER),
    ("cluster", "ec2:DeleteSecurityGroup", GROUP, OURS),
    ("cluster", "ec2:CreateTags", MACHINE, MARKED_BY_EKS | {"aws:TagKeys": "kubernetes.io/cluster/byoc-3f9a1c2e-cell-a"}),
    ("cluster", "elasticloadbalancing:CreateLoadBalancer", BALANCER, NEW),
    ("cluster", "elasticloadbalancing:AddTags", BALANCER, CREATING | {"elasticloadbalancing:CreateAction": "CreateLoadBalancer"}),
    ("cluster", "elasticloadbalancing:DeleteLoadBalancer", BALANCER, OURS),
    ("node", "eks:DescribeCluster", CLUSTER, {}),
    ("node", "eks-auth:AssumeRoleForPodIdentity", CLUSTER, {}),
    ("node", "ecr:GetAuthorizationToken", "*", {}),
    ("node", "ecr:BatchGetImage", f"arn:aws:ecr:{TARGET.region}:602401143452:repository/eks/coredns", {}),
    ("node", "ec2:CreateNetworkInterface", INTERFACE, NEW),
    ("node", "ec2:CreateNetworkInterface", f"{_EC2}:subnet/subnet-1", OURS),
    ("node", "ec2:AttachNetworkInterface", MACHINE, MARKED_BY_EKS),
    ("node", "ec2:AttachNetworkInterface", INTERFACE, OURS),
    ("node", "ec2:DeleteNetworkInterface", INTERFACE, OURS),
    ("storage", "ec2:CreateVolume", VOLUME, NEW),
    ("storage", "ec2:CreateTags", VOLUME, CREATING | {"ec2:CreateAction": "CreateVolume"}),
    ("storage", "ec2:AttachVolume", VOLUME, OURS),
    ("storage", "ec2:AttachVolume", MACHINE, MARKED_BY_EKS),
    ("storage", "ec2:CreateSnapshot", SNAPSHOT, NEW),
    ("storage", "ec2:CreateSnapshot", VOLUME, OURS),
    ("storage", "ec2:DeleteVolume", VOLUME, OURS),
]  # fmt: skip
NOT_OURS = [
    *((action, GROUP) for action in ("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup")),
    *((f"ec2:{action}Volume", VOLUME) for action in ("Attach", "Create", "Delete", "Detach", "Modify")),
    *((f"ec2:{action}NetworkInterface", INTERFACE) for action in ("Attach", "Create", "Delete", "Detach")),
    *((action, INTERFACE) for action in ("ec2:AssignPrivateIpAddresses", "ec2:ModifyNetworkInterfaceAttribute", "ec2:CreateTags")),
    ("ec2:CreateSnapshot", VOLUME),
    ("ec2:DeleteSnapshot", SNAPSHOT),
    ("ec2:DeleteTags", VOLUME),
    ("elasticloadbalancing:DeleteLoadBalancer", BALANCER),
    ("elasticloadbalancing:CreateListener", BALANCER),
    ("elasticloadbalancing:CreateLoadBalancer", BALANCER),
]
NEVER = [
    ("ec2:CreateTags", VOLUME, CREATING | OURS),
    ("ec2:CreateTags", VOLUME, CREATING | THEIRS),
    ("ec2:CreateTags", VOLUME, OURS | {"aws:TagKeys": "BYOC:Account"}),
    ("ec2:CreateTags", MACHINE, OURS | {"aws:TagKeys": "eks:cluster-name"}),
    ("ec2:DeleteTags", VOLUME, OURS | {"aws:TagKeys": "byoc:account"}),
    ("elasticloadbalancing:AddTags", BALANCER, CREATING | OURS),
    ("ec2:ModifyInstanceAttribute", MACHINE, OURS),
    ("ec2:RunInstances", MACHINE, NEW),
    ("ec2:CreateRoute", f"{_EC2}:route-table/rtb-1", OURS),
    ("ec2:DescribeInstanceAttribute", MACHINE, OURS),
    ("autoscaling:UpdateAutoScalingGroup", "*", {}),
    ("ecr:BatchGetImage", f"arn:aws:ecr:{TARGET.region}:{NUMBER}:repository/yours", {}),
    ("ecr:GetDownloadUrlForLayer", f"arn:aws:ecr:{TARGET.region}:{NUMBER}:repository/yours", {}),
    ("eks:DescribeCluster", CLUSTER.replace("byoc-3f9a1c2e-cell-a", "yours"), {}),
    ("eks-auth:AssumeRoleForPodIdentity", CLUSTER.replace("byoc-3f9a1c2e-cell-a", "yours"), {}),
    ("eks:DeleteCluster", CLUSTER, OURS),
    ("iam:CreateServiceLinkedRole", "*", {}),
    ("iam:PassRole", f"arn:aws:iam::{NUMBER}:role/byoc-{TARGET.suffix}-cell-node", {}),
    ("sts:AssumeRole", f"arn:aws:iam::{NUMBER}:role/byoc-{TARGET.suffix}-operator", {}),
    ("kms:Decrypt", "*", OURS),
    ("s3:GetObject", "*", {}),
    ("logs:PutLogEvents", "*", {}),
]


@pytest.mark.django_db(transaction=True)
def test_kit_cell_roles_do_their_work_and_nothing_to_what_is_not_ours(installed):
    def ask(role, question, attached):
        return simulated(installed, f"role/byoc-{TARGET.suffix}-cell-{role}", *question, attached=attached)

    work = {(role, *question[:2]): ask(role, question, allowing(AWS_POLICIES[role])) for role, *question in NEEDED}
    assert {question: answer for question, answer in work.items() if answer != "allowed"} == {}

    other_cluster = dict.fromkeys((*MARKED_BY_EKS, *GROUP_OF_CLUSTER), "yours")
    questions = [(action, resource, context) for action, resource in NOT_OURS for context in ({}, THEIRS, other_cluster)] + NEVER
    for role, policy in AWS_POLICIES.items():
        asked = [(question, ask(role, question, attached)) for question in questions for attached in (allowing(policy), ADMIN)]
        assert [question for question, answer in asked if answer == "allowed"] == [], role
