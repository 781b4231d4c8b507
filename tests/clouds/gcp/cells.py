"""A cell's stack in the customer's Google Cloud project, as the contract suite on stacks and Google's own tests drive it."""

from dataclasses import replace
from typing import Any

from accounts.clouds import open_stacks
from accounts.clouds.gcp import plans
from accounts.clouds.gcp.publish import Publisher
from accounts.clouds.stacks import StackCloud, StackOrder
from cells.protocol.package import package_sha256
from cells.stacks.base import AgentBootstrap, CellInput
from cells.stacks.gcp.stack import STACK, published
from portal.sandbox.gcp.seed import PROVIDERS_TOKEN
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import NUMBER, PROJECT
from tests.clouds.gcp.played import REGION, PlayedGcp

CELL = "7d0f2b6a-1111-4222-8333-444455556666"
NAME = f"byoc-3f9a1c2e-{REGION}"
BUCKET, PROVIDERS = "fernhill-plans", "fernhill-releases"


def addresses(sandbox: SandboxProcess) -> dict[str, str]:
    """Where Google answers, and what the provider publishes with."""
    return {
        "PORTAL_GCP_URL": sandbox.google,
        "PORTAL_GCP_PLANS_BUCKET": BUCKET,
        "PORTAL_GCP_PLANS_PROJECT": PROVIDERS,
        "PORTAL_GCP_PUBLISH_TOKEN": PROVIDERS_TOKEN,
    }


def cell_input(**changes: Any) -> CellInput:
    agent = AgentBootstrap(
        portal_url="http://127.0.0.1:1",
        cell=CELL,
        enrolment_token="once-only-token",
        package_url="http://127.0.0.1:1/agent.pyz",
        package_sha256=package_sha256(),
    )
    given = CellInput(
        cell=CELL,
        region=REGION,
        zones=(f"{REGION}-a", f"{REGION}-b"),
        cidr="10.64.0.0/16",
        machine_size="small",
        machines=2,
        agent=agent,
        token="order-1",
    )
    return replace(given, **changes)


class GcpCellStand(PlayedGcp):
    """The kit stands, the plan is published."""

    stack = STACK
    cell = CELL
    name_of_cloud = "gcp"

    def __init__(self, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
        super().__init__(sandbox, issuer)
        self.run_kit()
        Publisher(plans.bucket(), PROVIDERS).publish(published())

    def stacks(self) -> StackCloud:
        return open_stacks("gcp", self.target, self.tokens(self.target), self.shipped)

    def order(self, token: str = "order-1", *, machines: int = 2, **changes: Any) -> StackOrder:
        return STACK.order(self.target, cell_input(token=token, machines=machines, **changes))

    # --- what goes wrong ---

    def slow(self) -> None:
        self.google.control("POST", "knobs", {"operation_seconds": 0.3})

    def fail(self, kind: str, reason: str, action: str = "create", **more: Any) -> None:
        self.google.control("POST", "failures", {"type": kind, "action": action, "reason": reason, **more})

    def fail_building(self) -> str:
        self.fail("google_container_node_pool", "googleapi: Error 403: Quota 'CPUS' exceeded.  Limit: 8.0, quotaExceeded", status=403)
        return "google_container_node_pool.machines"

    def hold(self) -> str:
        self.change(f"regions/{REGION}/forwardingRules/a1b2", {"network": NAME, "loadBalancingScheme": "EXTERNAL"})
        return "google_compute_network.cell"

    def let_go(self) -> None:
        self.change(f"regions/{REGION}/forwardingRules/a1b2", None)

    # --- what somebody does by hand ---

    def change(self, path: str, body: Any) -> None:
        self.google.control("POST", "resources", {"project": PROJECT, "path": path, "body": body})

    def change_by_hand(self) -> tuple[str, str]:
        body = self.google.control("GET", f"state?project={PROJECT}")["resources"][f"projects/{NUMBER}/global/firewalls/{NAME}-closed"]
        body.pop("is_live")
        self.change(f"global/firewalls/{NAME}-closed", {**body, "sourceRanges": ["10.0.0.0/8"]})
        return "google_compute_firewall", "google_compute_firewall.closed"

    def remove_by_hand(self) -> str:
        self.change(f"global/firewalls/{NAME}-closed", None)
        return "google_compute_firewall.closed"

    def leave(self, tags: dict[str, str]) -> str:
        labels = {name.replace(":", "-"): value for name, value in tags.items()}
        path = f"zones/{REGION}-a/disks/pvc-{len(labels)}-{labels['byoc-account'][:8]}"
        self.change(path, {"labels": labels})
        return f"projects/{PROJECT}/{path}"

    # --- what is there ---

    def agents(self) -> int:
        return len(self.sandbox.control("GET", "agents"))

    def there(self) -> set[str]:
        found = self.google.control("GET", f"state?project={PROJECT}")["resources"]
        return {name.removeprefix(f"projects/{NUMBER}/") for name in found if NAME in name}
