"""Resource Manager: projects, in version 3 as the libraries use it and version 1 as gcloud does."""

from typing import Any

from portal.sandbox.gcp.apis import policies
from portal.sandbox.gcp.errors import denied
from portal.sandbox.gcp.methods import Call, method
from portal.sandbox.gcp.world import stamp

API = "cloudresourcemanager.projects"
ONE_V1, ONE_V3 = "/v1/projects/{project}", "/v3/projects/{project}"


@method(f"{API}.get", f"GET {ONE_V3}", api="crm", permission="resourcemanager.projects.get")
def get(call: Call) -> dict[str, Any]:
    project = call.project
    shown: dict[str, Any] = {
        "name": f"projects/{project.number}", "projectId": project.id, "displayName": project.id, "state": project.state,
        "createTime": stamp(project.created_at), "updateTime": stamp(project.deleted_at or project.created_at),
        "etag": f"W/\"{project.number[:12]}\"",
    }  # fmt: skip
    if project.organization:
        shown["parent"] = f"organizations/{project.organization}"
    return shown | ({"deleteTime": stamp(project.deleted_at)} if project.deleted_at else {})


@method(f"{API}.get", f"GET {ONE_V1}", api="crm", permission="resourcemanager.projects.get")
def get_v1(call: Call) -> dict[str, Any]:
    project = call.project
    shown: dict[str, Any] = {
        "projectNumber": project.number, "projectId": project.id, "lifecycleState": project.state, "name": project.id,
        "createTime": stamp(project.created_at),
    }  # fmt: skip
    return shown | ({"parent": {"type": "organization", "id": project.organization}} if project.organization else {})


@method(f"{API}.getAncestry", f"POST {ONE_V1}:getAncestry", api="crm", permission="resourcemanager.projects.get", body={})
def get_ancestry(call: Call) -> dict[str, Any]:
    own = {"resourceId": {"type": "project", "id": call.project.id}}
    above = [{"resourceId": {"type": "organization", "id": call.project.organization}}] if call.project.organization else []
    return {"ancestor": [own, *above]}


def _get_policy(call: Call) -> dict[str, Any]:
    return policies.read_policy(call, call.body.get("options", {}).get("requestedPolicyVersion", 1))


def _set_policy(call: Call) -> dict[str, Any]:
    return policies.write_policy(call, "resourcemanager.projects.setIamPolicy")


def _test_permissions(call: Call) -> dict[str, Any]:
    if call.target.project is None:
        raise denied("crm", "resourcemanager.projects.get", call.target.name)
    return policies.test_permissions(call)


for _one in (ONE_V1, ONE_V3):
    method(
        f"{API}.getIamPolicy", f"POST {_one}:getIamPolicy", api="crm", permission="resourcemanager.projects.getIamPolicy",
        body=policies.GET_BODY,
    )(_get_policy)  # fmt: skip
    method(f"{API}.setIamPolicy", f"POST {_one}:setIamPolicy", api="crm", body=policies.SET_BODY)(_set_policy)
    method(f"{API}.testIamPermissions", f"POST {_one}:testIamPermissions", api="crm", body=policies.TEST_BODY)(_test_permissions)
