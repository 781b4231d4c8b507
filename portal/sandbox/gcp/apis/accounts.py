"""Service accounts, which are deleted softly: the name is free again at once, and stands for another identity."""

import re
from typing import Any

from portal.sandbox.gcp.access import Target, is_allowed, project_target
from portal.sandbox.gcp.apis import policies
from portal.sandbox.gcp.errors import conflict, denied, invalid, missing, taken
from portal.sandbox.gcp.methods import PAGING, Call, Params, method, paged
from portal.sandbox.gcp.world import SOFT_DELETE_SECONDS, Resource, World, fresh_etag, fresh_number, is_same_etag

ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
DISPLAY_NAME_LENGTH, DESCRIPTION_LENGTH = 100, 256
ACCOUNT = dict.fromkeys(("name", "projectId", "uniqueId", "email", "displayName", "etag", "description", "oauth2ClientId"), str) | {
    "disabled": bool
}
BASE = "/v1/projects/{project}/serviceAccounts"
ONE = BASE + "/{account}"
API = "iam.projects.serviceAccounts"


def account_target(world: World, params: Params) -> Target:
    """A service account's own policy first, then its project's. `projects/-` asks the address for the project."""
    name = params["account"]
    found = world.account(name)
    project = params["project"]
    if project == "-":
        known = found or world.deleted_account(name)
        project = known.body["projectId"] if known else name.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    above = project_target(world, project)
    if above.project is None or found is None or found.body["projectId"] != above.project.id:
        return above
    full = found.body["name"]
    return Target(above.project, (_policy_name(found.body), *above.chain), full, "iam.googleapis.com/ServiceAccount")


def _policy_name(body: dict[str, Any]) -> str:
    return f"serviceAccounts/{body['uniqueId']}"


def find_account(call: Call) -> Resource:
    found = call.world.account(call.params["account"])
    if found is None or found.body["projectId"] != call.project.id:
        raise missing(f"Unknown service account: {call.params['account']}" if call.method.verb != "GET" else "Unknown service account")
    return found


@method(f"{API}.create", f"POST {BASE}", permission="iam.serviceAccounts.create", body={"accountId": str, "serviceAccount": ACCOUNT})
def create(call: Call) -> dict[str, Any]:
    short, project = call.body.get("accountId", ""), call.project
    if not ACCOUNT_ID.fullmatch(short):
        raise invalid(
            f"Invalid service account ID ({short}). It must be between 6 and 30 characters long, start with a lowercase letter, "
            "and contain only lowercase alphanumeric characters and dashes."
        )
    email = f"{short}@{project.id}.iam.gserviceaccount.com"
    name = f"projects/{project.id}/serviceAccounts/{email}"
    if call.world.live(name) is not None:
        raise taken(f"Service account {short} already exists within project projects/{project.id}.")
    unique_id = fresh_number(21)
    body: dict[str, Any] = {"name": name, "projectId": project.id, "uniqueId": unique_id, "email": email}
    body |= _texts(call.body.get("serviceAccount", {})) | {"etag": fresh_etag(), "oauth2ClientId": unique_id}
    if (gone := call.world.resources.pop(name, None)) is not None:
        call.world.resources[f"{name}#{gone.body['uniqueId']}"] = gone
    call.world.resources[name] = Resource(body, call.world.now())
    return body


def _texts(given: dict[str, Any]) -> dict[str, str]:
    for field, longest in (("displayName", DISPLAY_NAME_LENGTH), ("description", DESCRIPTION_LENGTH)):
        if len(given.get(field, "").encode()) > longest:
            raise invalid(f"The {field} must be at most {longest} UTF-8 bytes.", f"service_account.{field}")
    return {field: given[field] for field in ("displayName", "description") if given.get(field)}


@method(f"{API}.get", f"GET {ONE}", permission="iam.serviceAccounts.get", on=account_target)
def get(call: Call) -> dict[str, Any]:
    return find_account(call).body


@method(f"{API}.list", f"GET {BASE}", permission="iam.serviceAccounts.list", query=PAGING)
def list_accounts(call: Call) -> dict[str, Any]:
    found = [made.body for _name, made in call.world.under(f"projects/{call.project.id}/serviceAccounts/") if made.is_live]
    return paged(call, found, "accounts")


@method(
    f"{API}.patch", f"PATCH {ONE}", permission="iam.serviceAccounts.update", on=account_target,
    body={"serviceAccount": ACCOUNT, "updateMask": str},
)  # fmt: skip
def patch(call: Call) -> dict[str, Any]:
    found, given = find_account(call), call.body.get("serviceAccount", {})
    if not is_same_etag(given.get("etag", found.body["etag"]), found.body["etag"]):
        raise conflict()
    texts = _texts(given)
    for field in call.mask():
        if field not in {"displayName", "description"}:
            raise invalid(f"Update mask may not hold {field}.", "update_mask")
        found.body[field] = texts.get(field, "")
    found.body["etag"] = fresh_etag()
    return found.body


@method(f"{API}.delete", f"DELETE {ONE}", permission="iam.serviceAccounts.delete", on=account_target)
def delete(call: Call) -> dict[str, Any]:
    find_account(call).deleted_at = call.world.now()
    return {}


@method(f"{API}.undelete", f"POST {ONE}:undelete", permission="iam.serviceAccounts.undelete", on=account_target, body={})
def undelete(call: Call) -> dict[str, Any]:
    """By unique id only, and not once another lives under the name."""
    unique_id, world = call.params["account"], call.world
    for name, found in list(world.resources.items()):
        if "/serviceAccounts/" in name and found.deleted_at is not None and found.body["uniqueId"] == unique_id:
            plain = name.partition("#")[0]
            if world.now() - found.deleted_at > SOFT_DELETE_SECONDS or world.live(plain) is not None:
                break
            del world.resources[name]
            world.resources[plain] = Resource(found.body, found.created_at)
            return {"restoredAccount": found.body}
    raise missing(f"Service account {unique_id} cannot be restored.")


@method(f"{API}.disable", f"POST {ONE}:disable", permission="iam.serviceAccounts.disable", on=account_target, body={})
def disable(call: Call) -> dict[str, Any]:
    find_account(call).body["disabled"] = True
    return {}


@method(f"{API}.enable", f"POST {ONE}:enable", permission="iam.serviceAccounts.enable", on=account_target, body={})
def enable(call: Call) -> dict[str, Any]:
    find_account(call).body.pop("disabled", None)
    return {}


@method(
    f"{API}.getIamPolicy", f"POST {ONE}:getIamPolicy", permission="iam.serviceAccounts.getIamPolicy", on=account_target,
    query=("options.requestedPolicyVersion",), body={},
)  # fmt: skip
def get_policy(call: Call) -> dict[str, Any]:
    find_account(call)
    return policies.read_policy(call, call.number("options.requestedPolicyVersion"))


@method(f"{API}.setIamPolicy", f"POST {ONE}:setIamPolicy", on=account_target, body=policies.SET_BODY)
def set_policy(call: Call) -> dict[str, Any]:
    if call.target.project is not None and call.world.account(call.params["account"]) is None:
        if not is_allowed(call.world, call.caller, "iam.serviceAccounts.setIamPolicy", call.target):
            raise denied("iam", "iam.serviceAccounts.setIamPolicy", call.target.name)
        raise missing("Unknown service account")
    return policies.write_policy(call, "iam.serviceAccounts.setIamPolicy")


@method(f"{API}.testIamPermissions", f"POST {ONE}:testIamPermissions", on=account_target, body=policies.TEST_BODY)
def test_permissions(call: Call) -> dict[str, Any]:
    if call.target.project is None:
        raise missing("Unknown service account")
    find_account(call)
    return policies.test_permissions(call)
