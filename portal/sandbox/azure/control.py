"""`/_sandbox/azure/` on the console port, JSON. The paths stand in the package's docstring."""

import json
from collections.abc import Callable
from dataclasses import asdict
from uuid import NAMESPACE_DNS, uuid5

from portal.sandbox import wire
from portal.sandbox.azure import rbac, seed
from portal.sandbox.azure.arm.policy import ALLOWED_LOCATIONS, FORBIDDEN_TYPES
from portal.sandbox.azure.world import Body, Subscription, Token, World
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

HUMAN_SECONDS = 3600
ROLES = {name: number for number, (name, _actions, _denied) in rbac.BUILT_IN.items()}
Handler = Callable[[Request, Body], object]


class AzureControl:
    def __init__(self, world: World, sandbox: Sandbox) -> None:
        self.world = world
        self.sandbox = sandbox
        self.routes: dict[tuple[str, str], Handler] = {
            ("GET", ""): self._overview,
            ("POST", "tenants"): self._add_tenant,
            ("POST", "subscriptions"): self._add_subscription,
            ("PATCH", "subscriptions"): self._change_subscription,
            ("POST", "owner-token"): self._owner_token,
            ("POST", "policies"): self._add_policy,
            ("POST", "usages"): self._change_usages,
            ("GET", "resources"): self._resources,
            ("DELETE", "resources"): self._remove,
            ("GET", "faults"): lambda _request, _values: world.faults.as_json(),
            ("POST", "faults"): lambda _request, values: asdict(world.faults.order(values)),
            ("DELETE", "faults"): self._drop_faults,
            ("POST", "clock"): self._advance,
            ("POST", "page-size"): self._page,
            ("POST", "removal"): self._removal,
            ("POST", "revoke"): self._revoke,
            ("GET", "journal"): lambda _request, _values: list(world.journal),
            ("DELETE", "journal"): lambda _request, _values: world.journal.clear(),
            ("POST", "reset"): lambda _request, _values: self.reset(),
        }

    async def __call__(self, request: Request) -> wire.Reply:
        path = request.path.removeprefix("/_sandbox/azure").strip("/")
        handler = self.routes.get((request.method, path))
        if handler is None:
            self.sandbox.violate(kind="route", service="control", action=f"{request.method} {request.path}")
            return wire.document(404, {"error": f"no {request.method} {request.path}: see portal/sandbox/azure/__init__.py"})
        try:
            found = handler(request, json.loads(request.body or b"{}"))
        except (TypeError, ValueError, KeyError) as problem:
            return wire.document(400, {"error": repr(problem)})
        if request.method != "GET":
            self.world.is_dirty = True
        return wire.document(200, found)

    def reset(self) -> object:
        self.world.clear()
        seed.fill(self.world)
        self.world.is_dirty = True
        return {"reset": True}

    def _overview(self, _request: Request, _values: Body) -> object:
        return {
            "now": self.world.now(),
            "tenants": [asdict(tenant) for tenant in self.world.tenants.values()],
            "subscriptions": [asdict(found) for found in self.world.subscriptions.values()],
            "resources": len(self.world.resources),
            "faults": self.world.faults.as_json(),
        }

    def _add_tenant(self, _request: Request, values: Body) -> object:
        return asdict(seed.add_tenant(self.world, values["id"], values["name"], values.get("domain", "")))

    def _add_subscription(self, _request: Request, values: Body) -> object:
        made = seed.add_subscription(
            self.world, values["id"], values["tenant"], str(values.get("name", values["id"])), str(values.get("state", "Enabled"))
        )
        return asdict(made)

    def _change_subscription(self, _request: Request, values: Body) -> object:
        """State, name, registrations, locations it is not offered, or the tenant it was moved to."""
        found = self._subscription(values)
        if unknown := sorted(set(values) - {"id", "state", "name", "registered", "location_denials", "tenant"}):
            raise ValueError(f"no field {', '.join(unknown)}")
        for name, value in values.items():
            if name == "registered":
                found.registered = {namespace.lower(): 0.0 for namespace in value}
            elif name != "id":
                setattr(found, name, value)
        return asdict(found)

    def _subscription(self, values: Body) -> Subscription:
        return self.world.subscriptions[str(values.get("id", values.get("subscription", ""))).lower()]

    def _owner_token(self, _request: Request, values: Body) -> object:
        """A person's token: the tenant's owner, or somebody with another role at one subscription."""
        return owner_token(self.world, values["subscription"].lower(), values.get("role", "Owner"))

    def _add_policy(self, _request: Request, values: Body) -> object:
        """{"subscription", "kind": "issuers" | "locations" | "types" | "rule", "allowed": [...] | "properties": {...}}"""
        number = self._subscription(values).id
        kind = values["kind"]
        root = "/providers/Microsoft.Authorization/policyDefinitions"
        if kind == "issuers":
            seed.forbid_issuers(self.world, number, values["allowed"])
        elif kind == "locations":
            given = {"listOfAllowedLocations": {"value": values["allowed"]}}
            seed.assign_policy(
                self.world, number, "allowed-locations", f"{root}/{ALLOWED_LOCATIONS}", parameters=given, shown="Allowed locations"
            )
        elif kind == "types":
            given = {"listOfResourceTypesNotAllowed": {"value": values["forbidden"]}}
            seed.assign_policy(
                self.world, number, "forbidden-types", f"{root}/{FORBIDDEN_TYPES}", parameters=given, shown="Not allowed resource types"
            )
        else:
            seed.add_policy(self.world, number, values["name"], values["properties"], values.get("parameters", {}))
        return {"kind": kind}

    def _change_usages(self, _request: Request, values: Body) -> object:
        """{"subscription", "service": "compute" | "network", "name": "cores", "used": 90, "limit": 100}"""
        found = self._subscription(values)
        found.usages.setdefault(values["service"], {})[values["name"]] = [int(values["used"]), int(values["limit"])]
        return found.usages

    def _resources(self, request: Request, _values: Body) -> object:
        scope = (request.query.get("under") or [""])[0]
        return [found.answer() for found in self.world.under(scope)]

    def _remove(self, request: Request, _values: Body) -> object:
        """As the owner would, by hand, and without a trace."""
        self.world.remove(request.query["id"][0])
        return {"resources": len(self.world.resources)}

    def _drop_faults(self, request: Request, _values: Body) -> object:
        number = (request.query.get("id") or [""])[0]
        self.world.faults.drop(int(number) if number else None)
        return self.world.faults.as_json()

    def _advance(self, _request: Request, values: Body) -> object:
        self.world.clock_offset += float(values["seconds"])
        return {"now": self.world.now()}

    def _page(self, _request: Request, values: Body) -> object:
        self.world.page_size = int(values["size"])
        return {"size": self.world.page_size}

    def _removal(self, _request: Request, values: Body) -> object:
        self.world.removal_seconds = float(values["seconds"])
        return {"seconds": self.world.removal_seconds}

    def _revoke(self, _request: Request, values: Body) -> object:
        """Every access token given out so far is worth nothing; of one application only, when it is named."""
        client = values.get("client", "*")
        gone = [text for text, token in self.world.tokens.items() if client in {"*", token.client}]
        for text in gone:
            del self.world.tokens[text]
        return {"tokens": len(gone)}


def owner_token(world: World, number: str, role: str) -> Body:
    tenant = world.tenants[world.subscriptions[number].tenant]
    person, name = tenant.owner_id, tenant.owner_name
    if role != "Owner":
        name = f"{role.lower().replace(' ', '-')}@{tenant.domain}"
        person = _person(world, number, name, role)
    token = _kept(world, person) or world.mint(Token(tenant.id, person, name, world.now() + HUMAN_SECONDS, is_human=True))
    return {"token": token, "tenant": tenant.id, "name": name, "object_id": person}


def _kept(world: World, person: str) -> str:
    """Whoever looks at a page every two seconds needs no new token each time."""
    lasting = world.now() + HUMAN_SECONDS / 2
    return next((text for text, token in world.tokens.items() if token.object_id == person and token.expires_at > lasting), "")


def stranger_token(world: World, name: str, number: str) -> str:
    """Somebody of the tenant, or of the first one there is, without any role."""
    found = world.subscriptions.get(number.lower())
    tenant = found.tenant if found is not None else next(iter(world.tenants))
    return world.mint(Token(tenant, str(uuid5(NAMESPACE_DNS, name)), name, world.now() + HUMAN_SECONDS, is_human=True))


def _person(world: World, number: str, name: str, role: str) -> str:
    """The same person each time, with the role at the subscription."""

    person = str(uuid5(NAMESPACE_DNS, f"{name}/{number}"))
    scope = f"/subscriptions/{number}"
    if not any(found.properties["principalId"] == person for found in world.of_type(rbac.ASSIGNMENT, scope)):
        seed.assign(world, scope, person, ROLES[role], "User")
    return person
