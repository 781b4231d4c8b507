"""The resource types this Azure plays: versions, the members of their bodies, where they live, what a write checks and adds."""

import re
from uuid import UUID, uuid4

from portal.sandbox.azure import conditions, rbac
from portal.sandbox.azure.arm.call import ANY, Body
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.cell import compute, containers, network, vaults
from portal.sandbox.azure.entra import CREDENTIAL, IDENTITY
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.logic.kind import KIND as WORKFLOW_KIND
from portal.sandbox.azure.world import Resource, World, stamp

LOCK = "Microsoft.Authorization/locks"
POLICY = "Microsoft.Authorization/policyDefinitions"
POLICY_SET = "Microsoft.Authorization/policySetDefinitions"
POLICY_ASSIGNMENT = "Microsoft.Authorization/policyAssignments"
GROUP = "Microsoft.Resources/resourceGroups"
DEPLOYMENT = "Microsoft.Resources/deployments"

ISSUER_LENGTH = 600
FEDERATED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
IDENTITY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")
MOST_CREDENTIALS = 20
# The form of an action. Azure also knows each by name; that list is not here.
ACTION = re.compile(
    r"\*|\*/(?:read|write|delete|action)|[A-Z][A-Za-z]+\.[A-Za-z.]+(?:/[A-Za-z0-9*._-]+)*/(?:read|write|delete|action|\*)", re.IGNORECASE
)


def _complete_identity(write: Write) -> None:
    if not IDENTITY_NAME.fullmatch(write.name):
        raise ArmError(400, "InvalidResourceName", f"The resource name '{write.name}' is invalid.")
    if not write.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    old = write.old.properties if write.old is not None else {}
    write.body["tags"] = write.body.get("tags") or {}
    write.body["properties"] = {
        "tenantId": write.tenant,
        "principalId": old.get("principalId") or str(uuid4()),
        "clientId": old.get("clientId") or str(uuid4()),
    }


def _complete_credential(write: Write) -> None:
    if not FEDERATED_NAME.fullmatch(write.name):
        raise ArmError(400, "BadRequest", f"The resource name '{write.name}' is invalid: 3 to 120 letters, digits, - and _.")
    props = write.properties
    issuer, subject, audiences = props.get("issuer", ""), props.get("subject", ""), props.get("audiences") or []
    if not issuer.startswith("https://") or len(issuer) > ISSUER_LENGTH:
        raise ArmError(400, "BadRequest", f"Issuer '{issuer}' must be a valid https URL of at most {ISSUER_LENGTH} characters.")
    if not subject or len(subject) > ISSUER_LENGTH or "*" in subject:
        raise ArmError(400, "BadRequest", "Subject must not be empty, at most 600 characters long and without wildcards.")
    if len(audiences) != 1:
        raise ArmError(400, "BadRequest", "Exactly one audience is allowed.")
    parent = write.id.rpartition("/federatedIdentityCredentials/")[0] or write.id.rsplit("/", 2)[0]
    siblings = [found for found in write.world.of_type(CREDENTIAL, parent) if found.id.lower() != write.id.lower()]
    if any(found.properties["issuer"] == issuer and found.properties["subject"] == subject for found in siblings):
        raise ArmError(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
    if len(siblings) >= MOST_CREDENTIALS:
        raise ArmError(400, "BadRequest", f"Too many Federated Identity Credentials: at most {MOST_CREDENTIALS} are allowed.")


def _complete_role(write: Write) -> None:
    """Role names are unique in a tenant; a role that is assigned somewhere keeps existing until nobody has it."""
    try:
        UUID(write.name)
    except ValueError:
        raise ArmError(400, "InvalidRoleDefinitionId", f"The role definition ID '{write.name}' is not valid. It must be a GUID.") from None
    props = write.properties
    scopes = props.get("assignableScopes") or []
    if not props.get("roleName") or not props.get("permissions") or not scopes:
        raise ArmError(
            400, "BadRequestFormat", "The request was incorrectly formatted: roleName, permissions and assignableScopes are required."
        )
    for given in props["permissions"]:
        for action in (name for kind in ("actions", "notActions", "dataActions", "notDataActions") for name in given.get(kind) or []):
            if not ACTION.fullmatch(action):
                message = f"'{action}' does not match any of the actions supported by the providers."
                raise ArmError(400, "InvalidActionOrNotAction", message)
    subscription = "/".join(write.id.split("/")[:3])
    if not any(rbac.is_within(scope, subscription) for scope in scopes):
        raise ArmError(
            400, "LinkedInvalidPropertyId",
            f"The scope '{subscription}' is not one of the assignable scopes of the role definition: '{', '.join(scopes)}'.",
        )  # fmt: skip
    for found in write.world.of_type(rbac.DEFINITION):
        is_same_name = found.properties["roleName"].lower() == props["roleName"].lower()
        if found.tenant == write.tenant and is_same_name and found.name.lower() != write.name.lower():
            raise ArmError(
                409, "RoleDefinitionWithSameNameExists",
                f"A custom role with the same name already exists in this directory. Use a different name: '{props['roleName']}'.",
            )  # fmt: skip
    now = stamp(write.world.now())
    entry: Body = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
    props |= {
        "type": "CustomRole",
        "permissions": [{**entry, **given} for given in props["permissions"]],
        "createdOn": write.old.properties["createdOn"] if write.old else now,
        "updatedOn": now,
        "createdBy": write.old.properties["createdBy"] if write.old else None,
        "updatedBy": write.by,
    }


def _before_role_deletion(world: World, resource: Resource) -> None:
    number = resource.name.lower()
    if any(found.properties["roleDefinitionId"].rpartition("/")[2].lower() == number for found in world.of_type(rbac.ASSIGNMENT)):
        raise ArmError(
            400, "RoleDefinitionHasAssignments", f"There are existing role assignments referencing role (code: '{resource.name}')."
        )


def _complete_assignment(write: Write) -> None:
    try:
        UUID(write.name)
    except ValueError:
        raise ArmError(
            400, "InvalidRoleAssignmentId", f"The role assignment ID '{write.name}' is not valid. The role assignment ID must be a GUID."
        ) from None
    props = write.properties
    role, principal = str(props.get("roleDefinitionId") or ""), str(props.get("principalId") or "")
    if not role or not principal:
        raise ArmError(400, "BadRequestFormat", "The request was incorrectly formatted: roleDefinitionId and principalId are required.")
    _check_condition(write)
    _check_role(write, role)
    _check_principal(write, principal, props.get("principalType"))
    for found in write.world.of_type(rbac.ASSIGNMENT):
        known = found.properties
        is_same = (
            known["principalId"] == principal
            and _guid(known["roleDefinitionId"]) == _guid(role)
            and known["scope"].lower() == write.scope.lower()
        )
        if found.id.lower() == write.id.lower() and not is_same:
            message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
            raise ArmError(400, "RoleAssignmentUpdateNotPermitted", message)
        if is_same and found.id.lower() != write.id.lower():
            number = found.name.replace("-", "")
            message = f"The role assignment already exists. The ID of the existing role assignment is {number}."
            raise ArmError(409, "RoleAssignmentExists", message)
    now = stamp(write.world.now())
    props |= {
        "roleDefinitionId": f"{'/'.join(write.id.split('/')[:3])}/providers/{rbac.DEFINITION}/{_guid(role)}",
        "principalType": props.get("principalType") or _principal_type(write.world, principal),
        "scope": write.scope,
        "condition": props.get("condition") or None,
        "conditionVersion": props.get("conditionVersion") or None,
        "createdOn": write.old.properties["createdOn"] if write.old else now,
        "updatedOn": now,
        "createdBy": None if write.old is None else write.old.properties["createdBy"],
        "updatedBy": write.by,
        "delegatedManagedIdentityResourceId": None,
        "description": props.get("description"),
    }


def _check_condition(write: Write) -> None:
    text = write.properties.get("condition")
    if not text:
        return
    if write.properties.get("conditionVersion") != "2.0":
        raise ArmError(400, "InvalidConditionVersion", "The condition version must be 2.0.")
    try:
        conditions.parse(text)
    except conditions.ConditionError as problem:
        write.sandbox.violate(kind="condition", service="arm", action=write.name, field=str(problem))
        raise ArmError(400, "InvalidCondition", f"The role assignment condition is invalid: {problem}.") from problem


def _guid(number: str) -> str:
    return number.rpartition("/")[2].lower()


def _check_role(write: Write, role: str) -> None:
    custom = rbac.find_custom_role(write.world, role)
    if custom is None and _guid(role) not in rbac.BUILT_IN:
        message = f"The specified role definition with ID '{_guid(role).replace('-', '')}' does not exist."
        raise ArmError(404, "RoleDefinitionDoesNotExist", message)
    if custom is not None and not any(rbac.is_within(write.scope, scope) for scope in custom.properties["assignableScopes"]):
        name = custom.properties["roleName"]
        message = f"The role definition '{name}' cannot be assigned at scope '{write.scope}': it is not among its assignable scopes."
        raise ArmError(400, "RoleDefinitionNotAssignableAtScope", message)


def _check_principal(write: Write, principal: str, kind: object) -> None:
    """Without `principalType` a principal of the last seconds is not found yet: the classic race of a kit."""
    identity = next((found for found in write.world.of_type(IDENTITY) if found.properties["principalId"] == principal), None)
    if identity is None and any(tenant.owner_id == principal for tenant in write.world.tenants.values()):
        return
    if identity is not None and kind not in {None, "ServicePrincipal"}:
        number = principal.replace("-", "")
        message = f"The PrincipalId '{number}' has type 'ServicePrincipal' , which is different from specified PrinciaplType '{kind}'."
        raise ArmError(400, "UnmatchedPrincipalType", message)
    is_young = identity is not None and write.world.now() - identity.created_at < write.sandbox.knobs.propagation_seconds
    if kind is None and (identity is None or is_young):
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory {write.tenant}. Check that you have the correct "
            "principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a "
            "replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, "
            "or Group.  See https://aka.ms/docs-principaltype",
        )


def _principal_type(world: World, principal: str) -> str:
    return "User" if any(tenant.owner_id == principal for tenant in world.tenants.values()) else "ServicePrincipal"


def _complete_lock(write: Write) -> None:
    if write.properties.get("level") not in {"CanNotDelete", "ReadOnly"}:
        message = (
            f"The lock level '{write.properties.get('level')}' is invalid. Supported levels are 'NotSpecified, CanNotDelete, ReadOnly'."
        )
        raise ArmError(400, "InvalidLockLevel", message)


def _complete_policy(write: Write) -> None:
    write.properties.setdefault("policyType", "Custom")
    write.properties.setdefault("mode", "Indexed")


def _complete_policy_set(write: Write) -> None:
    write.properties.setdefault("policyType", "Custom")


def _complete_policy_assignment(write: Write) -> None:
    write.properties["scope"] = write.scope
    write.properties.setdefault("enforcementMode", "Default")


TAGS = {"*": str}
RESOURCE = {"id": str, "name": str, "type": str, "location": str, "tags": TAGS}
ROLE_ENTRY = {"actions": ANY, "notActions": ANY, "dataActions": ANY, "notDataActions": ANY}
IDENTITY_VERSIONS = ("2018-11-30", "2022-01-31-preview", "2023-01-31", "2023-07-31-preview", "2024-11-30", "2025-01-31-preview")
POLICY_VERSIONS = ("2020-09-01", "2021-06-01", "2022-06-01", "2023-04-01", "2024-04-01", "2024-05-01", "2025-01-01", "2025-03-01")

KINDS: dict[str, Kind] = {
    kind.name.lower(): kind
    for kind in (
        Kind(
            IDENTITY, IDENTITY_VERSIONS, {**RESOURCE, "properties": {"isolationScope": str}}, complete=_complete_identity,
            spelling="resourcegroups",
        ),
        Kind(
            CREDENTIAL, IDENTITY_VERSIONS[1:],
            {"id": str, "name": str, "type": str, "properties": {"issuer": str, "subject": str, "audiences": [str]}},
            complete=_complete_credential, spelling="resourcegroups", listed=False, queries=("$top", "$skiptoken"),
        ),
        Kind(
            rbac.DEFINITION, ("2015-07-01", "2018-01-01-preview", "2022-04-01", "2022-05-01-preview"),
            {"id": str, "name": str, "type": str, "properties": {
                "roleName": str, "description": str, "type": str, "permissions": [ROLE_ENTRY], "assignableScopes": [str]}},
            home="any", complete=_complete_role, before_delete=_before_role_deletion, updated=201, listed=False, queries=("$filter",),
        ),
        Kind(
            rbac.ASSIGNMENT, ("2015-07-01", "2018-01-01-preview", "2020-04-01-preview", "2020-10-01-preview", "2022-04-01"),
            {"id": str, "name": str, "type": str, "properties": {
                "roleDefinitionId": str, "principalId": str, "principalType": str, "description": str, "condition": str,
                "conditionVersion": str}},
            home="any", complete=_complete_assignment, updated=201, listed=False, queries=("$filter", "tenantId"),
        ),
        Kind(
            LOCK, ("2016-09-01", "2017-04-01", "2020-05-01"),
            {"id": str, "name": str, "type": str, "properties": {"level": str, "notes": str, "owners": ANY}},
            home="any", complete=_complete_lock, listed=False, queries=("$filter",),
        ),
        Kind(
            POLICY, POLICY_VERSIONS,
            {"id": str, "name": str, "type": str, "properties": {
                "displayName": str, "description": str, "policyType": str, "mode": str, "metadata": ANY, "parameters": ANY,
                "policyRule": ANY, "version": str}},
            home="any", complete=_complete_policy, updated=201, listed=False, queries=("$filter", "$top"),
        ),
        Kind(
            POLICY_SET, POLICY_VERSIONS,
            {"id": str, "name": str, "type": str, "properties": {
                "displayName": str, "description": str, "policyType": str, "metadata": ANY, "parameters": ANY, "policyDefinitions": ANY,
                "version": str}},
            home="any", complete=_complete_policy_set, updated=201, listed=False, queries=("$filter", "$top"),
        ),
        Kind(
            POLICY_ASSIGNMENT, POLICY_VERSIONS,
            {**RESOURCE, "identity": ANY, "properties": {
                "displayName": str, "description": str, "policyDefinitionId": str, "parameters": ANY, "notScopes": ANY, "metadata": ANY,
                "enforcementMode": str, "nonComplianceMessages": ANY, "scope": str}},
            home="any", complete=_complete_policy_assignment, updated=201, listed=False, queries=("$filter", "$top"),
        ),
        *network.KINDS, *vaults.KINDS, *compute.KINDS, *containers.KINDS, WORKFLOW_KIND,
    )
}  # fmt: skip


def kind_of(name: str) -> Kind | None:
    return KINDS.get(name.lower())
