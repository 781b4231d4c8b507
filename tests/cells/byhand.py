"""What somebody does by hand beside a cell that is taken away: holds on to a part of it, lets go, leaves something with its tags."""

from tests.clouds.gcp.google import PROJECT

VERSION = "2024-05-01"


class Hand:
    """The customer's own hand in the cloud of one standing cell. `hold` names what holds, as far as that cloud would say it."""

    def __init__(self, standing, cell, sandbox):
        self.hand, self.cell, self.sandbox = standing.hand, cell, sandbox
        self.tags = {"byoc:account": str(standing.pk), "byoc:cell": str(cell.pk), "byoc:managed": "cell"}

    def made(self, name: str) -> str:
        return next(part["made"] for part in self.cell.parts if part["name"] == name)

    def do(self, what: str, *args):
        return getattr(self, f"_{what}_{self.cell.account.cloud}")(*args)

    # --- AWS ---

    @property
    def _ec2(self):
        return self.hand.customer.client("ec2", self.cell.region)

    def _hold_aws(self) -> str:
        self.held = self._ec2.create_network_interface(SubnetId=self.made("PrivateSubnetB"))["NetworkInterface"]["NetworkInterfaceId"]
        return ""

    def _let_go_aws(self) -> None:
        self._ec2.delete_network_interface(NetworkInterfaceId=self.held)

    def _leave_aws(self) -> str:
        specified = [{"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()]}]
        self.left = self._ec2.create_volume(AvailabilityZone=f"{self.cell.region}a", Size=1, TagSpecifications=specified)["VolumeId"]
        return self.left

    def _take_away_aws(self) -> None:
        self._ec2.delete_volume(VolumeId=self.left)

    # --- Azure ---

    def _put_azure(self, path: str, body: dict) -> str:
        answer = self.hand.account.owner("PUT", path, body, version=VERSION)
        assert answer.status == 201, answer
        return answer.body["id"]

    def _in_group(self, kind: str, name: str) -> str:
        group = self.made("cell-net").partition("/providers/")[0].partition(self.hand.account.scope)[2]
        return f"{group}/providers/Microsoft.Network/{kind}/{name}"

    def _hold_azure(self) -> str:
        configuration = {"name": "private", "properties": {"subnet": {"id": f"{self.made('cell-net')}/subnets/nodes"}}}
        self.held = self._in_group("networkInterfaces", "somebodys")
        self._put_azure(self.held, {"location": self.cell.region, "properties": {"ipConfigurations": [configuration]}})
        return "networkInterfaces/somebodys"

    def _let_go_azure(self) -> None:
        assert self.hand.account.owner("DELETE", self.held, version=VERSION).status == 200

    def _leave_azure(self) -> str:
        tags = {key.replace(":", "-"): value for key, value in self.tags.items()}
        body = {
            "location": self.cell.region,
            "tags": tags,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        self.left = self._in_group("publicIPAddresses", "left")
        return self._put_azure(self.left, body)

    def _take_away_azure(self) -> None:
        assert self.hand.account.owner("DELETE", self.left, version=VERSION).status == 200

    # --- Google Cloud ---

    def _change_gcp(self, path: str, body: dict | None) -> None:
        self.sandbox.control("POST", "gcp/resources", {"project": PROJECT, "path": path, "body": body})

    def _hold_gcp(self) -> str:
        self.held = f"regions/{self.cell.region}/forwardingRules/a1b2"
        self._change_gcp(self.held, {"network": self.cell.stack_name, "loadBalancingScheme": "EXTERNAL"})
        return "forwardingRules/a1b2"

    def _let_go_gcp(self) -> None:
        self._change_gcp(self.held, None)

    def _leave_gcp(self) -> str:
        self.left = f"zones/{self.cell.region}-a/disks/pvc-1"
        self._change_gcp(self.left, {"labels": {name.replace(":", "-"): value for name, value in self.tags.items()}})
        return f"projects/{PROJECT}/{self.left}"

    def _take_away_gcp(self) -> None:
        self._change_gcp(self.left, None)
