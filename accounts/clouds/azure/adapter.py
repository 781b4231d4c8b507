"""Azure: sign in as the kit's identities, read what the kit made, compare it with what was shipped, ask for permissions, try refusals.

No stored credential takes part: a token of ours is exchanged at Entra for one of the customer's own identities. What a kit is said to
have made (its client ids) is only where the sign-in begins; everything else is read from Azure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from azure.core.exceptions import AzureError
from azure.mgmt.resource.resources.models import ResourceGroup

from accounts.clouds.azure import janitor
from accounts.clouds.azure.access import asking, client_id_of, session_of, sign_in
from accounts.clouds.azure.clients import Session, every, word
from accounts.clouds.azure.environment import Environment
from accounts.clouds.azure.errors import OTHER_AUDIENCE, OTHER_SUBJECT, SIGN_IN, arm_code, classify, is_refusal, translated
from accounts.clouds.azure.rights import covers, is_as_shipped
from accounts.clouds.azure.shipped import ShippedIdentity, ShippedKit
from accounts.clouds.base import (
    ALLOW_CHANGES,
    ALLOW_CREATION,
    ALLOW_SUPPORT,
    CloudError,
    Finding,
    Identity,
    KitReport,
    KitStatus,
    Needs,
    PermissionProbe,
    PermissionResult,
    Place,
    RefusalResult,
    Subject,
    Target,
    TokenSource,
)

WRONG_AUDIENCE = "api://wrong-audience.invalid"
NOBODY = "00000000-0000-4000-8000-000000000000"
DISABLED = "Disabled"
LOCATION = "[a-z0-9]+"  # of a name in Azure
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
# Every state that is neither here nor a failure is work under way.
STATUSES = {
    "Succeeded": KitStatus.COMPLETE,
    "Failed": KitStatus.FAILED,
    "Canceled": KitStatus.FAILED,
    "Deleting": KitStatus.DELETING,
    "Deleted": KitStatus.DELETING,
}
# What the kit says of itself, as tags of its resource group.
SWITCHES = {ALLOW_CHANGES: "byoc-allow-changes", ALLOW_SUPPORT: "byoc-allow-support", ALLOW_CREATION: "byoc-allow-creation"}

Answer = TypeVar("Answer")


class AzureAdapter:
    """One subscription under one kit. Lives for one step; its sessions are its own and are not kept."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped

    # --- sign in ---

    def probe_trust(self) -> Identity:
        self.operator  # noqa: B018 - signs in; what is refused here is no question of rights
        try:
            told = self._ask(
                "GetSubscription",
                lambda session: session.tenant.subscriptions.get(self.target.external_id),
                was_trusted=self.target.was_trusted,
            )
        except CloudError as error:
            error.is_signed_in = True
            if error.code == "trust_not_ready":
                self._look_in_other_subscriptions(error)
            raise
        tenant, found, state = word(told.tenant_id).lower(), word(told.subscription_id).lower(), word(told.state)
        if found != self.target.external_id:
            raise CloudError("wrong_account", raw=found, params={"found": found, "expected": self.target.external_id})
        if tenant and tenant != self._tenant:
            raise CloudError("wrong_tenant", raw=tenant, params={"found": tenant, "expected": self._tenant})
        if state == DISABLED:
            raise CloudError("account_disabled", raw=f"state: {state}", params={"state": DISABLED})
        return Identity(found, f"{self.shipped.identities['operator'].name} ({self._client_id})")

    def _look_in_other_subscriptions(self, missing: CloudError) -> None:
        """Signed in, and no right here: the kit may have been run in another subscription of the tenant, where it then stands."""
        for entry in self._ask("ListSubscriptions", lambda session: every(session.tenant.subscriptions.list())):
            other = word(entry.subscription_id).lower()
            if other == self.target.external_id:
                continue
            try:
                self._group(other)
            except CloudError:
                continue
            raise CloudError("wrong_account", raw=missing.raw, params={"found": other, "expected": self.target.external_id}) from missing

    def find_kit_elsewhere(self, others: Sequence[Place]) -> str | None:
        """Without a client id there is nothing to sign in with, so there is nowhere to look."""
        client_id = self.target.reported.get("client_id", "")
        for other in others if client_id else ():
            session = session_of(self.target, self.tokens, client_id, Subject.OPS, tenant=other.identity.get("tenant_id", self._tenant))
            try:
                with translated("GetSubscription"):
                    session.tenant.subscriptions.get(other.external_id)
            except CloudError:
                continue
            return other.external_id
        return None

    @property
    def _client_id(self) -> str:
        return client_id_of(self.target)

    @property
    def _tenant(self) -> str:
        return self.target.identity["tenant_id"]

    @property
    def _scope(self) -> str:
        return f"/subscriptions/{self.target.external_id}"

    @cached_property
    def operator(self) -> Session:
        return self._sign_in(self._client_id, Subject.OPS, was_trusted=self.target.was_trusted)

    def _sign_in(self, client_id: str, subject: Subject, *, was_trusted: bool) -> Session:
        return sign_in(self.target, self.tokens, client_id, subject, was_trusted=was_trusted)

    def _token(self, subject: Subject) -> str:
        return self.tokens(subject=self.target.subject(subject), audience=self.target.audience)

    def _ask(self, operation: str, call: Callable[[Session], Answer], *, was_trusted: bool = False) -> Answer:
        """What the operator is answered. Raises CloudError."""
        session = self.operator
        with asking(self.target, operation, was_trusted=was_trusted):
            return call(session)

    def _get(self, operation: str, path: str, kind: str) -> Mapping[str, Any]:
        return self._ask(operation, lambda session: session.get(path, kind))

    def _list(self, operation: str, path: str, kind: str, query: Mapping[str, str] | None = None) -> Sequence[Mapping[str, Any]]:
        return self._ask(operation, lambda session: list(session.list(path, kind, query)))

    def _group(self, subscription: str) -> ResourceGroup:
        return self._ask("GetGroup", lambda session: session.resources(subscription).resource_groups.get(self.shipped.group))

    # --- the kit ---

    def describe_kit(self) -> KitReport:
        group = self._group(self.target.external_id)
        tags = group.tags or {}
        status, detail = self._status(group)
        generation = tags.get("byoc-generation", "")
        places, gone, begun = self._find_places() if status is KitStatus.COMPLETE else ([], [], [])
        return KitReport(
            status=status,
            version=tags.get("byoc-kit-version", ""),
            generation=int(generation) if generation.isdecimal() and len(generation) < 9 else 0,  # noqa: PLR2004
            account=tags.get("byoc-account", ""),
            region=tags.get("byoc-region") or group.location or self.target.region,
            made=group.id or "",
            detail=detail,
            switches={name: tags[tag] for name, tag in SWITCHES.items() if tag in tags},
            places=places,
            gone=gone,
            begun=begun,
        )

    def _find_places(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        """Further locations for which the kit was run to the end, known ones of which nothing stands any more, and those only begun.

        What a customer has just begun somewhere is no location yet, and no edit; but it is to go when the kit goes.
        """
        groups = self._ask("ListGroups", lambda session: every(session.resources(self.target.external_id).resource_groups.list()))
        own = sorted(word(group.name).lower() for group in groups if (group.tags or {}).get("byoc-account") == self.target.account)
        prefix = self._cell_prefix.lower()
        named = [name.removeprefix(prefix) for name in own if re.fullmatch(re.escape(prefix) + LOCATION, name)]
        found = [place for place in named if place != self.target.region and self._is_whole(place)]
        known = {self.target.region, *self.target.places, *found}
        return found, [place for place in self.target.places if place not in named], [place for place in named if place not in known]

    def _is_whole(self, place: str) -> bool:
        try:
            self._check_place(place, self.check_roles())
        except CloudError as error:
            if error.retryable:
                raise
            return False
        return True

    @property
    def _cell_prefix(self) -> str:
        """What the names of all groups for cells begin with; what follows is the location."""
        return self.shipped.cell_group.removesuffix(self.target.region)

    def _status(self, group: ResourceGroup) -> tuple[KitStatus, str]:
        """Of the two deployments inside the kit's own groups: those of the subscription are none of our business, whoever made them."""
        if group.properties and group.properties.provisioning_state == "Deleting":
            return KitStatus.DELETING, "the resource group is being deleted"
        shipped = self.shipped
        inside = ((shipped.group, shipped.deployment), (shipped.cell_group, shipped.cell_deployment), (shipped.group, shipped.janitor))
        # Earlier kits had one deployment, of the subscription, of which there is nothing to read here, or no janitor.
        found = [told for told in (self._deployment(*place) for place in inside if place[1]) if told]
        unfinished = [(status, detail) for status, detail in found if status is not KitStatus.COMPLETE]
        return (unfinished or found or [(KitStatus.COMPLETE, "no record of the deployment")])[0]

    def _deployment(self, group: str, name: str) -> tuple[KitStatus, str] | None:
        """None where there is no record, or no right to read it yet: customers delete the records, and Azure does so by itself. Then
        what stands counts, and the permissions are asked for one by one."""
        try:
            properties = self._ask(
                "GetDeployment", lambda session: session.deployments(self.target.external_id).deployments.get(group, name)
            ).properties
        except CloudError as error:
            if error.code not in {"kit_not_found", "access_denied"}:
                raise
            return None
        state = word(properties.provisioning_state) if properties else ""
        code, text = arm_code(properties.as_dict()) if properties else ("", "")
        return STATUSES.get(state, KitStatus.CREATING), f"{state} {code}: {text}" if code else state

    # --- trust as shipped ---

    def check_trust_unedited(self) -> None:
        """The operator's own roles come before what only these let us see."""
        roles = self.check_roles()
        principals, conditions = dict[str, str](), set[str]()
        for name, identity in self.shipped.identities.items():
            found = self._identity(identity).get("properties") or {}
            if name == "operator" and str(found.get("clientId", "")).lower() != self._client_id:
                raise CloudError("trust_policy_edited", raw=f"{identity.name}: client id {found.get('clientId')}, not {self._client_id}")
            self._check_credentials(identity)
            principals[name] = str(found.get("principalId", "")).lower()
            conditions |= self._check_assignments(name, principals[name], roles)
        if self.shipped.janitor:
            self._check_janitor(self.shipped, roles)
            janitor.check_conditions(conditions, self.shipped, roles, principals)
        for place in self.target.places:
            self._check_place(place, roles)

    def _check_janitor(self, shipped: ShippedKit, roles: Mapping[str, str]) -> None:
        janitor.check_definition(self._get("GetWorkflow", janitor.path(self._scope, shipped), "workflows"), shipped, roles)

    def _check_place(self, place: str, roles: Mapping[str, str]) -> None:
        """What the kit makes for a cell in a further location. Raises CloudError."""
        shipped = self.shipped.at(self.target.region, place)
        for name, identity in shipped.identities.items():
            if name == "operator" or identity.group == shipped.cell_group or (name == "janitor" and shipped.janitor):
                principal = str((self._identity(identity).get("properties") or {}).get("principalId", "")).lower()
                if identity.group == shipped.cell_group:
                    self._check_credentials(identity)
                self._check_assignments(name, principal, roles, shipped)
        if shipped.janitor:
            self._check_janitor(shipped, roles)

    def _identity(self, identity: ShippedIdentity) -> Mapping[str, Any]:
        return self._get("GetIdentity", self._identity_path(identity), "identities")

    def _identity_path(self, identity: ShippedIdentity) -> str:
        return f"{self._scope}/resourceGroups/{identity.group}/providers/{IDENTITIES}/{identity.name}"

    def _check_credentials(self, identity: ShippedIdentity) -> None:
        path = f"{self._identity_path(identity)}/federatedIdentityCredentials"
        entries = [entry.get("properties") or {} for entry in self._list("ListCredentials", path, "identities")]
        found = [(entry.get("issuer"), entry.get("subject"), tuple(entry.get("audiences") or ())) for entry in entries]
        shipped = [(self.shipped.issuer, identity.subject, (self.shipped.audience,))] if identity.subject else []
        if found == shipped:
            return
        raise CloudError("trust_policy_edited" if found else "provider_deleted", raw=f"{identity.name} trusts {found or 'nobody'}")

    def check_roles(self) -> dict[str, str]:
        """The id of each role of the kit, by its key."""
        by_name = self._custom_roles()
        ids: dict[str, str] = {}
        for key, role in self.shipped.roles.items():
            entry = by_name.get(role.name.lower())
            if entry is None:
                raise CloudError("role_deleted", raw=f"role {role.name}")
            properties = entry.get("properties") or {}
            if not is_as_shipped(properties, role, self._scope):
                raise CloudError("policy_edited", raw=f"{role.name}: {properties.get('permissions')} {properties.get('assignableScopes')}")
            ids[key] = _last(str(entry.get("id", "")))
        return ids

    def _custom_roles(self) -> dict[str, Mapping[str, Any]]:
        path = f"{self._scope}/providers/Microsoft.Authorization/roleDefinitions"
        custom = self._list("ListRoleDefinitions", path, "authorization", {"$filter": "type eq 'CustomRole'"})
        return {str((entry.get("properties") or {}).get("roleName", "")).lower(): entry for entry in custom}

    def _check_assignments(self, name: str, principal: str, roles: Mapping[str, str], at: ShippedKit | None = None) -> set[str]:
        """What an identity holds, itself or by a group it is in, in the whole subscription: the roles of the kit, and no other.

        Support's own roles come and go with access that was approved. The kit's own identities may hold their roles in the group of any
        location, as the kit is run for one after the other. What is found are the conditions.
        """
        kit = at or self.shipped
        path = f"{self._scope}/providers/Microsoft.Authorization/roleAssignments"
        identity = kit.identities[name]
        entries = self._list("ListRoleAssignments", path, "authorization", {"$filter": f"assignedTo('{principal}')"})
        told = [entry.get("properties") or {} for entry in entries]
        found = {
            (_last(str(entry.get("roleDefinitionId", ""))), str(entry.get("scope", "")).lower(), bool(entry.get("condition")))
            for entry in told
        }
        shipped = {(roles[key], role.scope.lower(), bool(role.condition)) for key, role in kit.roles.items() if role.identity == name}
        passing = {(roles[key], role.scope.lower(), False) for key, role in kit.roles.items() if not role.identity}
        known = shipped | (passing if name in kit.pool else set())
        moves = identity.group == kit.group  # of no location: the kit's own
        if extra := {one for one in found if (one[0], self._as_at(kit, one[1]) if moves else one[1], one[2]) not in known}:
            raise CloudError("policy_edited", raw=f"{identity.name} holds more than was shipped: {sorted(map(str, extra))}")
        if missing := shipped - found:
            raise CloudError("role_deleted", raw=f"{identity.name} lacks: {sorted(map(str, missing))}")
        return {str(entry["condition"]) for entry in told if entry.get("condition")}

    def _as_at(self, kit: ShippedKit, scope: str) -> str:
        """A scope; the group of another location as that of this one."""
        prefix = f"{self._scope}/resourcegroups/{self._cell_prefix}".lower()
        return f"{self._scope}/resourcegroups/{kit.cell_group}".lower() if re.fullmatch(re.escape(prefix) + LOCATION, scope) else scope

    # --- permissions ---

    def check_permissions(self, probes: Sequence[PermissionProbe]) -> Sequence[PermissionResult]:
        """Azure is asked once for each identity and scope what it holds there, and answers with patterns."""
        held = {(role, scope): self._held(role, scope) for role, scope in dict.fromkeys((probe.role, probe.resource) for probe in probes)}
        found: dict[str, PermissionResult] = {}
        for probe in probes:
            known = found.get(probe.key)
            if known is None or known.is_granted:
                is_granted = covers(held[probe.role, probe.resource], probe.action)
                detail = "" if is_granted else f"not held at {probe.resource}"
                found[probe.key] = PermissionResult(probe.key, is_granted, detail)
        return list(found.values())

    def _held(self, role: str, scope: str) -> Sequence[Mapping[str, Any]]:
        if role == "support" and self.shipped.pool:
            return self._offered  # nobody holds these but for as long as approved access lasts
        session = self.operator if role == "operator" else self._support
        with asking(self.target, "ListPermissions"):
            return list(session.list(f"{scope}/providers/Microsoft.Authorization/permissions", "authorization"))

    @cached_property
    def _offered(self) -> Sequence[Mapping[str, Any]]:
        """What support's roles say."""
        custom = self._custom_roles()
        names = [role.name.lower() for role in self.shipped.roles.values() if not role.identity]
        return [entry for name in names if name in custom for entry in (custom[name].get("properties") or {}).get("permissions") or []]

    @cached_property
    def _support(self) -> Session:
        """The operator has just been let in, so the kit has spread: what fails now is broken."""
        return self._sign_in(self._support_client_id, Subject.SUPPORT, was_trusted=True)

    @cached_property
    def _support_client_id(self) -> str:
        """From Azure, by the identity's name: what was reported is nobody's word."""
        return str((self._identity(self.shipped.identities["support"]).get("properties") or {}).get("clientId", "")).lower()

    # --- refusals ---

    def check_refusals(self) -> Sequence[RefusalResult]:
        """Signed in first, as both: an identity that lets nobody in proves nothing by refusing."""
        operator = self._client_id
        self.operator = self._sign_in(operator, Subject.OPS, was_trusted=True)
        stranger = self.tokens(subject=f"account:{NOBODY}:{Subject.OPS.value}", audience=self.target.audience)
        elsewhere = self.tokens(subject=self.target.subject(Subject.OPS), audience=WRONG_AUDIENCE)
        found = [
            self._try("wrong_subject", operator, stranger, OTHER_SUBJECT),
            self._try("wrong_audience", operator, elsewhere, OTHER_AUDIENCE),
        ]
        if "support" in self.shipped.identities:  # a recovery kit makes none
            support = self._support_client_id
            self._support = self._sign_in(support, Subject.SUPPORT, was_trusted=True)
            found.append(self._try("support_as_ops", support, self._token(Subject.OPS), OTHER_SUBJECT))
        return [*found, self._try("ops_as_support", operator, self._token(Subject.SUPPORT), OTHER_SUBJECT)]

    def _try(self, name: str, client_id: str, token: str, verdict: str) -> RefusalResult:
        """A sign-in that must be refused, for what is wrong with it. Raises CloudError when Entra gave no such verdict."""
        session = Session(tenant=self._tenant, client_id=client_id, assertion=lambda: token)
        try:
            session.sign_in()
        except AzureError as error:
            refused = classify(SIGN_IN, error, was_trusted=True)
            if is_refusal(error, verdict):
                return RefusalResult(name, is_refused=True, evidence=refused.raw)
            raise refused from error
        return RefusalResult(name, is_refused=False, evidence=f"{client_id} was opened")

    # --- the environment ---

    def check_environment(self, region: str, needs: Needs, only: Sequence[str] = ()) -> Sequence[Finding]:
        return Environment(self.target, self.shipped, self.operator, region, needs).findings(only)


def _last(path: str) -> str:
    return path.rpartition("/")[2].lower()
