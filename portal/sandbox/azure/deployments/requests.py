"""Deployments over HTTP: validate, start, look, list operations, cancel, delete."""

import http.client
from urllib.parse import urlsplit
from uuid import uuid4

from portal.sandbox import wire
from portal.sandbox.aws import cloudformation as published
from portal.sandbox.aws.cloudformation import S3_HOST
from portal.sandbox.azure import errors
from portal.sandbox.azure.arm import links
from portal.sandbox.azure.arm.call import ANY, Body, Call, answer, listed, nothing, read_json
from portal.sandbox.azure.arm.kinds import DEPLOYMENT
from portal.sandbox.azure.deployments import engine
from portal.sandbox.azure.deployments.preflight import preflight
from portal.sandbox.azure.deployments.surroundings import prepare
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Resource, stamp
from portal.sandbox.sandbox import Sandbox

SHAPE = {
    "location": str,
    "tags": {"*": str},
    "properties": {
        "template": ANY,
        "templateLink": {"uri": str, "contentVersion": str, "queryString": str},
        "parameters": {"*": {"value": ANY}},
        "mode": str,
        "debugSetting": {"detailLevel": str},
        "expressionEvaluationOptions": {"scope": str},
        "validationLevel": str,
    },
}
FETCH_SECONDS = 5.0


def scope_of(call: Call) -> str:
    """The subscription or the group a deployment belongs to. Raises ArmError when the group is not there."""
    scope = f"/subscriptions/{call['sub'].lower()}"
    if "rg" not in call.params:
        return scope
    group = call.world.find(f"{scope}/resourceGroups/{call['rg']}")
    if group is None:
        raise errors.no_group(call["rg"])
    return group.id


def number_of(call: Call) -> str:
    return f"{scope_of(call)}/providers/{DEPLOYMENT}/{call['name']}"


def _demand(call: Call) -> Resource:
    found = call.world.find(number_of(call))
    if found is None:
        raise errors.no_deployment(call["name"])
    return found


def put(call: Call) -> wire.Reply:
    number = number_of(call)
    body, given = read_properties(call)
    location = str(call.body.get("location") or "")
    old = call.world.find(number)
    if "rg" not in call.params:
        _demand_location(call, location, old)
    if old is not None and old.properties["provisioningState"] in engine.ACTIVE:
        raise ArmError(
            409,
            "DeploymentActive",
            f"The deployment with resource id '{number}' cannot be saved, because this would overwrite an existing deployment which is "
            "still active. Please see https://aka.ms/arm-deploy for usage details.",
        )
    preflight(call, prepare(call.world, number, body["template"], given, location=location))
    pace = call.sandbox.knobs.pace_seconds
    made = engine.start(call.world, number, body, given, by=call.token.object_id, client=call.token.client, location=location, pace=pace)
    if call.body.get("tags"):
        made.body["tags"] = call.body["tags"]
    made.under["operation"] = f"085{uuid4().int % 10**17:017d}"
    url = links.signed(call.world, call.origin, f"{number}/operationStatuses/{made.under['operation']}", call.api_version)
    return answer(201 if old is None else 200, made.answer(), ("azure-asyncoperation", url))


def _demand_location(call: Call, location: str, old: Resource | None) -> None:
    if not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if old is not None and old.body.get("location") != location:
        raise ArmError(
            409,
            "InvalidDeploymentLocation",
            f"Invalid deployment location '{location}'. "
            f"The deployment '{call['name']}' already exists in location '{old.body.get('location')}'.",
        )


def read_properties(call: Call) -> tuple[Body, Body]:
    """Checked properties with the template in them, and the values given to it."""
    call.check_fields(call.body, SHAPE)
    properties = dict(call.body.get("properties") or {})
    if properties.get("mode", "").lower() != "incremental":
        if properties.get("mode", "").lower() == "complete":
            call.violate("mode", "Complete")
        raise ArmError(400, "InvalidDeployment", "The deployment mode must be 'Incremental' here.")
    link = properties.get("templateLink")
    if (link is None) == ("template" not in properties):
        raise ArmError(400, "InvalidTemplate", "Exactly one of 'template' and 'templateLink' must be given.")
    if link is not None:
        properties["template"] = call.fetched
        properties["templateLink"] = {"uri": link["uri"], "contentVersion": properties["template"].get("contentVersion", "1.0.0.0")}
    for needed in ("$schema", "contentVersion", "resources"):
        if needed not in properties["template"]:
            raise ArmError(
                400,
                "InvalidTemplate",
                f"Deployment template parse failed: 'Required property '{needed}' not found in JSON. Path '', line 1, position 1.'.",
            )
    given = {name: entry.get("value") for name, entry in (properties.get("parameters") or {}).items()}
    return properties, given


def prefetch(call: Call) -> None:
    """A linked template, if there is one. Blocks: call it on a thread. Raises ArmError."""
    properties = call.body.get("properties")
    link = properties.get("templateLink") if isinstance(properties, dict) else None
    if isinstance(link, dict) and isinstance(link.get("uri"), str):
        call.fetched = read_template(call.sandbox, link["uri"])


def read_template(sandbox: Sandbox, uri: str) -> Body:
    """A linked template, as ARM fetches it: over https, by anybody's name, without a token. Raises ArmError."""
    try:
        found = read_json(_read_public(sandbox, uri))
    except (OSError, http.client.HTTPException, ValueError, ArmError) as problem:
        raise ArmError(
            400,
            "InvalidTemplateLink",
            f"Unable to download deployment content from '{uri}'. The tracking Id is '{uuid4()}'. "
            "Please see https://aka.ms/arm-deploy for usage details.",
        ) from problem
    if not isinstance(found, dict):
        raise ArmError(400, "InvalidTemplate", "Deployment template parse failed: 'the template is no object'.")
    return found


def _read_public(sandbox: Sandbox, uri: str) -> bytes:
    if S3_HOST.fullmatch(urlsplit(uri).hostname or ""):
        return published.read_public(uri, "", sandbox).encode()
    return download(sandbox.options.issuers, uri)


def download(origins: dict[str, str], uri: str) -> bytes:
    """One GET at whoever stands for an https origin here: the sandbox's whole DNS is --issuer-resolve. Raises OSError or ValueError."""
    parts = urlsplit(uri)
    origin = origins.get(f"{parts.scheme}://{parts.netloc}")
    if origin is None or parts.scheme != "https":
        raise ValueError(f"{uri} is no public https address")
    real = urlsplit(origin)
    connection = http.client.HTTPConnection(real.hostname or "", real.port, timeout=FETCH_SECONDS)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Host": parts.netloc, "X-Forwarded-Proto": "https"})
        found = connection.getresponse()
        content = found.read(4 * 1024 * 1024)
        if found.status != http.client.OK:
            raise ValueError(f"{uri} answers {found.status}")
        return content
    finally:
        connection.close()


def validate(call: Call) -> wire.Reply:
    number = number_of(call)
    body, given = read_properties(call)
    template = prepare(call.world, number, body["template"], given, location=str(call.body.get("location") or ""))
    planned = preflight(call, template)
    properties = {
        "templateHash": engine.template_hash(body["template"]),
        "mode": "Incremental",
        "provisioningState": "Succeeded",
        "timestamp": stamp(call.world.now()),
        "duration": "PT0S",
        "correlationId": str(uuid4()),
        "providers": [],
        "dependencies": [],
        "validatedResources": [{"id": entry.id} for entry in planned],
    }
    return answer(200, {"id": number, "name": call["name"], "type": DEPLOYMENT, "properties": properties})


def get(call: Call) -> wire.Reply:
    return answer(200, _demand(call).answer())


def head(call: Call) -> wire.Reply:
    return nothing(204 if call.world.find(number_of(call)) else 404)


def collection(call: Call) -> wire.Reply:
    scope = f"{scope_of(call)}/providers/{DEPLOYMENT}/".lower()
    found = [made.answer() for made in call.world.of_type(DEPLOYMENT) if made.id.lower().startswith(scope)]
    return listed(call, sorted(found, key=lambda made: made["properties"]["timestamp"], reverse=True))


def operations(call: Call) -> wire.Reply:
    return listed(call, list(_demand(call).under["operations"].values()))


def operation(call: Call) -> wire.Reply:
    for found in _demand(call).under["operations"].values():
        if found["operationId"].lower() == call["operation"].lower():
            return answer(200, found)
    raise ArmError(404, "DeploymentOperationNotFound", f"Deployment operation '{call['operation']}' could not be found.")


def status(call: Call) -> wire.Reply:
    links.check(call.world, call.request)
    made = _demand(call)
    if made.under.get("operation") != call["operation"]:
        raise ArmError(404, "OperationStatusNotFound", f"The operation '{call['operation']}' could not be found.")
    shown = {"status": made.properties["provisioningState"]}
    if "error" in made.properties:
        shown["error"] = made.properties["error"]
    return answer(200, shown)


def cancel(call: Call) -> wire.Reply:
    made = _demand(call)
    if made.properties["provisioningState"] not in engine.ACTIVE:
        raise ArmError(
            409,
            "DeploymentCannotBeCancelled",
            f"The deployment '{call['name']}' cannot be cancelled: it is '{made.properties['provisioningState']}'.",
        )
    made.properties["provisioningState"] = "Canceled"
    return nothing(204)


def delete(call: Call) -> wire.Reply:
    """Removes the record only; what it made stays."""
    found = call.world.find(number_of(call))
    if found is None:
        return nothing(204)
    call.world.remove(found.id)
    return nothing(204)


def export(call: Call) -> wire.Reply:
    return answer(200, {"template": _demand(call).under["template"]})
