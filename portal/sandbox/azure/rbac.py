"""Who may do what: role assignments at a scope or above, against the roles' actions less their notActions."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from portal.sandbox.azure import conditions
from portal.sandbox.azure.world import Resource, World

Body = dict[str, Any]
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

# Built-in roles: guid -> (name, actions, notActions), from Microsoft's published list.
BUILT_IN: dict[str, tuple[str, list[str], list[str]]] = {
    OWNER: ("Owner", ["*"], []),
    CONTRIBUTOR: (
        "Contributor",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        ],
    ),
    READER: ("Reader", ["*/read"], []),
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": (
        "User Access Administrator",
        ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        [],
    ),
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": (
        "Role Based Access Control Administrator",
        [
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ],
        [],
    ),
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": (
        "Managed Identity Contributor",
        [
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/*",
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/deployments/*",
        ],
        [],
    ),
    "4d97b98b-1d4f-4787-a291-c67834d212e7": (
        "Network Contributor",
        [
            "Microsoft.Authorization/*/read",
            "Microsoft.Network/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ],
        [],
    ),
}


@lru_cache(maxsize=4096)
def covers(pattern: str, action: str) -> bool:
    """Whether an action of a role, with `*` for anything, covers an operation. Case does not matter."""
    return re.fullmatch(".*".join(map(re.escape, pattern.lower().split("*"))), action.lower()) is not None


def grants(permission: Body, action: str, attributes: conditions.Attributes) -> bool:
    allowed = any(covers(pattern, action) for pattern in permission.get("actions") or [])
    if not allowed or any(covers(pattern, action) for pattern in permission.get("notActions") or []):
        return False
    condition = permission.get("condition")
    return not condition or conditions.parse(condition).holds(action, attributes)


def is_within(scope: str, at: str) -> bool:
    """Whether `scope` is `at` or below it."""
    inner, outer = scope.lower().rstrip("/"), at.lower().rstrip("/")
    return inner == outer or inner.startswith(f"{outer}/")


def permissions(world: World, object_id: str, scope: str, propagation_seconds: float) -> list[Body]:
    """What somebody holds at a scope: one entry for each assignment there or above that has spread by now, or whose end has not."""
    found: list[Body] = []
    for assignment in world.of_type(ASSIGNMENT):
        is_new = world.now() - assignment.created_at < propagation_seconds and not assignment.under.get("is_seed")
        if not is_new:
            found += _given(world, assignment.properties, object_id, scope)
    for gone in world.gone:
        if gone["until"] > world.now():
            found += _given(world, gone["properties"], object_id, scope)
    return found


def _given(world: World, props: Body, object_id: str, scope: str) -> list[Body]:
    if props["principalId"] != object_id or not is_within(scope, props["scope"]):
        return []
    return [{**entry, "condition": props.get("condition")} for entry in role_permissions(world, props["roleDefinitionId"])]


def may(held: Iterable[Body], action: str, attributes: conditions.Attributes | None = None) -> bool:
    """`attributes` are what conditions may ask of the request: without them, what is conditional is not held."""
    return any(grants(permission, action, attributes or {}) for permission in held)


def role_permissions(world: World, definition_id: str) -> list[Body]:
    number = definition_id.rpartition("/")[2].lower()
    if number in BUILT_IN:
        _name, actions, denied = BUILT_IN[number]
        return [{"actions": actions, "notActions": denied, "dataActions": [], "notDataActions": []}]
    custom = find_custom_role(world, definition_id)
    return list(custom.properties["permissions"]) if custom is not None else []


def find_custom_role(world: World, definition_id: str) -> Resource | None:
    """A role is the tenant's: its id may be written with any scope before it."""
    number = definition_id.rpartition("/")[2].lower()
    return next((role for role in world.of_type(DEFINITION) if role.name.lower() == number), None)


def built_in_role(number: str, scope: str) -> Body:
    name, actions, denied = BUILT_IN[number]
    return {
        "id": f"{scope}/providers/{DEFINITION}/{number}",
        "name": number,
        "type": DEFINITION,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": name,
            "assignableScopes": ["/"],
            "permissions": [{"actions": actions, "notActions": denied, "dataActions": [], "notDataActions": []}],
            "createdOn": "2015-02-02T21:55:09.8806423Z",
            "updatedOn": "2023-11-14T18:50:17.1234567Z",
            "createdBy": None,
            "updatedBy": None,
        },
    }
