"""Support access to one Azure subscription: an identity of the kit that holds support's roles until the grant's end.

Azure's roles know no time. So the end is written on each assignment, and the kit's janitor, a workflow in the customer's own subscription,
takes it away within a minute of that, whoever is up or down. A token of Azure's outlives the grant: an identity serves one grant, and
rests until the last token of that grant has run out. What is at rest, or taken, is itself an assignment: Azure gives the same role to the
same identity in the same place only once, which is how two openings at once are told apart.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from azure.core.exceptions import HttpResponseError

from accounts.clouds.azure import janitor
from accounts.clouds.azure.access import asking, session_of
from accounts.clouds.azure.adapter import IDENTITIES, SWITCHES, AzureAdapter
from accounts.clouds.azure.clients import KeptToken, Session
from accounts.clouds.azure.errors import SIGN_IN, arm_code, body_of, translated
from accounts.clouds.azure.reading import ACTS, ROLES, Place, activity, stamp, told
from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import ALLOW_SUPPORT, CloudError, Subject, Target, TokenSource
from accounts.clouds.support import ActResult, DoorProbe, OpenDoor, SupportGrant, Trace

LEASE = "support-lease"
# A token of an identity lives for a day; the janitor takes nothing for an end that lies more than two days ahead.
REST = timedelta(hours=25)
NAMES = UUID("6f1d5a0e-5f5c-4b0a-9f52-0d6a1c4be7a3")
RAW_CHARACTERS = 4000
REFUSED = re.compile(
    "AuthorizationFailed|Forbidden|ExpiredAuthenticationToken|InvalidAuthenticationToken.*|AuthenticationFailed|TokenIssuedBefore.*"
)
DENIED = {401, 403}
BEGUN = {"Started", "Accepted"}  # the log has a line for the beginning too


class AzureSupport:
    """`SupportCloud` of one subscription. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped
        self._adapter = AzureAdapter(target, tokens, shipped)

    # --- opening ---

    def policy(self, grant: SupportGrant) -> str:
        """Empty under a kit whose support role stood for ever."""
        if not self.shipped.pool:
            return ""
        roles = [{"roleName": role.name, "actions": sorted(role.variants[0])} for role in self._roles(grant)]
        kits = self._kits(grant)
        # Of an access to one cell one scope and one janitor, as before there could be more.
        scope: Any = [self._scope_of(kit) for kit in kits] if len(kits) > 1 else self._place(grant).scope
        ended: Any = [kit.janitor for kit in kits] if len(kits) > 1 else kits[0].janitor
        return json.dumps({"scope": scope, "roles": roles, "until": stamp(grant.ends_at), "endedBy": ended}, indent=1)

    def open(self, grant: SupportGrant) -> OpenDoor:
        if not self.shipped.pool:
            raise CloudError("support_needs_newer_kit", raw=f"kit {self.target.kit_version} has no janitor")
        if grant.ends_at <= datetime.now(UTC):
            raise CloudError("grant_is_over")
        self._check_switch(grant)
        roles = self._adapter.check_roles()
        for kit in self._kits(grant):
            self._check_janitor(kit, roles)
        standing = self._standing(grant)
        identity = self._lease(grant, roles, standing)
        for kit in self._kits(grant):
            for key, role in zip(ROLES[grant.profile], self._roles(grant), strict=True):
                name = self._name(grant, key, kit)
                # What a try before has given is left alone: a new order would be one more line in the customer's log, and spread anew.
                if name not in standing:
                    until, operation = grant.ends_at, f"Give {role.name}"
                    self._give(grant, roles[key], self._scope_of(kit), identity, name=name, until=until, operation=operation)
        return self._sign_in(grant, identity)

    def _check_switch(self, grant: SupportGrant) -> None:
        """The customer's own switch, which the kit's group tells of, and the cell's group, which must be there."""
        resources = self._operator.resources(self.target.external_id)
        with asking(self.target, "GetGroup"):
            tags = resources.resource_groups.get(self.shipped.group).tags or {}
            if tags.get(SWITCHES[ALLOW_SUPPORT]) == "no":
                raise CloudError("support_switched_off", raw=f"tags of {self.shipped.group}: {dict(tags)}")
            resources.resource_groups.get(self._place(grant).group)

    def _check_janitor(self, shipped: ShippedKit, roles: Mapping[str, str]) -> None:
        """Nothing is given that would not be taken away while the portal is down."""
        path = janitor.path(self._scope, shipped)
        with asking(self.target, "GetWorkflow"):
            workflow = self._operator.get(path, "workflows")
            runs = self._operator.get(f"{path}/runs", "workflows", {"$top": "1"}).get("value") or []
        janitor.check_definition(workflow, shipped, roles)
        if why := janitor.why_not_running(workflow, runs, datetime.now(UTC)):
            raise CloudError("janitor_not_running", raw=f"{shipped.janitor}: {why}", retryable=True)

    def _lease(self, grant: SupportGrant, roles: Mapping[str, str], standing: Mapping[str, str]) -> Mapping[str, str]:
        """The grant's own identity; if it has none yet, one that is neither taken nor at rest. Leases lie in the kit's own location, for
        whichever an access is: a second one for the same identity must find the first.
        """
        scope = self._scope_of(self.shipped)
        holders = {number: principal.lower() for number, principal in standing.items()}
        pool = self._identities()
        mine = holders.get(self._name(grant, LEASE, self.shipped))
        for identity in pool:
            if identity["principal"] == mine:
                return identity
        for identity in pool:
            if identity["principal"] in holders.values():
                continue
            try:
                name, until = self._name(grant, LEASE, self.shipped), grant.ends_at + REST
                self._give(grant, roles[LEASE], scope, identity, name=name, until=until, operation="LeaseIdentity")
            except CloudError as error:
                if error.code != "door_busy":
                    raise
                continue  # another opening was faster
            return identity
        raise CloudError("identities_at_rest", raw=f"{len(pool)} identities are taken or at rest")

    def _give(
        self, grant: SupportGrant, role: str, scope: str, identity: Mapping[str, str], *, name: str, until: datetime, operation: str
    ) -> None:
        """The same assignment each time, so that doing it twice is doing it once. The janitor reads its end from the description."""
        properties = {
            "roleDefinitionId": f"{self._scope}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": identity["principal"],
            "principalType": "ServicePrincipal",
            "description": f"Support access {grant.grant}, {grant.case}, {grant.engineer}, until {stamp(until)}",
        }
        with asking(self.target, operation):
            self._operator.put(f"{scope}/{_ASSIGNMENTS}/{name}", "authorization", {"properties": properties})

    def _sign_in(self, grant: SupportGrant, identity: Mapping[str, str]) -> OpenDoor:
        session = session_of(self.target, self.tokens, identity["client"], Subject.SUPPORT)
        try:
            with asking(self.target, SIGN_IN, was_trusted=True):
                token = session.token()
        except CloudError as error:
            if error.code == "trust_refused":
                raise CloudError("door_not_open_yet", raw=error.raw, retryable=True) from error
            raise
        ends = min(datetime.fromtimestamp(token.expires_on, UTC), grant.ends_at)
        secret = {"access_token": token.token, "expires_on": str(token.expires_on)}
        door = OpenDoor(identity["principal"], self.policy(grant), ends, secret)
        try:
            with asking(self.target, "GetCellGroup"):
                self._read(door, grant)
        except CloudError as error:
            if error.code != "access_denied":
                raise
            code = "grant_is_over" if grant.ends_at <= datetime.now(UTC) else "door_not_open_yet"
            raise CloudError(code, raw=error.raw, retryable=code == "door_not_open_yet") from error
        return door

    # --- reading ---

    def acts(self, profile: str) -> Sequence[str]:
        return [name for name, act in ACTS.items() if profile in act.profiles]

    def act(self, door: OpenDoor, grant: SupportGrant, name: str, arguments: Mapping[str, str]) -> ActResult:
        with asking(self.target, name):
            return ACTS[name].run(_opened(door), self._place(grant), arguments)

    def _read(self, door: OpenDoor, grant: SupportGrant) -> str:
        """A reading that every profile may do."""
        place = self._place(grant)
        group = _opened(door).resources(place.subscription).resource_groups.get(place.group)
        return str(group.name)

    # --- ending ---

    def close(self, grant: SupportGrant) -> None:
        """Only what stands is deleted: the operator may delete nothing that is not support's, and nobody's is not."""
        self._take_away(grant, self._given(grant))

    def tidy(self, grant: SupportGrant) -> None:
        """The identity is at rest until no token of this grant is worth anything. The janitor ends that by itself, too."""
        if datetime.now(UTC) >= grant.ends_at + REST:
            self._take_away(grant, {self._name(grant, LEASE, self.shipped): self._scope_of(self.shipped)})

    def _take_away(self, grant: SupportGrant, names: Mapping[str, str]) -> None:
        """Assignments by name, each with the scope that it stands at."""
        standing = self._standing(grant) if self.shipped.pool else {}
        for name, scope in names.items():
            if name in standing:
                with asking(self.target, "DeleteRoleAssignment"):
                    self._operator.delete(f"{scope}/{_ASSIGNMENTS}/{name}", "authorization")

    def _given(self, grant: SupportGrant) -> dict[str, str]:
        """Every role that an access may have been given, by the name of its assignment: where it stands."""
        roles = {role for names in ROLES.values() for role in names}
        return {self._name(grant, role, kit): self._scope_of(kit) for kit in self._kits(grant) for role in roles}

    def probe(self, door: OpenDoor, grant: SupportGrant) -> DoorProbe:
        """Azure keeps rights in mind for minutes: an assignment that is gone may still be honoured, and then this says so."""
        try:
            with translated("GetCellGroup"):
                name = self._read(door, grant)
        except CloudError as error:
            refused = error.__cause__
            if not isinstance(refused, HttpResponseError) or refused.response is None:
                raise
            code, text = arm_code(body_of(refused))
            if int(refused.response.status_code or 0) not in DENIED or not REFUSED.fullmatch(code):
                raise
            headers: Mapping[str, str] = getattr(refused.response, "headers", {})
            return DoorProbe(is_refused=True, evidence=f"{code}: {text}", request_id=headers.get("x-ms-request-id", ""))
        return DoorProbe(is_refused=False, evidence=f"resource group {name} was read")

    # --- Azure's own record ---

    def find_traces(self, grant: SupportGrant, since: datetime, until: datetime) -> Sequence[Trace]:
        """Lines about the grant's own assignments, and everything its identity did meanwhile. Readings leave none."""
        with asking(self.target, "ListActivity"):
            groups = [Place(self.target.external_id, kit.cell_group) for kit in self._kits(grant)]
            lines = [line for group in groups for line in activity(self._operator, group, since, until)]
        own = set(self._given(grant))
        of_grant = [line for line in lines if told(line, "resourceId").rpartition("/")[2].lower() in own]
        holders = {_principal(line) for line in of_grant} - {""}
        lasts = stamp(grant.ends_at + REST)
        by_holder = [line for line in lines if told(line, "caller").lower() in holders and told(line, "eventTimestamp") < lasts]
        found = {_trace(line).id: _trace(line) for line in (*of_grant, *by_holder) if told(line, "status") not in BEGUN}
        return sorted(found.values(), key=lambda trace: (trace.at, trace.id))

    # --- what stands ---

    @property
    def _scope(self) -> str:
        return f"/subscriptions/{self.target.external_id}"

    @cached_property
    def _operator(self) -> Session:
        return self._adapter.operator

    def _place(self, grant: SupportGrant) -> Place:
        """A cell is a group; what is read under a grant for every cell of the account begins with the group of the kit's own location."""
        return Place(self.target.external_id, grant.stack or self.shipped.cell_group)

    def _kits(self, grant: SupportGrant) -> list[ShippedKit]:
        """The kit in each location that a grant is for: that of its cell, or all of them."""
        home = self.target.region
        if not grant.stack:
            return [self.shipped.at(home, place) for place in (home, *self.target.places)]
        return [self.shipped.at(home, grant.stack.removeprefix(self.shipped.cell_group.removesuffix(home)))]

    def _scope_of(self, kit: ShippedKit) -> str:
        return f"{self._scope}/resourceGroups/{kit.cell_group}"

    def _name(self, grant: SupportGrant, role: str, kit: ShippedKit) -> str:
        """Azure's name of an assignment: the same for the same grant, role and location, and another one in a further location."""
        place = "" if kit.cell_group == self.shipped.cell_group else f"/{kit.cell_group}"
        return str(uuid5(NAMES, f"{grant.grant}/{role}{place}"))

    def _roles(self, grant: SupportGrant) -> list[Any]:
        return [self.shipped.roles[name] for name in ROLES[grant.profile]]

    def _standing(self, grant: SupportGrant) -> dict[str, str]:
        """Of support's identities: name of an assignment in the grant's groups, or where leases lie -> who holds it."""
        scopes = dict.fromkeys(self._scope_of(kit) for kit in (self.shipped, *self._kits(grant)))
        entries = [entry for scope in scopes for entry in self._assignments(scope)]
        return {str(entry.get("name", "")).lower(): str((entry.get("properties") or {}).get("principalId", "")) for entry in entries}

    def _assignments(self, scope: str) -> Sequence[Mapping[str, Any]]:
        try:
            with asking(self.target, "ListRoleAssignments"):
                return list(self._operator.list(f"{scope}/{_ASSIGNMENTS}", "authorization", {"$filter": "atScope()"}))
        except CloudError as error:
            # Nothing is held in a further location that the customer has given back.
            if error.code == "kit_not_found" and scope != self._scope_of(self.shipped):
                return []
            raise

    def _identities(self) -> list[dict[str, str]]:
        """The pool, in the kit's order."""
        with asking(self.target, "ListIdentities"):
            entries = list(self._operator.list(f"{self._scope}/resourceGroups/{self.shipped.group}/providers/{IDENTITIES}", "identities"))
        known = {str(entry.get("name", "")).lower(): entry.get("properties") or {} for entry in entries}
        names = [self.shipped.identities[key].name.lower() for key in self.shipped.pool]
        return [
            {"client": str(known[name].get("clientId", "")).lower(), "principal": str(known[name].get("principalId", "")).lower()}
            for name in names
            if name in known
        ]


_ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"


def _opened(door: OpenDoor) -> Session:
    return Session(kept=KeptToken(door.secret["access_token"], int(door.secret["expires_on"])))


def _principal(line: Mapping[str, Any]) -> str:
    """Whom an assignment was given to, as the log keeps what was asked for; in either spelling."""
    try:
        asked = json.loads((line.get("properties") or {}).get("requestbody") or "{}")
    except ValueError:
        return ""
    lower = {str(name).lower(): value for name, value in (asked if isinstance(asked, dict) else {}).items()}
    inner = {str(name).lower(): value for name, value in (lower.get("properties") or {}).items()}
    return str(inner.get("principalid") or "").lower()


def _trace(line: Mapping[str, Any]) -> Trace:
    at = datetime.fromisoformat(told(line, "eventTimestamp")[:19]).replace(tzinfo=UTC)
    is_refused = told(line, "status") == "Failed"
    return Trace(
        told(line, "eventDataId"), at, told(line, "operationName"), is_refused, told(line, "caller"), json.dumps(line)[:RAW_CHARACTERS]
    )
