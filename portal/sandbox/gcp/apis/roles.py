"""Custom roles of a project, deleted softly, and the published ones to look at."""

import re
from typing import Any

from portal.sandbox.gcp import roles
from portal.sandbox.gcp.access import Target, is_allowed, project_target
from portal.sandbox.gcp.errors import GoogleError, conflict, denied, invalid, missing, taken
from portal.sandbox.gcp.methods import PAGING, Call, Params, method, of_nothing, paged
from portal.sandbox.gcp.world import Resource, World, fresh_etag, is_same_etag

ROLE_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
# With an endpoint override, gcloud names the endpoint instead of the host.
FULL_PROJECT = re.compile(r"//(?:cloudresourcemanager\.googleapis\.com|127\.0\.0\.1:\d+/crm)/projects/([\w.:-]+)")
STAGES = {"ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP"}
ROLE = dict.fromkeys(("name", "title", "description", "stage", "etag"), str) | {"includedPermissions": [str], "deleted": bool}
PERMISSION_PAGE = 1000
BASE = "/v1/projects/{project}/roles"
ONE = BASE + "/{role}"
API = "iam.projects.roles"
TITLE_LENGTH, DESCRIPTION_LENGTH, PERMISSIONS_MOST = 100, 300, 3000


def of_role(world: World, params: Params) -> Target:
    above = project_target(world, params["project"])
    return Target(above.project, above.chain, f"{above.name}/roles/{params['role']}", "iam.googleapis.com/Role")


def _found(call: Call) -> Resource:
    """Deleted ones too: `deleted` says so."""
    name = f"projects/{call.project.id}/roles/{call.params['role']}"
    found = call.world.resources.get(name)
    if found is None:
        raise missing(f"The role named {name} was not found.")
    return found


@method(f"{API}.create", f"POST {BASE}", permission="iam.roles.create", body={"roleId": str, "role": ROLE})
def create(call: Call) -> dict[str, Any]:
    short, given = call.body.get("roleId", ""), call.body.get("role", {})
    if not ROLE_ID.fullmatch(short):
        raise invalid("The role_id does not match the pattern: ^[a-zA-Z0-9_\\.]{3,64}$.", "role_id")
    name = f"projects/{call.project.id}/roles/{short}"
    if (known := call.world.resources.get(name)) is not None:
        if known.is_live:
            raise taken(f"A role named {short} in projects/{call.project.id} already exists.")
        message = f"You can't create a role with role_id ({short}) where there is an existing role with that role_id in a deleted state."
        raise GoogleError("FAILED_PRECONDITION", message)
    body = {"name": name, "stage": "ALPHA", **_checked(given), "etag": fresh_etag()}
    call.world.resources[name] = Resource(body, call.world.now())
    return body


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    for field, longest in (("title", TITLE_LENGTH), ("description", DESCRIPTION_LENGTH)):
        if len(given.get(field, "")) > longest:
            raise invalid(f"The role's {field} must be at most {longest} characters.", f"role.{field}")
    if given.get("stage", "GA") not in STAGES:
        raise invalid(f"Invalid value at 'role.stage' (type.googleapis.com/google.iam.admin.v1.Role.RoleLaunchStage), \"{given['stage']}\"")
    permissions = given.get("includedPermissions", [])
    for name in permissions:
        if not roles.fits_project_role(name):
            raise invalid(f"Permission {name} is not valid.", "role.included_permissions")
    if len(permissions) > PERMISSIONS_MOST:
        raise invalid(f"A custom role can hold at most {PERMISSIONS_MOST} permissions.", "role.included_permissions")
    kept = {field: given[field] for field in ("title", "description", "stage") if given.get(field)}
    return kept | ({"includedPermissions": sorted(set(permissions))} if permissions else {})


@method(f"{API}.get", f"GET {ONE}", permission="iam.roles.get", on=of_role)
def get(call: Call) -> dict[str, Any]:
    found = _found(call)
    return found.body | ({} if found.is_live else {"deleted": True})


@method(f"{API}.list", f"GET {BASE}", permission="iam.roles.list", query=(*PAGING, "view", "showDeleted"))
def list_roles(call: Call) -> dict[str, Any]:
    found = [
        _in_view(made.body, call.one("view")) | ({} if made.is_live else {"deleted": True})
        for _name, made in call.world.under(f"projects/{call.project.id}/roles/")
        if made.is_live or call.flag("showDeleted")
    ]
    return paged(call, found, "roles")


def _in_view(body: dict[str, Any], view: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if view == "FULL" or name != "includedPermissions"}


@method(f"{API}.patch", f"PATCH {ONE}", permission="iam.roles.update", on=of_role, query=("updateMask",), body=ROLE)
def patch(call: Call) -> dict[str, Any]:
    found = _found(call)
    if not found.is_live:
        raise GoogleError("FAILED_PRECONDITION", f"You can't update the role {found.body['name']}: it is deleted.")
    if not is_same_etag(call.body.get("etag", found.body["etag"]), found.body["etag"]):
        raise conflict()
    checked = _checked(call.body)
    for field in call.mask() or ["title", "description", "stage", "includedPermissions"]:
        if field not in {"title", "description", "stage", "includedPermissions"}:
            raise invalid(f"Invalid field in update mask: {field}.", "update_mask")
        found.body.pop(field, None)
        if field in checked:
            found.body[field] = checked[field]
    found.body["etag"] = fresh_etag()
    return found.body


@method(f"{API}.delete", f"DELETE {ONE}", permission="iam.roles.delete", on=of_role, query=("etag",))
def delete(call: Call) -> dict[str, Any]:
    found = _found(call)
    if call.one("etag") and not is_same_etag(call.one("etag"), found.body["etag"]):
        raise conflict()
    if found.is_live:
        found.deleted_at = call.world.now()
        found.body["etag"] = fresh_etag()
    return found.body | {"deleted": True}


@method(f"{API}.undelete", f"POST {ONE}:undelete", permission="iam.roles.undelete", on=of_role, body={"etag": str})
def undelete(call: Call) -> dict[str, Any]:
    found = _found(call)
    if found.is_live:
        raise GoogleError("FAILED_PRECONDITION", f"The role {found.body['name']} is not deleted.")
    found.deleted_at = None
    found.body["etag"] = fresh_etag()
    return found.body


@method("iam.roles.get", "GET /v1/roles/{role}", on=of_nothing)
def get_published(call: Call) -> dict[str, Any]:
    name = f"roles/{call.params['role']}"
    held = roles.predefined(name)
    if held is None:
        call.violate(name)
        raise missing(f"The role named {name} was not found.")
    return {"name": name, "title": call.params["role"], "stage": "GA", "etag": "AA==", "includedPermissions": sorted(held)}


@method(
    "iam.permissions.queryTestablePermissions", "POST /v1/permissions:queryTestablePermissions", on=of_nothing,
    body={"fullResourceName": str, "pageSize": int, "pageToken": str},
)  # fmt: skip
def query_testable_permissions(call: Call) -> dict[str, Any]:
    """What may stand in a custom role of the project. gcloud asks before it makes one."""
    found = FULL_PROJECT.fullmatch(call.body.get("fullResourceName", ""))
    target = project_target(call.world, found.group(1)) if found else Target(None, (), "")
    if not is_allowed(call.world, call.caller, "resourcemanager.projects.get", target):
        raise denied("crm", "resourcemanager.projects.get", target.name)
    start = int(call.body["pageToken"]) if re.fullmatch(r"[0-9]{1,9}", call.body.get("pageToken", "")) else 0
    names = roles.known_permissions()
    size = min(call.body.get("pageSize") or 100, PERMISSION_PAGE)
    page: dict[str, Any] = {"permissions": [_permission(name) for name in names[start : start + size]]}
    return page | ({"nextPageToken": str(start + size)} if start + size < len(names) else {})


def _permission(name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": name, "stage": "GA"}
    return shown | ({} if roles.fits_project_role(name) else {"customRolesSupportLevel": "NOT_SUPPORTED"})
