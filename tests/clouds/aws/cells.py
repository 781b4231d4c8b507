"""A customer's AWS account with the kit in it, and one deployment cell to order there."""

from dataclasses import replace
from typing import Any

from accounts.clouds import open_stacks
from accounts.clouds.stacks import StackCloud, StackOrder
from cells.protocol.package import package_sha256
from cells.stacks.aws.stack import STACK
from cells.stacks.base import AgentBootstrap, CellInput
from tests.clouds.aws.played import PlayedAws
from tests.clouds.conftest import Cloud

CELL = "7d0f2b6a-1111-4222-8333-444455556666"
QUOTA = (
    'Resource handler returned message: "The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400)" '
    "(HandlerErrorCode: ServiceLimitExceeded)"
)


def cell_input(region: str, **changes: Any) -> CellInput:
    agent = AgentBootstrap(
        portal_url="http://127.0.0.1:1",
        cell=CELL,
        enrolment_token="once-only-token",
        package_url="http://127.0.0.1:1/agent.pyz",
        package_sha256=package_sha256(),
    )
    given = CellInput(
        cell=CELL, region=region, zones=(f"{region}a", f"{region}b", f"{region}c"), cidr="10.64.0.0/16", machine_size="small", machines=2,
        agent=agent, token="order-1",
    )  # fmt: skip
    return replace(given, **changes)


class AwsCellStand(PlayedAws):
    stack = STACK
    cell = CELL
    name_of_cloud = "aws"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        assert self.run_kit() == "CREATE_COMPLETE"

    @property
    def region(self) -> str:
        return self.target.region

    @property
    def name(self) -> str:
        return STACK.name(self.target, self.region)

    def stacks(self, **changes: Any) -> StackCloud:
        target = replace(self.target, **changes)
        return open_stacks("aws", target, self.tokens(target), self.kit.shipped(target))

    def order(self, token: str = "order-1", *, machines: int = 2, **changes: Any) -> StackOrder:
        return STACK.order(self.target, cell_input(self.region, token=token, machines=machines, **changes))

    def control(self, *request: Any) -> Any:
        assert self.cloud.sandbox is not None
        return self.cloud.sandbox.control(*request)

    def client(self, service: str, region: str = "") -> Any:
        return self.cloud.owner(service, region or self.region)

    def made(self, logical_id: str) -> str:
        told = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return next(part["PhysicalResourceId"] for part in told if part["LogicalResourceId"] == logical_id)

    # --- what goes wrong ---

    def slow(self) -> None:
        self.control("POST", "knobs", {"pace_seconds": 0.2})

    def fail_building(self) -> str:
        self.control("POST", "knobs", {"failures": [{"type": "AWS::EC2::EIP", "reason": QUOTA}]})
        return "PublicAddress"

    def hold(self) -> str:
        made = self.client("ec2").create_network_interface(SubnetId=self.made("PrivateSubnetB"))
        self.held = made["NetworkInterface"]["NetworkInterfaceId"]
        return "PrivateSubnetB"

    def let_go(self) -> None:
        self.client("ec2").delete_network_interface(NetworkInterfaceId=self.held)

    # --- by hand ---

    def change_by_hand(self) -> tuple[str, str]:
        self.client("ec2").modify_vpc_attribute(VpcId=self.made("Network"), EnableDnsHostnames={"Value": False})
        return "AWS::EC2::VPC", "Network"

    def remove_by_hand(self) -> str:
        self.client("ec2").terminate_instances(InstanceIds=[self.made("AgentMachine")])
        return "AgentMachine"

    def leave(self, tags: dict[str, str]) -> str:
        specified = [{"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
        made = self.client("ec2").create_volume(AvailabilityZone=f"{self.region}a", Size=1, TagSpecifications=specified)
        return made["VolumeId"]

    def agents(self) -> int:
        return len(self.control("GET", "agents"))
