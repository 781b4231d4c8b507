"""Workflows at work: a recurrence, calls of the Resource Manager by a managed identity, a filter, a loop.

Nothing here knows what a workflow is for. It is run as its definition says, signed in as its own identity, with that identity's rights.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from portal.sandbox import wire
from portal.sandbox.azure.arm.call import Call, answer, listed, nothing
from portal.sandbox.azure.entra import IDENTITY
from portal.sandbox.azure.errors import no_resource
from portal.sandbox.azure.logic.expressions import Known, WorkflowError, value
from portal.sandbox.azure.logic.kind import WORKFLOW
from portal.sandbox.azure.world import Body, Resource, Token, World, stamp
from portal.sandbox.request import Request

MANAGER = "management.azure.com"
SECONDS = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86400}
RUNS_KEPT = 20
Send = Callable[[Request], wire.Reply]


# --- Requests beside those of every resource ---


def _found(call: Call) -> Resource:
    found = call.world.find(f"/subscriptions/{call['sub']}/resourceGroups/{call['rg']}/providers/{WORKFLOW}/{call['name']}")
    if found is None:
        raise no_resource(WORKFLOW, call["name"], call["rg"])
    return found


def runs(call: Call) -> wire.Reply:
    """The newest first."""
    found = _found(call)
    rows = [
        {"id": f"{found.id}/runs/{run['name']}", "name": run["name"], "type": f"{WORKFLOW}/runs", "properties": run["properties"]}
        for run in reversed(found.under["runs"])
    ]
    return listed(call, rows[: int(call.query("$top") or 30)])


def disable(call: Call) -> wire.Reply:
    _found(call).properties["state"] = "Disabled"
    return nothing(200)


def enable(call: Call) -> wire.Reply:
    found = _found(call)
    found.properties["state"] = "Enabled"
    found.under["next_at"] = call.world.now()
    return answer(200, {})


# --- Run by Azure ---


def tick(world: World, send: Send) -> None:
    """Each workflow whose minute has come runs once; what was slept through is not made up for."""
    for workflow in list(world.of_type(WORKFLOW)):
        if workflow.properties["state"] != "Enabled" or workflow.under["next_at"] > world.now():
            continue
        (trigger,) = workflow.properties["definition"]["triggers"].values()
        every = SECONDS[trigger["recurrence"]["frequency"]] * trigger["recurrence"]["interval"]
        missed = (world.now() - workflow.under["next_at"]) // every
        began = workflow.under["next_at"] + missed * every
        workflow.under["next_at"] = began + every
        _run(world, workflow, began, send)
        world.is_dirty = True


def _run(world: World, workflow: Resource, began: float, send: Send) -> None:
    status, error = "Succeeded", {}
    try:
        _actions(world, workflow, workflow.properties["definition"]["actions"], Known(datetime.fromtimestamp(began, UTC)), send)
    except WorkflowError as problem:
        status, error = "Failed", {"error": {"code": "ActionFailed", "message": str(problem)}}
    properties = {"startTime": stamp(began), "endTime": stamp(world.now()), "status": status, **error}
    workflow.under["runs"] = [*workflow.under["runs"], {"name": f"0858{int(began * 1000):016d}", "properties": properties}][-RUNS_KEPT:]


def _actions(world: World, workflow: Resource, actions: Body, known: Known, send: Send) -> None:
    for name, action in _ordered(actions):
        if action["type"] == "Http":
            found: Any = _http(world, workflow, action["inputs"], known, send)
        elif action["type"] == "Query":
            entries = value(action["inputs"]["from"], known)
            found = [entry for entry in entries if value(action["inputs"]["where"], Known(known.now, known.bodies, entry))]
        else:
            found = None
            for entry in value(action["foreach"], known):
                _actions(world, workflow, action["actions"], Known(known.now, known.bodies, entry), send)
        known = Known(known.now, {**known.bodies, name: found}, known.item)


def _ordered(actions: Body) -> Iterator[tuple[str, Body]]:
    left, done = dict(actions), set[str]()
    while left:
        ready = [name for name, action in left.items() if set(action.get("runAfter") or {}) <= done]
        if not ready:
            raise WorkflowError("actions wait for each other")
        for name in ready:
            yield name, left.pop(name)
            done.add(name)


def _http(world: World, workflow: Resource, inputs: Body, known: Known, send: Send) -> Any:
    """A call of the Resource Manager by the workflow's own identity."""
    address = urlsplit(str(value(inputs["uri"], known)))
    if address.scheme != "https" or address.hostname != MANAGER:
        raise WorkflowError(f"only {MANAGER} is played here, not {address.hostname}")
    headers = {"host": "localhost", "authorization": f"Bearer {_token(world, workflow, value(inputs['authentication'], known))}"}
    query = {name: values[:1] for name, values in parse_qs(address.query).items()}
    reply = send(Request(inputs["method"], address.path, query, headers, b""))
    if reply.status >= 400:  # noqa: PLR2004
        raise WorkflowError(f"{inputs['method']} {address.path} was answered with {reply.status}: {reply.body.decode()[:300]}")
    return json.loads(reply.body) if reply.body else None


def _token(world: World, workflow: Resource, authentication: Body) -> str:
    """Only of an identity that the workflow has."""
    number = str(authentication.get("identity") or "").lower()
    own = {name.lower() for name in (workflow.body.get("identity") or {}).get("userAssignedIdentities") or {}}
    identity = world.find(number)
    if authentication.get("type") != "ManagedServiceIdentity" or number not in own or identity is None or identity.type != IDENTITY:
        raise WorkflowError("the workflow has no such identity")
    if authentication.get("audience", "").rstrip("/") != f"https://{MANAGER}":
        raise WorkflowError(f"no token for {authentication.get('audience')}")
    properties = identity.properties
    kept = next(
        (text for text, token in world.tokens.items() if token.client == properties["clientId"] and token.expires_at > world.now() + 60), ""
    )
    return kept or world.mint(Token(workflow.tenant, properties["principalId"], properties["clientId"], world.now() + 3600))
