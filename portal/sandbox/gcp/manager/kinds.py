"""The kinds of resources that a plan may hold: what Terraform takes for each, which rights of the builder it uses, what Google shows then.

Attributes are those of the provider `google`; one that is not listed is refused and recorded. A right that ends in @ is asked of the
project, as its target has no name of its own; every other of the resource itself, so that conditions on names count.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Attributes = dict[str, Any]
COMPUTE, CONTAINER = "compute.googleapis.com", "container.googleapis.com"
NODES = {
    "machine_type", "service_account", "oauth_scopes", "labels", "resource_labels", "disk_size_gb", "disk_type", "image_type", "metadata",
    "shielded_instance_config.enable_secure_boot", "shielded_instance_config.enable_integrity_monitoring", "workload_metadata_config.mode",
}  # fmt: skip
CPUS = {"e2-small": 2, "e2-standard-2": 2, "e2-standard-4": 4, "e2-standard-8": 8}


@dataclass(frozen=True)
class Kind:
    host: str
    path: Callable[[Attributes], str]  # below projects/<number>/
    body: Callable[[Attributes], dict[str, Any]]
    takes: frozenset[str]  # attributes; those of a block behind a dot
    create: tuple[str, ...]
    read: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    weight: float = 1.0  # of the time it takes
    accounts: Callable[[Attributes], list[str]] = lambda _found: []  # that the builder must be allowed to hand on
    cpus: Callable[[Attributes], int] = lambda _found: 0
    longest: int = 63  # of its name


def short(link: Any) -> str:
    """The last word of a link or an id."""
    return str(link).rpartition("/")[2]


def _network(found: Attributes) -> dict[str, Any]:
    return {"description": found.get("description", ""), "autoCreateSubnetworks": found.get("auto_create_subnetworks", True)}


def _subnetwork(found: Attributes) -> dict[str, Any]:
    extra = [{"rangeName": entry["range_name"], "ipCidrRange": entry["ip_cidr_range"]} for entry in found.get("secondary_ip_range", [])]
    return {
        "description": found.get("description", ""), "network": short(found["network"]), "ipCidrRange": found["ip_cidr_range"],
        "privateIpGoogleAccess": found.get("private_ip_google_access", False), **({"secondaryIpRanges": extra} if extra else {}),
    }  # fmt: skip


def _firewall(found: Attributes) -> dict[str, Any]:
    rules = {name: [{"IPProtocol": entry["protocol"]} for entry in found[kind]] for name, kind in (("denied", "deny"),) if kind in found}
    return {
        "description": found.get("description", ""), "network": short(found["network"]), "direction": found["direction"],
        "priority": found["priority"], "sourceRanges": found["source_ranges"], **rules,
    }  # fmt: skip


def _router(found: Attributes) -> dict[str, Any]:
    return {"description": found.get("description", ""), "network": short(found["network"])}


def _nat(found: Attributes) -> dict[str, Any]:
    return {
        "natIpAllocateOption": found["nat_ip_allocate_option"],
        "sourceSubnetworkIpRangesToNat": found["source_subnetwork_ip_ranges_to_nat"],
    }


def _cluster(found: Attributes) -> dict[str, Any]:
    private = found["private_cluster_config"][0]
    return {
        "description": found.get("description", ""), "network": short(found["network"]), "subnetwork": short(found["subnetwork"]),
        "resourceLabels": found["resource_labels"], "locations": found["node_locations"],
        "privateClusterConfig": {
            "enablePrivateNodes": private["enable_private_nodes"], "enablePrivateEndpoint": private["enable_private_endpoint"],
            "masterIpv4CidrBlock": private["master_ipv4_cidr_block"],
        },
        "workloadIdentityConfig": {"workloadPool": found["workload_identity_config"][0]["workload_pool"]},
    }  # fmt: skip


def _node_pool(found: Attributes) -> dict[str, Any]:
    nodes = found["node_config"][0]
    config = {"machineType": nodes["machine_type"], "serviceAccount": nodes["service_account"]}
    return {"initialNodeCount": found["node_count"], "locations": found["node_locations"], "config": config}


def _instance(found: Attributes) -> dict[str, Any]:
    metadata = [{"key": name, "value": value} for name, value in sorted(found["metadata"].items())]
    return {
        "description": found.get("description", ""), "zone": found["zone"], "machineType": found["machine_type"], "status": "RUNNING",
        "labels": found["labels"], "subnetwork": short(found["network_interface"][0]["subnetwork"]),
        "serviceAccounts": [dict(entry) for entry in found["service_account"]], "metadata": {"items": metadata},
    }  # fmt: skip


def _node_cpus(found: Attributes) -> int:
    return CPUS.get(found["node_config"][0]["machine_type"], 2) * int(found["node_count"]) * len(found["node_locations"])


def _accounts_of_nodes(found: Attributes) -> list[str]:
    return [entry["service_account"] for entry in found["node_config"]]


def _regional(collection: str) -> Callable[[Attributes], str]:
    return lambda found: f"regions/{found['region']}/{collection}/{found['name']}"


def _global(collection: str) -> Callable[[Attributes], str]:
    return lambda found: f"global/{collection}/{found['name']}"


def _compute(
    thing: str, path: Callable[[Attributes], str], body: Callable[[Attributes], dict[str, Any]], takes: set[str], *more: str
) -> Kind:
    """What Compute makes by one call, changes by one, deletes by one."""
    waits = "compute.globalOperations.get@" if path({"name": "", "region": ""}).startswith("global/") else "compute.regionOperations.get@"
    return Kind(
        COMPUTE, path, body, frozenset({"name", "description", "project"} | takes),
        create=(f"compute.{thing}.create", waits, *more), read=(f"compute.{thing}.get",), update=(f"compute.{thing}.update", waits),
        delete=(f"compute.{thing}.delete", waits, *more),
    )  # fmt: skip


POLICY = "compute.networks.updatePolicy@"
CLUSTER_TAKES = {
    "name", "description", "location", "node_locations", "network", "subnetwork", "networking_mode", "datapath_provider",
    "enable_shielded_nodes", "remove_default_node_pool", "initial_node_count", "deletion_protection", "resource_labels",
    *(f"node_config.{name}" for name in NODES), "release_channel.channel", "ip_allocation_policy.cluster_secondary_range_name",
    "ip_allocation_policy.services_secondary_range_name", "private_cluster_config.enable_private_nodes",
    "private_cluster_config.enable_private_endpoint", "private_cluster_config.master_ipv4_cidr_block",
    "master_authorized_networks_config.cidr_blocks.cidr_block", "master_authorized_networks_config.cidr_blocks.display_name",
    "workload_identity_config.workload_pool",
}  # fmt: skip
POOL_TAKES = {
    "name", "location", "node_locations", "cluster", "node_count", "management.auto_repair", "management.auto_upgrade",
    "upgrade_settings.max_surge", "upgrade_settings.max_unavailable", *(f"node_config.{name}" for name in NODES),
}  # fmt: skip
INSTANCE_TAKES = {
    "name", "description", "zone", "machine_type", "labels", "metadata", "boot_disk.auto_delete",
    *(f"boot_disk.initialize_params.{name}" for name in ("image", "size", "type", "labels")), "network_interface.subnetwork",
    "service_account.email", "service_account.scopes",
    *(f"shielded_instance_config.{name}" for name in ("enable_secure_boot", "enable_vtpm", "enable_integrity_monitoring")),
}  # fmt: skip

KINDS: dict[str, Kind] = {
    "google_compute_network": _compute("networks", _global("networks"), _network, {"auto_create_subnetworks"}),
    "google_compute_subnetwork": _compute(
        "subnetworks",
        _regional("subnetworks"),
        _subnetwork,
        {
            "region",
            "network",
            "ip_cidr_range",
            "private_ip_google_access",
            "secondary_ip_range.range_name",
            "secondary_ip_range.ip_cidr_range",
        },
        POLICY,
    ),
    "google_compute_firewall": _compute(
        "firewalls", _global("firewalls"), _firewall, {"network", "direction", "priority", "source_ranges", "deny.protocol"}, POLICY
    ),
    "google_compute_router": _compute("routers", _regional("routers"), _router, {"region", "network"}, POLICY),
    "google_compute_router_nat": Kind(
        COMPUTE,
        lambda found: f"regions/{found['region']}/routers/{found['router']}/nats/{found['name']}",
        _nat,
        frozenset(
            {
                "name",
                "region",
                "router",
                "nat_ip_allocate_option",
                "source_subnetwork_ip_ranges_to_nat",
                "log_config.enable",
                "log_config.filter",
            }
        ),
        create=("compute.routers.get", "compute.routers.update", "compute.regionOperations.get@"),
        read=("compute.routers.get",),
        update=("compute.routers.get", "compute.routers.update"),
        delete=("compute.routers.get", "compute.routers.update"),
    ),
    "google_container_cluster": Kind(
        CONTAINER,
        lambda found: f"locations/{found['location']}/clusters/{found['name']}",
        _cluster,
        frozenset(CLUSTER_TAKES),
        create=(
            "container.clusters.create@",
            "container.clusters.get",
            "container.clusters.update",
            "container.operations.get@",
            "compute.networks.use@",
            "compute.subnetworks.use@",
        ),
        read=("container.clusters.get",),
        update=("container.clusters.update", "container.operations.get@"),
        delete=("container.clusters.delete", "container.operations.get@"),
        weight=8,
        accounts=_accounts_of_nodes,
        longest=40,
    ),
    "google_container_node_pool": Kind(
        CONTAINER,
        lambda found: f"locations/{found['location']}/clusters/{found['cluster']}/nodePools/{found['name']}",
        _node_pool,
        frozenset(POOL_TAKES),
        create=("container.clusters.update", "container.clusters.get", "container.operations.get@"),
        read=("container.clusters.get",),
        update=("container.clusters.update", "container.operations.get@"),
        delete=("container.clusters.update", "container.operations.get@"),
        weight=4,
        accounts=_accounts_of_nodes,
        cpus=_node_cpus,
        longest=40,
    ),
    "google_compute_instance": Kind(
        COMPUTE,
        lambda found: f"zones/{found['zone']}/instances/{found['name']}",
        _instance,
        frozenset(INSTANCE_TAKES),
        create=(
            "compute.instances.create",
            "compute.instances.setLabels",
            "compute.instances.setMetadata",
            "compute.instances.setServiceAccount",
            "compute.instances.get",
            "compute.disks.create",
            "compute.disks.setLabels",
            "compute.disks.get",
            "compute.subnetworks.use@",
            "compute.zones.get@",
            "compute.zoneOperations.get@",
        ),
        read=("compute.instances.get", "compute.disks.get"),
        update=("compute.instances.setLabels", "compute.zoneOperations.get@"),
        delete=("compute.instances.delete", "compute.zoneOperations.get@"),
        weight=2,
        accounts=lambda found: [entry["email"] for entry in found["service_account"]],
        cpus=lambda found: CPUS.get(found["machine_type"], 2),
    ),
}


def unknown_argument(kind: Kind, attributes: Attributes) -> str:
    """The first that Terraform would not take; empty where it takes all."""
    return next((name for name in _names(attributes) if name not in kind.takes), "")


def _names(attributes: Attributes, before: str = "") -> list[str]:
    """Blocks stand as lists of objects; an object that is no block is a map with names of its own."""
    found: list[str] = []
    for name, value in attributes.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found += [inner for entry in value for inner in _names(entry, f"{before}{name}.")]
        else:
            found.append(f"{before}{name}")
    return found


def computed(kind_name: str, attributes: Attributes, project: str, path: str) -> Attributes:
    """What Terraform knows once it stands."""
    found = {**attributes, "id": f"projects/{project}/{path}"}
    if kind_name == "google_container_cluster":
        base = attributes["private_cluster_config"][0]["master_ipv4_cidr_block"].partition("/")[0]
        found["endpoint"] = re.sub(r"\.\d+$", ".2", base)
        found["serial"] = secrets.token_hex(4)
    return found
