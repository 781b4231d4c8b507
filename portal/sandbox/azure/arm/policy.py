"""Azure Policy, as far as it denies: assigned definitions are asked before a resource is written."""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from portal.sandbox.azure import rbac
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Resource, World

Body = dict[str, Any]
DEFINITION = "Microsoft.Authorization/policyDefinitions"
ASSIGNMENT = "Microsoft.Authorization/policyAssignments"
SET = "Microsoft.Authorization/policySetDefinitions"
ALLOWED_LOCATIONS = "e56962a6-4747-49cd-b67b-bf8b01975c4c"
FORBIDDEN_TYPES = "6c112d4e-5bc7-47ae-a041-ea2d9dccd749"

# Two of Microsoft's own definitions: guid -> (display name, rule).
BUILT_IN: dict[str, tuple[str, Body]] = {
    ALLOWED_LOCATIONS: (
        "Allowed locations",
        {
            "if": {
                "allOf": [
                    {"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"},
                    {"field": "location", "notEquals": "global"},
                    {"field": "type", "notEquals": "Microsoft.AzureActiveDirectory/b2cDirectories"},
                ]
            },
            "then": {"effect": "deny"},
        },
    ),
    FORBIDDEN_TYPES: (
        "Not allowed resource types",
        {
            "if": {"allOf": [{"field": "type", "in": "[parameters('listOfResourceTypesNotAllowed')]"}, {"field": "type", "exists": True}]},
            "then": {"effect": "[parameters('effect')]"},
        },
    ),
}


def demand(world: World, number: str, kind: str, body: Body) -> None:
    """Raises the refusal of the first policy that denies this resource."""
    if kind.startswith("Microsoft.Authorization/"):
        return  # assignments and policies themselves are not evaluated here
    for assignment in world.of_type(ASSIGNMENT):
        if denying := _denies(world, assignment, number, kind, body):
            raise refusal(world, assignment, denying, number)


@dataclass(frozen=True)
class Applied:
    """One definition with the values it is assigned with, by itself or in an initiative."""

    definition: str
    parameters: Body


def applied(world: World, assignment: Resource) -> list[Applied]:
    props = assignment.properties
    given = {name: entry.get("value") for name, entry in (props.get("parameters") or {}).items()}
    initiative = world.find(props["policyDefinitionId"])
    if initiative is None or initiative.type != SET:
        return [Applied(props["policyDefinitionId"], given)]
    declared = initiative.properties.get("parameters") or {}
    values = {**{name: entry.get("defaultValue") for name, entry in declared.items()}, **given}
    return [
        Applied(
            member["policyDefinitionId"],
            {name: _value(entry.get("value"), values) for name, entry in (member.get("parameters") or {}).items()},
        )
        for member in initiative.properties["policyDefinitions"]
    ]


def _denies(world: World, assignment: Resource, number: str, kind: str, body: Body) -> str:
    """The definition that denies, or nothing."""
    props = assignment.properties
    is_here = rbac.is_within(number, props["scope"]) and not any(rbac.is_within(number, at) for at in props.get("notScopes") or [])
    if not is_here or props.get("enforcementMode") == "DoNotEnforce":
        return ""
    shown = {"id": number, "name": number.rpartition("/")[2], "type": kind, **body}
    for member in applied(world, assignment):
        rule, defaults, _name = definition(world, member.definition)
        values = {"effect": "Deny", **defaults, **member.parameters}
        if str(_value(rule["then"]["effect"], values)).lower() == "deny" and _holds(rule["if"], shown, values):
            return member.definition
    return ""


def built_in(number: str) -> Body | None:
    """One of Microsoft's own definitions, as a GET answers it."""
    guid = number.lower()
    if guid not in BUILT_IN:
        return None
    name, rule = BUILT_IN[guid]
    names = ("listOfAllowedLocations",) if guid == ALLOWED_LOCATIONS else ("listOfResourceTypesNotAllowed", "effect")
    parameters = {name: {"type": "String" if name == "effect" else "Array"} for name in names}
    properties = {
        "displayName": name,
        "policyType": "BuiltIn",
        "mode": "Indexed",
        "version": "1.0.0",
        "parameters": parameters,
        "policyRule": rule,
    }
    return {"id": f"/providers/{DEFINITION}/{guid}", "name": guid, "type": DEFINITION, "properties": properties}


def definition(world: World, number: str) -> tuple[Body, Body, str]:
    """Rule, defaults of its parameters, and display name. An absent definition denies nothing."""
    guid = number.rpartition("/")[2]
    if guid in BUILT_IN:
        name, rule = BUILT_IN[guid]
        return rule, {}, name
    found = world.find(number)
    if found is None:
        return {"if": {"not": {"allOf": []}}, "then": {"effect": "disabled"}}, {}, guid
    props = found.properties
    defaults = {name: given.get("defaultValue") for name, given in (props.get("parameters") or {}).items()}
    return props["policyRule"], defaults, props.get("displayName", guid)


def _value(value: Any, parameters: Body) -> Any:
    """`[parameters('x')]` is the one expression played in rules."""
    if isinstance(value, str) and value.startswith("[parameters('") and value.endswith("')]"):
        return parameters.get(value[len("[parameters('") : -3])
    return value


def _holds(rule: Body, resource: Body, parameters: Body) -> bool:
    if "allOf" in rule:
        return all(_holds(entry, resource, parameters) for entry in rule["allOf"])
    if "anyOf" in rule:
        return any(_holds(entry, resource, parameters) for entry in rule["anyOf"])
    if "not" in rule:
        return not _holds(rule["not"], resource, parameters)
    found = _field(rule["field"], resource)
    name, given = next((name, value) for name, value in rule.items() if name != "field")
    wanted = _value(given, parameters)
    return bool(OPERATORS[name.lower()](found, wanted))


def _field(name: str, resource: Body) -> Any:
    """A resource's own member, a tag, or an alias: the type, then the path below its properties."""
    if name.lower().startswith("tags["):
        return (resource.get("tags") or {}).get(name[5:-1].strip("'"))
    kind = str(resource["type"])
    if name.lower().startswith(f"{kind.lower()}/"):
        value: Any = resource.get("properties") or {}
        for step in name[len(kind) + 1 :].replace("[*]", "").split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return value
    return resource.get(name)


def _text(value: Any) -> str:
    return str(value if value is not None else "").lower()


def _within(found: Any, wanted: Any) -> bool:
    return _text(found).replace(" ", "") in {_text(entry).replace(" ", "") for entry in wanted or []}


OPERATORS: dict[str, Any] = {
    "equals": lambda found, wanted: _text(found) == _text(wanted),
    "notequals": lambda found, wanted: _text(found) != _text(wanted),
    "in": _within,
    "notin": lambda found, wanted: found is not None and not _within(found, wanted),
    "like": lambda found, wanted: fnmatchcase(_text(found), _text(wanted)),
    "notlike": lambda found, wanted: found is not None and not fnmatchcase(_text(found), _text(wanted)),
    "contains": lambda found, wanted: _text(wanted) in _text(found),
    "exists": lambda found, wanted: (found is not None) == (_text(wanted) == "true"),
}


def refusal(world: World, assignment: Resource, denying: str, number: str) -> ArmError:
    props = assignment.properties
    _rule, _defaults, shown = definition(world, denying)
    named = {"name": props.get("displayName") or assignment.name, "id": assignment.id}
    defined = {"name": shown, "id": denying, "version": "1.0.0"}
    target = number.rpartition("/")[2]
    info = {
        "policyDefinitionDisplayName": shown,
        "policyAssignmentId": assignment.id,
        "policyAssignmentName": assignment.name,
        "policyAssignmentDisplayName": props.get("displayName") or assignment.name,
        "policyAssignmentScope": props["scope"],
        "policyDefinitionId": denying,
        "policyDefinitionName": denying.rpartition("/")[2],
        "policyDefinitionEffect": "deny",
        "policyAssignmentParameters": props.get("parameters") or {},
    }
    identifiers = json.dumps([{"policyAssignment": named, "policyDefinition": defined}], separators=(",", ":"))
    return ArmError(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{target}' was disallowed by policy. Policy identifiers: '{identifiers}'.",
        target=target,
        additionalInfo=[{"type": "PolicyViolation", "info": info}],
    )
