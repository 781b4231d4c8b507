"""What stacks do on AWS alone: the kit's limits inside of CloudFormation, and its own ends of a creation."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.clouds.aws import stacks as adapter
from accounts.clouds.aws.errors import REASONS, code_of
from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackLook, StackState
from accounts.kits.manifest import Role
from tests.clouds.aws.cells import AwsCellStand
from tests.clouds.aws.stand import stand
from tests.clouds.test_stacks_contract import built, delete, look, settled

__all__ = ["stand"]  # fixtures
OTHER_CLOUD_ACCOUNT = "00000000-0000-4000-8000-000000000000"


def edited(stand: AwsCellStand, *changes: tuple[str, str]) -> StackLook:
    """What becomes of an order whose document somebody has changed."""
    order = stand.order()
    document = order.document
    for old, new in changes:
        assert old in document
        document = document.replace(old, new)
    stand.stacks().apply(replace(order, document=document))
    return settled(stand)


def rolled_back(stand: AwsCellStand) -> StackState:
    """What somebody does in the console with a stack that has failed."""
    client = stand.client("cloudformation")
    client.rollback_stack(StackName=stand.name)
    for _ in range(200):
        if client.describe_stacks(StackName=stand.name)["Stacks"][0]["StackStatus"].endswith("ROLLBACK_COMPLETE"):
            return look(stand).state
        time.sleep(0.05)
    raise AssertionError("the rollback does not end")


# --- the kit's limits, as CloudFormation meets them ---


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        pytest.param([("AuthenticationMode: API,", "AuthenticationMode: API_AND_CONFIG_MAP,")], "eks:CreateCluster", id="mode"),
        pytest.param(
            [("BootstrapClusterCreatorAdminPermissions: false", "BootstrapClusterCreatorAdminPermissions: true")],
            "eks:CreateCluster",
            id="creator",
        ),
        pytest.param(
            [("role/byoc-${Suffix}-cell-agent", "role/byoc-${Suffix}-operator")], "eks:CreateAccessEntry", id="operator-in-the-cluster"
        ),
        pytest.param([("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy")], "eks:AssociateAccessPolicy", id="other-rights"),
        pytest.param([('byoc-${Suffix}-cell-agent" }', 'byoc-${Suffix}-cell-node" }')], "ec2:RunInstances", id="other-identity"),
        pytest.param([("AgentMachine: t3.small", "AgentMachine: p5.48xlarge")], "ec2:RunInstances", id="size"),
        pytest.param(
            [("VolumeSize: 10, VolumeType: gp3, Encrypted: true", "VolumeSize: 10, VolumeType: gp3, Encrypted: false")],
            "ec2:RunInstances",
            id="disk",
        ),
        pytest.param([("HttpTokens: required", "HttpTokens: optional")], "ec2:RunInstances", id="metadata"),
        pytest.param([("role/byoc-${Suffix}-cell-node", "role/somebody")], "iam:PassRole", id="role"),
        pytest.param([("alias/${CellName}", "alias/mine")], "kms:CreateAlias", id="key-name"),
        pytest.param([("Name: !Ref CellName\n      Version", "Name: mine\n      Version")], "eks:CreateCluster", id="cluster-name"),
        pytest.param([("/ami-amazon-linux-latest/", "/elsewhere/")], "ssm:GetParameters", id="parameter"),
    ],
)
def test_document_beyond_the_kits_limits_is_refused(stand, changes, action):
    stand.client("iam").create_role(RoleName="somebody", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{}]}))

    found = edited(stand, *changes)

    assert (found.state, found.code) == (StackState.FAILED, "access_denied")
    assert f"not authorized to perform: {action}" in found.raw


def test_permission_that_was_taken_away_is_named(stand):
    policy = "byoc-3f9a1c2e-g1-operator"
    document = stand.iam.get_role_policy(RoleName=policy, PolicyName="network")["PolicyDocument"]
    document["Statement"] = [statement for statement in document["Statement"] if statement["Sid"] != "CreateNetwork"]
    stand.iam.put_role_policy(RoleName=policy, PolicyName="network", PolicyDocument=json.dumps(document))

    found = built(stand)

    assert found.code == "access_denied"
    assert "not authorized to perform: ec2:" in found.raw


def test_stack_without_our_tags_is_refused(stand):
    with pytest.raises(CloudError) as refused:
        stand.stacks().apply(replace(stand.order(), tags={"byoc:account": OTHER_CLOUD_ACCOUNT}))

    assert refused.value.code == "access_denied"


def test_stack_of_another_name_is_refused(stand):
    with pytest.raises(CloudError) as refused:
        stand.stacks().apply(replace(stand.order(), name="mine"))

    assert refused.value.code == "access_denied"


def test_every_action_of_the_operator_is_used(stand):
    """By CloudFormation for what a cell is made of, by the adapter, or by what is named here with its use."""
    from portal.sandbox.aws.cells import asking, rights  # the table that the local AWS holds our rights against

    source = "".join(path.read_text(encoding="utf-8") for path in Path(adapter.__file__).parent.glob("*.py"))
    used = set(BY_HAND) | {action for actions in rights.READS.values() for action in actions}
    told = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (asking, rights))
    told += told.replace("{side}", "Ingress") + told.replace("{side}", "Egress")
    asked = [permission.action for permission in stand.kit.permissions if permission.role == Role.OPERATOR]

    def is_used(action: str) -> bool:
        name = action.partition(":")[2]
        return action in used or f'"{name}"' in source or re.search(rf"\b{name}\b", told) is not None

    assert [action for action in asked if not is_used(action)] == []
    assert sorted(BY_HAND & {action for actions in rights.READS.values() for action in actions}) == []


# What neither table names: what EC2 and EKS do with an update, what people ask of the portal, and what AWS asks by itself.
BY_HAND = {
    "ec2:DeleteNetworkInterface", "ec2:DeleteVolume", "elasticloadbalancing:DeleteLoadBalancer", "ec2:DisassociateAddress",
    "ec2:DescribeNetworkInterfaces", "eks:DisassociateAccessPolicy", "eks:UntagResource", "iam:CreateServiceLinkedRole",
    "servicequotas:GetAWSDefaultServiceQuota",
}  # fmt: skip


# --- CloudFormation's own ends ---


def test_creation_that_was_rolled_back_by_hand_is_taken_away_and_built_anew(stand):
    stand.fail_building()
    built(stand)
    assert rolled_back(stand) == StackState.FAILED

    stand.stacks().apply(stand.order())
    assert settled(stand).state == StackState.ABSENT
    stand.stacks().apply(stand.order())

    assert settled(stand).state == StackState.READY


def test_update_that_failed_says_why_and_goes_on(stand):
    built(stand)
    stand.control("POST", "knobs", {"failures": [{"type": "AWS::EKS::Nodegroup", "action": "update", "reason": "Rate exceeded"}]})

    failed = built(stand, token="order-2", machines=3)
    again = built(stand, token="order-2", machines=3)

    assert (failed.state, failed.code, failed.token) == (StackState.FAILED, "throttled", "order-2")
    assert (again.state, again.token) == (StackState.READY, "order-2")


def test_update_that_was_rolled_back_by_hand_is_ordered_again(stand):
    built(stand)
    stand.control("POST", "knobs", {"failures": [{"type": "AWS::EKS::Nodegroup", "action": "update", "reason": "on order"}]})
    built(stand, token="order-2", machines=3)
    assert rolled_back(stand) == StackState.FAILED

    assert built(stand, token="order-2", machines=3).state == StackState.READY


def test_deletion_that_failed_is_tried_again_by_an_order(stand):
    built(stand)
    stand.hold()
    assert delete(stand).state == StackState.DELETE_FAILED
    stand.let_go()

    stand.stacks().apply(stand.order("order-2"))
    assert settled(stand).state == StackState.ABSENT
    stand.stacks().apply(stand.order("order-2"))

    assert settled(stand).state == StackState.READY


def test_nothing_can_be_kept_before_a_deletion_has_failed(stand):
    built(stand)

    with pytest.raises(CloudError) as refused:
        delete(stand, retain=["Network"])

    assert refused.value.code == "retain_too_early"
    assert look(stand).state == StackState.READY


def test_lost_reply_to_the_order_makes_one_stack(stand):
    stand.control("POST", "faults", {"kind": "lost_reply", "action": "CreateStack"})

    assert built(stand).state == StackState.READY
    stacks = stand.client("cloudformation").list_stacks()["StackSummaries"]
    assert [stack["StackName"] for stack in stacks].count(stand.name) == 1


@pytest.mark.parametrize(("kind", "code"), [("throttle", "throttled"), ("503", "cloud_unavailable"), ("502_html", "cloud_unavailable")])
def test_cloud_that_does_not_answer_is_asked_again_later(stand, kind, code):
    stand.control("POST", "faults", {"kind": kind, "action": "DescribeStacks", "count": 2})

    with pytest.raises(CloudError) as refused:
        look(stand)

    assert (refused.value.code, refused.value.retryable) == (code, True)


def test_access_that_was_switched_off_builds_nothing_and_still_looks(stand):
    built(stand)
    stand.turn("AllowChanges", "no")

    with pytest.raises(CloudError) as refused:
        stand.stacks().apply(stand.order("order-2", machines=3))

    assert refused.value.code == "access_denied"
    assert look(stand).state == StackState.READY
    assert stand.stacks().find_drift(stand.order()).is_finished
    left = stand.stacks().find_leftovers(stand.region, stand.stack.tags(stand.target, stand.cell))
    assert [part.name for part in left if part.kind == "AWS::CloudFormation::Stack"] == [stand.order().name]


def test_quota_of_the_account_counts(stand):
    stand.control("POST", "knobs", {"quotas": {stand.target.external_id: {"vpc/L-F678F1CE": 0}}})

    found = built(stand)

    assert found.code == "quota_exceeded"
    assert found.raw.startswith("Network (AWS::EC2::VPC)")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("User: a is not authorized to perform: ec2:CreateVpc with an explicit deny in a service control policy", "denied_by_organisation"),
        ("User: a/b is not authorized to perform: ec2:CreateVpc", "access_denied"),
        ("The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)", "quota_exceeded"),
        ("You have requested more vCPU capacity than your current vCPU limit of 5 allows (VcpuLimitExceeded)", "quota_exceeded"),
        ("We currently do not have sufficient m6i.large capacity in the Availability Zone you requested", "capacity_missing"),
        ("Rate exceeded (Service: Ec2, Status Code: 503)", "throttled"),
        ("byoc-3f9a1c2e-cell-eu-central-1 already exists in stack arn:aws:cloudformation:1", "name_taken"),
        ("The subnet 'subnet-1' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)", "still_in_use"),
        ("OptInRequired: You are not subscribed to this service", "region_disabled"),
        ("Internal Failure", "stack_failed"),
    ],
)  # fmt: skip
def test_reason_of_a_resource_has_a_code(reason, code):
    assert code_of(reason) == code


def test_every_row_of_reasons_has_a_case():
    assert {code for code, _pattern in REASONS} <= set(CODES)


CODES = (
    "denied_by_organisation", "access_denied", "quota_exceeded", "capacity_missing", "throttled", "name_taken", "still_in_use",
    "region_disabled",
)  # fmt: skip
