"""Deployment stacks at work: one deployment each time, then whatever is no longer in it goes. They move whenever somebody looks."""

from uuid import uuid4

from portal.sandbox.azure.arm import jobs, resources
from portal.sandbox.azure.arm.call import Act, Body
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, kind_of
from portal.sandbox.azure.deployments import engine as deployments
from portal.sandbox.azure.deployments.preflight import preflight
from portal.sandbox.azure.deployments.surroundings import prepare
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Resource, Token, World
from portal.sandbox.sandbox import Sandbox

STACK = "Microsoft.Resources/deploymentStacks"
STANDING = {"succeeded", "failed", "canceled"}
MANUAL = (
    "An error occurred while deleting resources. These resources are still present in the stack but can be deleted manually. Please see "
    "the FailedResources property for specific error information. Deletion failures that are known limitations are documented here: "
    "https://aka.ms/DeploymentStacksKnownLimitations"
)


def tick(world: World, sandbox: Sandbox) -> None:
    """Everything whose time has come happens now."""
    for stack in list(world.of_type(STACK)):
        while stack.properties["provisioningState"] not in STANDING and stack.under["next_at"] <= world.now():
            world.is_dirty = True
            if not _advance(world, sandbox, stack):
                break


def _advance(world: World, sandbox: Sandbox, stack: Resource) -> bool:
    """One step of the work. False: it has ended, or waits for its deployment."""
    state = stack.properties["provisioningState"]
    if state == "creating":
        return _deploy(world, sandbox, stack)
    if state == "deploying":
        return _follow(world, stack)
    return _take_away(world, sandbox, stack)


def act_of(world: World, sandbox: Sandbox, stack: Resource) -> Act:
    """A stack works with the rights of whoever asked for it, at that moment."""
    token = Token(stack.tenant, stack.under["by"], stack.under["client"], world.now() + 3600)
    return Act(world, sandbox, token, f"stack {stack.name}")


# --- Create and update ---


def _deploy(world: World, sandbox: Sandbox, stack: Resource) -> bool:
    group = stack.id[: stack.id.lower().index("/providers/")]
    number = f"{group}/providers/{DEPLOYMENT}/{stack.name[:48]}-{uuid4().hex[:13]}"
    act, given = act_of(world, sandbox, stack), stack.under["given"]
    try:
        preflight(act, prepare(world, number, stack.under["template"], given))
    except ArmError as refused:
        _fail(world, stack, "DeploymentStackDeploymentFailed", "One or more resources could not be deployed.", [refused.error()])
        return False
    properties = {"template": stack.under["template"], "mode": "Incremental"}
    made = deployments.start(world, number, properties, given, by=stack.under["by"], client=stack.under["client"])
    stack.properties["deploymentId"] = made.id
    stack.properties["provisioningState"] = "deploying"
    return True


def _follow(world: World, stack: Resource) -> bool:
    deployment = world.find(stack.properties["deploymentId"])
    if deployment is None:
        _fail(world, stack, "DeploymentStackDeploymentFailed", "The deployment of the stack was deleted.", [])
        return False
    _note_resources(world, stack, deployment)
    shown = deployment.properties
    if shown["provisioningState"] not in deployments.ENDED:
        return False
    if shown["provisioningState"] != "Succeeded":
        failed = _failed_operations(deployment)
        stack.properties["failedResources"] = [{"id": number, "error": error} for number, error in failed.items()]
        details = [shown["error"]] if "error" in shown else []
        _fail(world, stack, "DeploymentStackDeploymentFailed", "One or more resources could not be deployed.", details)
        return False
    stack.properties["outputs"] = shown["outputs"]
    wanted = {entry["id"].lower() for entry in shown["outputResources"]}
    stack.under["going"] = [number for number in stack.under["managed"] if number.lower() not in wanted]
    stack.properties["provisioningState"] = "deletingResources"
    return True


def _note_resources(world: World, stack: Resource, deployment: Resource) -> None:
    """Managed is what the deployment made so far, beside what stood before, in the order in which it was made."""
    made = [
        entry["properties"]["targetResource"]["id"]
        for entry in deployment.under["operations"].values()
        if entry["properties"]["provisioningState"] == "Succeeded"
    ]
    known = {number.lower() for number in stack.under["managed"]}
    stack.under["managed"] += [number for number in made if number.lower() not in known]
    _show(world, stack)


def _show(world: World, stack: Resource) -> None:
    standing = [found for found in map(world.find, stack.under["managed"]) if found is not None]
    stack.properties["resources"] = [{"id": found.id, "status": "managed", "denyStatus": "none"} for found in standing]


def _failed_operations(deployment: Resource) -> dict[str, Body]:
    return {
        entry["properties"]["targetResource"]["id"]: entry["properties"]["statusMessage"]["error"]
        for entry in deployment.under["operations"].values()
        if entry["properties"]["provisioningState"] == "Failed"
    }


# --- What is no longer wanted ---


def start_deletion(stack: Resource, *, detach: bool, without_support: str) -> None:
    stack.under |= {"job": "delete", "going": list(stack.under["managed"]), "detach": detach, "without_support": without_support}
    stack.properties["provisioningState"] = "deletingResources"
    for name in ("error", "failedResources", "deletedResources", "detachedResources"):
        stack.properties.pop(name, None)


def _take_away(world: World, sandbox: Sandbox, stack: Resource) -> bool:
    """One resource: the last made of those that nothing holds back any more."""
    going, refused = stack.under["going"], {}
    for number in reversed(going):
        problem = _let_go(world, sandbox, stack, number)
        if problem is None:
            going.remove(number)
            stack.under["managed"] = [kept for kept in stack.under["managed"] if kept.lower() != number.lower()]
            _show(world, stack)
            found = kind_of(_type(number))
            stack.under["next_at"] += sandbox.knobs.seconds_for(found.name if found is not None else "")
            return True
        refused[number] = problem
    _end(world, stack, refused)
    return False


def _let_go(world: World, sandbox: Sandbox, stack: Resource, number: str) -> Body | None:
    """None when it is deleted, or let go on purpose; else why not."""
    found, kind = world.find(number), kind_of(_type(number))
    if found is None or kind is None:
        return None
    if stack.under["detach"] or (not kind.is_deletable and stack.under["without_support"] == "detach"):
        stack.properties.setdefault("detachedResources", []).append({"id": number})
        return None
    try:
        if not kind.is_deletable:
            raise ArmError(405, "DeleteNotSupported", f"The resource type '{kind.name}' does not support deletion.")
        act_of(world, sandbox, stack).demand(f"{kind.name}/delete", found.id)
        failure = sandbox.knobs.take_failure(kind.name, found.name, "delete")
        if failure is not None:
            raise deployments.on_order(failure)
        resources.erase(world, found, kind)
    except ArmError as problem:
        return problem.error()
    stack.properties.setdefault("deletedResources", []).append({"id": number})
    return None


def _type(number: str) -> str:
    after = number.rpartition("/providers/")[2].split("/")
    return "/".join([after[0], *after[1::2]])


def _end(world: World, stack: Resource, refused: dict[str, Body]) -> None:
    is_deletion = stack.under["job"] == "delete"
    if refused:
        stack.properties["failedResources"] = [{"id": number, "error": error} for number, error in refused.items()]
        details = [{"code": "DeploymentStackDeleteResourcesFailed", "message": MANUAL}]
        if is_deletion:
            _fail(world, stack, "DeploymentStackDeleteFailed", "One or more stages of deploymentStack deletion failed.", details)
        else:
            _fail(world, stack, "DeploymentStackDeleteResourcesFailed", "One or more resources could not be deleted.", details)
        return
    jobs.finish(world, stack.under["operation"], "succeeded")
    if is_deletion:
        world.remove(stack.id)
        return
    stack.properties["duration"] = f"PT{max(world.now() - stack.under['started_at'], 0.1):.7f}S"
    stack.properties["provisioningState"] = "succeeded"


def _fail(world: World, stack: Resource, code: str, message: str, details: list[Body]) -> None:
    number = stack.properties["correlationId"]
    error = {"code": code, "message": f"{message} Correlation id: '{number}'.", "details": details}
    stack.properties.update({"provisioningState": "failed", "error": error})
    jobs.finish(world, stack.under["operation"], "failed", error)
