"""Infrastructure Manager, to read: what deployments stand in one place. Control makes them, as a person would."""

from typing import Any

from portal.sandbox.gcp.apis.compute import REGIONS
from portal.sandbox.gcp.errors import invalid
from portal.sandbox.gcp.methods import PAGING, Call, method, paged


@method(
    "config.projects.locations.deployments.list", "GET /v1/projects/{project}/locations/{location}/deployments",
    permission="config.deployments.list", query=(*PAGING, "filter", "orderBy"),
)  # fmt: skip
def list_deployments(call: Call) -> dict[str, Any]:
    place = call.params["location"]
    if place not in REGIONS:
        raise invalid(f"Location {place} is not found or access is unauthorized.")
    for name in ("filter", "orderBy"):
        if call.one(name):
            call.violate(name)
    made = call.world.under(f"projects/{call.project.number}/locations/{place}/deployments/")
    items = [
        {"name": f"projects/{call.project.id}/locations/{place}/deployments/{name.rpartition('/')[2]}", "state": "ACTIVE", **found.body}
        for name, found in made
    ]
    return paged(call, items, "deployments")
