"""Deployment stacks of a group over HTTP: order, look, list, delete."""

from uuid import uuid4

from portal.sandbox import wire
from portal.sandbox.azure import errors
from portal.sandbox.azure.arm import jobs
from portal.sandbox.azure.arm.call import ANY, Body, Call, answer, listed, nothing
from portal.sandbox.azure.deployments.requests import scope_of
from portal.sandbox.azure.deployments.surroundings import prepare
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.stacks.engine import STACK, STANDING, start_deletion
from portal.sandbox.azure.world import Resource, stamp

VERSIONS = ("2024-03-01", "2025-07-01")
UNMANAGE = ("unmanageAction.Resources", "unmanageAction.ResourceGroups", "unmanageAction.ManagementGroups")
QUERIES = (*UNMANAGE, "unmanageAction.ResourcesWithoutDeleteSupport", "bypassStackOutOfSyncError")
CHOICES = {"delete", "detach"}
SHAPE = {
    "location": str,
    "tags": {"*": str},
    "properties": {
        "template": ANY,
        "parameters": {"*": {"value": ANY, "type": str}},
        "actionOnUnmanage": {"resources": str, "resourceGroups": str, "managementGroups": str, "resourcesWithoutDeleteSupport": str},
        "denySettings": {"mode": str, "excludedPrincipals": [str], "excludedActions": [str], "applyToChildScopes": bool},
        "description": str,
        "bypassStackOutOfSyncError": bool,
        "validationLevel": str,
    },
}
SECRET = {"securestring", "secureobject"}


def _number(call: Call) -> str:
    return f"{scope_of(call)}/providers/{STACK}/{call['name']}"


def _demand(call: Call) -> Resource:
    found = call.world.find(_number(call))
    if found is None:
        raise errors.no_resource(STACK, call["name"], call["rg"])
    return found


def _demand_quiet(stack: Resource) -> None:
    state = stack.properties["provisioningState"]
    if state not in STANDING:
        raise ArmError(
            409,
            "DeploymentStackInNonTerminalState",
            f"The deployment stack '{stack.id}' is in a non-terminal state '{state}' and cannot be changed until it has ended.",
        )


def put(call: Call) -> wire.Reply:
    number = _number(call)
    call.check_fields(call.body, SHAPE)
    properties = dict(call.body.get("properties") or {})
    _demand_settings(call, properties)
    old = call.world.find(number)
    if old is not None:
        _demand_quiet(old)
    given = {name: entry.get("value") for name, entry in (properties.get("parameters") or {}).items()}
    call.demand("Microsoft.Resources/deployments/write", f"{scope_of(call)}/providers/Microsoft.Resources/deployments/{call['name']}")
    template = prepare(call.world, f"{scope_of(call)}/providers/Microsoft.Resources/deployments/x", properties["template"], given)
    declared = template.body.get("parameters") or {}
    now = call.world.now()
    shown: Body = {
        "provisioningState": "creating",
        "correlationId": uuid4().hex,
        "actionOnUnmanage": {
            "resourceGroups": "detach", "managementGroups": "detach", "resourcesWithoutDeleteSupport": "fail",
            **properties["actionOnUnmanage"],
        },
        "denySettings": {"applyToChildScopes": False, **properties["denySettings"]},
        "parameters": {
            name: {"type": declared[name]["type"], "value": template.parameters[name]}
            for name in declared
            if declared[name]["type"].lower() not in SECRET
        },
        "resources": old.properties.get("resources", []) if old is not None else [],
    }  # fmt: skip
    if "description" in properties:
        shown["description"] = properties["description"]
    job = jobs.begin(call.world)
    under: Body = {
        "template": properties["template"], "given": given, "by": call.token.object_id, "client": call.token.client, "job": "create",
        "managed": list(old.under["managed"]) if old is not None else [], "going": [], "started_at": now, "operation": job,
        "next_at": now + call.sandbox.knobs.pace_seconds, "detach": properties["actionOnUnmanage"]["resources"].lower() == "detach",
        "without_support": shown["actionOnUnmanage"]["resourcesWithoutDeleteSupport"].lower(),
    }  # fmt: skip
    author = {"createdBy": call.token.client, "createdByType": "Application", "createdAt": stamp(now)}
    system = {**(old.body["systemData"] if old is not None else author)}
    system |= {"lastModifiedBy": call.token.client, "lastModifiedByType": "Application", "lastModifiedAt": stamp(now)}
    body = {"tags": call.body.get("tags") or {}, "properties": shown, "systemData": system}
    made = call.world.put(Resource(number, STACK, body, call.subscription.tenant, now, call.api_version, under))
    address = jobs.status_address(call, job, _location(call))
    return answer(201 if old is None else 200, made.answer(), ("azure-asyncoperation", address))


def _demand_settings(call: Call, properties: Body) -> None:
    mode = str((properties.get("denySettings") or {}).get("mode", "")).lower()
    if mode not in {"none", "denydelete", "denywriteanddelete"} or "actionOnUnmanage" not in properties:
        raise ArmError(400, "InvalidDeploymentStack", "The properties 'denySettings.mode' and 'actionOnUnmanage' are required.")
    if mode != "none":
        call.violate("denySettings", mode)
        raise ArmError(400, "InvalidDeploymentStack", "Deny assignments are not played here.")
    unmanage = properties["actionOnUnmanage"]
    if str(unmanage.get("resources", "")).lower() not in CHOICES:
        raise ArmError(400, "InvalidDeploymentStack", "The property 'actionOnUnmanage.resources' must be 'delete' or 'detach'.")
    if "template" not in properties:
        raise ArmError(400, "InvalidTemplate", "A template is needed: linked templates are not played here.")


def _location(call: Call) -> str:
    group = call.world.find(scope_of(call))
    assert group is not None
    return str(group.body["location"])


def get(call: Call) -> wire.Reply:
    return answer(200, _demand(call).answer())


def collection(call: Call) -> wire.Reply:
    return listed(call, [found.answer() for found in call.world.of_type(STACK, scope_of(call))])


def delete(call: Call) -> wire.Reply:
    """202 and a Location that answers 202 until it has ended. What is not said is detached."""
    found = call.world.find(_number(call))
    if found is None:
        return nothing(204)
    _demand_quiet(found)
    for name in UNMANAGE:
        if call.query(name) and call.query(name).lower() not in CHOICES:
            raise ArmError(400, "InvalidQueryParameter", f"The value '{call.query(name)}' of '{name}' is not valid.")
    job = jobs.begin(call.world)
    without_support = call.query("unmanageAction.ResourcesWithoutDeleteSupport").lower() or "fail"
    found.under |= {
        "by": call.token.object_id,
        "client": call.token.client,
        "operation": job,
        "next_at": call.world.now() + call.sandbox.knobs.pace_seconds,
    }
    found.properties["correlationId"] = uuid4().hex
    start_deletion(found, detach=call.query(UNMANAGE[0]).lower() != "delete", without_support=without_support)
    return nothing(202, ("location", jobs.result_address(call, job)), jobs.WAIT)
