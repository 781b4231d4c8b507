"""Kubernetes Engine, to read: what clusters there are. Control makes them, as a person would."""

from typing import Any

from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.errors import GoogleError, missing
from portal.sandbox.gcp.methods import Call, Params, method
from portal.sandbox.gcp.world import World

EVERYWHERE = "-"


@method(
    "container.projects.locations.clusters.list", "GET /v1/projects/{project}/locations/{location}/clusters",
    permission="container.clusters.list",
)  # fmt: skip
def list_clusters(call: Call) -> dict[str, Any]:
    """Of every place at once; one place alone is not played."""
    if call.params["location"] != EVERYWHERE:
        call.violate(f"location {call.params['location']}")
        raise GoogleError("UNIMPLEMENTED", "Clusters of one place are not played here.")
    prefix = f"projects/{call.project.number}/locations/"
    found = [
        {"name": name.rpartition("/")[2], "location": name.removeprefix(prefix).partition("/")[0], "status": "RUNNING", **made.body}
        for name, made in sorted(call.world.resources.items())
        if name.startswith(prefix) and "/clusters/" in name and "/nodePools/" not in name
    ]
    return {"clusters": found} if found else {}


def _cluster(world: World, params: Params) -> Target:
    target = project_target(world, params["project"])
    name = f"{target.name}/locations/{params['location']}/clusters/{params['cluster']}"
    if target.project is not None:
        name = name.replace(target.name, f"projects/{target.project.id}", 1)
    return Target(target.project, target.chain, name, "container.googleapis.com/Cluster")


@method(
    "container.projects.locations.clusters.get", "GET /v1/projects/{project}/locations/{location}/clusters/{cluster}",
    permission="container.clusters.get", on=_cluster,
)  # fmt: skip
def get_cluster(call: Call) -> dict[str, Any]:
    place, name = call.params["location"], call.params["cluster"]
    found = call.world.live(f"projects/{call.project.number}/locations/{place}/clusters/{name}")
    if found is None:
        raise missing(f"Not found: {call.target.name}.")
    return {"name": name, "location": place, "status": "RUNNING", "currentMasterVersion": "1.31.5-gke.1023000", **found.body}
