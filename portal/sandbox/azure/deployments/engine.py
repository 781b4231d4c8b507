"""Deployments at work. They move whenever somebody looks: no task can be lost by a restart, and tests need not wait."""

import hashlib
import json
from typing import Any
from uuid import uuid4

from portal.sandbox.azure.activity import Done, note
from portal.sandbox.azure.arm import groups, resources
from portal.sandbox.azure.arm.call import Act, Body
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, GROUP
from portal.sandbox.azure.conditions import attributes_of
from portal.sandbox.azure.deployments.plan import Planned, ancestors, nested_properties, plan
from portal.sandbox.azure.deployments.preflight import preflight
from portal.sandbox.azure.deployments.surroundings import prepare, template_of
from portal.sandbox.azure.entra import CREDENTIAL
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.template.evaluate import Template
from portal.sandbox.azure.template.parser import TemplateError
from portal.sandbox.azure.world import Resource, Token, World, stamp
from portal.sandbox.sandbox import Sandbox

ACTIVE = {"Accepted", "Running"}
SECRETS = {"securestring", "secureobject"}
ENDED = {"Succeeded", "Failed", "Canceled"}


def tick(world: World, sandbox: Sandbox) -> None:
    """Everything whose time has come happens now."""
    groups.settle(world)
    for found in list(world.of_type(DEPLOYMENT)):
        if found.properties["provisioningState"] in ACTIVE and "parent" not in found.under:
            advance(world, sandbox, found)


def advance(world: World, sandbox: Sandbox, deployment: Resource) -> None:
    state = deployment.under
    while deployment.properties["provisioningState"] in ACTIVE and state["next_at"] <= world.now():
        world.is_dirty = True
        deployment.properties["provisioningState"] = "Running"
        planned = plan(world, template_of(world, deployment))
        ready = [entry for entry in planned if entry.key not in state["done"] and entry.depends <= _succeeded(state)]
        if not ready:
            _finish(world, deployment)
            return
        if not _run(world, sandbox, deployment, planned, ready):
            return  # a nested deployment is at work
        state["next_at"] += sandbox.knobs.seconds_for(ready[-1].type)


def _run(world: World, sandbox: Sandbox, deployment: Resource, planned: list[Planned], ready: list[Planned]) -> bool:
    """One resource. The last first: whoever forgot a dependency that ARM's parallel work needs, learns it here every time."""
    state = deployment.under
    entry = ready[-1]
    operation = state["operations"].setdefault(entry.key, _operation(world, deployment, entry))
    try:
        if entry.type == DEPLOYMENT:
            if not _nested(world, sandbox, deployment, entry):
                return False
        else:
            status, _made = _make(act_of(world, sandbox, deployment), deployment, planned, entry)
            operation["properties"]["statusCode"] = {200: "OK", 201: "Created"}[status]
    except (ArmError, TemplateError) as problem:
        refused = (
            problem
            if isinstance(problem, ArmError)
            else ArmError(
                400,
                "InvalidTemplate",
                f"Unable to process template language expressions for resource '{entry.id}' at line '1' and column '1'. '{problem}'",
            )
        )
        state["done"][entry.key] = "Failed"
        state["errors"].append(refused.inside_a_deployment())
        words = refused.inside_a_deployment()["code"]
        operation["properties"] |= {
            "provisioningState": "Failed",
            "statusCode": words,
            "statusMessage": {"status": "Failed", "error": refused.error()},
        }
    else:
        state["done"][entry.key] = "Succeeded"
        operation["properties"] |= {"provisioningState": "Succeeded"}
    operation["properties"]["timestamp"] = stamp(world.now())
    return True


def _succeeded(state: Body) -> set[str]:
    return {key for key, how in state["done"].items() if how == "Succeeded"}


def _make(act: Act, deployment: Resource, planned: list[Planned], entry: Planned) -> tuple[int, Resource]:
    failure = act.sandbox.knobs.take_failure(entry.type, entry.name, "create")
    if failure is not None:
        raise on_order(failure)
    template = template_of(act.world, deployment)
    template.around.reference = _reference(act.world, deployment, planned)
    body = entry.body(template)
    about = {**attributes_of("Request", body.get("properties")), **attributes_of("Resource", body.get("properties"))}
    action = f"{entry.type if entry.type != GROUP else 'Microsoft.Resources/subscriptions/resourceGroups'}/write"
    act.demand(action, entry.id, about)
    note(act.world, Done(act.token, action, entry.id), body)
    if entry.type == GROUP:
        return groups.write(act, entry.id, body)
    if entry.type == CREDENTIAL:
        _demand_alone(deployment, planned, entry)
    return resources.write(act, entry.id, body, entry.api_version)


def on_order(failure: str) -> ArmError:
    """A failure that was ordered, by its reason: "Code: what happened", or what happened alone."""
    code, found, text = failure.partition(": ")
    return ArmError(409, code, text) if found and code.replace("_", "").isalnum() else ArmError(409, "Conflict", failure)


def _demand_alone(deployment: Resource, planned: list[Planned], entry: Planned) -> None:
    """Two credentials of one identity at once is a conflict: a template must chain them."""
    parent = entry.key.rpartition("/federatedidentitycredentials/")[0]
    for other in planned:
        is_sibling = other.type == CREDENTIAL and other.key != entry.key and other.key.startswith(f"{parent}/")
        if is_sibling and other.key in deployment.under["done"] and other.key not in ancestors(planned, entry.key):
            raise ArmError(
                409,
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed identity "
                f"'{parent}'. Concurrent Federated Identity Credentials writes under the same managed identity are not supported.",
            )


def _reference(world: World, deployment: Resource, planned: list[Planned]) -> Any:
    by_name = {entry.name.lower(): entry for entry in planned}
    by_key = {entry.key: entry for entry in planned}

    def reference(name: str, version: str, full: bool) -> Any:
        entry = by_key.get(name.lower()) or by_name.get(name.lower())
        if entry is None and not version:
            raise TemplateError(f"The resource referenced by '{name}' is not defined in the template: an API version is required.")
        number = entry.id if entry is not None else name
        found = world.find(number)
        if found is None or (entry is not None and deployment.under["done"].get(entry.key) != "Succeeded"):
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource '{'/'.join(number.split('/')[-3:])}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return {"apiVersion": version, **found.answer()} if full else found.properties

    return reference


# --- Nested deployments ---


def _nested(world: World, sandbox: Sandbox, deployment: Resource, entry: Planned) -> bool:
    """Starts it, or looks how far it is. True when it has succeeded. Raises ArmError when it has failed."""
    if entry.key not in deployment.under["started"]:
        template = template_of(world, deployment)
        template.around.reference = _reference(world, deployment, plan(world, template))
        _start_nested(act_of(world, sandbox, deployment), deployment, template, entry)
        deployment.under["started"].append(entry.key)
    child = world.find(entry.id)
    assert child is not None
    advance(world, sandbox, child)
    if child.properties["provisioningState"] not in ENDED:
        return False
    if child.properties["provisioningState"] != "Succeeded":
        inner = child.properties["error"]
        raise ArmError(409, inner["code"], inner["message"], details=inner["details"])
    return True


def _start_nested(act: Act, deployment: Resource, template: Template, entry: Planned) -> None:
    properties, given = nested_properties(template, entry)
    preflight(act, prepare(act.world, entry.id, properties["template"], given))
    start(act.world, entry.id, properties, given, by=deployment.under["by"], client=deployment.under["client"], parent=deployment.id)


# --- Start and end ---


def start(
    world: World,
    number: str,
    properties: Body,
    given: Body,
    *,
    by: str,
    client: str,
    parent: str = "",
    location: str = "",
    pace: float = 0.0,
) -> Resource:
    """A deployment accepted. Its template has been looked at already."""
    now = world.now()
    shown: Body = {
        "templateHash": template_hash(properties["template"]),
        "mode": "Incremental",
        "provisioningState": "Accepted",
        "timestamp": stamp(now),
        "duration": "PT0S",
        "correlationId": str(uuid4()),
        "providers": [],
        "dependencies": [],
        "parameters": {},
    }
    if "templateLink" in properties:
        shown["templateLink"] = properties["templateLink"]
    subscription = world.subscriptions[number.split("/")[2].lower()]
    body = {**({"location": location} if location else {}), "properties": shown}
    under: Body = {
        "template": properties["template"], "given": given, "by": by, "client": client, "next_at": now + pace, "started_at": now,
        "done": {}, "started": [], "operations": {}, "errors": [],
    }  # fmt: skip
    if parent:
        under["parent"] = parent
    made = world.put(Resource(number, DEPLOYMENT, body, subscription.tenant, now, under=under))
    template = template_of(world, made)
    shown["parameters"] = {
        name: {"type": _cased(shape["type"]), "value": template.parameters[name]}
        for name, shape in (template.body.get("parameters") or {}).items()
        if shape["type"].lower() not in SECRETS
    }
    shown["providers"] = _providers(plan(world, template))
    return made


def template_hash(template: Body) -> str:
    """Says whether two templates are the same. ARM's own figure differs."""
    return str(int(hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:15], 16))


def _cased(kind: str) -> str:
    return {"securestring": "SecureString", "secureobject": "SecureObject"}.get(kind.lower(), kind.title())


def _providers(planned: list[Planned]) -> list[Body]:
    by_namespace: dict[str, list[Body]] = {}
    for entry in planned:
        shown = {
            "resourceType": entry.type.partition("/")[2],
            "locations": [entry.raw.get("location")]
            if isinstance(entry.raw.get("location"), str) and not entry.raw["location"].startswith("[")
            else [None],
        }
        if shown not in by_namespace.setdefault(entry.namespace, []):
            by_namespace[entry.namespace].append(shown)
    return [{"namespace": name, "resourceTypes": types} for name, types in by_namespace.items()]


def _finish(world: World, deployment: Resource) -> None:
    state, shown = deployment.under, deployment.properties
    shown["timestamp"], shown["duration"] = stamp(world.now()), f"PT{max(world.now() - state['started_at'], 0.1):.7f}S"
    template = template_of(world, deployment)
    planned = plan(world, template)
    template.around.reference = _reference(world, deployment, planned)
    if not state["errors"]:
        try:
            shown["outputs"] = _outputs(template)
        except (ArmError, TemplateError) as problem:
            message = (
                f"Unable to evaluate template outputs: '{', '.join(template.body['outputs'])}'. Please see error details and deployment "
                "operations. Please see https://aka.ms/arm-common-errors for usage details."
            )
            code = problem.code if isinstance(problem, ArmError) else "DeploymentOutputEvaluationFailed"
            state["errors"].append({"code": code, "message": str(problem)})
            shown |= {
                "provisioningState": "Failed",
                "error": {"code": "DeploymentFailed", "target": deployment.id, "message": message, "details": state["errors"]},
            }
            return
        shown["outputResources"] = [{"id": entry.id} for entry in planned if entry.type != DEPLOYMENT]
        shown["provisioningState"] = "Succeeded"
        return
    shown["provisioningState"] = "Failed"
    shown["error"] = {
        "code": "DeploymentFailed",
        "target": deployment.id,
        "message": "At least one resource deployment operation failed. Please list deployment operations for details. "
        "Please see https://aka.ms/arm-deployment-operations for usage details.",
        "details": state["errors"],
    }


def _outputs(template: Template) -> Body:
    template.copies = {}
    found: Body = {}
    for name, shape in (template.body.get("outputs") or {}).items():
        if template.value(shape.get("condition", True)):
            value = template.value(shape["value"])
            found[name] = (
                {"type": _cased(shape["type"])} if shape["type"].lower() in SECRETS else {"type": _cased(shape["type"]), "value": value}
            )
    return found


def _operation(world: World, deployment: Resource, entry: Planned) -> Body:
    number = uuid4().hex[:16].upper()
    return {
        "id": f"{deployment.id}/operations/{number}",
        "operationId": number,
        "properties": {
            "provisioningOperation": "Create",
            "provisioningState": "Running",
            "timestamp": stamp(world.now()),
            "duration": "PT1S",
            "trackingId": str(uuid4()),
            "targetResource": {"id": entry.id, "resourceType": entry.type, "resourceName": entry.name},
        },
    }


# --- What a deployment knows of its surroundings ---


def act_of(world: World, sandbox: Sandbox, deployment: Resource) -> Act:
    state = deployment.under
    token = Token(deployment.tenant, state["by"], state["client"], world.now() + 3600)
    return Act(world, sandbox, token, f"deployment {deployment.name}")
