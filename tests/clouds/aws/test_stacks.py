"""What stacks do on AWS alone: its own ends of a creation, the kit's limits inside of CloudFormation, what the local AWS adds for it."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.clouds.aws import stacks as adapter
from accounts.clouds.aws.errors import REASONS, code_of
from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackLook, StackState
from accounts.kits.manifest import Role
from tests.clouds.aws.cells import AwsCellStand
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer, start_sandbox
from tests.clouds.test_stacks_contract import built, delete, look, settled

OTHER_CLOUD_ACCOUNT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def stand(cloud: Cloud, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> AwsCellStand:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.portal)
    return AwsCellStand(cloud)


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
    from portal.sandbox.aws.cells import rights  # the table that the local AWS holds our rights against

    source = "".join(path.read_text(encoding="utf-8") for path in Path(adapter.__file__).parent.glob("*.py"))
    used = set(BY_HAND) | {action for actions in rights.READS.values() for action in actions}
    told = Path(rights.__file__).read_text(encoding="utf-8")
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
    assert stand.stacks().find_leftovers(stand.region, stand.stack.tags(stand.target, stand.cell))


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


# --- what the local AWS plays ---


def test_cluster_stands_as_ordered(stand):
    built(stand)
    cluster = stand.client("eks").describe_cluster(name=stand.name)["cluster"]

    assert cluster["status"] == "ACTIVE"
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert (cluster["resourcesVpcConfig"]["endpointPrivateAccess"], cluster["resourcesVpcConfig"]["endpointPublicAccess"]) == (True, False)
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    entries = stand.client("eks").list_access_entries(clusterName=stand.name)["accessEntries"]
    assert entries == [f"arn:aws:iam::{stand.target.external_id}:role/byoc-3f9a1c2e-g1-cell-agent"]


def test_agents_machine_has_no_public_address_and_no_key(stand):
    built(stand)
    told = stand.client("ec2").describe_instances(InstanceIds=[stand.made("AgentMachine")])
    (machine,) = told["Reservations"][0]["Instances"]

    assert not machine.get("PublicIpAddress")
    assert not machine.get("KeyName")
    assert machine["IamInstanceProfile"]["Arn"].endswith("byoc-3f9a1c2e-g1-cell-agent")
    assert {tag["Key"] for tag in machine["Tags"]} >= {"byoc:account", "byoc:cell", "byoc:managed", "Name"}


def test_agents_machine_is_replaced_for_a_new_token_only(stand):
    first = built(stand)
    built(stand, token="order-2", machines=3)
    same = stand.made("AgentMachine")
    order = stand.order("order-3")
    secrets = {name: value.replace("once-only-token", "another-token") for name, value in order.secrets.items()}

    stand.stacks().apply(replace(order, secrets=secrets))
    settled(stand)

    assert same == next(part.made for part in first.parts if part.name == "AgentMachine")
    assert stand.made("AgentMachine") != same
    assert stand.agents() == 1


def test_group_that_is_in_use_is_not_deleted(stand):
    built(stand)
    held = stand.client("ec2").create_network_interface(SubnetId=stand.made("PrivateSubnetB"), Groups=[stand.made("AgentGroup")])

    found = delete(stand)

    failed = {part.name for part in found.parts if part.state == "failed"}
    assert {"AgentGroup", "PrivateSubnetB"} <= failed
    stand.client("ec2").delete_network_interface(NetworkInterfaceId=held["NetworkInterface"]["NetworkInterfaceId"])
    assert delete(stand).state == StackState.ABSENT


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("PublicAddress", lambda ec2, made: ec2.release_address(AllocationId=made)),
        ("NatGateway", lambda ec2, made: ec2.delete_nat_gateway(NatGatewayId=made)),
        ("AgentTemplate", lambda ec2, made: ec2.delete_launch_template(LaunchTemplateId=made)),
    ],
)
def test_part_that_is_gone_is_drift(stand, name, by_hand: Callable[[Any, str], object]):
    found = built(stand)
    made = next(part.made for part in found.parts if part.name == name)
    if name == "PublicAddress":  # known by its address, released by its number
        (told,) = stand.client("ec2").describe_addresses()["Addresses"]
        made = told["AllocationId"]
    by_hand(stand.client("ec2"), made)

    assert [difference.name for difference in stand.stacks().find_drift(stand.order()).differences] == [name]


def test_rule_added_by_hand_is_drift(stand):
    built(stand)
    group = stand.made("AgentGroup")
    stand.client("ec2").authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")

    (difference,) = stand.stacks().find_drift(stand.order()).differences

    assert (difference.kind, difference.name) == ("AWS::EC2::SecurityGroup", "AgentGroup")
    assert difference.path.startswith("/SecurityGroupIngress")
    assert "0.0.0.0/0" in difference.found


def test_agents_entry_that_was_taken_away_is_drift(stand):
    built(stand)
    agent = f"arn:aws:iam::{stand.target.external_id}:role/byoc-3f9a1c2e-g1-cell-agent"
    stand.client("eks").delete_access_entry(clusterName=stand.name, principalArn=agent)

    assert [difference.name for difference in stand.stacks().find_drift(stand.order()).differences] == ["AgentEntry"]


# --- memory of the local AWS ---


@pytest.fixture
def restartable(tmp_path: Path, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], SandboxProcess]]:
    """Starts the local AWS on one and the same memory; whatever runs is stopped in the end."""
    ran: list[SandboxProcess] = []

    def start() -> SandboxProcess:
        resolve = f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"
        running = start_sandbox("--propagation", "0", "--pace", "0", "--issuer-resolve", resolve, "--state-dir", str(tmp_path))
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.portal)
        ran.append(running)
        return running

    yield start
    for running in ran:
        if running.process.returncode is None:
            running.process.terminate()
            running.process.communicate()


@pytest.mark.parametrize("part", ["Network", "Cluster", "AgentMachine"])
def test_cell_that_was_killed_while_it_was_built_stands_once_after_the_restart(restartable, issuer, part):
    running = restartable()
    stand = AwsCellStand(Cloud("111122223333", issuer, f"{ISSUER_HOST}/trust/a/g1", running))
    running.control("POST", "knobs", {"pace_seconds": 0.2})
    stand.stacks().apply(stand.order())
    for _ in range(300):
        if part in {found.name for found in look(stand).parts if found.state == "ready"}:
            break
        time.sleep(0.05)
    time.sleep(0.6)  # a snapshot is half a second old at most
    running.process.kill()
    running.process.communicate()

    stand.cloud.sandbox = restartable()

    found = settled(stand)
    assert (found.state, found.raw) == (StackState.READY, "")
    networks = stand.client("ec2").describe_vpcs()["Vpcs"]
    assert [network["CidrBlock"] for network in networks].count(stand.order().parameters["Cidr"]) == 1
    assert stand.agents() == 1


def test_agents_machine_boots_again_with_the_local_cloud(restartable, issuer):
    running = restartable()
    stand = AwsCellStand(Cloud("111122223333", issuer, f"{ISSUER_HOST}/trust/a/g1", running))
    built(stand)
    running.process.terminate()
    running.process.communicate()

    stand.cloud.sandbox = restartable()

    assert look(stand).state == StackState.READY
    assert stand.agents() == 1
    assert delete(stand).state == StackState.ABSENT
    assert stand.agents() == 0
