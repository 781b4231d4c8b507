"""Deployments at work. They move whenever somebody looks: no task can be lost by a restart, and tests need not wait."""

import json
from typing import Any
from uuid import uuid4

from portal.sandbox.azure.arm import groups, policy, resources
from portal.sandbox.azure.arm.call import Act, Body
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, GROUP, kind_of
from portal.sandbox.azure.arm.plan import Planned, ancestors, invalid, nested_scope, plan
from portal.sandbox.azure.entra import CREDENTIAL
from portal.sandbox.azure.errors import ArmError, no_group, not_registered
from portal.sandbox.azure.template.evaluate import Surroundings, Template
from portal.sandbox.azure.template.parser import NotYetError, TemplateError
from portal.sandbox.azure.world import ALWAYS_REGISTERED, Resource, Token, World, stamp
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
        state["next_at"] += sandbox.knobs.pace_seconds


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
        raise ArmError(409, "Conflict", failure)
    template = template_of(act.world, deployment)
    template.around.reference = _reference(act.world, deployment, planned)
    body = entry.body(template)
    act.demand(f"{entry.type if entry.type != GROUP else 'Microsoft.Resources/subscriptions/resourceGroups'}/write", entry.id)
    if entry.type == GROUP:
        return groups.write(act, entry.id, body)
    if entry.type == CREDENTIAL:
        _demand_alone(deployment, planned, entry)
    return resources.write(act, entry.id, body, entry.api_version)


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
        _start_nested(world, deployment, template, entry)
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


def _start_nested(world: World, deployment: Resource, template: Template, entry: Planned) -> None:
    properties, given = nested_properties(template, entry)
    start(world, entry.id, properties, given, deployment.under["by"], deployment.under["client"], parent=deployment.id)


def nested_properties(template: Template, entry: Planned) -> tuple[Body, Body]:
    """A nested deployment's properties and the values given to it; with outer scope its expressions are the parent's."""
    template.copies = entry.copies
    raw = entry.raw.get("properties") or {}
    if "template" not in raw:
        raise ArmError(400, "InvalidTemplate", "A nested deployment's template must stand in it: linked templates are not played here.")
    is_inner = (raw.get("expressionEvaluationOptions") or {}).get("scope", "outer").lower() == "inner"
    body = raw["template"] if is_inner else _outer(template, raw["template"])
    given = {name: value["value"] for name, value in template.value(raw.get("parameters") or {}).items()}
    return {"mode": raw.get("mode", "Incremental"), "template": body}, given


def _outer(template: Template, body: Body) -> Body:
    """Evaluated now, and made safe from being evaluated again."""

    def safe(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: safe(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [safe(inner) for inner in value]
        return f"[{value}" if isinstance(value, str) and value.startswith("[") else value

    found: Body = safe(template.value(body))
    return found


# --- Start and end ---


def start(
    world: World,
    number: str,
    properties: Body,
    given: Body,
    by: str,
    client: str,
    *,
    parent: str = "",
    location: str = "",
    pace: float = 0.0,
) -> Resource:
    """A deployment accepted. Its template has been looked at already."""
    now = world.now()
    shown = {
        "templateHash": str(abs(hash(json.dumps(properties["template"], sort_keys=True))) % 10**19),
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
            message = f"Unable to evaluate template outputs: '{', '.join(template.body['outputs'])}'. Please see error details and deployment operations. Please see https://aka.ms/arm-common-errors for usage details."
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


def template_of(world: World, deployment: Resource) -> Template:
    return prepare(world, deployment.id, deployment.under["template"], deployment.under["given"], deployment.body.get("location", ""))


def prepare(world: World, number: str, template: Body, given: Body, location: str) -> Template:
    """A template in its surroundings. Raises ArmError for what is wrong with it already."""
    scope = number[: number.lower().rindex("/providers/microsoft.resources/deployments/")]
    subscription = world.subscriptions[scope.split("/")[2].lower()]
    group = world.find(scope) if "/resourcegroups/" in scope.lower() else None
    about = {
        "name": number.rpartition("/")[2],
        **({"location": location} if location else {}),
        "properties": {"template": template, "mode": "Incremental", "provisioningState": "Accepted"},
    }
    around = Surroundings(
        scope=group.id if group is not None else scope,
        subscription={"id": subscription.scope, "subscriptionId": subscription.id, "tenantId": subscription.tenant, "displayName": subscription.name},
        group=group.answer() if group is not None else None,
        deployment=about,
        tenant={"tenantId": subscription.tenant, "countryCode": "DE", "displayName": world.tenants[subscription.tenant].name},
        reference=_not_yet,
        environment={
            "name": "AzureCloud", "portal": "https://portal.azure.com", "resourceManager": "https://management.azure.com/",
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common", "identityProvider": "AAD"},
        },
    )  # fmt: skip
    try:
        return Template(template, given, around)
    except TemplateError as problem:
        raise invalid(str(problem)) from problem


def _not_yet(_name: str, _version: str, _full: bool) -> Any:
    raise NotYetError("The template function 'reference' is not expected at this location.")


# --- Before anything runs ---


def preflight(act: Act, template: Template) -> list[Planned]:
    """Rights, policies and registrations of everything that can be known in advance, nested deployments included. Raises ArmError."""
    planned = plan(act.world, template)
    made: set[str] = set()
    for entry in planned:
        if entry.type == DEPLOYMENT:
            _preflight_nested(act, template, entry, made)
            continue
        made |= {entry.key} if entry.type == GROUP else set()
        _demand_right(act, entry)
        _register(act, entry)
        _demand_policy(act, template, entry)
    return planned


def _demand_right(act: Act, entry: Planned) -> None:
    kind = "Microsoft.Resources/subscriptions/resourceGroups" if entry.type == GROUP else entry.type
    if not act.may(f"{kind}/write", entry.id):
        raise ArmError(
            403,
            "InvalidTemplateDeployment",
            f"The template deployment failed with error: 'Authorization failed for template resource '{entry.name}' of type '{entry.type}'. "
            f"The client '{act.token.client}' with object id '{act.token.object_id}' does not have permission to perform action "
            f"'{kind}/write' at scope '{entry.id}'.'.",
        )


def _register(act: Act, entry: Planned) -> None:
    """ARM registers the providers of a template for whoever may do so."""
    subscription = act.world.subscriptions[entry.id.split("/")[2].lower()]
    if entry.namespace in ALWAYS_REGISTERED or subscription.registered.get(entry.namespace.lower(), act.world.now() + 1) <= act.world.now():
        return
    if not act.may(f"{entry.namespace}/register/action", subscription.scope):
        raise not_registered(entry.namespace)
    subscription.registered[entry.namespace.lower()] = act.world.now()


def _demand_policy(act: Act, template: Template, entry: Planned) -> None:
    try:
        body = entry.body(template)
    except NotYetError:
        return
    except TemplateError as problem:
        raise invalid(str(problem)) from problem
    kind = kind_of(entry.type)
    try:
        policy.demand(act.world, entry.id, kind.name if kind else entry.type, body)
    except ArmError as refused:
        message = "The template deployment failed because of policy violation. Please see details for more information."
        raise ArmError(400, "InvalidTemplateDeployment", message, details=[refused.error()]) from refused


def _preflight_nested(act: Act, template: Template, entry: Planned, made: set[str]) -> None:
    scope = nested_scope(template, entry.raw)
    if "/resourcegroups/" in scope.lower() and act.world.find(scope) is None and scope.lower() not in made:
        raise no_group(scope.rpartition("/")[2])
    if not act.may("Microsoft.Resources/deployments/write", entry.id):
        _demand_right(act, entry)
    try:
        properties, given = nested_properties(template, entry)
        preflight(act, prepare(act.world, entry.id, properties["template"], given, ""))
    except NotYetError:
        return
