"""The Google Cloud cell's plan: what it makes is what the page says, nothing has a way in, and every name fits."""

import re
import shutil
import subprocess
from ipaddress import ip_network

import hcl2
import pytest

from accounts.clouds.base import Target
from accounts.clouds.gcp import plans
from accounts.kits.gcp.kit import GcpKit
from accounts.kits.gcp.regions import REGIONS
from cells.stacks import load
from cells.stacks.base import AgentBootstrap, CellInput
from cells.stacks.bootstrap import KUBECONFIG
from cells.stacks.gcp.stack import PLAN_PATH, STACK, plan, published
from portal.sandbox.gcp.manager.kinds import KINDS
from portal.sandbox.gcp.manager.plan import Plan

TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id="acme-data-prod-of-europe-2026x",
    region="europe-west3",
    suffix="3f9a1c2e-g9999",
    generation=9999,
    kit_version=GcpKit().version,
    kit_hash="",
    issuer="https://id.portal.test/trust/a/g1",
    audience="",
    identity={"project_number": "123456789012"},
)
CELL = CellInput(
    cell="7d0f2b6a-1111-4222-8333-444455556666",
    region="europe-west3",
    zones=("europe-west3-a", "europe-west3-b"),
    cidr="10.64.0.0/16",
    machine_size="small",
    machines=3,
    agent=AgentBootstrap("https://portal.test", "7d0f2b6a-1111-4222-8333-444455556666", "once", "https://portal.test/a.pyz", "0" * 64),
    token="order-1",
)


def read() -> Plan:
    order = STACK.order(TARGET, CELL)
    return Plan(plans.archive(plan()), {**order.parameters, **order.secrets})


def body(address: str, **more: str) -> dict:
    """One resource as it is ordered, with made-up answers of those that it names."""
    declared = next(found for found in read().resources if found.address == address)
    made = {"id": "an-id", "name": "a-name", "ip_cidr_range": "10.64.16.0/24", "endpoint": "10.64.48.2"}
    return read().attributes(declared, {need: {"attributes": made} for need in declared.needs})


def test_gcp_cell_is_the_clouds_own():
    assert load("gcp") is STACK
    assert STACK.version == "1.0.0"


def test_gcp_parts_are_those_of_the_plan():
    assert sorted((part.kind, part.name) for part in STACK.parts()) == sorted((found.type, found.address) for found in read().resources)
    assert all(str(part.why).endswith(".") and str(part.cost).endswith(".") for part in STACK.parts())


def test_gcp_order_is_the_same_for_the_same_cell():
    assert STACK.order(TARGET, CELL) == STACK.order(TARGET, CELL)
    assert set(STACK.order(TARGET, CELL).secrets) == {"user_data"}


def test_gcp_order_gives_every_variable_and_no_other():
    read_variables = {
        name.strip('"'): found for file in plan_files() for block in file.get("variable", []) for name, found in block.items()
    }
    order = STACK.order(TARGET, CELL)

    assert set(read_variables) == {*order.parameters, *order.secrets}
    assert [name for name, found in read_variables.items() if found.get("sensitive")] == list(order.secrets)
    assert all(found["description"] for found in read_variables.values())


def plan_files() -> list[dict]:
    return [hcl2.loads(text + "\n") for name, text in plan().items() if name.endswith(".tf")]


@pytest.mark.parametrize("region", [region.code for region in REGIONS])
def test_gcp_names_fit_in_every_region(region):
    name = STACK.name(TARGET, region)

    assert re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", name)  # a cluster's
    assert name.startswith(GcpKit().shipped(TARGET).prefix)


def test_gcp_labels_are_ones_that_google_takes():
    tags = STACK.tags(TARGET, CELL.cell)

    assert tags == {"byoc-account": TARGET.account, "byoc-managed": "cell", "byoc-cell": CELL.cell}
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) and re.fullmatch(r"[a-z0-9_-]{0,63}", value) for name, value in tags.items())


def test_gcp_everything_is_marked_by_labels_or_by_its_description():
    tags = STACK.tags(TARGET, CELL.cell)
    for found in read().resources:
        made = body(found.address)
        labels = made.get("labels") or made.get("resource_labels") or made.get("node_config", [{}])[0].get("resource_labels")
        said = dict(word.split("=") for word in made.get("description", "").split())
        if found.type != "google_compute_router_nat":  # a part of its router
            assert tags in (labels, said), found.address


def test_gcp_nothing_has_a_public_address_or_a_way_in():
    agent, cluster = body("google_compute_instance.agent"), body("google_container_cluster.cell")
    firewalls = [body(found.address) for found in read().resources if found.type == "google_compute_firewall"]

    assert agent["network_interface"] == [{"subnetwork": "an-id"}]  # an access_config would be a public address
    assert agent["metadata"]["block-project-ssh-keys"] == "true"
    assert agent["metadata"]["user-data"].startswith("#cloud-config\n")
    assert "ssh-keys" not in agent["metadata"]
    assert all(agent["shielded_instance_config"][0].values())
    assert cluster["private_cluster_config"][0]["enable_private_endpoint"]
    assert cluster["private_cluster_config"][0]["enable_private_nodes"]
    assert [range_["cidr_block"] for range_ in cluster["master_authorized_networks_config"][0]["cidr_blocks"]] == ["10.64.16.0/24"]
    assert not any("allow" in firewall for firewall in firewalls)
    assert cluster["workload_identity_config"] == [{"workload_pool": f"{TARGET.external_id}.svc.id.goog"}]


def test_gcp_machines_run_as_the_kits_accounts():
    accounts = GcpKit().shipped(TARGET).accounts
    cluster, pool = body("google_container_cluster.cell"), body("google_container_node_pool.machines")

    assert {cluster["node_config"][0]["service_account"], pool["node_config"][0]["service_account"]} == {accounts["node"].email}
    assert body("google_compute_instance.agent")["service_account"][0]["email"] == accounts["agent"].email


def test_gcp_ranges_are_apart_and_in_the_cells_own():
    machines, agent = body("google_compute_subnetwork.machines"), body("google_compute_subnetwork.agent")
    ranges = [machines["ip_cidr_range"], agent["ip_cidr_range"], *(extra["ip_cidr_range"] for extra in machines["secondary_ip_range"])]
    ranges.append(body("google_container_cluster.cell")["private_cluster_config"][0]["master_ipv4_cidr_block"])
    found = [ip_network(text) for text in ranges]

    assert all(one.subnet_of(ip_network(CELL.cidr)) for one in found)
    assert not any(one.overlaps(other) for index, one in enumerate(found) for other in found[:index])


def test_gcp_machines_are_spread_over_the_zones():
    assert STACK.order(TARGET, CELL).parameters["machines_per_zone"] == "2"  # three in two zones
    assert body("google_container_node_pool.machines")["node_locations"] == list(CELL.zones)


def test_gcp_agent_finds_its_cluster():
    text = STACK.order(TARGET, CELL).secrets["user_data"]

    assert f"KUBECONFIG={KUBECONFIG}" in text
    assert f"get-credentials byoc-3f9a1c2e-europe-west3 --project={TARGET.external_id} --location=europe-west3 --internal-ip" in text


def test_gcp_plan_is_published_by_version_and_content():
    ((key, content),) = published().items()
    order = STACK.order(TARGET, CELL)

    assert key == plans.key({plans.MAIN: order.document, **order.files})
    assert re.fullmatch(r"cells/gcp/1\.0\.0/[0-9a-f]{64}/plan\.zip", key)
    assert content == plans.archive(plan())
    assert key != plans.key({**plan(), plans.MAIN: "#"})


def test_gcp_rights_of_the_builder_are_those_that_the_plan_uses():
    """Everything the plan needs is in the kit; and of machines and disks, nothing else is."""
    shipped = GcpKit().shipped(TARGET)
    held = {name for bound in shipped.bindings if bound.account == "builder" for name in shipped.roles[bound.role]}
    used = {
        right.removesuffix("@")
        for found in read().resources
        for right in (*KINDS[found.type].create, *KINDS[found.type].read, *KINDS[found.type].delete)
    }

    assert used - held == set()
    assert {name for name in held - used if name.startswith(("compute.instances.", "compute.disks.", "compute.zone"))} == set()


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_gcp_plan_is_formatted():
    found = subprocess.run(["terraform", "fmt", "-check", "-diff", str(PLAN_PATH)], capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout) == (0, "")
