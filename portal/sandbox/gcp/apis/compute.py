"""Compute Engine, to read: regions, quotas, and what is taken. Its URLs carry the API's name twice, as Google's do."""

import zlib
from collections.abc import Iterable
from typing import Any

from portal.sandbox.gcp.errors import missing
from portal.sandbox.gcp.methods import Call, Handler, method, paged
from portal.sandbox.gcp.world import Resource, stamp

BASE = "/compute/v1/projects/{project}"
LISTING = ("filter", "maxResults", "orderBy", "pageToken")
EVERYWHERE = (*LISTING, "includeAllScopes", "returnPartialSuccess")  # as Google's own gcloud asks
GLOBAL, REGIONAL = "global", "regions/{region}"
# Zones that do not end in a, b and c.
ODD_ZONES = {"europe-west1": "bcd", "us-east1": "bcd", "us-central1": "abcf"}
REGIONS = (
    "africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3", "asia-south1", "asia-south2",
    "asia-southeast1", "asia-southeast2", "asia-southeast3", "australia-southeast1", "australia-southeast2", "europe-central2",
    "europe-north1", "europe-north2", "europe-southwest1", "europe-west1", "europe-west10", "europe-west12", "europe-west2",
    "europe-west3", "europe-west4", "europe-west6", "europe-west8", "europe-west9", "me-central1", "me-central2", "me-west1",
    "northamerica-northeast1", "northamerica-northeast2", "northamerica-south1", "southamerica-east1", "southamerica-west1",
    "us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west3", "us-west4",
)  # fmt: skip
METADATA = [{"key": "startup-script", "value": "export DATABASE_PASSWORD=hunter2"}]  # as some people keep it
QUOTAS = {"CPUS": 72.0, "DISKS_TOTAL_GB": 40960.0, "SSD_TOTAL_GB": 20480.0, "IN_USE_ADDRESSES": 69.0, "STATIC_ADDRESSES": 21.0}
PROJECT_QUOTAS = {"NETWORKS": 15.0, "SUBNETWORKS": 175.0, "ROUTERS": 20.0, "FIREWALLS": 500.0, "CPUS_ALL_REGIONS": 72.0}


def _link(call: Call, path: str) -> str:
    """Google's own host, wherever one asks."""
    return f"https://www.googleapis.com/compute/v1/projects/{call.project.id}/{path}".rstrip("/")


def _number(text: str) -> str:
    return str(10**18 + zlib.crc32(text.encode()) * 10**6)


def _quotas(call: Call, region: str, usual: dict[str, float]) -> list[dict[str, Any]]:
    own = call.project.quotas.get(region, {})
    figures = {metric: {"limit": limit, "usage": 0.0} for metric, limit in usual.items()} | own
    return [{"metric": metric, **figure} for metric, figure in sorted(figures.items())]


@method("compute.projects.get", f"GET {BASE}", permission="compute.projects.get")
def get_project(call: Call) -> dict[str, Any]:
    project = call.project
    counted = {"NETWORKS": "/global/networks/", "FIREWALLS": "/global/firewalls/", "SUBNETWORKS": "/subnetworks/", "ROUTERS": "/routers/"}
    own = f"projects/{project.number}/"
    quotas = _quotas(call, "", PROJECT_QUOTAS)
    for quota in quotas:
        part = counted.get(quota["metric"])
        if part and quota["metric"] not in project.quotas.get("", {}):
            quota["usage"] = float(sum(name.startswith(own) and part in name for name in call.world.resources))
    shown = {
        "kind": "compute#project", "id": _number(project.number), "creationTimestamp": stamp(project.created_at), "name": project.id,
        "selfLink": _link(call, ""), "quotas": quotas, "defaultNetworkTier": "PREMIUM",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultServiceAccount": f"{project.number}-compute@developer.gserviceaccount.com",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA=", "items": METADATA},
    }  # fmt: skip
    wanted = call.one("fields").split(",") if call.one("fields") else list(shown)
    return {name: value for name, value in shown.items() if name in wanted}


def _region(call: Call, name: str) -> dict[str, Any]:
    zones = [_link(call, f"zones/{name}-{letter}") for letter in ODD_ZONES.get(name, "abc")]
    return {
        "kind": "compute#region", "id": _number(name), "creationTimestamp": "1969-12-31T16:00:00.000-08:00", "name": name,
        "description": name, "status": "UP", "zones": zones, "quotas": _quotas(call, name, QUOTAS),
        "selfLink": _link(call, f"regions/{name}"), "supportsPzs": False,
    }  # fmt: skip


def _listed(call: Call, kind: str, path: str, items: list[Any]) -> dict[str, Any]:
    for name in ("filter", "orderBy"):
        if call.one(name):
            call.violate(name)
    page = paged(call, items, "items", size="maxResults")
    return {"kind": kind, "id": f"projects/{call.project.id}/{path}", "selfLink": _link(call, path), **page}


def _checked_region(call: Call) -> str:
    name = call.params["region"]
    if name not in REGIONS:
        raise missing(f"The resource 'projects/{call.project.id}/regions/{name}' was not found")
    return name


@method("compute.regions.get", f"GET {BASE}/regions/{{region}}", permission="compute.regions.get")
def get_region(call: Call) -> dict[str, Any]:
    return _region(call, _checked_region(call))


@method("compute.regions.list", f"GET {BASE}/regions", permission="compute.regions.list", query=LISTING)
def list_regions(call: Call) -> dict[str, Any]:
    return _listed(call, "compute#regionList", "regions", [_region(call, name) for name in REGIONS])


# --- What people have made ---


def _made(call: Call, path: str, kind: str, found: Resource) -> dict[str, Any]:
    """The record as compute shows it; a name of a network becomes its address."""
    body: dict[str, Any] = {
        "kind": f"compute#{kind}",
        "id": _number(path),
        "creationTimestamp": stamp(found.created_at),
        "name": path.rpartition("/")[2],
    }
    body |= {"selfLink": _link(call, path), **found.body}
    if path.startswith("regions/"):
        body["region"] = _link(call, path.split("/", maxsplit=1)[0] + "/" + path.split("/")[1])
    if path.startswith("zones/"):
        body["zone"] = _link(call, "/".join(path.split("/")[:2]))
    for name, place in (("machineType", "machineTypes"), ("subnetwork", "subnetworks")):
        if name in found.body and path.startswith("zones/"):
            zone = path.split("/")[1]
            where = f"zones/{zone}" if name == "machineType" else f"regions/{zone.rpartition('-')[0]}"
            body[name] = _link(call, f"{where}/{place}/{found.body[name]}")
    if "network" in found.body:
        body["network"] = _link(call, f"global/networks/{found.body['network']}")
    if kind == "instance" and "subnetwork" in body:
        body["networkInterfaces"] = [{"network": body.pop("network"), "subnetwork": body.pop("subnetwork")}]
    if kind == "network":
        body["subnetworks"] = [_link(call, name) for name, made in _subnetworks(call) if made.body["network"] == body["name"]]
    return body


def _subnetworks(call: Call) -> Iterable[tuple[str, Resource]]:
    own = f"projects/{call.project.number}/"
    return [
        (name.removeprefix(own), found) for name, found in call.world.resources.items() if name.startswith(own) and "/subnetworks/" in name
    ]


def _lister(collection: str, kind: str, scope: str) -> Handler:
    def answer(call: Call) -> dict[str, Any]:
        place = f"regions/{_checked_region(call)}" if scope == REGIONAL else scope
        prefix = f"projects/{call.project.number}/{place}/{collection}/"
        made = call.world.under(prefix)
        items = [_made(call, f"{place}/{collection}/{name.removeprefix(prefix)}", kind, found) for name, found in made]
        return _listed(call, f"compute#{kind}List", f"{place}/{collection}", items)

    return answer


for _collection, _kind, _scope, _right in (
    ("networks", "network", GLOBAL, "networks"),
    ("firewalls", "firewall", GLOBAL, "firewalls"),
    ("routes", "route", GLOBAL, "routes"),
    ("addresses", "address", GLOBAL, "globalAddresses"),
    ("addresses", "address", REGIONAL, "addresses"),
    ("routers", "router", REGIONAL, "routers"),
    ("subnetworks", "subnetwork", REGIONAL, "subnetworks"),
    ("forwardingRules", "forwardingRule", REGIONAL, "forwardingRules"),
):
    method(
        f"compute.{_right}.list", f"GET {BASE}/{_scope}/{_collection}", permission=f"compute.{_right}.list", query=LISTING
    )(_lister(_collection, _kind, _scope))  # fmt: skip


@method("compute.subnetworks.aggregatedList", f"GET {BASE}/aggregated/subnetworks", permission="compute.subnetworks.list", query=EVERYWHERE)
def aggregate_subnetworks(call: Call) -> dict[str, Any]:
    """By region; one without any says so instead of being left out."""
    items: dict[str, Any] = {}
    for region in REGIONS:
        found = [_made(call, path, "subnetwork", made) for path, made in _subnetworks(call) if path.startswith(f"regions/{region}/")]
        nothing = {
            "code": "NO_RESULTS_ON_PAGE", "message": f"There are no results for scope 'regions/{region}' on this page.",
            "data": [{"key": "scope", "value": f"regions/{region}"}],
        }  # fmt: skip
        items[f"regions/{region}"] = {"subnetworks": found} if found else {"warning": nothing}
    path = "aggregated/subnetworks"
    return {
        "kind": "compute#subnetworkAggregatedList", "id": f"projects/{call.project.id}/{path}", "items": items,
        "selfLink": _link(call, path),
    }  # fmt: skip


def _aggregator(collection: str, kind: str) -> Handler:
    """Of every place in which there is any."""

    def answer(call: Call) -> dict[str, Any]:
        own, items = f"projects/{call.project.number}/", dict[str, Any]()
        for name, found in call.world.resources.items():
            path = name.removeprefix(own)
            if name.startswith(own) and f"/{collection}/" in path:
                place = path.partition(f"/{collection}/")[0]
                items.setdefault(place, {collection: []})[collection].append(_made(call, path, kind, found))
        path = f"aggregated/{collection}"
        link = _link(call, path)
        return {"kind": f"compute#{kind}AggregatedList", "id": f"projects/{call.project.id}/{path}", "items": items, "selfLink": link}

    return answer


for _collection, _kind in (("instances", "instance"), ("disks", "disk"), ("addresses", "address")):
    method(
        f"compute.{_collection}.aggregatedList", f"GET {BASE}/aggregated/{_collection}", permission=f"compute.{_collection}.list",
        query=EVERYWHERE,
    )(_aggregator(_collection, _kind))  # fmt: skip
