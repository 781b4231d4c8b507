"""What the local AWS adds for cells: what stands, what is drift, what it remembers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.clouds.stacks import StackState
from tests.clouds.aws.cells import AwsCellStand
from tests.clouds.aws.stand import stand
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer, start_sandbox
from tests.clouds.test_stacks_contract import built, delete, look, settled

__all__ = ["stand"]  # fixtures


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
