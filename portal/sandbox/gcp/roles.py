"""What roles hold: Google's predefined ones as published (August 2026, of the services near to this product), and custom ones."""

import json
from functools import cache
from pathlib import Path

from portal.sandbox.gcp.world import World

FILE = Path(__file__).with_name("roles.json")
BASIC = {"roles/owner", "roles/editor", "roles/viewer"}
# What only an organisation's custom roles may hold.
NOT_IN_PROJECT_ROLES = ("resourcemanager.projects.list", "resourcemanager.organizations.", "resourcemanager.folders.")


@cache
def _published() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """Every known permission, and the predefined roles: in the file, the verbs stand grouped by what they act on."""
    saved = json.loads(FILE.read_text())
    roles = {name: _flat(groups) for name, groups in saved["roles"].items()}
    return _flat(saved["known"]).union(*roles.values()), roles


def _flat(groups: dict[str, str]) -> frozenset[str]:
    return frozenset(f"{thing}.{verb}" for thing, verbs in groups.items() for verb in verbs.split())


def is_permission(name: str) -> bool:
    return plain(name) in _published()[0]


def known_permissions() -> list[str]:
    return sorted(_published()[0])


def fits_project_role(name: str) -> bool:
    return is_permission(name) and not name.startswith(NOT_IN_PROJECT_ROLES)


def plain(permission: str) -> str:
    """Newer parts of IAM write their permissions with the service's host; both names mean the same."""
    return permission.replace("iam.googleapis.com/", "iam.")


def predefined(role: str) -> frozenset[str] | None:
    return _published()[1].get(role)


def held_by(role: str, world: World) -> frozenset[str]:
    """The permissions of a role; a deleted or disabled one grants nothing."""
    if role.startswith("roles/"):
        return predefined(role) or frozenset()
    found = world.live(role)
    if found is None or found.body.get("stage") == "DISABLED":
        return frozenset()
    return frozenset(plain(name) for name in found.body.get("includedPermissions", []))


def exists(role: str, world: World) -> bool:
    return predefined(role) is not None if role.startswith("roles/") else world.live(role) is not None
