"""Kubernetes Engine, to read: what clusters there are. Control makes them, as a person would."""

from typing import Any

from portal.sandbox.gcp.errors import GoogleError
from portal.sandbox.gcp.methods import Call, method

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
