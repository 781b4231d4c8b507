"""The Google Cloud cell: a Terraform plan for Infrastructure Manager and what fills it in. No SDK."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil
from pathlib import Path

from accounts.clouds.base import Target
from accounts.clouds.gcp import plans
from accounts.clouds.stacks import StackOrder
from accounts.kits.gcp.kit import GcpKit
from cells.stacks.base import Called, CellInput, Kept, PlannedPart
from cells.stacks.bootstrap import CALLS, cloud_init
from cells.stacks.gcp.words import HOSTS, MOVING, PARTS, RECORDS

PLAN_PATH = Path(__file__).with_name("plan")
MACHINE_TYPES = {"small": "e2-standard-2", "medium": "e2-standard-4", "large": "e2-standard-8"}
# Google's own packages for Ubuntu, signed with Google's key.
PACKAGES = "https://packages.cloud.google.com/apt"
KEYRING = "/usr/share/keyrings/cloud.google.gpg"
TOOLS = "google-cloud-cli google-cloud-cli-gke-gcloud-auth-plugin"


class GcpCell:
    """`CellStack` of Google Cloud."""

    keeps_identities, moving = "", MOVING

    @property
    def version(self) -> str:
        return plan()[plans.VERSION].strip()

    def name(self, target: Target, region: str) -> str:
        """A cluster's name has 40 characters at most: the longest region leaves no room for another word."""
        return f"{GcpKit().shipped(target).prefix}{region}"

    def order(self, target: Target, cell: CellInput) -> StackOrder:
        name, accounts = self.name(target, cell.region), GcpKit().shipped(target).accounts
        files = dict(plan())
        return StackOrder(
            name=name,
            region=cell.region,
            document=files.pop(plans.MAIN),
            token=cell.token,
            parameters={
                "project": target.external_id,
                "region": cell.region,
                "zones": ",".join(cell.zones),
                "name": name,
                "account": target.account,
                "cell": cell.cell,
                "cidr": cell.cidr,
                "machine_type": MACHINE_TYPES[cell.machine_size],
                "machines_per_zone": str(ceil(cell.machines / len(cell.zones))),
                "node_account": accounts["node"].email,
                "agent_account": accounts["agent"].email,
            },
            secrets={"user_data": cloud_init(cell.agent, setup=_setup(target.external_id, name, cell.region))},
            tags=self.tags(target, cell.cell),
            files=files,
        )

    def parts(self) -> Sequence[PlannedPart]:
        return PARTS

    def calls(self) -> Sequence[Called]:
        return (*CALLS, *HOSTS)

    def records(self) -> Sequence[Kept]:
        return RECORDS

    def tags(self, target: Target, cell: str = "") -> dict[str, str]:
        return {"byoc-account": target.account, "byoc-managed": "cell"} | ({"byoc-cell": cell} if cell else {})


STACK = GcpCell()


@cache
def plan() -> Mapping[str, str]:
    """The plan's files by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(PLAN_PATH.iterdir()) if path.is_file() and path.name[0] != "."}


def published() -> dict[str, bytes]:
    """What `manage.py publish_plans` puts into the provider's bucket."""
    return {plans.key(plan()): plans.archive(plan())}


def _setup(project: str, cluster: str, region: str) -> list[str]:
    """What the agent's machine runs before the agent; the machine's own account is all that it needs."""
    return [
        f"curl -fsSL {PACKAGES}/doc/apt-key.gpg | gpg --batch --yes --dearmor -o {KEYRING}",
        f"echo 'deb [signed-by={KEYRING}] {PACKAGES} cloud-sdk main' > /etc/apt/sources.list.d/google-cloud-sdk.list",
        "apt-get update -q",
        f"apt-get install -qy --no-install-recommends {TOOLS}",
        f"gcloud container clusters get-credentials {cluster} --project={project} --location={region} --internal-ip",
    ]
