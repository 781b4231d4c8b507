"""Resource groups: create, look, list, and a deletion that takes its time."""

import re
from uuid import uuid4

from portal.sandbox import wire
from portal.sandbox.azure import errors
from portal.sandbox.azure.arm.call import Act, Body, Call, answer, listed, nothing
from portal.sandbox.azure.arm.kind import Kind
from portal.sandbox.azure.arm.kinds import GROUP
from portal.sandbox.azure.arm.links import check, signed
from portal.sandbox.azure.arm.resources import FILTER, demand_location, demand_unlocked
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Resource, World

VERSIONS = (
    "2018-05-01", "2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01",
    "2024-07-01", "2024-11-01", "2025-03-01", "2025-04-01",
)  # fmt: skip
SHAPE = {"id": str, "name": str, "type": str, "location": str, "tags": {"*": str}, "managedBy": str, "properties": {}}
KIND = Kind(GROUP, VERSIONS, SHAPE)
NAME = re.compile(r"[-\w._()]{0,89}[-\w_()]")
DELETION_STEPS = 2  # a deletion takes this many paces


def write(act: Act, number: str, body: Body) -> tuple[int, Resource]:
    """Creates or changes a group. Raises ArmError."""
    _root, _subscriptions, sub, _groups, name = number.split("/")
    act.check_fields(body, SHAPE)
    if not NAME.fullmatch(name):
        raise ArmError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters. "
            "The name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
        )
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    old = act.world.find(number)
    demand_location(act, number, KIND, body)
    demand_unlocked(act.world, number, "write")
    if old is not None and old.body["location"] != body["location"]:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{body['location']}'. "
            f"The Resource group already exists in location '{old.body['location']}'.",
        )
    if any(job["group"].lower() == number.lower() and job["done_at"] > act.world.now() for job in act.world.group_deletions.values()):
        raise ArmError(
            409, "ResourceGroupBeingDeleted", f"The resource group '{name}' is in deprovisioning state and cannot perform this operation."
        )
    kept = {"location": body["location"], "tags": body.get("tags") or {}, "properties": {"provisioningState": "Succeeded"}}
    scope = f"/subscriptions/{sub.lower()}/resourceGroups/{name if old is None else old.name}"
    tenant = act.world.subscriptions[sub.lower()].tenant
    made = act.world.put(Resource(scope, GROUP, kept, tenant, act.world.now() if old is None else old.created_at))
    return (201 if old is None else 200), made


def put(call: Call) -> wire.Reply:
    status, made = write(call, f"/subscriptions/{call['sub']}/resourceGroups/{call['rg']}", call.body)
    return answer(status, made.answer())


def patch(call: Call) -> wire.Reply:
    group = demand(call)
    call.check_fields(call.body, {"tags": {"*": str}, "name": str, "properties": {}, "managedBy": str})
    demand_unlocked(call.world, group.id, "write")
    group.body["tags"] = call.body.get("tags", group.body.get("tags"))
    return answer(200, group.answer())


def demand(call: Call) -> Resource:
    found = call.world.find(f"/subscriptions/{call['sub']}/resourceGroups/{call['rg']}")
    if found is None:
        raise errors.no_group(call["rg"])
    return found


def get(call: Call) -> wire.Reply:
    return answer(200, demand(call).answer())


def head(call: Call) -> wire.Reply:
    return nothing(204 if call.world.find(f"/subscriptions/{call['sub']}/resourceGroups/{call['rg']}") else 404)


def collection(call: Call) -> wire.Reply:
    groups = [group.answer() for group in call.world.of_type(GROUP, f"/subscriptions/{call['sub']}")]
    found = FILTER.findall(call.query("$filter"))
    tags = {field.lower(): value for field, value in found}
    if "tagname" in tags:
        groups = [
            group for group in groups if group["tags"].get(tags["tagname"]) == tags.get("tagvalue", group["tags"].get(tags["tagname"]))
        ]
    return listed(call, groups)


def delete(call: Call) -> wire.Reply:
    """202 and a Location that answers 202 until everything in the group is gone."""
    group = demand(call)
    demand_unlocked(call.world, group.id, "delete")
    job = f"{uuid4().hex.upper()}-{call['sub'][:8].upper()}"
    ends = call.world.now() + DELETION_STEPS * call.sandbox.knobs.pace_seconds
    call.world.group_deletions[job] = {"group": group.id, "done_at": ends, "sub": call["sub"].lower()}
    group.body["properties"] = {"provisioningState": "Deleting"}
    settle(call.world)
    return nothing(202, ("location", _job_url(call, job)), ("retry-after", "15"))


def deletion(call: Call) -> wire.Reply:
    check(call.world, call.request)
    job = call.world.group_deletions.get(call["job"])
    if job is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['job']}' could not be found.")
    if job["done_at"] > call.world.now():
        return nothing(202, ("location", _job_url(call, call["job"])), ("retry-after", "15"))
    return nothing(200)


def settle(world: World) -> None:
    """Deletions whose time has come take their groups with them."""
    for job in world.group_deletions.values():
        if job["done_at"] <= world.now() and not job.get("is_done"):
            world.remove(job["group"])
            job["is_done"] = True


def _job_url(call: Call, job: str) -> str:
    return signed(call.world, call.origin, f"/subscriptions/{call['sub']}/operationresults/{job}", call.api_version)
