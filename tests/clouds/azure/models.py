"""Holds what the local Azure was asked, and what it answered, against the models of Microsoft's own SDK.

The SDK itself drops a field that it does not know and takes a number for a text. This walker does not: unknown members, wrong types
and unknown values of enumerations are told, each with its path.
"""

import enum
import importlib
import re
import sys
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

RESOURCES, DEPLOYMENTS = "azure.mgmt.resource.resources.models", "azure.mgmt.resource.deployments.models"
SUBSCRIPTIONS, IDENTITIES = "azure.mgmt.resource.subscriptions.models", "azure.mgmt.msi.v2024_11_30.models"
ROLES = "azure.mgmt.authorization.v2022_04_01.models"
STACKS, NETWORKS, COMPUTE = "azure.mgmt.resource.deploymentstacks.models", "azure.mgmt.network.models", "azure.mgmt.compute.models"
CLUSTERS, VAULTS = "azure.mgmt.containerservice.models", "azure.mgmt.keyvault.models"
WORKFLOWS, MONITOR = "azure.mgmt.logic.models", "azure.mgmt.monitor.models"
SUB, GROUP = r"/subscriptions/[^/]+", r"/subscriptions/[^/]+/resourcegroups/[^/]+"
DEPLOYMENT = rf"(?:{SUB}|{GROUP})(?:/providers/microsoft\.resources)?/deployments"
ROLE_ASSIGNMENTS, ROLE_DEFINITIONS = (
    rf"{SUB}.*/providers/microsoft\.authorization/{name}" for name in ("roleassignments", "roledefinitions")
)
IDENTITY = r"/providers/microsoft\.managedidentity/userassignedidentities"

# Every type that a cell is made of -> (module, model).
CELL = {
    "microsoft.network/virtualnetworks": (NETWORKS, "VirtualNetwork"),
    "microsoft.network/networksecuritygroups": (NETWORKS, "NetworkSecurityGroup"),
    "microsoft.network/natgateways": (NETWORKS, "NatGateway"),
    "microsoft.network/publicipaddresses": (NETWORKS, "PublicIPAddress"),
    "microsoft.network/networkinterfaces": (NETWORKS, "NetworkInterface"),
    "microsoft.compute/virtualmachines": (COMPUTE, "VirtualMachine"),
    "microsoft.compute/disks": (COMPUTE, "Disk"),
    "microsoft.containerservice/managedclusters": (CLUSTERS, "ManagedCluster"),
    "microsoft.containerservice/managedclusters/agentpools": (CLUSTERS, "AgentPool"),
    "microsoft.keyvault/vaults": (VAULTS, "Vault"),
    "microsoft.keyvault/vaults/keys": (VAULTS, "Key"),
}


def _cell_rows() -> list[tuple[str, str, str, str]]:
    rows = []
    for kind, (module, name) in CELL.items():
        namespace, *types = kind.split("/")
        path = rf"/providers/{re.escape(namespace)}/" + "/[^/]+/".join(types)
        rows += [(rf"(?:{SUB}|{GROUP}){path}", module, f"*{name}", ""), (rf"{GROUP}{path}/[^/]+", module, name, name)]
    return rows


# Path -> (module, model of the answer, model of the request). A list is answered by its model as well.
TABLE: tuple[tuple[str, str, str, str], ...] = (
    (r"/subscriptions", SUBSCRIPTIONS, "*Subscription", ""),
    (r"/tenants", SUBSCRIPTIONS, "*TenantIdDescription", ""),
    (SUB, SUBSCRIPTIONS, "Subscription", ""),
    (rf"{SUB}/locations", SUBSCRIPTIONS, "*Location", ""),
    (rf"{SUB}/providers", RESOURCES, "*Provider", ""),
    (rf"{SUB}/providers/[^/]+(?:/register|/unregister)?", RESOURCES, "Provider", ""),
    (rf"{SUB}/resourcegroups", RESOURCES, "*ResourceGroup", ""),
    (GROUP, RESOURCES, "ResourceGroup", "ResourceGroup"),
    (rf"(?:{SUB}|{GROUP})/resources", RESOURCES, "*GenericResourceExpanded", ""),
    (DEPLOYMENT, DEPLOYMENTS, "*DeploymentExtended", ""),
    (rf"{DEPLOYMENT}/[^/]+", DEPLOYMENTS, "DeploymentExtended", "Deployment"),
    (rf"{DEPLOYMENT}/[^/]+/validate", DEPLOYMENTS, "DeploymentValidateResult", "Deployment"),
    (rf"{DEPLOYMENT}/[^/]+/operations", DEPLOYMENTS, "*DeploymentOperation", ""),
    (rf"{DEPLOYMENT}/[^/]+/operations/[^/]+", DEPLOYMENTS, "DeploymentOperation", ""),
    (rf"(?:{SUB}|{GROUP}){IDENTITY}", IDENTITIES, "*Identity", ""),
    (rf"{GROUP}{IDENTITY}/[^/]+", IDENTITIES, "Identity", "Identity"),
    (rf"{GROUP}{IDENTITY}/[^/]+/federatedidentitycredentials", IDENTITIES, "*FederatedIdentityCredential", ""),
    (
        rf"{GROUP}{IDENTITY}/[^/]+/federatedidentitycredentials/[^/]+",
        IDENTITIES,
        "FederatedIdentityCredential",
        "FederatedIdentityCredential",
    ),
    (ROLE_ASSIGNMENTS, ROLES, "*RoleAssignment", ""),
    (rf"{ROLE_ASSIGNMENTS}/[^/]+", ROLES, "RoleAssignment", "RoleAssignment"),
    (ROLE_DEFINITIONS, ROLES, "*RoleDefinition", ""),
    (rf"{ROLE_DEFINITIONS}/[^/]+", ROLES, "RoleDefinition", "RoleDefinition"),
    (rf"(?:{SUB}|{GROUP})/providers/microsoft\.authorization/permissions", ROLES, "*Permission", ""),
    (rf"{GROUP}/providers/microsoft\.resources/deploymentstacks", STACKS, "*DeploymentStack", ""),
    (rf"{GROUP}/providers/microsoft\.resources/deploymentstacks/[^/]+", STACKS, "DeploymentStack", "DeploymentStack"),
    (rf"{DEPLOYMENT}/[^/]+/whatif", DEPLOYMENTS, "WhatIfOperationResult", "DeploymentWhatIf"),
    (rf"{GROUP}/providers/microsoft\.logic/workflows/[^/]+", WORKFLOWS, "Workflow", "Workflow"),
    (rf"{GROUP}/providers/microsoft\.logic/workflows/[^/]+/runs", WORKFLOWS, "*WorkflowRun", ""),
    (rf"{SUB}/providers/microsoft\.insights/eventtypes/management/values", MONITOR, "*EventData", ""),
    *_cell_rows(),
)
# What no installed package of the SDK describes.
UNDESCRIBED = (
    r".*/operationstatuses/.*", r".*/operationresults/.*", r".*/usages", r".*/locks(?:/.*)?", r".*/policy\w+(?:/.*)?",
    r".*/deploymentstackoperationstatus/.*", r".*/exporttemplate", r".*/cancel", r".*/workflows/[^/]+/(?:disable|enable)",
)  # fmt: skip
# Azure's own recordings, or the schema of its activity log, have these; its models do not.
BEYOND = {("DeploymentOperationProperties", "trackingId"), ("EventData", "channels")}
# Examples of names, and out of date: their own description says so.
OPEN = {"VirtualMachineSizeTypes"}


def problems(journal: list[dict[str, Any]]) -> list[str]:
    """Everything in a journal that Microsoft's models do not know, and every exchange that no model was found for."""
    found: list[str] = []
    for exchange in journal:
        if exchange["service"] == "arm":
            found += [f"{exchange['method']} {exchange['path']}: {problem}" for problem in _exchange(exchange)]
    return found


def _exchange(exchange: dict[str, Any]) -> Iterator[str]:
    status, answer = exchange["status"], exchange["answer"]
    if status >= 400:
        if isinstance(answer, dict):  # a proxy's page is none
            yield from walk(answer, model(RESOURCES, "ErrorResponse") if "error" not in answer else None, "answer")
            yield from walk(answer.get("error"), model(RESOURCES, "ErrorDetail"), "answer.error")
        return
    path = exchange["path"].lower().rstrip("/")
    row = next((row for row in TABLE if re.fullmatch(row[0], path)), None)
    if row is None:
        if not any(re.fullmatch(pattern, path) for pattern in UNDESCRIBED):
            yield "no model is known for this"
        return
    _pattern, module, name, asked = row
    if name.startswith("*") and isinstance(answer, dict):
        if strange := set(answer) - {"value", "nextLink"}:
            yield f"answer: {strange} is no member of a list"
        for index, entry in enumerate(answer["value"]):
            yield from walk(entry, model(module, name[1:]), f"answer.value[{index}]")
    elif answer is not None:
        yield from walk(answer, model(module, name), "answer")
    if asked and exchange["method"] in {"PUT", "POST"} and isinstance(exchange["request"], dict):
        yield from walk(exchange["request"], model(module, asked), "request")


@cache
def model(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def walk(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind is None or kind is Any or value is None:
        return
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        yield from _union(value, [entry for entry in inner if entry is not type(None)], path)
    elif origin is list:
        yield from _each(value, list, inner[0], path)
    elif origin is dict:
        yield from _each(value, dict, inner[1], path)
    elif hasattr(kind, "_attribute_map"):
        yield from _older(value, kind, path)
    elif hasattr(kind, "_deserialize"):
        yield from _model(value, kind, path)
    else:
        yield from _plain(value, kind, path)


def _union(value: Any, kinds: list[Any], path: str) -> Iterator[str]:
    """`Union[str, SomeEnum]`: Azure may add values, but this Azure may not."""
    known = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, enum.Enum)), None)
    if known is not None:
        if known.__name__ not in OPEN and value not in {entry.value for entry in known}:
            yield f"{path}: {value!r} is no {known.__name__}"
    elif len(kinds) == 1:
        yield from walk(value, kinds[0], path)
    elif all(list(walk(value, kind, path)) for kind in kinds):
        yield f"{path}: {value!r} is none of {kinds}"


def _each(value: Any, shape: type, kind: Any, path: str) -> Iterator[str]:
    if not isinstance(value, shape):
        yield f"{path}: {type(value).__name__} instead of {shape.__name__}"
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield from walk(entry, kind, f"{path}[{key}]")


def _model(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Models of the newer generator: annotated attributes, each with its name on the wire."""
    if not isinstance(value, dict):
        yield f"{path}: {type(value).__name__} instead of {kind.__name__}"
        return
    kind({})  # the table of names is made with the first instance
    module = sys.modules[kind.__module__]
    hints = typing.get_type_hints(kind, vars(module), {"_models": importlib.import_module(module.__package__ or "")})
    fields = {field._rest_name: hints[name] for name, field in kind._attr_to_rest_field.items()}
    for name, entry in value.items():
        if (kind.__name__, name) in BEYOND:
            continue
        if name not in fields:
            yield f"{path}: {kind.__name__} has no {name}"
        else:
            yield from walk(entry, fields[name], f"{path}.{name}")


def _older(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Models of the older generator: a map from attributes to dotted names on the wire."""
    if not isinstance(value, dict):
        yield f"{path}: {type(value).__name__} instead of {kind.__name__}"
        return
    fields = {tuple(entry["key"].split(".")): entry["type"] for entry in kind._attribute_map.values()}
    yield from _inside(value, fields, kind, (), path)


def _inside(value: dict[str, Any], fields: dict[tuple[str, ...], str], kind: Any, above: tuple[str, ...], path: str) -> Iterator[str]:
    for name, entry in value.items():
        here = (*above, name)
        if (kind.__name__, name) in BEYOND:
            continue
        if here in fields:
            yield from walk(entry, _named(fields[here], kind), f"{path}.{name}")
        elif any(key[: len(here)] == here for key in fields) and isinstance(entry, dict):
            yield from _inside(entry, fields, kind, here, f"{path}.{name}")
        else:
            yield f"{path}: {kind.__name__} has no {'.'.join(here)}"


def _named(text: str, kind: Any) -> Any:
    if text.startswith(("[", "{")):
        inner = _named(text[1:-1], kind)
        return list[inner] if text.startswith("[") else dict[str, inner]
    plain = {"str": str, "bool": bool, "int": int, "float": float, "iso-8601": datetime, "object": Any}
    return plain[text] if text in plain else getattr(importlib.import_module(kind.__module__.rpartition(".")[0]), text)


def _plain(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind is datetime:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)", value):
            yield f"{path}: {value!r} is no time"
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        if value not in {entry.value for entry in kind}:
            yield f"{path}: {value!r} is no {kind.__name__}"
    elif not isinstance(value, kind) or (kind in {int, float} and isinstance(value, bool)):
        yield f"{path}: {value!r} is no {getattr(kind, '__name__', kind)}"
