"""Reading and writing policies, which works alike on everything that has one."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from portal.sandbox.gcp import org_policies, roles
from portal.sandbox.gcp.access import GRANTED_ROLES, Target, compile_condition, held, is_allowed, newest
from portal.sandbox.gcp.errors import conflict, denied, invalid
from portal.sandbox.gcp.expressions import ExpressionError
from portal.sandbox.gcp.methods import Call
from portal.sandbox.gcp.world import PolicyVersion, World, fresh_etag, is_same_etag

CONDITIONS_VERSION = 3
TESTED_MOST = 100
EXPRESSION = {"expression": str, "title": str, "description": str, "location": str}
BINDING = {"role": str, "members": [str], "condition": EXPRESSION}
AUDIT_CONFIG = {"service": str, "auditLogConfigs": [{"logType": str, "exemptedMembers": [str]}]}
SET_BODY = {
    "policy": {"version": int, "etag": str, "bindings": [BINDING], "auditConfigs": [AUDIT_CONFIG], "kind": str}, "updateMask": str,
}  # fmt: skip
MASK = {"bindings", "etag"}  # where none is given
GET_BODY = {"options": {"requestedPolicyVersion": int}}
TEST_BODY = {"permissions": [str]}
LOG_TYPES = {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}
KINDS = ("user", "group", "domain", "serviceAccount")
POOL_MEMBER = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/projects/(?P<number>\d+)/locations/global/workloadIdentityPools/(?P<pool>[a-z0-9-]+)"
    r"/(?:subject/.+|group/.+|attribute\.[a-z0-9_]+/.+|\*)"
)


def read_policy(call: Call, requested_version: int) -> dict[str, Any]:
    name = call.target.chain[0]
    audited = call.world.audit_configs.get(name)
    return _shown(call.world, newest(call.world, name), requested_version) | ({"auditConfigs": audited} if audited else {})


def _shown(world: World, version: PolicyVersion, requested_version: int) -> dict[str, Any]:
    """Whoever does not ask for version 3 sees conditional bindings under a mangled role, and can do nothing good with them."""
    bindings = [{**binding, "members": [_shown_member(world, member) for member in binding["members"]]} for binding in version.bindings]
    has_conditions = any("condition" in binding for binding in bindings)
    if has_conditions and requested_version < CONDITIONS_VERSION:
        for binding in bindings:
            if condition := binding.pop("condition", None):
                binding["role"] += "_withcond_" + hashlib.sha256(condition["expression"].encode()).hexdigest()[:20]
    shown: dict[str, Any] = {"version": 3 if has_conditions and requested_version >= CONDITIONS_VERSION else 1, "etag": version.etag}
    return shown | ({"bindings": bindings} if bindings else {})


def _shown_member(world: World, member: str) -> str:
    name, _, unique_id = member.partition("?uid=")
    if not unique_id:
        return member
    account = world.account(name.removeprefix("serviceAccount:"))
    return name if account is not None and account.body["uniqueId"] == unique_id else f"deleted:{member}"


def write_policy(call: Call, permission: str) -> dict[str, Any]:
    """Refuses what IAM refuses; else the new policy, whole. Whether the caller may can depend on the roles that change."""
    given = call.body.get("policy", {})
    if not call.target.chain:
        raise denied(call.method.api, permission, call.target.name)
    mask = set(call.mask()) or MASK
    wanted = given.get("bindings", []) if "bindings" in mask else newest(call.world, call.target.chain[0]).bindings
    changed = granted_roles(call.world, call.target, wanted)
    if not is_allowed(call.world, call.caller, permission, replace(call.target, attributes={GRANTED_ROLES: changed})):
        raise denied(call.method.api, permission, call.target.name)
    world, name = call.world, call.target.chain[0]
    current = newest(world, name)
    if given.get("etag") and not is_same_etag(given["etag"], current.etag):
        raise conflict()
    if "auditConfigs" in mask:
        _put_audit_configs(call, given.get("auditConfigs", []))
    if "bindings" not in mask:
        return read_policy(call, CONDITIONS_VERSION)
    bindings = [_checked_binding(call, binding, given.get("version", 1)) for binding in given.get("bindings", [])]
    bindings = _merged(binding for binding in bindings if binding["members"])
    org_policies.check_members(call, [member for binding in bindings for member in binding["members"]], _members(current))
    is_alone = call.method.api == "crm" and not call.project.organization
    if is_alone and not any(binding["role"] == "roles/owner" for binding in bindings):
        raise invalid("The policy must have at least one owner.")
    put_policy(world, name, bindings)
    return read_policy(call, CONDITIONS_VERSION)


def _put_audit_configs(call: Call, given: list[dict[str, Any]]) -> None:
    """Which services keep a log of reading: off for all until somebody says so."""
    if call.method.api != "crm":
        raise invalid("Audit configs are not supported on this resource.")
    for one in given:
        if any(kind.get("logType") not in LOG_TYPES for kind in one.get("auditLogConfigs", [])):
            raise invalid("Invalid log type.", "policy.audit_configs")
    call.world.audit_configs[call.target.chain[0]] = given


def put_policy(world: World, name: str, bindings: list[dict[str, Any]]) -> None:
    """Versions stay as long as one of them may still count somewhere."""
    versions = world.policies.setdefault(name, [])
    known = world.now() - world.knobs.propagation_seconds
    settled = [version for version in versions if version.at <= known][-1:]
    world.policies[name] = [*settled, *(version for version in versions if version.at > known)]
    world.policies[name].append(PolicyVersion(world.now(), fresh_etag(), bindings))


def _members(version: PolicyVersion) -> set[str]:
    return {member for binding in version.bindings for member in binding["members"]}


def _merged(bindings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One binding for each role and condition, members sorted, as IAM gives them back."""
    found: dict[str, dict[str, Any]] = {}
    for binding in bindings:
        made = found.setdefault(f"{binding['role']} {binding.get('condition')}", {**binding, "members": []})
        made["members"] = sorted({*made["members"], *binding["members"]})
    return sorted(found.values(), key=lambda binding: str(binding["role"]))


def _checked_binding(call: Call, binding: dict[str, Any], version: int) -> dict[str, Any]:
    role = binding.get("role", "")
    if not roles.exists(role, call.world):
        _refuse_role(call, role)
    if condition := binding.get("condition"):
        _check_condition(call, role, condition, version)
    members = [_checked_member(call, member) for member in binding.get("members", [])]
    return {"role": role, "members": members, **({"condition": condition} if condition else {})}


def _refuse_role(call: Call, role: str) -> None:
    if role.startswith("roles/"):
        call.violate(f"role {role}")  # it may exist at Google's, where this table does not have it
    if re.fullmatch(r"projects/[\w.:-]+/roles/[\w.]{3,64}", role):
        raise invalid(f"Role ({role}) does not exist in the resource's hierarchy.")
    raise invalid(f"Role {role} is not supported for this resource.")


def _check_condition(call: Call, role: str, condition: dict[str, Any], version: int) -> None:
    if version < CONDITIONS_VERSION:
        raise invalid("Specified policy version (1) is too low: a policy with conditions needs version 3.")
    if role in roles.BASIC:
        raise invalid("Conditions can't be set on basic roles (roles/owner, roles/editor, roles/viewer).")
    if not condition.get("title"):
        raise invalid("Condition must have a title.")
    try:
        compile_condition(condition.get("expression", ""))
    except ExpressionError as problem:
        call.violate(f"condition {condition.get('expression')}")
        raise invalid(f"Condition expression compile error: {problem}") from problem


def _checked_member(call: Call, member: str) -> str:
    if member in {"allUsers", "allAuthenticatedUsers"} or member.startswith("deleted:"):
        return member.removeprefix("deleted:")
    if found := POOL_MEMBER.fullmatch(member):
        return _checked_pool_member(call.world, member, found)
    kind, _, name = member.partition(":")
    if kind not in KINDS or not name or ("@" not in name and kind != "domain"):
        raise invalid(f"Invalid member ({member}). The member must be of the form {{type}}:{{id}}.")
    if kind != "serviceAccount":
        return member
    account = call.world.account(name)
    if account is None or account.created_at > call.world.now() - call.world.knobs.propagation_seconds:
        raise invalid(f"Service account {name} does not exist.")
    return f"serviceAccount:{account.body['email']}?uid={account.body['uniqueId']}"


def _checked_pool_member(world: World, member: str, found: re.Match[str]) -> str:
    name = f"projects/{found.group('number')}/locations/global/workloadIdentityPools/{found.group('pool')}"
    if world.resources.get(name) is None:
        shown = f"{found.group('number')}/locations/global/workloadIdentityPools/{found.group('pool')}"
        raise invalid(
            f"Identity Pool does not exist (projects/{shown}). Please check that you specified a valid resource name as returned "
            "in the `name` attribute in the configuration API."
        )
    return member


def test_permissions(call: Call) -> dict[str, Any]:
    """Only what is held comes back; nothing held is an empty object."""
    asked = call.body.get("permissions", [])
    if len(asked) > TESTED_MOST:
        raise invalid(f"At most {TESTED_MOST} permissions can be tested at once.", "permissions")
    for name in asked:
        if "*" in name or not roles.is_permission(name):
            if not roles.is_permission(name) and "*" not in name:
                call.violate(f"permission {name}")
            raise invalid(f"Permission {name} is not valid for this resource.")
    found = held(call.world, call.caller, asked, call.target)
    return {"permissions": found} if found else {}


def granted_roles(world: World, target: Target, wanted: list[dict[str, Any]]) -> list[str]:
    """The roles that a new policy gives or takes: what a condition on `modifiedGrantsByRole` looks at. Another condition is another one."""
    before, after = _grants(newest(world, target.chain[0]).bindings), _grants(wanted)
    return sorted({role for role, _member, _condition in before ^ after})


def _grants(bindings: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (
            str(binding.get("role")),
            member.removeprefix("deleted:").partition("?uid=")[0],
            str(binding.get("condition", {}).get("expression")),
        )
        for binding in bindings
        for member in binding.get("members", [])
    }
