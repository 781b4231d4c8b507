"""Logging: views of the bucket that every project has, and reading through one of them. Refusals' words are from memory.

What clusters write about themselves is made when it is read: a few lines for each cluster that stands.
"""

import re
from datetime import datetime
from typing import Any

from portal.sandbox.gcp.access import Target, is_allowed, project_target
from portal.sandbox.gcp.errors import GoogleError, denied, invalid, missing, taken
from portal.sandbox.gcp.log_filter import FilterError, compile_filter
from portal.sandbox.gcp.methods import PAGING, Call, Params, method, of_nothing, paged
from portal.sandbox.gcp.world import Project, Resource, World, stamp

API = "logging.projects.locations.buckets.views"
VIEWS = "/v2/projects/{project}/locations/{location}/buckets/{bucket}/views"
ONE = VIEWS + "/{view}"
VIEW = {"name": str, "description": str, "filter": str}
NAME = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/buckets/(?P<bucket>[^/]+)/views/(?P<view>[^/]+)")
LIST = {"resourceNames": [str], "filter": str, "orderBy": str, "pageSize": int, "pageToken": str}
# A view's filter is these alone, or their opposites, joined by AND: Google's description of `LogView.filter` says so.
_ONE = r'(?:NOT\s+)?(?:resource\.type\s*=\s*"[a-z0-9_]+"|LOG_ID\("[^"]+"\))'
IN_VIEWS = re.compile(rf"\s*(?:{_ONE}(?:\s+AND\s+{_ONE})*\s*)?")
KINDS = (("k8s_cluster", "events", "Cluster {name} is ready"), ("k8s_node", "kubelet", "Started kubelet of a node of {name}"),
         ("k8s_node", "container-runtime", "containerd of a node of {name} started"),
         ("k8s_container", "stdout", "an instance in {name} says something that is nobody else's business"))  # fmt: skip


def _target(world: World, params: Params) -> Target:
    target = project_target(world, params["project"])
    if target.project is None:
        return target
    name = f"projects/{target.project.id}/locations/{params['location']}/buckets/{params['bucket']}/views/{params['view']}"
    return Target(target.project, target.chain, name, "logging.googleapis.com/LogView")


def _key(call: Call, view: str) -> str:
    if (call.params["location"], call.params["bucket"]) != ("global", "_Default"):
        call.violate(f"bucket {call.params['location']}/{call.params['bucket']}")
        raise missing(f"Bucket `{call.params['bucket']}` does not exist")
    return f"projects/{call.project.number}/locations/global/buckets/_Default/views/{view}"


def _found(call: Call) -> Resource:
    found = call.world.live(_key(call, call.params["view"]))
    if found is None:
        raise missing(f"View `{call.params['view']}` does not exist")
    return found


def _checked(call: Call) -> None:
    if not IN_VIEWS.fullmatch(call.body.get("filter", "")):
        words = "Filters of views must be conjunctions with AND of SOURCE(), LOG_ID() and resource.type, or of their negations with NOT."
        raise invalid(words, "view.filter")


@method(f"{API}.create", f"POST {VIEWS}", permission="logging.views.create", query=("viewId",), body=VIEW)
def create_view(call: Call) -> dict[str, Any]:
    name = call.one("viewId")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,100}", name):
        raise invalid("Invalid view id", "view_id")
    _checked(call)
    key, now = _key(call, name), stamp(call.world.now())
    if call.world.live(key):
        raise taken(f"View `{name}` already exists")
    shown = f"projects/{call.project.id}{key.removeprefix(f'projects/{call.project.number}')}"
    call.world.resources[key] = Resource({**call.body, "name": shown, "createTime": now, "updateTime": now}, call.world.now())
    return call.world.resources[key].body


@method(f"{API}.list", f"GET {VIEWS}", permission="logging.views.list", query=PAGING)
def list_views(call: Call) -> dict[str, Any]:
    return paged(call, [found.body for _name, found in call.world.under(_key(call, "")) if found.is_live], "views")


@method(f"{API}.get", f"GET {ONE}", permission="logging.views.get", on=_target)
def get_view(call: Call) -> dict[str, Any]:
    return _found(call).body


@method(f"{API}.patch", f"PATCH {ONE}", permission="logging.views.update", on=_target, query=("updateMask",), body=VIEW)
def patch_view(call: Call) -> dict[str, Any]:
    found = _found(call)
    _checked(call)
    if set(call.mask()) - {"filter", "description"}:
        raise invalid("Invalid update mask", "update_mask")
    found.body |= {name: call.body.get(name, "") for name in call.mask()}
    return found.body


@method(f"{API}.delete", f"DELETE {ONE}", permission="logging.views.delete", on=_target)
def delete_view(call: Call) -> dict[str, Any]:
    _found(call)
    del call.world.resources[_key(call, call.params["view"])]
    return {}


@method("logging.entries.list", "POST /v2/entries:list", on=of_nothing, body=LIST)
def list_entries(call: Call) -> dict[str, Any]:
    """Through views alone: reading a whole project's log is not played."""
    found: list[dict[str, Any]] = []
    for name in call.body.get("resourceNames", []):
        project, test = _readable(call, name)
        found += [entry for entry in _entries(call.world, project) if test(entry)]
    try:
        wanted = compile_filter(call.body.get("filter", ""))
    except FilterError as problem:
        call.violate(f"filter {call.body.get('filter')}")
        raise invalid(f"Unparseable filter: {problem}", "filter") from problem
    order = call.body.get("orderBy", "timestamp asc")
    if order not in {"timestamp asc", "timestamp desc"}:
        raise invalid(f"Invalid order_by: {order}", "order_by")
    entries = sorted((entry for entry in found if wanted(entry)), key=_moment, reverse=order.endswith("desc"))
    call.query = {"pageSize": [str(call.body.get("pageSize", 50))], "pageToken": [call.body.get("pageToken", "")]}
    return paged(call, entries, "entries")


def _moment(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00"))


def _readable(call: Call, name: str) -> tuple[Project, Any]:
    parts = NAME.fullmatch(name)
    if parts is None:
        call.violate(f"resourceNames {name}")
        raise GoogleError("UNIMPLEMENTED", "Only views are read here.")
    target = _target(call.world, parts.groupdict())
    if target.project is None or not is_allowed(call.world, call.caller, "logging.views.access", target):
        raise denied("logging", "logging.views.access", target.name)
    found = call.world.live(f"projects/{target.project.number}/locations/global/buckets/_Default/views/{parts['view']}")
    if found is None:
        raise missing(f"View `{parts['view']}` does not exist")
    return target.project, compile_filter(found.body.get("filter", ""))


def _entries(world: World, project: Project) -> list[dict[str, Any]]:
    """What the `_Default` bucket holds: changes of policies go to another one, which nothing keeps them out of."""
    kept = f"projects/{project.id}/logs/cloudaudit.googleapis.com%2Fdata_access"
    return [entry for entry in world.log if entry["logName"] == kept] + [
        line
        for name, cluster in world.resources.items()
        if re.fullmatch(rf"projects/{project.number}/locations/[^/]+/clusters/[^/]+", name) and cluster.is_live
        for line in _lines(project, name, cluster)
    ]


def _lines(project: Project, full: str, cluster: Resource) -> list[dict[str, Any]]:
    place, name = full.split("/")[3], full.rpartition("/")[2]
    return [
        {
            "logName": f"projects/{project.id}/logs/{log}", "insertId": f"{name}-{number}", "timestamp": stamp(cluster.created_at + number),
            "severity": "INFO", "resource": {"type": kind, "labels": {"cluster_name": name, "location": place, "project_id": project.id}},
            "textPayload": words.format(name=name),
        }
        for number, (kind, log, words) in enumerate(KINDS)
    ]  # fmt: skip
