"""May this caller do that? Computed from the policies alone, as Google computes it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.gcp import roles
from portal.sandbox.gcp.expressions import Attributes, ExpressionError, Node, UnknownValueError, compile_expression
from portal.sandbox.gcp.world import PolicyVersion, Project, Token, World

CONDITION_NAMES = ("request.time", "resource.name", "resource.type", "resource.service", "api")
GRANTED_ROLES = "iam.googleapis.com/modifiedGrantsByRole"
SAMPLE = {
    "request.time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "resource.name": "", "resource.type": "", "resource.service": "",
    "api": Attributes({}),
}  # fmt: skip
EMPTY = PolicyVersion(0.0, "ACAB", [])


@dataclass(frozen=True)
class Target:
    """What a call is about: the policies that count, and what conditions may ask."""

    project: Project | None  # None: there is none, or nobody may know of it
    chain: tuple[str, ...]  # names of policies, the nearest first
    name: str  # as refusals and conditions call it
    type: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)


def project_target(world: World, name: str, **more: Any) -> Target:
    project = world.project(name)
    if project is None:
        return Target(None, (), f"projects/{name}")
    above = (f"organizations/{project.organization}",) if project.organization else ()
    return Target(project, (project.policy_name, *above), f"projects/{name}", "cloudresourcemanager.googleapis.com/Project", **more)


def newest(world: World, name: str) -> PolicyVersion:
    versions = world.policies.get(name)
    return versions[-1] if versions else EMPTY


def effective(world: World, name: str) -> PolicyVersion:
    """The policy as it has propagated: of two quick changes, the older one may still count."""
    known = world.now() - world.knobs.propagation_seconds
    for version in reversed(world.policies.get(name, [])):
        if version.at <= known:
            return version
    return EMPTY


def is_allowed(world: World, caller: Token, permission: str, target: Target) -> bool:
    return any(_grants(world, caller, permission, target, binding) for name in target.chain for binding in effective(world, name).bindings)


def held(world: World, caller: Token, permissions: Iterable[str], target: Target) -> list[str]:
    return [name for name in permissions if is_allowed(world, caller, name, target)]


def _grants(world: World, caller: Token, permission: str, target: Target, binding: dict[str, Any]) -> bool:
    if not any(_is_member(world, caller, member) for member in binding["members"]):
        return False
    if roles.plain(permission) not in roles.held_by(binding["role"], world):
        return False
    condition = binding.get("condition")
    return condition is None or _is_true(world, condition["expression"], target)


def _is_member(world: World, caller: Token, member: str) -> bool:
    """A binding remembers which service account it meant: one made anew under the same address is another."""
    if member == "allUsers" or (member == "allAuthenticatedUsers" and caller.kind != "federated"):
        return True
    name, _, unique_id = member.partition("?uid=")
    if unique_id and unique_id != caller.unique_id:
        return False
    return name in caller.identities


def _is_true(world: World, expression: str, target: Target) -> bool:
    scope = {
        "request.time": dt.datetime.fromtimestamp(world.now(), dt.UTC),
        "resource.name": target.name,
        "resource.type": target.type,
        "resource.service": target.type.partition("/")[0],
        "api": Attributes(target.attributes),
    }
    try:
        return bool(compile_condition(expression)(scope))
    except (UnknownValueError, TypeError):
        return False


def compile_condition(expression: str) -> Node:
    """Raises ExpressionError."""
    node = compile_expression(expression, CONDITION_NAMES)
    if expression.count("&&") + expression.count("||") > 12:  # noqa: PLR2004 - IAM's own limit
        raise ExpressionError("at most 12 logical operators")
    try:
        node(SAMPLE)
    except (TypeError, UnknownValueError) as problem:
        raise ExpressionError("found no matching overload") from problem
    return node
