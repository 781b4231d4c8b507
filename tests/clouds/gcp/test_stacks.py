"""A cell's stack on the strict local Google: the real plan, published by the real command, ordered through Google's own library."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackLook, StackOrder, StackState
from cells.stacks.gcp.stack import STACK, published
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.cells import BUCKET, CELL, NAME, GcpCellStand, addresses, cell_input
from tests.clouds.gcp.discovery import problems
from tests.clouds.gcp.google import NUMBER, PROJECT
from tests.clouds.gcp.played import REGION

API = "config.projects.locations.deployments"
ADDRESSES = {part.name for part in STACK.parts()}
NETWORK, CLUSTER, AGENT = "google_compute_network.cell", "google_container_cluster.cell", "google_compute_instance.agent"


class Stacks(GcpCellStand):
    """One order, and a clock to push."""

    def __init__(self, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
        super().__init__(sandbox, issuer)
        self.first = self.order()

    def look(self) -> StackLook:
        return self.stacks().look(NAME, REGION)

    def build(self, order: StackOrder | None = None) -> StackLook:
        self.stacks().apply(order or self.first)
        return self.wait()

    def wait(self) -> StackLook:
        self.google.control("POST", "clock", {"advance": 3000})
        return self.look()

    def pace(self, seconds: float) -> None:
        self.google.control("POST", "knobs", {"operation_seconds": seconds})

    def parts(self) -> dict[str, str]:
        return {part.name: part.state for part in self.look().parts}


@pytest.fixture
def stacks(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return Stacks(sandbox, issuer)


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
    assert f"locations/{REGION}/clusters/{NAME}" in stacks.there()

    stacks.stacks().delete(NAME, REGION)

    assert stacks.wait().state is StackState.ABSENT
    assert stacks.there() == set()


def test_gcp_cells_machine_boots_its_agent_and_is_halted_with_the_cell(stacks):
    assert stacks.google.sandbox.control("GET", "agents") == []
    stacks.build()

    (host,) = stacks.google.sandbox.control("GET", "agents")

    assert host["cell"] == CELL
    assert host["machine"].startswith(f"{NAME}-agent-")
    stacks.stacks().delete(NAME, REGION)
    stacks.wait()
    assert stacks.google.sandbox.control("GET", "agents") == []


def test_gcp_agents_machine_that_is_told_something_else_is_another_one(stacks):
    stacks.build()
    (first,) = stacks.google.sandbox.control("GET", "agents")
    agent = replace(cell_input().agent, enrolment_token="another-token")

    look = stacks.build(STACK.order(stacks.target, cell_input(agent=agent, token="order-2")))

    (second,) = stacks.google.sandbox.control("GET", "agents")
    assert look.state is StackState.READY
    assert first["machine"] != second["machine"]


def test_gcp_stack_ordered_twice_is_one(stacks):
    stacks.pace(10)
    stacks.stacks().apply(stacks.first)
    stacks.stacks().apply(stacks.first)
    busy = refusal(lambda: stacks.stacks().apply(replace(stacks.first, token="order-2")))
    assert (busy.code, busy.retryable) == ("stack_busy", True)
    assert stacks.look().state is StackState.WORKING

    assert stacks.wait().state is StackState.READY
    stacks.stacks().apply(stacks.first)

    assert stacks.look().state is StackState.READY
    assert [entry["method"].rpartition(".")[2] for entry in written(stacks)] == ["create"]


def written(stacks: Stacks) -> list[dict[str, Any]]:
    journal = stacks.google.control("GET", "journal")
    return [entry for entry in journal if entry["api"] == "config" and entry["verb"] != "GET" and entry["status"] == 200]


def test_gcp_stack_is_updated_to_another_order(stacks):
    stacks.build()
    bigger = STACK.order(stacks.target, cell_input(machines=4, token="order-2"))

    look = stacks.build(bigger)

    assert (look.state, look.token) == (StackState.READY, "order-2")
    assert len(look.parts) == len(ADDRESSES)


def test_gcp_stack_shows_resource_by_resource(stacks):
    stacks.pace(10)
    stacks.stacks().apply(stacks.first)
    assert stacks.look().parts == []
    seen = []
    for _ in range(20):
        stacks.google.control("POST", "clock", {"advance": 10})
        seen.append(stacks.parts())

    assert seen[0] == {**dict.fromkeys(ADDRESSES, ""), NETWORK: "working"}
    assert seen[1][NETWORK] == "ready"
    assert any(parts[CLUSTER] == "working" and parts[AGENT] == "" for parts in seen)
    counts = [list(parts.values()).count("ready") for parts in seen]
    assert counts == sorted(counts)


def test_gcp_stack_tells_no_secret(stacks):
    look = stacks.build()

    assert "once-only-token" not in repr(look)
    assert "once-only-token" not in repr(stacks.first)


def test_gcp_stack_that_fails_says_why_and_goes_on_from_there(stacks):
    stacks.google.control("POST", "quotas", {"project": PROJECT, "region": REGION, "metric": "CPUS", "limit": 1, "usage": 0})

    failed = stacks.build()

    assert (failed.state, failed.code) == (StackState.FAILED, "quota_exceeded")
    assert "google_container_node_pool.machines" in failed.raw
    assert "Quota 'CPUS' exceeded" in failed.raw
    parts = {part.name: part for part in failed.parts}
    assert (parts[CLUSTER].state, parts["google_container_node_pool.machines"].state) == ("ready", "failed")
    assert "Quota 'CPUS' exceeded" in parts["google_container_node_pool.machines"].detail
    before = stacks.there()
    stacks.google.control("POST", "quotas", {"project": PROJECT, "region": REGION, "metric": "CPUS", "limit": 72, "usage": 0})

    look = stacks.build()

    assert (look.state, look.code) == (StackState.READY, "")
    assert before < stacks.there()


@pytest.mark.parametrize(
    ("kind", "reason", "status", "code"),
    [
        (CLUSTER, "ZONE_RESOURCE_POOL_EXHAUSTED: the zone does not have enough resources available", 503, "capacity_missing"),
        (NETWORK, "Constraint constraints/compute.restrictVpcPeering violated by organization policy", 412, "denied_by_organisation"),
        (AGENT, "googleapi: Error 500: Internal error, backendError", 500, "cloud_unavailable"),
        (AGENT, "googleapi: Error 429: rateLimitExceeded", 429, "throttled"),
        (NETWORK, "something that nobody has heard of", 0, "unknown_cloud_error"),
    ],
)
def test_gcp_stack_failures_have_codes(stacks, kind, reason, status, code):
    stacks.fail(kind.partition(".")[0], reason, status=status)

    failed = stacks.build()

    assert (failed.state, failed.code) == (StackState.FAILED, code)
    assert reason in failed.raw
    assert stacks.build().state is StackState.READY


def test_gcp_stack_is_built_with_the_builders_rights_and_no_others(stacks):
    kept = [name for name in stacks.shipped.roles[stacks.role("clusters")] if name != "compute.instances.create"]
    stacks.patch_role("clusters", kept)

    failed = stacks.build()

    assert (failed.state, failed.code) == (StackState.FAILED, "access_denied")
    assert "Required 'compute.instances.create' permission" in failed.raw
    assert AGENT in failed.raw


def test_gcp_builder_starts_no_machine_of_another_name(stacks):
    """The limits by name hold: clusters may be created under any name, but nothing else is done to one, and no machine is started."""
    odd = replace(stacks.first, name=NAME, parameters={**stacks.first.parameters, "name": "prod"})

    failed = stacks.build(odd)

    assert (failed.state, failed.code) == (StackState.FAILED, "access_denied")
    assert not any("/instances/" in name for name in stacks.google.control("GET", f"state?project={PROJECT}")["resources"])


def test_gcp_builder_hands_on_the_kits_accounts_alone(stacks):
    other = {**stacks.first.parameters, "agent_account": stacks.email("operator")}

    failed = stacks.build(replace(stacks.first, parameters=other))

    assert (failed.state, failed.code) == (StackState.FAILED, "access_denied")
    assert "does not have access to service account" in failed.raw


def test_gcp_switch_for_changes_stops_the_order(stacks):
    for role in ("cells", "build", "clusters", "store"):
        stacks.unbind(stacks.role(role))

    assert refusal(lambda: stacks.stacks().apply(stacks.first)).code == "access_denied"


def test_gcp_plan_that_was_not_published_says_so(stacks, monkeypatch):
    monkeypatch.setenv("PORTAL_GCP_PLANS_BUCKET", "somewhere-else")

    failed = stacks.build()

    assert failed.state is StackState.FAILED
    assert "gs://somewhere-else/cells/gcp/1.0.0/" in failed.raw


def test_gcp_plan_is_published_once_and_never_replaced(stacks, capsys):
    call_command("publish_plans")

    assert capsys.readouterr().out.startswith(f"there already  gs://{BUCKET}/cells/gcp/1.0.0/")
    (key,) = published()
    stacks.google.control("POST", "objects", {"bucket": BUCKET, "name": key, "content": "b3RoZXI="})
    with pytest.raises(CommandError, match="holds other content"):
        call_command("publish_plans")


# --- taking away ---


def test_gcp_deletion_that_is_blocked_says_by_what_and_can_be_left_behind(stacks):
    stacks.build()
    stacks.change(f"regions/{REGION}/forwardingRules/a1b2", {"network": NAME, "loadBalancingScheme": "EXTERNAL"})
    stacks.stacks().delete(NAME, REGION)

    stuck = stacks.wait()

    assert (stuck.state, stuck.code) == (StackState.DELETE_FAILED, "still_in_use")
    assert "forwardingRules/a1b2" in stuck.raw
    assert {part.name: part.state for part in stuck.parts}[NETWORK] == "failed"
    assert [part.name for part in stacks.stacks().find_leftovers(REGION, STACK.tags(stacks.target))] == [NAME]
    with pytest.raises(CloudError, match="retain_all_or_nothing"):
        stacks.stacks().delete(NAME, REGION, retain=["something.else"])
    assert stacks.look().state is StackState.DELETE_FAILED

    stacks.stacks().delete(NAME, REGION, retain=[NETWORK])

    assert stacks.look().state is StackState.ABSENT
    assert stacks.there() == {f"global/networks/{NAME}"}


def test_gcp_deletion_goes_on_once_what_blocked_it_is_gone(stacks):
    stacks.build()
    rule = f"regions/{REGION}/forwardingRules/a1b2"
    stacks.change(rule, {"network": NAME})
    stacks.stacks().delete(NAME, REGION)
    assert stacks.wait().state is StackState.DELETE_FAILED
    stacks.change(rule, None)

    stacks.stacks().delete(NAME, REGION)

    assert stacks.wait().state is StackState.ABSENT
    stacks.stacks().delete(NAME, REGION)
    assert stacks.stacks().find_leftovers(REGION, STACK.tags(stacks.target)) == []


def test_gcp_leftovers_are_what_bears_the_tags_here(stacks):
    stacks.build()
    mine, other = STACK.tags(stacks.target, CELL), STACK.tags(stacks.target, "8e0f2b6a-1111-4222-8333-444455556666")
    stacks.change(f"zones/{REGION}-a/disks/pvc-1", {"labels": mine})
    stacks.change("zones/us-central1-a/disks/pvc-2", {"labels": mine})
    stacks.change(f"zones/{REGION}-a/disks/theirs", {"labels": {"team": "data"}})
    stacks.change("global/firewalls/theirs", {"network": "default"})

    found = stacks.stacks().find_leftovers(REGION, mine)

    assert sorted((part.kind.removeprefix("google_"), part.name) for part in found) == sorted([
        ("compute_network", NAME), ("compute_subnetwork", f"{NAME}-machines"), ("compute_subnetwork", f"{NAME}-agent"),
        ("compute_router", f"{NAME}-out"), ("compute_firewall", f"{NAME}-closed"), ("container_cluster", NAME),
        ("compute_instance", next(name for name in stacks.there() if "/instances/" in name).rpartition("/")[2]),
        ("compute_disk", "pvc-1"),
    ])  # fmt: skip
    assert stacks.stacks().find_leftovers(REGION, other) == []
    assert stacks.stacks().find_leftovers("us-west1", mine) == []


# --- comparing ---


def test_gcp_drift_names_what_was_changed_by_hand(stacks):
    stacks.build()
    stacks.pace(1)
    assert not stacks.stacks().find_drift(stacks.first).is_finished
    stacks.pace(0)
    stacks.wait()
    assert stacks.stacks().find_drift(stacks.first).differences == []

    body = stacks.google.control("GET", f"state?project={PROJECT}")["resources"][f"projects/{NUMBER}/global/firewalls/{NAME}-closed"]
    body.pop("is_live")
    stacks.change(f"global/firewalls/{NAME}-closed", {**body, "sourceRanges": ["10.0.0.0/8"]})
    stacks.change(f"regions/{REGION}/subnetworks/{NAME}-agent", None)
    drift = stacks.stacks().find_drift(stacks.first)

    assert drift.is_finished
    assert {(found.name, found.path, found.expected, found.found) for found in drift.differences} == {
        ("google_compute_firewall.closed", "source_ranges", '["0.0.0.0/0"]', '["10.0.0.0/8"]'),
        ("google_compute_subnetwork.agent", "", "present", "missing"),
    }
    assert stacks.build(replace(stacks.first, token="order-2")).state is StackState.READY
    assert stacks.stacks().find_drift(stacks.first).differences == []


def test_gcp_drift_waits_for_a_build_and_forgets_an_older_comparison(stacks):
    stacks.pace(10)
    stacks.stacks().apply(stacks.first)
    stacks.stacks().find_drift(stacks.first)
    stacks.google.control("POST", "clock", {"advance": 25})
    busy = refusal(lambda: stacks.stacks().find_drift(stacks.first))
    assert (busy.code, busy.retryable) == ("stack_busy", True)
    stacks.wait()
    stacks.stacks().find_drift(stacks.first)
    stacks.wait()

    newer = replace(stacks.first, token="order-2")

    assert not stacks.stacks().find_drift(newer).is_finished
    assert not stacks.stacks().find_drift(newer).is_finished
    stacks.wait()
    assert stacks.stacks().find_drift(newer).is_finished


# --- the wire ---


def test_gcp_stack_traffic_fits_googles_description(stacks):
    stacks.fail("google_container_cluster", "googleapi: Error 500: Internal", status=500)
    stacks.build()
    stacks.build()
    stacks.change(f"regions/{REGION}/subnetworks/{NAME}-agent", None)
    assert stacks.stacks().find_drift(stacks.first).differences
    stacks.stacks().find_leftovers(REGION, STACK.tags(stacks.target))
    stacks.stacks().delete(NAME, REGION)
    stacks.wait()

    journal = stacks.google.control("GET", "journal")
    assert {"config", "storage", "compute", "container"} <= {entry["api"] for entry in journal}
    assert [f"{entry['method']}: {problem}" for entry in journal for problem in problems(entry)] == []


@pytest.mark.parametrize(("kind", "code"), [("throttle", "throttled"), ("503", "cloud_unavailable"), ("502_html", "cloud_unavailable")])
def test_gcp_stack_calls_that_fail_may_be_made_again(stacks, kind, code):
    stacks.build()
    stacks.google.control("POST", "faults", {"kind": kind, "service": "config"})

    error = refusal(stacks.look)

    assert (error.code, error.retryable) == (code, True)
    assert stacks.look().state is StackState.READY


def test_gcp_order_whose_answer_was_lost_is_one_order(stacks):
    stacks.google.control("POST", "faults", {"kind": "lost_reply", "service": "config", "action": f"{API}.create"})

    assert refusal(lambda: stacks.stacks().apply(stacks.first)).retryable
    stacks.stacks().apply(stacks.first)

    assert stacks.wait().state is StackState.READY
