"""Operations under way that have an address of their own: what they answer, and when."""

from uuid import uuid4

from portal.sandbox import wire
from portal.sandbox.azure.arm import groups
from portal.sandbox.azure.arm.call import Body, Call, answer, nothing
from portal.sandbox.azure.arm.links import check, signed
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import World

WAIT = ("retry-after", "15")


def begin(world: World, **what: object) -> str:
    """A new one, by its number. `done_at` and `body` are known at once, or it is `finish`ed."""
    number = str(uuid4())
    world.jobs[number] = {"status": "running", **what}
    return number


def finish(world: World, number: str, status: str, error: Body | None = None) -> None:
    if number in world.jobs:
        world.jobs[number] |= {"status": status, **({"error": error} if error else {})}


def status_address(call: Call, number: str, location: str) -> str:
    path = f"/subscriptions/{call['sub']}/providers/Microsoft.Resources/locations/{location}/deploymentStackOperationStatus/{number}"
    return signed(call.world, call.origin, path, call.api_version)


def result_address(call: Call, number: str) -> str:
    return signed(call.world, call.origin, f"/subscriptions/{call['sub']}/operationresults/{number}", call.api_version)


def status(call: Call) -> wire.Reply:
    check(call.world, call.request)
    job = _demand(call)
    shown = {"id": call.request.path, "name": call["job"], "status": job["status"]}
    return answer(200, {**shown, **({"error": job["error"]} if "error" in job else {})})


def result(call: Call) -> wire.Reply:
    """202 until it has ended; then its answer, or nothing where it has none."""
    if call["job"] not in call.world.jobs:
        return groups.deletion(call)
    check(call.world, call.request)
    job = _demand(call)
    is_due = job["done_at"] <= call.world.now() if "done_at" in job else job["status"] != "running"
    if not is_due:
        return nothing(202, ("location", result_address(call, call["job"])), WAIT)
    if "error" in job:
        return answer(409, {"error": job["error"]})
    return answer(200, job["body"]) if "body" in job else nothing(204)


def _demand(call: Call) -> Body:
    found: Body | None = call.world.jobs.get(call["job"])
    if found is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['job']}' could not be found.")
    return found
