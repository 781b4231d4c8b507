"""A customer's subscription with the kit in it, and one deployment cell to order there."""

from dataclasses import replace
from typing import Any

from accounts.clouds import open_stacks
from accounts.clouds.stacks import StackCloud, StackLook, StackOrder
from cells.protocol.package import package_sha256
from cells.stacks.azure.stack import STACK
from cells.stacks.base import AgentBootstrap, CellInput
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.conftest import SandboxProcess, TestIssuer

CELL = "9c4f2b1a-7d3e-4f60-8a21-5b6c7d8e9f01"
QUOTA = (
    "ErrCode_InsufficientVCPUQuota: Insufficient regional vcpu quota left for location westeurope. left regional vcpu quota 0, requested "
    "quota 2. If you want to increase the quota for cell-cluster, please follow this instruction: https://aka.ms/quotas."
)
NETWORK = "2024-05-01"


def cell_input(region: str = "westeurope", **changes: Any) -> CellInput:
    agent = AgentBootstrap(
        portal_url="http://127.0.0.1:1",
        cell=CELL,
        enrolment_token="once-only-token",
        package_url="http://127.0.0.1:1/agent.pyz",
        package_sha256=package_sha256(),
    )
    given = CellInput(
        cell=CELL, region=region, zones=("1", "2", "3"), cidr="10.64.0.0/16", machine_size="small", machines=2, agent=agent,
        token="order-1",
    )  # fmt: skip
    return replace(given, **changes)


class AzureCellStand(PlayedAzure):
    stack = STACK
    cell = CELL
    name_of_cloud = "azure"

    def __init__(self, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
        super().__init__(sandbox, issuer)
        assert self.run_kit() == "Succeeded", self.failure

    @property
    def name(self) -> str:
        return STACK.name(self.target, self.target.region)

    def stacks(self, **changes: Any) -> StackCloud:
        target = replace(self.target, **changes)
        return open_stacks("azure", target, self.tokens(target), self.kit.shipped(target))

    def order(self, token: str = "order-1", *, machines: int = 2, **changes: Any) -> StackOrder:
        return STACK.order(self.target, cell_input(self.target.region, token=token, machines=machines, **changes))

    def turn(self, switch: str, to: str) -> None:
        assert self.run_kit(**{switch[0].lower() + switch[1:]: to}) == "Succeeded", self.failure

    def look(self) -> StackLook:
        return self.stacks().look(self.name, self.target.region)

    def knobs(self, **values: Any) -> None:
        self.account.sandbox.control("POST", "knobs", values)

    def inside(self, kind: str = "") -> list[dict[str, Any]]:
        """What stands in the cell's group, as the owner sees it."""
        found = self.account.control("GET", f"resources?under={self.account.scope}{self.cell_group}")
        return [entry for entry in found if not kind or entry["type"] == kind]

    def part(self, kind: str, name: str) -> str:
        return f"{self.cell_group}/providers/{kind}/{name}"

    def edit(self, path: str, change: Any, version: str = NETWORK) -> None:
        """As the owner changes something in Azure's own portal: it is read, changed and written back."""
        body = self.account.owner("GET", path, version=version).body
        change(body)
        answer = self.account.owner("PUT", path, body, version=version)
        assert answer.status < 300, answer

    # --- what goes wrong ---

    def slow(self) -> None:
        self.knobs(pace_seconds=0.25)

    def fail_building(self) -> str:
        self.knobs(failures=[{"type": "Microsoft.ContainerService/managedClusters", "reason": QUOTA}])
        return "cell-cluster"

    def hold(self) -> str:
        subnet = f"{self.account.scope}{self.part('Microsoft.Network/virtualNetworks', 'cell-net')}/subnets/nodes"
        configuration = {"name": "private", "properties": {"subnet": {"id": subnet}}}
        body = {"location": self.target.region, "properties": {"ipConfigurations": [configuration]}}
        answer = self.account.owner("PUT", self.part("Microsoft.Network/networkInterfaces", "somebodys"), body, version=NETWORK)
        assert answer.status == 201, answer
        return "cell-net"

    def let_go(self) -> None:
        answer = self.account.owner("DELETE", self.part("Microsoft.Network/networkInterfaces", "somebodys"), version=NETWORK)
        assert answer.status == 200, answer

    # --- by hand ---

    def change_by_hand(self) -> tuple[str, str]:
        def open_it(rules: dict[str, Any]) -> None:
            rules["properties"]["securityRules"][0]["properties"]["access"] = "Allow"

        kind = "Microsoft.Network/networkSecurityGroups"
        self.edit(self.part(kind, "cell-agent-rules"), open_it)
        return kind, "cell-agent-rules"

    def remove_by_hand(self) -> str:
        path = f"{self.part('Microsoft.ContainerService/managedClusters', 'cell-cluster')}/agentPools/work"
        answer = self.account.owner("DELETE", path, version="2024-09-01")
        assert answer.status == 200, answer
        return "work"

    def leave(self, tags: dict[str, str]) -> str:
        """Tags in Azure's form: it writes a dash where others have a colon."""
        body = {
            "location": self.target.region, "tags": {key.replace(":", "-"): value for key, value in tags.items()},
            "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"},
        }  # fmt: skip
        name = f"left-{len(self.inside('Microsoft.Network/publicIPAddresses'))}"
        answer = self.account.owner("PUT", self.part("Microsoft.Network/publicIPAddresses", name), body, version=NETWORK)
        assert answer.status == 201, answer
        return answer.body["id"]

    def agents(self) -> int:
        self.account.control("GET", "")  # time passes for this Azure when somebody looks
        return len(self.account.sandbox.control("GET", "agents"))
