"""Service Usage: which APIs of Google a project has switched on."""

from typing import Any

from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.apis.pools import shown_operation
from portal.sandbox.gcp.errors import TITLES, GoogleError, invalid, violation
from portal.sandbox.gcp.methods import PAGING, Call, Params, method, paged
from portal.sandbox.gcp.world import Operation, World, fresh_number

METADATA_TYPE = "type.googleapis.com/google.api.serviceusage.v1.OperationMetadata"
RESPONSE_TYPE = "type.googleapis.com/google.api.serviceusage.v1."
NOOP = "operations/noop.DONE_OPERATION"
ENABLE_MOST, READ_MOST = 20, 30
BASE = "/v1/projects/{project}/services"
ONE = BASE + "/{service}"
API = "serviceusage.services"


def _shown(call: Call, host: str) -> dict[str, Any]:
    name = f"projects/{call.project.number}/services/{host}"
    return {
        "name": name,
        "config": {"name": host, "title": TITLES.get(host, host)},
        "state": "ENABLED" if _is_on(call, host) else "DISABLED",
        "parent": f"projects/{call.project.number}",
    }


def _is_on(call: Call, host: str) -> bool:
    return call.project.services.get(host, float("inf")) <= call.world.now()


def _known(call: Call, host: str) -> str:
    """Services that Google may have and nothing here plays count as typing errors."""
    if host in TITLES:
        return host
    call.violate(f"service {host}")
    subject = violation("googleapis.com", "110002", f"Not found or permission denied for service(s): {host}.")
    raise GoogleError("PERMISSION_DENIED", f"Not found or permission denied for service(s): {host}.", subject)


@method(f"{API}.get", f"GET {ONE}", permission="serviceusage.services.get")
def get(call: Call) -> dict[str, Any]:
    return _shown(call, _known(call, call.params["service"]))


@method(f"{API}.list", f"GET {BASE}", permission="serviceusage.services.list", query=(*PAGING, "filter"))
def list_services(call: Call) -> dict[str, Any]:
    wanted = call.one("filter")
    if wanted not in {"", "state:ENABLED", "state:DISABLED"}:
        raise invalid(f"Invalid filter: {wanted}", "filter")
    found = [_shown(call, host) for host in sorted(TITLES)]
    found = [service for service in found if wanted in {"", f"state:{service['state']}"}]
    return paged(call, found, "services")


@method(f"{API}.batchGet", f"GET {BASE}:batchGet", permission="serviceusage.services.get", query=("names",))
def batch_get(call: Call) -> dict[str, Any]:
    names = call.query.get("names", [])
    if not 0 < len(names) <= READ_MOST:
        raise invalid(f"Between 1 and {READ_MOST} names are needed.", "names")
    prefixes = (f"projects/{call.project.id}/services/", f"projects/{call.project.number}/services/")
    if not all(name.startswith(prefixes) for name in names):
        raise invalid("The names must be of services of the parent.", "names")
    return {"services": [_shown(call, _known(call, name.rpartition("/")[2])) for name in names]}


@method(f"{API}.enable", f"POST {ONE}:enable", permission="serviceusage.services.enable", body={})
def enable(call: Call) -> dict[str, Any]:
    host = _known(call, call.params["service"])
    return _switch_on(call, [host], "EnableServiceResponse")


@method(f"{API}.batchEnable", f"POST {BASE}:batchEnable", permission="serviceusage.services.enable", body={"serviceIds": [str]})
def batch_enable(call: Call) -> dict[str, Any]:
    hosts = [_known(call, host) for host in call.body.get("serviceIds", [])]
    if not 0 < len(hosts) <= ENABLE_MOST:
        raise invalid(f"Between 1 and {ENABLE_MOST} services are needed.", "service_ids")
    return _switch_on(call, hosts, "BatchEnableServicesResponse")


def _switch_on(call: Call, hosts: list[str], kind: str) -> dict[str, Any]:
    """What is on already answers with an operation that is done; else the services work when the operation ends."""
    now, done_at = call.world.now(), call.world.now() + call.world.knobs.operation_seconds
    is_noop = all(_is_on(call, host) for host in hosts)
    for host in hosts:
        call.project.services.setdefault(host, done_at)
    shown = [{**_shown(call, host), "state": "ENABLED"} for host in hosts]
    response = {"@type": RESPONSE_TYPE + kind, **({"service": shown[0]} if kind == "EnableServiceResponse" else {"services": shown})}
    if is_noop:
        return {"name": NOOP, "done": True, "response": response}
    name = f"operations/acat.p2-{call.project.number}-{fresh_number(12)}"
    metadata = {"@type": METADATA_TYPE, "resourceNames": [service["name"] for service in shown]}
    call.world.operations[name] = Operation(max(now, done_at), response, metadata)
    return {"name": name, "metadata": metadata}


@method(
    f"{API}.disable", f"POST {ONE}:disable", permission="serviceusage.services.disable",
    body={"disableDependentServices": bool, "checkIfServiceHasUsage": str},
)  # fmt: skip
def disable(call: Call) -> dict[str, Any]:
    host = _known(call, call.params["service"])
    call.project.services.pop(host, None)
    response = {"@type": RESPONSE_TYPE + "DisableServiceResponse", "service": _shown(call, host)}
    return {"name": NOOP, "done": True, "response": response}


def _of_operation(world: World, params: Params) -> Target:
    number = params["operation"].split("-")[1] if "-" in params["operation"] else ""
    return project_target(world, number)


@method("serviceusage.operations.get", "GET /v1/operations/{operation}", permission="serviceusage.operations.get", on=_of_operation)
def get_operation(call: Call) -> dict[str, Any]:
    name = f"operations/{call.params['operation']}"
    return shown_operation(call.world, name)
