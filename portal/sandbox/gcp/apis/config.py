"""Infrastructure Manager: deployments, their revisions and resources, previews. What it builds is the business of gcp/manager.

Control lists deployments of others too, which somebody made by hand. The words of refusals are from memory.
"""

import re
from typing import Any

from portal.sandbox.gcp.access import is_allowed
from portal.sandbox.gcp.apis.accounts import account_target
from portal.sandbox.gcp.apis.compute import REGIONS
from portal.sandbox.gcp.errors import GoogleError, denied, invalid, missing, taken
from portal.sandbox.gcp.manager.engine import Engine
from portal.sandbox.gcp.methods import ANY, MAP, PAGING, Call, method, paged
from portal.sandbox.gcp.world import Operation, fresh_secret, stamp

API = "config.projects.locations"
PLACE = "/v1/projects/{project}/locations/{location}"
ONE = PLACE + "/deployments/{deployment}"
REVISIONS = ONE + "/revisions"
PREVIEWS = PLACE + "/previews"
LISTING = (*PAGING, "filter", "orderBy")
BLUEPRINT = {"gcsSource": str, "inputValues": {"*": {"inputValue": ANY}}}
DEPLOYMENT = {
    "name": str, "terraformBlueprint": BLUEPRINT, "labels": MAP, "annotations": MAP, "serviceAccount": str, "tfVersionConstraint": str,
}  # fmt: skip
PREVIEW = {
    "name": str, "deployment": str, "serviceAccount": str, "labels": MAP, "annotations": MAP, "previewMode": str,
    "terraformBlueprint": BLUEPRINT,
}  # fmt: skip
CHANGEABLE = {"terraformBlueprint", "labels", "annotations", "serviceAccount"}
ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
SOURCE = re.compile(r"gs://[a-z0-9._-]+/.+")
LABEL_KEY, LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
ACCOUNT = re.compile(r"projects/(?P<project>[^/]+)/serviceAccounts/(?P<email>[^/]+)")
VERSIONS = {"=1.2.3", "=1.3.10", "=1.5.7"}
METADATA = "type.googleapis.com/google.cloud.config.v1.OperationMetadata"
NEVER = 1e15  # when an operation ends of which nobody knows yet when
ABANDON = {"ABANDON", "2"}


def _never(_what: str, _name: str) -> None:
    raise AssertionError("starting reads no plan")


def _engine(call: Call) -> Engine:
    return Engine(call.world, None, _never)


def _key(call: Call, kind: str, name: str) -> str:
    place = call.params["location"]
    if place not in REGIONS:
        raise invalid(f"Location {place} is not found or access is unauthorized.")
    return f"projects/{call.project.number}/locations/{place}/{kind}/{name}"


def _full(call: Call, kind: str, name: str) -> str:
    return f"projects/{call.project.id}/locations/{call.params['location']}/{kind}/{name}"


def _found(call: Call) -> dict[str, Any]:
    found = call.world.builds.get(_key(call, "deployments", call.params["deployment"]))
    if found is None:
        raise missing(f"Resource '{_full(call, 'deployments', call.params['deployment'])}' was not found")
    return found


def _shown(call: Call, name: str, found: dict[str, Any]) -> dict[str, Any]:
    shown = {**found["body"], "name": _full(call, "deployments", name), "state": found["state"], "createTime": stamp(found["created_at"])}
    shown |= {"updateTime": stamp(found["updated_at"]), "lockState": "LOCKED" if found["job"] else "UNLOCKED", "tfVersion": "1.5.7"}
    if found["latest"] is not None:
        shown["latestRevision"] = f"{shown['name']}/revisions/r-{found['latest']}"
    more = {"errorCode": found["error_code"], "stateDetail": found["detail"], "tfErrors": found["tf_errors"]}
    return shown | {name: value for name, value in more.items() if value}


def _operation(call: Call, kind: str, name: str, verb: str) -> dict[str, Any]:
    operation = f"projects/{call.project.id}/locations/{call.params['location']}/operations/operation-{fresh_secret('')[:24].lower()}"
    metadata = {
        "@type": METADATA, "target": _full(call, kind, name), "verb": verb, "apiVersion": "v1", "requestedCancellation": False,
        "createTime": stamp(call.world.now()),
    }  # fmt: skip
    call.world.operations[operation] = Operation(NEVER, {}, metadata)
    return {"name": operation, "metadata": metadata, "done": False}


def _check(call: Call, given: dict[str, Any]) -> None:
    for name, value in given.get("labels", {}).items():
        if not LABEL_KEY.fullmatch(name) or not LABEL_VALUE.fullmatch(value):
            raise invalid(f"Invalid label: {name}={value}", "labels")
    source = given.get("terraformBlueprint", {}).get("gcsSource", "")
    if not SOURCE.fullmatch(source):
        raise invalid(f"Invalid GCS source: {source!r}", "deployment.terraform_blueprint.gcs_source")
    if given.get("tfVersionConstraint", "=1.5.7") not in VERSIONS:
        raise invalid(f"Terraform version {given['tfVersionConstraint']} is not supported.", "deployment.tf_version_constraint")


def _check_account(call: Call, name: str) -> None:
    found = ACCOUNT.fullmatch(name)
    if found is None:
        raise invalid(f"Invalid service account: {name}", "service_account")
    target = account_target(call.world, {"project": found["project"], "account": found["email"]})
    if call.world.account(found["email"]) is None or not is_allowed(call.world, call.caller, "iam.serviceAccounts.actAs", target):
        raise denied("config", "iam.serviceAccounts.actAs", name)


def _require_free(found: dict[str, Any]) -> None:
    if found["job"]:
        raise GoogleError("ABORTED", "unable to queue the operation")


# --- Deployments ---


@method(
    f"{API}.deployments.list", f"GET {PLACE}/deployments", permission="config.deployments.list", query=LISTING,
)  # fmt: skip
def list_deployments(call: Call) -> dict[str, Any]:
    for name in ("filter", "orderBy"):
        if call.one(name):
            call.violate(name)
    prefix = _key(call, "deployments", "")
    others = [
        {"name": _full(call, "deployments", name.removeprefix(prefix)), "state": "ACTIVE", **found.body}
        for name, found in call.world.under(prefix)
    ]
    own = [_shown(call, found["name"], found) for name, found in call.world.builds.items() if name.startswith(prefix)]
    return paged(call, [*others, *own], "deployments")


@method(f"{API}.deployments.get", f"GET {ONE}", permission="config.deployments.get")
def get_deployment(call: Call) -> dict[str, Any]:
    return _shown(call, call.params["deployment"], _found(call))


@method(
    f"{API}.deployments.create", f"POST {PLACE}/deployments", permission="config.deployments.create",
    query=("deploymentId", "requestId"), body=DEPLOYMENT,
)  # fmt: skip
def create_deployment(call: Call) -> dict[str, Any]:
    name, given = call.one("deploymentId"), call.body
    if not ID.fullmatch(name):
        raise invalid(f"Invalid deployment id: {name!r}", "deployment_id")
    key = _key(call, "deployments", name)
    if key in call.world.builds:
        raise taken(f"Resource '{_full(call, 'deployments', name)}' already exists")
    _check(call, given)
    _check_account(call, given.get("serviceAccount", ""))
    now = call.world.now()
    body = {field: value for field, value in given.items() if field != "name"}
    call.world.builds[key] = record = {
        "name": name, "project": call.project.number, "place": call.params["location"], "body": body, "created_at": now,
        "updated_at": now, "state": "CREATING", "error_code": "", "detail": "", "tf_errors": [], "latest": None, "revisions": [],
        "terraform": {}, "job": None, "shown": {"name": _full(call, "deployments", name)},
    }  # fmt: skip
    operation = _operation(call, "deployments", name, "create")
    _engine(call).start(record, "apply", "CREATE", operation["name"])
    return operation


@method(
    f"{API}.deployments.patch", f"PATCH {ONE}", permission="config.deployments.update", query=("updateMask", "requestId"), body=DEPLOYMENT
)
def update_deployment(call: Call) -> dict[str, Any]:
    found = _found(call)
    _require_free(found)
    changed = {name: call.body[name] for name in call.mask() if name in call.body}
    if unknown := sorted(set(call.mask()) - CHANGEABLE):
        raise invalid(f"Invalid update mask: {unknown[0]}", "update_mask")
    _check(call, {**found["body"], **changed})
    _check_account(call, str({**found["body"], **changed}["serviceAccount"]))
    found["body"] |= changed
    found["state"] = "UPDATING"
    operation = _operation(call, "deployments", found["name"], "update")
    _engine(call).start(found, "apply", "UPDATE", operation["name"])
    return operation


@method(f"{API}.deployments.delete", f"DELETE {ONE}", permission="config.deployments.delete", query=("force", "deletePolicy", "requestId"))
def delete_deployment(call: Call) -> dict[str, Any]:
    found = _found(call)
    _require_free(found)
    if not call.flag("force") and found["revisions"]:
        raise GoogleError("FAILED_PRECONDITION", "The deployment has revisions: delete them first, or force the deletion.")
    operation = _operation(call, "deployments", found["name"], "delete")
    if call.one("deletePolicy") in ABANDON:
        del call.world.builds[_key(call, "deployments", found["name"])]
        ended = call.world.operations[operation["name"]]
        ended.done_at, ended.response = call.world.now(), {"@type": "type.googleapis.com/google.cloud.config.v1.Deployment"}
        return operation
    found["state"] = "DELETING"
    _engine(call).start(found, "destroy", "DELETE", operation["name"])
    return operation


# --- Revisions and resources ---


def _shown_revision(call: Call, found: dict[str, Any], revision: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "name": f"{_full(call, 'deployments', found['name'])}/revisions/r-{revision['number']}", "action": revision["action"],
        "state": revision["state"], "createTime": stamp(revision["created_at"]), "updateTime": stamp(revision["updated_at"]),
        "terraformBlueprint": revision["blueprint"], "serviceAccount": found["body"]["serviceAccount"], "tfVersion": "1.5.7",
    }  # fmt: skip
    if revision["outputs"]:
        shown["applyResults"] = {"outputs": revision["outputs"]}
    more = {"errorCode": revision["error_code"], "stateDetail": revision["detail"], "tfErrors": revision["tf_errors"]}
    return shown | {name: value for name, value in more.items() if value}


def _revision(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    found = _found(call)
    for revision in found["revisions"]:
        if f"r-{revision['number']}" == call.params["revision"]:
            return found, revision
    raise missing(f"Resource '{call.params['revision']}' was not found")


@method(f"{API}.deployments.revisions.list", f"GET {REVISIONS}", permission="config.revisions.list", query=LISTING)
def list_revisions(call: Call) -> dict[str, Any]:
    found = _found(call)
    return paged(call, [_shown_revision(call, found, revision) for revision in reversed(found["revisions"])], "revisions")


@method(f"{API}.deployments.revisions.get", f"GET {REVISIONS}/{{revision}}", permission="config.revisions.get")
def get_revision(call: Call) -> dict[str, Any]:
    return _shown_revision(call, *_revision(call))


@method(
    f"{API}.deployments.revisions.resources.list", f"GET {REVISIONS}/{{revision}}/resources", permission="config.resources.list",
    query=LISTING,
)  # fmt: skip
def list_resources(call: Call) -> dict[str, Any]:
    found, revision = _revision(call)
    base = f"{_full(call, 'deployments', found['name'])}/revisions/r-{revision['number']}/resources"
    items = [
        {
            "name": f"{base}/{number}", "intent": entry["intent"], "state": entry["state"],
            "terraformInfo": {"address": entry["address"], "type": entry["type"], **({"id": entry["id"]} if entry["id"] else {})},
        }
        for number, entry in enumerate(revision["resources"])
    ]  # fmt: skip
    return paged(call, items, "resources")


# --- Operations ---


@method(f"{API}.operations.get", f"GET {PLACE}/operations/{{operation}}", permission="config.operations.get")
def get_operation(call: Call) -> dict[str, Any]:
    name = _full(call, "operations", call.params["operation"])
    found = call.world.operations.get(name)
    if found is None:
        raise missing(f"Resource '{name}' was not found")
    shown: dict[str, Any] = {"name": name, "metadata": found.metadata, "done": found.done_at <= call.world.now()}
    if not shown["done"]:
        return shown
    return shown | (found.response if "error" in found.response else {"response": found.response})


# --- Previews ---


def _preview(call: Call) -> dict[str, Any]:
    found = call.world.previews.get(_key(call, "previews", call.params["preview"]))
    if found is None:
        raise missing(f"Resource '{_full(call, 'previews', call.params['preview'])}' was not found")
    return found


@method(f"{API}.previews.create", f"POST {PREVIEWS}", permission="config.previews.create", query=("previewId", "requestId"), body=PREVIEW)
def create_preview(call: Call) -> dict[str, Any]:
    name, given = call.one("previewId"), call.body
    if not ID.fullmatch(name):
        raise invalid(f"Invalid preview id: {name!r}", "preview_id")
    key = _key(call, "previews", name)
    if key in call.world.previews:
        raise taken(f"Resource '{_full(call, 'previews', name)}' already exists")
    deployment = _key(call, "deployments", given.get("deployment", "").rpartition("/")[2])
    if deployment not in call.world.builds:
        raise missing(f"Resource '{given.get('deployment')}' was not found")
    if "terraformBlueprint" in given or given.get("previewMode", "DEFAULT") != "DEFAULT":
        call.violate("terraformBlueprint or previewMode")
        raise GoogleError("UNIMPLEMENTED", "Only previews of what a deployment holds already are played here.")
    _check_account(call, given.get("serviceAccount", ""))
    body = {field: value for field, value in given.items() if field != "name"}
    now = call.world.now()
    call.world.previews[key] = {
        "body": body, "deployment": deployment, "created_at": now, "state": "CREATING", "due": now + 2 * call.world.knobs.operation_seconds,
        "error_code": "", "tf_errors": [], "drifts": [],
    }  # fmt: skip
    return _operation(call, "previews", name, "create")


@method(f"{API}.previews.get", f"GET {PREVIEWS}/{{preview}}", permission="config.previews.get")
def get_preview(call: Call) -> dict[str, Any]:
    found = _preview(call)
    shown = {**found["body"], "name": _full(call, "previews", call.params["preview"]), "state": found["state"]}
    shown |= {"createTime": stamp(found["created_at"]), "previewMode": "DEFAULT"}
    more = {"errorCode": found["error_code"], "tfErrors": found["tf_errors"]}
    return shown | {name: value for name, value in more.items() if value}


@method(f"{API}.previews.delete", f"DELETE {PREVIEWS}/{{preview}}", permission="config.previews.delete", query=("requestId",))
def delete_preview(call: Call) -> dict[str, Any]:
    _preview(call)
    del call.world.previews[_key(call, "previews", call.params["preview"])]
    return _operation(call, "previews", call.params["preview"], "delete")


@method(
    f"{API}.previews.resourceDrifts.list", f"GET {PREVIEWS}/{{preview}}/resourceDrifts", permission="config.resourcedrifts.list",
    query=LISTING,
)  # fmt: skip
def list_drifts(call: Call) -> dict[str, Any]:
    base = f"{_full(call, 'previews', call.params['preview'])}/resourceDrifts"
    items = [{"name": f"{base}/{number}", **drift} for number, drift in enumerate(_preview(call)["drifts"])]
    return paged(call, items, "resourceDrifts")
