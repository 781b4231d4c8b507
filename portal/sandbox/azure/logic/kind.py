"""The type of a workflow: what its owner may write down, and what of that is played."""

from portal.sandbox.azure.arm.call import ANY
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.logic.expressions import WorkflowError
from portal.sandbox.azure.world import Body, stamp

WORKFLOW = "Microsoft.Logic/workflows"
VERSIONS = ("2016-06-01", "2017-07-01", "2018-07-01-preview", "2019-05-01")
# Type of an action -> the members it may have.
ACTIONS = {
    "Http": {"type", "inputs", "runAfter"},
    "Query": {"type", "inputs", "runAfter"},
    "Foreach": {"type", "foreach", "actions", "runAfter"},
}
INPUTS = {"Http": {"method", "uri", "authentication"}, "Query": {"from", "where"}}


def _complete(write: Write) -> None:
    props = write.properties
    if not write.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    try:
        _check(props.get("definition") or {})
    except WorkflowError as problem:
        write.sandbox.violate(kind="workflow", service="arm", action=write.name, field=str(problem))
        raise ArmError(400, "InvalidTemplate", f"The template validation failed: '{problem}'.") from problem
    now, old = stamp(write.world.now()), write.old.properties if write.old else {}
    props.setdefault("state", "Enabled")
    props |= {
        "provisioningState": "Succeeded",
        "createdTime": old.get("createdTime", now),
        "changedTime": now,
        "version": str(len(write.kept)),
    }
    write.keep |= {"runs": [], "next_at": write.world.now(), **write.kept}


def _check(definition: Body) -> None:
    """Raises WorkflowError for what is not played."""
    if strange := set(definition) - {"$schema", "contentVersion", "parameters", "triggers", "actions", "outputs"}:
        raise WorkflowError(f"unknown members {sorted(strange)}")
    if len(definition.get("triggers") or {}) != 1:
        raise WorkflowError("one trigger is played here")
    (trigger,) = definition["triggers"].values()
    if set(trigger) != {"type", "recurrence"} or trigger["type"] != "Recurrence" or set(trigger["recurrence"]) != {"frequency", "interval"}:
        raise WorkflowError("only a recurrence is played here")
    _check_actions(definition.get("actions") or {})


def _check_actions(actions: Body) -> None:
    for name, action in actions.items():
        if action.get("type") not in ACTIONS or set(action) - ACTIONS[action["type"]]:
            raise WorkflowError(f"the action {name} is not played here")
        if strange := set(action.get("inputs") or {}) - INPUTS.get(action["type"], set()):
            raise WorkflowError(f"the action {name} has inputs that are not played here: {sorted(strange)}")
        if strange := set(action.get("runAfter") or {}) - set(actions):
            raise WorkflowError(f"the action {name} waits for {sorted(strange)}")
        _check_actions(action.get("actions") or {})


KIND = Kind(
    WORKFLOW, VERSIONS,
    {"id": str, "name": str, "type": str, "location": str, "tags": {"*": str},
     "identity": {"type": str, "userAssignedIdentities": {"*": ANY}},
     "properties": {
         "state": str, "definition": ANY, "parameters": ANY, "provisioningState": str, "createdTime": str, "changedTime": str,
         "version": str}},
    complete=_complete,
)  # fmt: skip
