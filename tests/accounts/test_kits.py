"""The AWS kit's template against its manifest, and asked of the strict local AWS."""

import json
import re

import pytest
from cfnlint.api import lint

from accounts.kits.aws import template
from accounts.kits.aws.manifest import GRANTS
from accounts.kits.base import search_permissions
from accounts.kits.manifest import Role
from tests.accounts.aws_kit import (
    ADMIN,
    BALANCER,
    GROUP,
    INTERFACE,
    KIT,
    MACHINE,
    NUMBER,
    PARAMETERS,
    TARGET,
    VOLUME,
    characters,
    installed,
    rendered,
    simulated,
)
from tests.customer import Customer

__all__ = ["installed"]  # fixtures


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
        assert statement["Condition"]["StringEquals"] == {
            f"{path}:sub": f"account:{TARGET.account}:{subject}",
            f"{path}:aud": "sts.amazonaws.com",
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

    assert changes == {"iam:PassRole", "iam:CreateServiceLinkedRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"}
    ending = identity_statements()["EndSupport"]
    assert ending["Resource"] == f"arn:aws:iam::{NUMBER}:role/byoc-{TARGET.suffix}-support"
    assert ending["Condition"]["StringEquals"]["iam:PermissionsBoundary"].endswith("-support-boundary")


def test_kit_support_role_opens_for_a_grant_that_names_its_engineer_alone():
    (statement,) = rendered().properties("SupportRole")["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Condition"]["StringLike"] == {
        "aws:RequestTag/byoc:grant": "????????-????-????-????-????????????",
        "sts:SourceIdentity": "?*",
    }
    assert statement["Action"] == ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]


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


def decision(iam, probe, role: str = "", **more) -> str:
    return simulated(iam, f"role/byoc-{TARGET.suffix}-{role or probe.role}", probe.action, probe.resource, probe.context, **more)


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
