"""A cell's stack on the strict local Google: the real plan, published by the real command, ordered through Google's own library."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

from accounts.clouds import open_stacks
from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackCloud, StackOrder, StackState
from cells.protocol.package import package_sha256
from cells.stacks.base import AgentBootstrap, CellInput
from cells.stacks.gcp.stack import STACK
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import NUMBER, PROJECT, Google
from tests.clouds.gcp.played import REGION, PlayedGcp

CELL = "7d0f2b6a-1111-4222-8333-444455556666"
NAME = f"byoc-3f9a1c2e-{REGION}"
BUCKET = "fernhill-plans"
ADDRESSES = {f"{part.kind}.{part.name}" for part in STACK.parts()}
NETWORK, CLUSTER, AGENT = "google_compute_network.cell", "google_container_cluster.cell", "google_compute_instance.agent"


def cell_input(**changes: Any) -> CellInput:
    agent = AgentBootstrap(
        portal_url="http://127.0.0.1:1",
        cell=CELL,
        enrolment_token="once-only-token",
        package_url="http://127.0.0.1:1/agent.pyz",
        package_sha256=package_sha256(),
    )
    given = CellInput(
        cell=CELL, region=REGION, zones=(f"{REGION}-a", f"{REGION}-b"), cidr="10.64.0.0/16", machine_size="small", machines=2, agent=agent,
        token="order-1",
    )  # fmt: skip
    return replace(given, **changes)


class Stacks:
    """The kit stands, the plan is published."""

    def __init__(self, played: PlayedGcp) -> None:
        self.played = played
        self.google: Google = played.google
        self.order = STACK.order(played.target, cell_input())

    @property
    def cloud(self) -> StackCloud:
        """A new one each time, as each step has."""
        return open_stacks("gcp", self.played.target, self.played.tokens(self.played.target), self.played.shipped)

    def look(self):
        return self.cloud.look(NAME, REGION)

    def build(self, order: StackOrder | None = None):
        self.cloud.apply(order or self.order)
        return self.wait()

    def wait(self):
        self.google.control("POST", "clock", {"advance": 3000})
        return self.look()

    def slow(self, seconds: float = 10) -> None:
        self.google.control("POST", "knobs", {"operation_seconds": seconds})

    def fail(self, kind: str, reason: str, action: str = "create", **more: Any) -> None:
        self.google.control("POST", "failures", {"type": kind, "action": action, "reason": reason, **more})

    def there(self) -> set[str]:
        found = self.google.control("GET", f"state?project={PROJECT}")["resources"]
        return {name.removeprefix(f"projects/{NUMBER}/") for name in found if NAME in name}

    def change(self, path: str, body: Any) -> None:
        self.google.control("POST", "resources", {"project": PROJECT, "path": path, "body": body})

    def parts(self) -> dict[str, str]:
        return {part.name: part.state for part in self.look().parts}


@pytest.fixture
def stacks(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    monkeypatch.setenv("PORTAL_GCP_URL", sandbox.google)
    monkeypatch.setenv("PORTAL_GCP_PLANS_BUCKET", BUCKET)
    played = PlayedGcp(sandbox, issuer)
    played.run_kit()
    monkeypatch.setenv("PORTAL_GCP_PUBLISH_TOKEN", played.google.person(project="globex-analytics"))
    monkeypatch.setenv("PORTAL_GCP_PLANS_PROJECT", "globex-analytics")
    call_command("publish_plans")
    return Stacks(played)


def refusal(call):
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


def test_gcp_stack_stands_is_seen_and_goes(stacks):
    assert stacks.look().state is StackState.ABSENT

    look = stacks.build()

    assert (look.state, look.token, look.code, look.raw) == (StackState.READY, "order-1", "", "")
    assert {part.name: part.state for part in look.parts} == dict.fromkeys(ADDRESSES, "ready")
    assert look.outputs["cluster"] == f"projects/{PROJECT}/locations/{REGION}/clusters/{NAME}"
    assert look.outputs["endpoint"] == "10.64.48.2"
    assert look.parameters["cidr"] == "10.64.0.0/16"
    assert f"locations/{REGION}/clusters/{NAME}" in stacks.there()

    stacks.cloud.delete(NAME, REGION)

    assert stacks.wait().state is StackState.ABSENT
    assert stacks.there() == set()
