"""Cloud Storage, as far as plans need it: a bucket, who may read it, small objects. What anybody may read takes no sign-in."""

import base64
from typing import Any

from portal.sandbox.gcp.access import Target, is_allowed, project_target
from portal.sandbox.gcp.errors import GoogleError, invalid, missing, taken
from portal.sandbox.gcp.methods import RAW, Call, Params, method
from portal.sandbox.gcp.world import World, fresh_etag, stamp

BASE = "/storage/v1/b"
POLICY = {"bindings": [{"role": str, "members": [str]}], "etag": str, "version": int, "kind": str, "resourceId": str}


def of_bucket(world: World, params: Params) -> Target:
    found = world.buckets.get(params["bucket"])
    above = project_target(world, found["project"] if found else "")
    return Target(above.project, above.chain, f"projects/_/buckets/{params['bucket']}", "storage.googleapis.com/Bucket")


def _of_query(world: World, _params: Params) -> Target:
    """The project stands in the query, which is looked at by the handler."""
    return project_target(world, "")


def _found(call: Call) -> dict[str, Any]:
    found = call.world.buckets.get(call.params["bucket"])
    if found is None:
        raise missing("The specified bucket does not exist.")
    return found


def _shown(call: Call, name: str) -> dict[str, Any]:
    found = call.world.buckets[name]
    return {
        "kind": "storage#bucket", "id": name, "name": name, "location": found["location"], "projectNumber": found["project"],
        "timeCreated": stamp(found["created_at"]), "storageClass": "STANDARD", "etag": found["etag"],
    }  # fmt: skip


def _require(call: Call, permission: str, target: Target) -> None:
    # A new bucket lets the project's owners do everything with it, which their role on the project does not.
    is_owner = is_allowed(call.world, call.caller, "resourcemanager.projects.setIamPolicy", target)
    if not is_owner and not is_allowed(call.world, call.caller, permission, target):
        raise GoogleError("PERMISSION_DENIED", f"{call.caller.email} does not have {permission} access to the Google Cloud Storage bucket.")


@method("storage.buckets.insert", f"POST {BASE}", on=_of_query, query=("project",), body={
    "name": str, "location": str, "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": bool}},
})  # fmt: skip
def create(call: Call) -> dict[str, Any]:
    project = call.world.project(call.one("project"))
    if project is None:
        raise invalid("Unknown project id: " + call.one("project"))
    _require(call, "storage.buckets.create", project_target(call.world, project.id))
    name = call.body.get("name", "")
    if name in call.world.buckets:
        raise taken("The requested bucket name is not available.")
    call.world.buckets[name] = {
        "project": project.number, "location": call.body.get("location", "US"), "created_at": call.world.now(), "etag": fresh_etag(),
        "bindings": [], "objects": {},
    }  # fmt: skip
    return _shown(call, name)


@method("storage.buckets.get", f"GET {BASE}/{{bucket}}", on=of_bucket)
def get(call: Call) -> dict[str, Any]:
    _found(call)
    _require(call, "storage.buckets.get", call.target)
    return _shown(call, call.params["bucket"])


@method("storage.buckets.getIamPolicy", f"GET {BASE}/{{bucket}}/iam", on=of_bucket)
def get_policy(call: Call) -> dict[str, Any]:
    found = _found(call)
    _require(call, "storage.buckets.getIamPolicy", call.target)
    return {"kind": "storage#policy", "version": 1, "etag": found["etag"], "bindings": found["bindings"]}


@method("storage.buckets.setIamPolicy", f"PUT {BASE}/{{bucket}}/iam", on=of_bucket, body=POLICY)
def set_policy(call: Call) -> dict[str, Any]:
    found = _found(call)
    _require(call, "storage.buckets.setIamPolicy", call.target)
    found["bindings"], found["etag"] = call.body.get("bindings", []), fresh_etag()
    return {"kind": "storage#policy", "version": 1, "etag": found["etag"], "bindings": found["bindings"]}


@method(
    "storage.objects.insert", f"POST /upload{BASE}/{{bucket}}/o", on=of_bucket, query=("uploadType", "name", "ifGenerationMatch"), body=RAW
)
def upload(call: Call) -> dict[str, Any]:
    found, name = _found(call), call.one("name")
    _require(call, "storage.objects.create", call.target)
    if call.one("uploadType") != "media":
        call.violate("uploadType")
        raise GoogleError("UNIMPLEMENTED", "Only simple uploads are played here.")
    if name in found["objects"] and call.one("ifGenerationMatch") == "0":
        raise GoogleError("FAILED_PRECONDITION", "At least one of the pre-conditions you specified did not hold.")
    found["objects"][name] = base64.b64encode(call.raw).decode()
    return {"kind": "storage#object", "name": name, "bucket": call.params["bucket"], "size": str(len(call.raw))}


@method("storage.objects.get", f"GET {BASE}/{{bucket}}/o/{{object+}}", on=of_bucket, query=("alt",), is_public=True)
def read(call: Call) -> Any:
    found = _found(call)
    content = found["objects"].get(call.params["object"])
    if content is None:
        raise missing(f"No such object: {call.params['bucket']}/{call.params['object']}")
    if not any("allUsers" in binding["members"] for binding in found["bindings"]):
        _require(call, "storage.objects.get", call.target)
    if call.one("alt") != "media":
        size = str(len(base64.b64decode(content)))
        return {"kind": "storage#object", "name": call.params["object"], "bucket": call.params["bucket"], "size": size}
    return base64.b64decode(content)
