"""Workload identity pools. A deleted one blocks its name for 30 days, in which it can be had back."""

import re
from typing import Any

from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.errors import GoogleError, invalid, missing, taken
from portal.sandbox.gcp.methods import PAGING, Call, Params, method, paged
from portal.sandbox.gcp.world import SOFT_DELETE_SECONDS, Operation, Resource, World, fresh_secret, stamp

POOL_ID = re.compile(r"(?!gcp-)[a-z][a-z0-9-]{2,30}[a-z0-9]")
POOL_TYPE = "type.googleapis.com/google.iam.v1.WorkloadIdentityPool"
METADATA_TYPE = "type.googleapis.com/google.iam.v1.WorkloadIdentityPoolOperationMetadata"
POOL = dict.fromkeys(("name", "displayName", "description", "state", "expireTime", "mode"), str) | {"disabled": bool}
CHANGEABLE = {"displayName", "description", "disabled"}
DISPLAY_NAME_LENGTH, DESCRIPTION_LENGTH = 32, 256
BASE = "/v1/projects/{project}/locations/global/workloadIdentityPools"
ONE = BASE + "/{pool}"
API = "iam.projects.locations.workloadIdentityPools"


def of_location(world: World, params: Params) -> Target:
    above = project_target(world, params["project"])
    return Target(above.project, above.chain, f"{above.name}/locations/global", above.type)


def of_pool(world: World, params: Params) -> Target:
    above = project_target(world, params["project"])
    name = f"{above.name}/locations/global/workloadIdentityPools/{params['pool']}"
    return Target(above.project, above.chain, name, "iam.googleapis.com/WorkloadIdentityPool")


def pool_name(call: Call) -> str:
    return f"projects/{call.project.number}/locations/global/workloadIdentityPools/{call.params['pool']}"


def find(call: Call, name: str) -> Resource:
    """Deleted ones too, for 30 days."""
    found = call.world.resources.get(name)
    if found is None:
        raise missing()
    return found


def start_operation(call: Call, name: str, response: dict[str, Any], type_url: str) -> dict[str, Any]:
    """The operation as it is right after the call: under way."""
    operation = f"{name}/operations/{fresh_secret('')[:32].lower()}"
    done_at = call.world.now() + call.world.knobs.operation_seconds
    call.world.operations[operation] = Operation(done_at, {"@type": type_url, **response}, {"@type": METADATA_TYPE})
    return {"name": operation, "metadata": {"@type": METADATA_TYPE}}


def check_texts(given: dict[str, Any], kind: str) -> None:
    for field, longest in (("displayName", DISPLAY_NAME_LENGTH), ("description", DESCRIPTION_LENGTH)):
        if len(given.get(field, "")) > longest:
            raise invalid(f"The {kind}'s {field} must be at most {longest} characters.", f"{kind}.{field}")


def update(call: Call, found: Resource, given: dict[str, Any], changeable: set[str]) -> None:
    if not found.is_live:
        raise GoogleError("FAILED_PRECONDITION", "Precondition check failed.")
    mask = call.mask()
    if not mask:
        raise invalid("Update mask must not be empty.", "update_mask")
    for path in mask:
        field, _, inner = path.partition(".")
        if field not in changeable:
            raise invalid(f"Invalid field in update mask: {path}.", "update_mask")
        if inner:
            _replace(found.body.setdefault(field, {}), inner, given.get(field, {}))
        else:
            _replace(found.body, field, given)


def _replace(body: dict[str, Any], field: str, given: dict[str, Any]) -> None:
    body.pop(field, None)
    if given.get(field):
        body[field] = given[field]


def remove(call: Call, found: Resource) -> None:
    if not found.is_live:
        raise missing()
    found.deleted_at = call.world.now()
    found.body |= {"state": "DELETED", "expireTime": stamp(found.deleted_at + SOFT_DELETE_SECONDS)}


def restore(found: Resource) -> None:
    if found.is_live:
        raise GoogleError("FAILED_PRECONDITION", "Precondition check failed.")
    found.deleted_at = None
    found.body["state"] = "ACTIVE"
    found.body.pop("expireTime", None)


def listed(call: Call, prefix: str, field: str) -> dict[str, Any]:
    found = [made.body for _name, made in call.world.under(prefix) if made.is_live or call.flag("showDeleted")]
    return paged(call, found, field)


@method(f"{API}.create", f"POST {BASE}", permission="iam.workloadIdentityPools.create", on=of_location,
        query=("workloadIdentityPoolId",), body=POOL)  # fmt: skip
def create(call: Call) -> dict[str, Any]:
    short = call.one("workloadIdentityPoolId")
    if not POOL_ID.fullmatch(short):
        raise invalid(
            "The workload_identity_pool_id must be 4-32 characters of a-z, 0-9 and hyphens, and may not start with `gcp-`.",
            "workload_identity_pool_id",
        )
    check_texts(call.body, "workload_identity_pool")
    if call.body.get("mode", "FEDERATION_ONLY") != "FEDERATION_ONLY":
        call.violate("mode")
        raise GoogleError("UNIMPLEMENTED", "Only pools for federation are played here.")
    name = f"projects/{call.project.number}/locations/global/workloadIdentityPools/{short}"
    if name in call.world.resources:
        raise taken()
    body = {"name": name, **{field: call.body[field] for field in CHANGEABLE if call.body.get(field)}, "state": "ACTIVE"}
    call.world.resources[name] = Resource(body, call.world.now())
    return start_operation(call, name, body, POOL_TYPE)


@method(f"{API}.get", f"GET {ONE}", permission="iam.workloadIdentityPools.get", on=of_pool)
def get(call: Call) -> dict[str, Any]:
    return find(call, pool_name(call)).body


@method(f"{API}.list", f"GET {BASE}", permission="iam.workloadIdentityPools.list", on=of_location, query=(*PAGING, "showDeleted"))
def list_pools(call: Call) -> dict[str, Any]:
    return listed(call, f"projects/{call.project.number}/locations/global/workloadIdentityPools/", "workloadIdentityPools")


@method(f"{API}.patch", f"PATCH {ONE}", permission="iam.workloadIdentityPools.update", on=of_pool, query=("updateMask",), body=POOL)
def patch(call: Call) -> dict[str, Any]:
    found = find(call, pool_name(call))
    check_texts(call.body, "workload_identity_pool")
    update(call, found, call.body, CHANGEABLE)
    return start_operation(call, pool_name(call), found.body, POOL_TYPE)


@method(f"{API}.delete", f"DELETE {ONE}", permission="iam.workloadIdentityPools.delete", on=of_pool)
def delete(call: Call) -> dict[str, Any]:
    found = find(call, pool_name(call))
    remove(call, found)
    return start_operation(call, pool_name(call), found.body, POOL_TYPE)


@method(f"{API}.undelete", f"POST {ONE}:undelete", permission="iam.workloadIdentityPools.undelete", on=of_pool, body={})
def undelete(call: Call) -> dict[str, Any]:
    found = find(call, pool_name(call))
    restore(found)
    return start_operation(call, pool_name(call), found.body, POOL_TYPE)


@method(f"{API}.operations.get", f"GET {ONE}/operations/{{operation}}", permission="iam.workloadIdentityPools.get", on=of_pool)
def get_operation(call: Call) -> dict[str, Any]:
    return shown_operation(call.world, f"{pool_name(call)}/operations/{call.params['operation']}")


def shown_operation(world: World, name: str) -> dict[str, Any]:
    found = world.operations.get(name)
    if found is None:
        raise missing()
    shown: dict[str, Any] = {"name": name, "metadata": found.metadata}
    return shown | ({"done": True, "response": found.response} if found.done_at <= world.now() else {})
