"""The AWS kit: what it asks for, what it refuses, what the customer is handed."""

import hashlib
import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from cfnlint.api import lint
from django.core.management import CommandError, call_command

from accounts import kits
from accounts.clouds.aws.adapter import CONTEXT_TYPES
from accounts.clouds.base import Target
from accounts.kits.aws import template
from accounts.kits.aws.kit import AUDIENCE, AwsKit
from accounts.kits.aws.manifest import GRANTS
from accounts.kits.aws.words import clean_account_id
from accounts.kits.base import Publication, search_permissions
from accounts.kits.manifest import Role
from tests.customer import Customer

KIT = AwsKit()
NUMBER = "111122223333"
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id=NUMBER,
    region="ap-southeast-4",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience=AUDIENCE,
)
PARAMETERS = KIT.parameters(
    account=TARGET.account,
    generation=TARGET.generation,
    suffix=TARGET.suffix,
    issuer_url=TARGET.issuer,
    external_id=TARGET.external_id,
    region=TARGET.region,
)


PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "")
UNPUBLISHED = Publication("", "us-east-1", "", "")
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def rendered(**switches: str) -> template.Rendered:
    return template.Rendered(PARAMETERS | switches, account_id=NUMBER, region=TARGET.region, stack=KIT.stack_name(TARGET.suffix))


def characters(document: object) -> int:
    """As IAM counts them: white space is free."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def identity_statements() -> dict[str, dict]:
    """Every Allow statement of both roles by Sid, switches on."""
    policies = [policy["PolicyDocument"] for role in ("OperatorRole", "SupportRole") for policy in rendered().properties(role)["Policies"]]
    return {statement["Sid"]: statement for document in policies for statement in document["Statement"]}


def as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]


# --- The template --------------------------------------------------------------------------------------------------------


def test_kit_template_is_clean_for_cfn_lint():
    assert [str(problem) for problem in lint(KIT.template_text)] == []


def test_kit_every_action_has_a_reason_and_every_reason_an_action():
    asked = {sid: sorted(as_list(statement["Action"])) for sid, statement in identity_statements().items()}

    assert {grant.sid: sorted(grant.actions) for grant in GRANTS} == asked
    assert all(str(reason).endswith(".") and str(grant.limit).endswith(".") for grant in GRANTS for reason in grant.actions.values())


def test_kit_statements_only_allow_and_name_single_actions():
    for sid, statement in identity_statements().items():
        assert statement["Effect"] == "Allow", sid
        assert not any("*" in action for action in as_list(statement["Action"])), sid


def test_kit_resources_are_those_of_the_manifest():
    assert {(r.logical_id, r.type) for r in KIT.resources} == {
        (name, resource["Type"]) for name, resource in template.parsed()["Resources"].items()
    }


def test_kit_names_end_with_the_suffix_or_belong_to_it_and_fit():
    stack = rendered()
    for resource in KIT.resources:
        properties = stack.properties(resource.logical_id)
        own = (properties.get(name) for name in ("RoleName", "ManagedPolicyName", "InstanceProfileName"))
        named = next(filter(None, own), None) or properties["Url"].removeprefix("https://")
        assert resource.name.format(suffix=TARGET.suffix, issuer_path=TARGET.issuer.removeprefix("https://")) == named
        if resource.type == "AWS::IAM::OIDCProvider":
            assert named.endswith("/g9999")
            assert len(TARGET.issuer) <= 255
        else:
            assert named.startswith(f"byoc-{TARGET.suffix}-")
            assert len(named) <= (64 if resource.type == "AWS::IAM::Role" else 128)


def test_kit_tags_are_those_of_the_manifest():
    for resource in KIT.resources:
        tags = {tag["Key"]: tag["Value"] for tag in rendered().properties(resource.logical_id).get("Tags", [])}
        assert ("byoc:account" in tags) == (resource.tag == "byoc:account"), resource.logical_id
        assert tags.get("byoc:account", TARGET.account) == TARGET.account


@pytest.mark.parametrize("switch", ["yes", "no"])
def test_kit_policies_fit_into_what_iam_takes(switch):
    stack = rendered(AllowChanges=switch, AllowSupport=switch)

    for logical_id in stack.logical_ids("AWS::IAM::ManagedPolicy"):
        assert characters(stack.properties(logical_id)["PolicyDocument"]) <= 6_144, logical_id
    for logical_id in stack.logical_ids("AWS::IAM::Role"):
        role = stack.properties(logical_id)
        assert sum(characters(policy["PolicyDocument"]) for policy in role.get("Policies", [])) <= 10_240, logical_id
        assert characters(role["AssumeRolePolicyDocument"]) <= 2_048, logical_id
        assert len(role["Description"]) <= 1_000
    assert len(KIT.template_text.encode()) <= 51_200  # also fits --template-body


def test_kit_roles_have_a_boundary_one_hour_and_trust_one_subject_each():
    stack = rendered()
    for logical_id, subject in (("OperatorRole", "ops"), ("SupportRole", "support")):
        role = stack.properties(logical_id)
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        path = TARGET.issuer.removeprefix("https://")
        assert statement["Condition"] == {
            "StringEquals": {f"{path}:sub": f"account:{TARGET.account}:{subject}", f"{path}:aud": "sts.amazonaws.com"}
        }
        assert statement["Principal"] == {"Federated": f"arn:aws:iam::{NUMBER}:oidc-provider/{path}"}
        assert role["PermissionsBoundary"].endswith(f"byoc-{TARGET.suffix}-{logical_id.removesuffix('Role').lower()}-boundary")
        assert role["MaxSessionDuration"] == 3600


def test_kit_cell_roles_open_to_services_of_aws_alone():
    stack = rendered()
    trusts = {}
    for name in ("Agent", "Cluster", "Node", "Storage"):
        role = stack.properties(f"Cell{name}Role")
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        trusts[name] = statement["Principal"]
        assert role["PermissionsBoundary"] == f"arn:aws:iam::{NUMBER}:policy/byoc-{TARGET.suffix}-cell-boundary"

    services = {
        "Agent": "ec2.amazonaws.com",
        "Cluster": "eks.amazonaws.com",
        "Node": "ec2.amazonaws.com",
        "Storage": "pods.eks.amazonaws.com",
    }
    assert trusts == {name: {"Service": service} for name, service in services.items()}


def test_kit_operator_has_no_right_to_make_or_change_an_identity():
    asked = {action for statement in identity_statements().values() for action in as_list(statement["Action"])}
    changes = {action for action in asked if action.startswith("iam:") and not re.match(r"iam:(Get|List|Simulate)", action)}

    assert changes == {"iam:PassRole", "iam:CreateServiceLinkedRole"}


def test_kit_boundaries_allow_what_the_roles_need_and_deny_the_rest_for_ever():
    stack = rendered()

    def denied(logical_id: str) -> set[str]:
        statements = stack.properties(logical_id)["PolicyDocument"]["Statement"]
        return {action for statement in statements if statement["Effect"] == "Deny" for action in as_list(statement["Action"])}

    assert {"iam:Create*", "iam:Put*", "iam:Attach*", "organizations:*", "sts:AssumeRole*", "cloudformation:Delete*"} <= denied(
        "OperatorBoundary"
    )
    assert {"iam:*", "kms:*", "s3:*", "secretsmanager:*", "ssm:*", "sts:AssumeRole*"} <= denied("SupportBoundary")
    assert {"iam:*", "organizations:*", "sts:AssumeRole*"} <= denied("CellBoundary")
    for boundary in stack.logical_ids("AWS::IAM::ManagedPolicy"):
        allowed = [s for s in stack.properties(boundary)["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        assert not any(action in {"*", "iam:*", "sts:*"} for s in allowed for action in as_list(s["Action"])), boundary


def test_kit_rules_hold_the_stack_to_its_place():
    rules = template.parsed()["Rules"]

    asserted = [assertion["Assert"]["Fn::Equals"] for rule in rules.values() for assertion in rule["Assertions"]]
    assert asserted == [[{"Ref": "AWS::AccountId"}, {"Ref": "ExpectedAccountId"}], [{"Ref": "AWS::Region"}, {"Ref": "ExpectedRegion"}]]


def test_kit_version_and_hash_are_of_the_text():
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", KIT.version)
    assert f'Version: "{KIT.version}"' in KIT.template_text
    assert KIT.object_key() == f"kits/aws/{KIT.version}/{KIT.content_hash}/template.yaml"


def test_kit_parameters_are_those_of_the_template_and_valid():
    declared = template.parsed()["Parameters"]

    assert set(PARAMETERS) == set(declared)
    for name, value in PARAMETERS.items():
        shape = declared[name]
        assert re.fullmatch(shape.get("AllowedPattern", ".*"), value), name
        assert value in shape.get("AllowedValues", [value]), name
        assert len(value) <= shape.get("MaxLength", 4096), name
    assert all(re.fullmatch(declared["ExpectedRegion"]["AllowedPattern"], region.code) for region in KIT.regions)


# --- What it may do, asked of AWS ----------------------------------------------------------------------------------------


def test_kit_probes_ask_about_every_action_in_full():
    probes = KIT.probes(TARGET)

    assert {(probe.role, probe.action) for probe in probes} == {(grant.role.value, action) for grant in GRANTS for action in grant.actions}
    assert {probe.key for probe in probes} == {permission.key for permission in KIT.permissions}
    assert not any("{" in probe.resource or "{" in "".join(probe.context.values()) for probe in (*probes, *KIT.forbidden_probes(TARGET)))


def test_kit_review_lists_every_permission_once_and_finds_it():
    keys = [permission.key for permission in KIT.permissions]

    assert len(keys) == len(set(keys))
    assert {permission.role for permission in KIT.permissions} == {"operator", "support"}
    assert [permission.key for permission in search_permissions(KIT, "CREATEVPC operator")] == ["ec2:CreateVpc"]
    assert search_permissions(KIT, "no such thing") == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SUPPORT])
def test_kit_policy_shown_is_the_templates(role):
    shown = json.loads(KIT.policy_json(role))["Statement"]

    assert [statement["Sid"] for statement in shown] == [grant.sid for grant in GRANTS if grant.role == role]
    assert NUMBER not in json.dumps(shown)
    assert {s["Sid"]: s["Action"] for s in shown} == {
        s["Sid"]: s["Action"] for s in identity_statements().values() if s["Sid"] in str(shown)
    }


@pytest.fixture
def installed(sandbox):
    """The customer's IAM after the kit was run as shipped."""
    customer = Customer(sandbox, NUMBER)
    cloudformation = customer.client("cloudformation", TARGET.region)
    cloudformation.create_stack(
        StackName=KIT.stack_name(TARGET.suffix),
        TemplateBody=KIT.template_text,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=KIT.stack_name(TARGET.suffix), WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return customer.client("iam")


def decision(iam, probe, role: str = "", **more) -> str:
    return simulated(iam, f"role/byoc-{TARGET.suffix}-{role or probe.role}", probe.action, probe.resource, probe.context, **more)


def simulated(
    iam, who: str, action: str, resource: str = "*", context: dict[str, str] | None = None, *, attached: dict | None = None
) -> str:
    """AWS's own word on what a role or user of the account may do, with one more policy attached if given."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": CONTEXT_TYPES.get(key, "string")}
        for key, value in (context or {}).items()
    ]
    found = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{NUMBER}:{who}",
        ActionNames=[action],
        ResourceArns=[resource],
        ContextEntries=entries,
        PolicyInputList=[json.dumps(attached)] if attached else [],
    )
    return found["EvaluationResults"][0]["EvalDecision"]


@pytest.mark.django_db(transaction=True)
def test_kit_grants_what_it_says_and_refuses_what_it_promises(installed):
    granted = {(probe.role, probe.action, probe.resource): decision(installed, probe) for probe in KIT.probes(TARGET)}
    assert {question: answer for question, answer in granted.items() if answer != "allowed"} == {}

    refused = {(probe.role, probe.action, probe.resource): decision(installed, probe) for probe in KIT.forbidden_probes(TARGET)}
    assert [question for question, answer in refused.items() if answer == "allowed"] == []
    assert "explicitDeny" in refused.values()

    # For ever: also with an administrator's policy attached.
    refused = {
        (probe.role, probe.action, probe.resource): decision(installed, probe, attached=ADMIN) for probe in KIT.forbidden_probes(TARGET)
    }
    assert [question for question, answer in refused.items() if answer == "allowed"] == []

    # Neither role can do the other's work.
    changes = [
        probe for probe in KIT.probes(TARGET) if probe.role == "operator" and not re.search(r":(Describe|Get|List|Simulate)", probe.action)
    ]
    assert {decision(installed, probe, role="support") for probe in changes} <= {"implicitDeny", "explicitDeny"}
    logs = [probe for probe in KIT.probes(TARGET) if probe.role == "support" and probe.action.startswith("logs:")]
    assert {decision(installed, probe, role="operator") for probe in logs} == {"implicitDeny"}


@pytest.mark.django_db(transaction=True)
def test_kit_operator_reads_what_no_machine_but_a_cells_own_is_told_when_it_starts(installed):
    """Start-up data often holds secrets: also with an administrator's policy attached, that of the customer's machines stays closed."""
    ours, theirs = {"aws:ResourceTag/byoc:account": TARGET.account}, {"aws:ResourceTag/byoc:account": "another"}
    by_stack = {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}
    operator = f"role/byoc-{TARGET.suffix}-operator"
    machine, versions = ("ec2:DescribeInstanceAttribute", MACHINE), ("ec2:DescribeLaunchTemplateVersions", "*")

    assert simulated(installed, operator, *machine, ours) == "allowed"
    assert simulated(installed, operator, *versions, by_stack) == "allowed"
    for question in ((*machine, {}), (*machine, theirs), (*machine, by_stack), (*versions, {}), (*versions, ours)):
        assert simulated(installed, operator, *question) == "explicitDeny", question
        assert simulated(installed, operator, *question, attached=ADMIN) == "explicitDeny", question


def test_kit_says_that_the_operator_decides_what_the_agents_machine_does():
    """It may not enter a cluster itself, but the machine that it starts administers one."""
    reasons = [str(reason) for grant in GRANTS for action, reason in grant.actions.items() if action == "ec2:RunInstances"]
    entering = [str(reason) for grant in GRANTS for action, reason in grant.actions.items() if action == "eks:CreateAccessEntry"]

    assert any("What the agent's machine is told when it starts decides what it runs" in reason for reason in reasons)
    assert all("the operator role is what tells it" in reason for reason in entering)
    promises = [str(denial.promise) for denial in KIT.denials]
    assert "Never get into a cluster itself." not in promises
    assert any("whoever decides what that machine is told, decides what runs there" in promise for promise in promises)


@pytest.mark.django_db(transaction=True)
def test_kit_switches_cut_changes_and_support(sandbox, installed):
    cloudformation = Customer(sandbox, NUMBER).client("cloudformation", TARGET.region)
    stack = KIT.stack_name(TARGET.suffix)
    off = PARAMETERS | {"AllowChanges": "no", "AllowSupport": "no"}
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in off.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    answers = {(probe.role, probe.action): decision(installed, probe) for probe in KIT.probes(TARGET)}

    assert answers["operator", "ec2:CreateVpc"] == "explicitDeny"
    assert answers["operator", "iam:PassRole"] == "explicitDeny"
    assert answers["operator", "cloudformation:DescribeStacks"] == "allowed"
    assert answers["operator", "iam:GetRole"] == "allowed"
    assert {answer for (role, _action), answer in answers.items() if role == "support"} == {"explicitDeny"}

    # Of the cells: nothing new and nothing gone, but what runs keeps its disks, addresses and images.
    cluster, node, storage = (f"role/byoc-{TARGET.suffix}-cell-{name}" for name in ("cluster", "node", "storage"))
    new, ours = {"aws:RequestTag/byoc:account": TARGET.account}, {"aws:ResourceTag/byoc:account": TARGET.account}
    assert simulated(installed, cluster, "ec2:CreateSecurityGroup", GROUP, new, attached=ADMIN) == "explicitDeny"
    assert simulated(installed, cluster, "elasticloadbalancing:DeleteLoadBalancer", BALANCER, ours, attached=ADMIN) == "explicitDeny"
    assert simulated(installed, storage, "ec2:CreateVolume", VOLUME, new, attached=ADMIN) == "explicitDeny"
    assert simulated(installed, storage, "ec2:DeleteVolume", VOLUME, ours, attached=ADMIN) == "explicitDeny"
    assert simulated(installed, storage, "ec2:AttachVolume", VOLUME, ours, attached=ADMIN) == "allowed"
    assert simulated(installed, cluster, "elasticloadbalancing:RegisterTargets", BALANCER, ours, attached=ADMIN) == "allowed"
    assert simulated(installed, node, "ec2:AssignPrivateIpAddresses", INTERFACE, ours, attached=ADMIN) == "allowed"


# --- What clusters and machines may do, whatever AWS's own policies say --------------------------------------------------

_EC2 = f"arn:aws:ec2:{TARGET.region}:{NUMBER}"
GROUP, VOLUME, INTERFACE, MACHINE = (
    f"{_EC2}:{kind}" for kind in ("security-group/sg-1", "volume/vol-1", "network-interface/eni-1", "instance/i-1")
)
SNAPSHOT = f"arn:aws:ec2:{TARGET.region}::snapshot/snap-1"
BALANCER = f"arn:aws:elasticloadbalancing:{TARGET.region}:{NUMBER}:loadbalancer/net/a/1"
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


# --- What the customer is handed -----------------------------------------------------------------------------------------


def test_kit_links_and_commands_carry_every_parameter_and_one_version():
    url = PUBLISHED.url(KIT.object_key())
    given = {"template_url": url, "stack_name": KIT.stack_name(TARGET.suffix), "parameters": PARAMETERS, "region": TARGET.region}
    launch, command = KIT.launch_url(**given), KIT.cli_command(**given)
    snippet = KIT.terraform_snippet(parameters=PARAMETERS, module_url=PUBLISHED.url(KIT.object_key("terraform.zip")))

    query = parse_qs(urlsplit(urlsplit(launch).fragment).query)
    assert urlsplit(launch).hostname == "ap-southeast-4.console.aws.amazon.com"
    assert query == {"templateURL": [url], "stackName": ["byoc-3f9a1c2e-g9999-kit"]} | {f"param_{k}": [v] for k, v in PARAMETERS.items()}
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["aws", "cloudformation", "create-stack"]
    assert words[words.index("--template-url") + 1] == url
    assert words[words.index("--parameters") + 1 :] == [f"ParameterKey={k},ParameterValue={v}" for k, v in PARAMETERS.items()]
    assert sorted(re.findall(r'= "(.*)"$', snippet, re.MULTILINE)[1:]) == sorted(PARAMETERS.values())
    assert all(f"/{KIT.version}/{KIT.content_hash}/" in text for text in (query["templateURL"][0], command, snippet))


def test_kit_that_is_not_published_is_run_from_files():
    assert UNPUBLISHED.url(KIT.object_key()) == ""
    command = KIT.cli_command(template_url="", stack_name="byoc-x-kit", parameters=PARAMETERS, region="us-east-1")
    assert f"--template-body file://byoc-kit-{KIT.version}.yaml" in command
    assert 'source = "./byoc-aws-kit"' in KIT.terraform_snippet(parameters=PARAMETERS)


TEMPLATE_URL = PUBLISHED.url(KIT.object_key())
INSTALLER = KIT.installer_rights(PUBLISHED, "https://id.portal.test")


def test_kit_installer_policy_names_single_actions_and_fits():
    document = json.loads(INSTALLER)

    assert not any("*" in action for statement in document["Statement"] for action in statement["Action"])
    assert characters(document) <= 6_144


def test_kit_installer_policy_needs_a_template_to_name():
    assert KIT.installer_rights(UNPUBLISHED, "https://id.portal.test") == ""


@pytest.fixture
def installer(sandbox):
    """Asks the customer's IAM about a person who has the installer policy and nothing else."""
    iam = Customer(sandbox, NUMBER).client("iam")
    iam.create_user(UserName="installer")
    iam.put_user_policy(UserName="installer", PolicyName="installer", PolicyDocument=INSTALLER)
    return lambda action, resource, context=None: simulated(iam, "user/installer", action, resource, context)


IAM_ARN = f"arn:aws:iam::{NUMBER}"
STACK_ARN = f"arn:aws:cloudformation:{TARGET.region}:{NUMBER}:stack/byoc-{TARGET.suffix}-kit/1"
BY_STACK = {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}


def made_by_the_stack():
    """Every call that CloudFormation makes for the kit's resources with the rights of the person: action, resource, context."""
    stack = rendered()
    for resource in KIT.resources:
        properties = stack.properties(resource.logical_id)
        match resource.type:
            case "AWS::IAM::OIDCProvider":
                yield "iam:CreateOpenIDConnectProvider", f"{IAM_ARN}:oidc-provider/id.portal.test/trust/a/g1", BY_STACK
            case "AWS::IAM::ManagedPolicy":
                for action in ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"):
                    yield action, f"{IAM_ARN}:policy/{properties['ManagedPolicyName']}", BY_STACK
            case "AWS::IAM::InstanceProfile":
                (role,) = properties["Roles"]
                for action in ("Create", "Delete", "Get"):
                    yield f"iam:{action}InstanceProfile", f"{IAM_ARN}:instance-profile/{properties['InstanceProfileName']}", BY_STACK
                for action in ("AddRoleTo", "RemoveRoleFrom"):
                    yield f"iam:{action}InstanceProfile", f"{IAM_ARN}:instance-profile/{properties['InstanceProfileName']}", BY_STACK
                yield "iam:PassRole", f"{IAM_ARN}:role/{role}", BY_STACK
            case _:
                arn, limited = (
                    f"{IAM_ARN}:role/{properties['RoleName']}",
                    BY_STACK | {"iam:PermissionsBoundary": properties["PermissionsBoundary"]},
                )
                for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"):
                    yield action, arn, limited
                for policy in properties.get("ManagedPolicyArns", []):
                    for action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
                        yield action, arn, limited | {"iam:PolicyARN": policy}
                for action in ("iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:GetRole"):
                    yield action, arn, BY_STACK


@pytest.mark.django_db(transaction=True)
def test_kit_installer_policy_runs_the_kit(installer):
    calls = [*made_by_the_stack(), ("cloudformation:DeleteStack", STACK_ARN, {})]
    calls += [(f"cloudformation:{action}Stack", STACK_ARN, {"cloudformation:TemplateUrl": TEMPLATE_URL}) for action in ("Create", "Update")]

    assert [(action, resource) for action, resource, context in calls if installer(action, resource, context) != "allowed"] == []


@pytest.mark.django_db(transaction=True)
def test_kit_installer_policy_is_no_administrator(installer):
    operator, boundary = f"{IAM_ARN}:role/byoc-{TARGET.suffix}-operator", f"{IAM_ARN}:policy/byoc-{TARGET.suffix}-operator-boundary"
    by_hand = [
        (action, resource, {key: value for key, value in context.items() if key not in BY_STACK})
        for action, resource, context in made_by_the_stack()
    ]
    unlimited = [(action, operator, BY_STACK) for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary")]
    other_limit = [
        (action, operator, BY_STACK | {"iam:PermissionsBoundary": f"{IAM_ARN}:policy/mine"}) for action, _arn, _context in unlimited
    ]
    templates = ("https://evil.s3.us-east-1.amazonaws.com/kits/aws/1/template.yaml", TEMPLATE_URL.replace(KIT.content_hash, "0" * 64))
    stacks = [
        (f"cloudformation:{action}Stack", STACK_ARN, {"cloudformation:TemplateUrl": url})
        for action in ("Create", "Update")
        for url in templates
    ]
    inline = [(f"cloudformation:{action}Stack", STACK_ARN, {}) for action in ("Create", "Update")]
    within = BY_STACK | {"iam:PermissionsBoundary": boundary}
    others = [
        ("iam:AttachRolePolicy", operator, within | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (
            "iam:AttachRolePolicy",
            f"{operator.removesuffix('operator')}cell-node",
            within | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        ("iam:CreateRole", f"{IAM_ARN}:role/mine", within),
        ("iam:DeleteRolePermissionsBoundary", operator, within),
        ("iam:CreateOpenIDConnectProvider", f"{IAM_ARN}:oidc-provider/evil.example/trust/a/g1", BY_STACK),
        ("iam:PassRole", operator, BY_STACK),
        ("sts:AssumeRole", operator, {}),
        ("cloudformation:CreateStack", STACK_ARN.replace("byoc-", "mine-"), {"cloudformation:TemplateUrl": TEMPLATE_URL}),
    ]

    refused = by_hand + unlimited + other_limit + stacks + inline + others
    assert [(action, resource) for action, resource, context in refused if installer(action, resource, context) == "allowed"] == []


def test_kit_files_are_compared_by_their_hash(tmp_path):
    """The command as a shell runs it, on the very file and on another."""
    (tmp_path / "kit.yaml").write_bytes(KIT.template_text.encode())
    command = KIT.check_command(file="kit.yaml", sha256=KIT.content_hash)

    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "kit.yaml").write_text("something else")
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, capture_output=True).returncode == 1
    assert KIT.check_command(file="a.zip", url="https://x/a.zip", sha256="0" * 64) == (
        f"curl -fsS -o a.zip 'https://x/a.zip' && \\\n  echo '{'0' * 64}  a.zip' | sha256sum --check"
    )


def test_kit_hash_of_the_module_is_of_the_published_file():
    published = KIT.files()[KIT.object_key("terraform.zip")]

    assert KIT.module_hash == hashlib.sha256(published).hexdigest()


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("111122223333", "111122223333"),
        ("  1111-2222-3333\n", "111122223333"),
        ("1111 2222 3333", "111122223333"),
        ("1111\u00a02222\u20113333", "111122223333"),
        ("012345678901", "012345678901"),
    ],
)
def test_kit_account_number_is_read_as_people_paste_it(text, digits):
    assert clean_account_id(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "000000000000",
        "11112222333",
        "1111222233334",
        "١١١١٢٢٢٢٣٣٣٣",
        "１１１１２２２２３３３３",
        "11112222333x",
        "1.1e11",
        "²11122223333",
    ],
)
def test_kit_account_number_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="12 digits"):
        clean_account_id(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("arn:aws:cloudformation:eu-west-1:111122223333:stack/byoc-a-g1-kit/0a1b", ("111122223333", "eu-west-1")),
        ("  It says arn:aws:iam::999900001111:role/byoc-a-g1-operator, see?", ("999900001111", "")),
        ("arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/x/y", ("111122223333", "cn-north-1")),
    ],
)
def test_kit_evidence_tells_where_it_stands(text, found):
    evidence = KIT.read_evidence(text)

    assert (evidence.external_id, evidence.region) == found


@pytest.mark.parametrize("text", ["", "my-stack", "arn:aws:cloudformation:eu-west-1:١١١١٢٢٢٢٣٣٣٣:stack/x/y", "arn:aws:s3:::bucket"])
def test_kit_evidence_that_names_no_account_is_none(text):
    assert KIT.read_evidence(text) is None


# --- Publishing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def provider(sandbox, settings, monkeypatch):
    """The provider's own AWS account, with keys in the environment as boto3 reads them. `settings` name its bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "555566667777")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "root")
    settings.KITS_BUCKET, settings.KITS_REGION = "fernhill-kits", "eu-central-1"
    return boto3.Session().client("s3", region_name="eu-central-1")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_uploads_once_and_changes_nothing_again(provider, capsys):
    call_command("publish_kits")
    first = capsys.readouterr().out.splitlines()
    call_command("publish_kits")
    again = capsys.readouterr().out.splitlines()

    keys = [KIT.object_key("template.yaml"), KIT.object_key("terraform.zip"), f"kits/aws/{KIT.version}/template.sha256"]
    every = sorted(key for cloud in kits.KITS for key in kits.load(cloud).files())
    assert set(keys) <= set(every)
    assert first == [f"uploaded  fernhill-kits/{key}" for key in every]
    assert again == [f"there already  fernhill-kits/{key}" for key in every]
    assert provider.get_object(Bucket="fernhill-kits", Key=keys[0])["Body"].read().decode() == KIT.template_text


@pytest.mark.django_db(transaction=True)
def test_publish_kits_never_overwrites_what_customers_may_have_read(provider):
    call_command("publish_kits")
    provider.put_object(Bucket="fernhill-kits", Key=KIT.object_key(), Body=b"something else")

    with pytest.raises(CommandError, match=r"template\.yaml holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    assert provider.get_object(Bucket="fernhill-kits", Key=KIT.object_key())["Body"].read() == b"something else"


@pytest.mark.django_db(transaction=True)
def test_publish_kits_refuses_other_content_under_the_same_version(provider):
    call_command("publish_kits")
    provider.delete_object(Bucket="fernhill-kits", Key=KIT.object_key("template.yaml"))
    provider.put_object(Bucket="fernhill-kits", Key=f"kits/aws/{KIT.version}/template.sha256", Body=b"0" * 64)

    with pytest.raises(CommandError, match=r"template\.sha256 holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    listed = provider.list_objects_v2(Bucket="fernhill-kits")["Contents"]
    assert KIT.object_key("template.yaml") not in {entry["Key"] for entry in listed}


def fetched_by_a_page(sandbox, path, origin):
    """What a browser is answered for a page of `origin`, without any credential, and whether it lets the page see it."""
    request = urllib.request.Request(f"{sandbox.customer_url}/fernhill-kits/{path}", headers={"Origin": origin})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("Access-Control-Allow-Origin")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers.get("Access-Control-Allow-Origin")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_lets_the_page_of_azures_portal_read_them_and_no_other(provider, sandbox):
    call_command("publish_kits")
    provider.put_object(Bucket="fernhill-kits", Key="invoices.txt", Body=b"ours")
    template = next(key for key in kits.load("azure").files() if key.endswith("kit.json"))

    assert fetched_by_a_page(sandbox, template, "https://portal.azure.com") == (200, "https://portal.azure.com")
    assert fetched_by_a_page(sandbox, template, "https://portal.azure.com.evil.example") == (200, None)
    assert fetched_by_a_page(sandbox, template, "http://portal.azure.com") == (200, None)
    assert fetched_by_a_page(sandbox, "invoices.txt", "https://portal.azure.com")[0] == 403


@pytest.mark.django_db(transaction=True)
def test_publish_kits_keeps_the_buckets_other_rules_and_mends_its_own(provider):
    theirs = {"ID": "OurShop", "AllowedOrigins": ["https://shop.fernhill.example"], "AllowedMethods": ["GET", "HEAD"]}
    changed = {"ID": "AzurePortalMayReadKits", "AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"]}
    provider.create_bucket(Bucket="fernhill-kits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    provider.put_bucket_cors(Bucket="fernhill-kits", CORSConfiguration={"CORSRules": [changed, theirs]})

    for _time in range(2):
        call_command("publish_kits")

        ours = {"ID": "AzurePortalMayReadKits", "AllowedOrigins": ["https://portal.azure.com"], "AllowedMethods": ["GET"]}
        assert provider.get_bucket_cors(Bucket="fernhill-kits")["CORSRules"] == [theirs, ours]


def test_publish_kits_without_a_bucket_names_the_variable(settings):
    settings.KITS_BUCKET = ""

    with pytest.raises(CommandError, match="Set PORTAL_KITS_BUCKET"):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_into_somebody_elses_bucket_says_so(provider, monkeypatch):
    provider.create_bucket(Bucket="fernhill-kits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "888899990000")

    with pytest.raises(
        CommandError, match=r"S3 refused: .*Check the credentials of this command, and that bucket fernhill-kits in eu-central-1 is yours"
    ):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_without_credentials_says_so(sandbox, settings, monkeypatch):
    settings.KITS_BUCKET = "fernhill-kits"

    with pytest.raises(CommandError, match=r"Unable to locate credentials.*Check the credentials of this command"):
        call_command("publish_kits")
