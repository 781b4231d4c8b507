"""Cloud Audit Logs of this Google Cloud: changes of a policy always, reading only where the project's audit configuration asks for it.

Names of methods and the fields are those of Google's `AuditLog`; which calls count as reading settings and which as reading data is from
memory. Of the many methods only those that support access and its correlation look at are written down.
"""

import json
import secrets
from http import HTTPStatus
from typing import Any

from portal.sandbox.gcp.access import Target
from portal.sandbox.gcp.methods import Method, Params
from portal.sandbox.gcp.world import Project, Token, World, stamp
from portal.sandbox.wire import Reply

CONFIG = "google.cloud.config.v1.Config"
# Google's method id -> as the log calls it, and what must be switched on for it to be written; "" is written always.
AUDITED = {
    "cloudresourcemanager.projects.setIamPolicy": ("SetIamPolicy", ""),
    "config.projects.locations.deployments.get": (f"{CONFIG}.GetDeployment", "ADMIN_READ"),
    "config.projects.locations.deployments.revisions.list": (f"{CONFIG}.ListRevisions", "ADMIN_READ"),
    "config.projects.locations.deployments.revisions.resources.list": (f"{CONFIG}.ListResources", "ADMIN_READ"),
    "container.projects.locations.clusters.get": ("google.container.v1.ClusterManager.GetCluster", "ADMIN_READ"),
    "logging.entries.list": ("google.logging.v2.LoggingServiceV2.ListLogEntries", "DATA_READ"),
}
DENIED = 7  # of google.rpc.Code
KINDS = {"": "activity", "ADMIN_READ": "data_access", "DATA_READ": "data_access"}


def record(world: World, method: Method, params: Params, caller: Token, answer: Reply) -> None:
    """Of calls with a token that is known: nobody else is anybody."""
    if method.id not in AUDITED or not caller.member or answer.status == HTTPStatus.UNAUTHORIZED:
        return
    kind = AUDITED[method.id][1]
    target = method.on(world, params)
    project = target.project or world.projects.get(caller.consumer)
    if project is not None and (not kind or _is_on(world, project, method.host, kind, caller)):
        world.log.append(_entry(world, method, target, caller=caller, project=project, answer=answer))


def _is_on(world: World, project: Project, host: str, kind: str, caller: Token) -> bool:
    for one in world.audit_configs.get(project.policy_name, []):
        for entry in one.get("auditLogConfigs", []) if one.get("service") in {host, "allServices"} else ():
            if entry.get("logType") == kind and caller.member not in entry.get("exemptedMembers", []):
                return True
    return False


def _entry(world: World, method: Method, target: Target, *, caller: Token, project: Project, answer: Reply) -> dict[str, Any]:
    name, kind = AUDITED[method.id]
    log = KINDS[kind]
    who: dict[str, Any] = {"principalSubject": caller.member}
    if caller.email:
        who["principalEmail"] = caller.email
    if caller.delegation:
        who["serviceAccountDelegationInfo"] = [{"principalSubject": member} for member in caller.delegation]
    is_denied = answer.status == HTTPStatus.FORBIDDEN
    resource = target.name or f"projects/{project.id}"
    payload: dict[str, Any] = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": method.host, "methodName": name,
        "resourceName": resource, "authenticationInfo": who,
        "status": _status(answer) if answer.status >= HTTPStatus.BAD_REQUEST else {},
        "requestMetadata": {"callerIp": "127.0.0.1"},
    }  # fmt: skip
    if method.permission:
        payload["authorizationInfo"] = [{"resource": resource, "permission": method.permission, "granted": not is_denied}]
    now = stamp(world.now())
    return {
        "logName": f"projects/{project.id}/logs/cloudaudit.googleapis.com%2F{log}", "insertId": secrets.token_hex(7), "timestamp": now,
        "receiveTimestamp": now, "severity": "ERROR" if payload["status"] else ("NOTICE" if log == "activity" else "INFO"),
        "resource": {"type": "audited_resource", "labels": {"project_id": project.id, "service": method.host, "method": name}},
        "protoPayload": payload,
    }  # fmt: skip


def _status(answer: Reply) -> dict[str, Any]:
    try:
        message = json.loads(answer.body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = ""
    return {"code": DENIED if answer.status == HTTPStatus.FORBIDDEN else 2, "message": message}
