"""Reading, writing, deleting and listing resources: what a request does, and what a deployment does for its author."""

import re
from http import HTTPStatus
from typing import Any

from portal.sandbox import wire
from portal.sandbox.azure import errors, rbac
from portal.sandbox.azure.arm import policy
from portal.sandbox.azure.arm.call import Act, Body, Call, answer, listed, nothing
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.arm.kinds import GROUP, LOCK, POLICY_ASSIGNMENT, kind_of
from portal.sandbox.azure.arm.place import Place, canonical, canonical_scope, demand_group, demand_parents, locate
from portal.sandbox.azure.cell.ties import demand_links, demand_unused
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import ALWAYS_REGISTERED, Resource, Subscription, World

FILTER = re.compile(r"(?P<field>[A-Za-z.]+)\s+eq\s+'(?P<value>[^']*)'")


def write(act: Act, number: str, body: Body, api_version: str) -> tuple[int, Resource]:
    """Creates or changes one resource whose author may do so. Raises ArmError."""
    place = locate(number)
    kind = place.kind if place is not None else None
    assert place is not None
    assert kind is not None
    demand_registration(act.world, act.world.subscriptions[place.sub.lower()], kind.namespace)
    demand_group(act.world, place)
    demand_parents(act.world, place, kind)
    number = canonical(act.world, place, kind)
    demand_unlocked(act.world, number, "write")
    act.check_fields(body, kind.shape)
    body = {name: value for name, value in body.items() if name not in {"id", "name", "type"}}
    demand_location(act, number, kind, body)
    policy.demand(act.world, number, kind.name, body)
    demand_links(act, number, body)
    for action in kind.also:
        act.demand(action, canonical_scope(act.world, place.scope))
    old = act.world.find(number)
    tenant = act.world.subscriptions[place.sub.lower()].tenant
    made_of = Write(act.world, act.sandbox, number, body, tenant, act.token.object_id, old)
    kind.complete(made_of)
    created_at = old.created_at if old is not None and old.body.get("properties") == body.get("properties") else act.world.now()
    made = act.world.put(Resource(number, kind.name, body, tenant, created_at, api_version, made_of.keep))
    return (kind.created if old is None else kind.updated), made


def erase(world: World, found: Resource, kind: Kind) -> None:
    """Deletes one resource with what it had made by itself, unless something holds it. Raises ArmError."""
    demand_unlocked(world, found.id, "delete")
    demand_unused(world, found)
    kind.before_delete(world, found)
    kind.after_delete(world, found)
    if kind.name == rbac.ASSIGNMENT and world.removal_seconds:
        world.gone.append({"properties": found.properties, "until": world.now() + world.removal_seconds})
    world.remove(found.id)


def demand_registration(world: World, subscription: Subscription, namespace: str) -> None:
    since = subscription.registered.get(namespace.lower())
    if namespace not in ALWAYS_REGISTERED and (since is None or since > world.now()):
        raise errors.not_registered(namespace)


def demand_unlocked(world: World, number: str, operation: str) -> None:
    """A lock holds what it is attached to and everything below; deletion also minds locks below."""
    levels = {"ReadOnly"} if operation == "write" else {"ReadOnly", "CanNotDelete"}
    found = []
    for lock in world.of_type(LOCK):
        at = lock.id[: lock.id.lower().rindex("/providers/microsoft.authorization/locks/")]
        is_below = operation == "delete" and rbac.is_within(at, number)
        if lock.properties["level"] in levels and lock.id.lower() != number.lower() and (rbac.is_within(number, at) or is_below):
            found.append(at)
    if found and f"/{LOCK.lower()}/" not in number.lower():
        raise errors.locked(number, operation, found)


def demand_location(act: Act, number: str, kind: Kind, body: Body) -> None:
    location = str(body.get("location") or "").replace(" ", "").lower()
    if not location:
        return
    body["location"] = location
    subscription = act.world.subscriptions[number.split("/")[2].lower()]
    if location not in LOCATIONS or location in subscription.location_denials:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location}' is not available for resource type '{kind.name}'. "
            f"List of available regions for the resource type is '{','.join(LOCATIONS)}'.",
        )


# --- Requests ---


def get(call: Call) -> wire.Reply:
    found = call.world.find(_number(call))
    if found is None:
        place, kind = _placed(call)
        if kind.name == rbac.DEFINITION and place.name.lower() in rbac.BUILT_IN:
            return answer(200, rbac.built_in_role(place.name.lower(), canonical_scope(call.world, place.scope)))
        raise missing(place, kind)
    return answer(200, found.answer())


def missing(place: Place, kind: Kind) -> ArmError:
    if kind.name == rbac.DEFINITION:
        return ArmError(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{place.name}' does not exist.")
    if kind.name == rbac.ASSIGNMENT:
        return ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{place.name}' is not found.")
    return errors.no_resource(kind.name.rpartition("/")[0] + "/" + kind.name.rpartition("/")[2], "/".join(place.names), place.group)


def built_in_policy(call: Call) -> wire.Reply:
    found = policy.built_in(call["name"])
    if found is None:
        raise ArmError(404, "PolicyDefinitionNotFound", f"The policy definition '{call['name']}' could not be found.")
    return answer(200, found)


def put(call: Call) -> wire.Reply:
    status, made = write(call, _number(call), call.body, call.api_version)
    location = (("location", made.id),) if status == HTTPStatus.CREATED else ()
    return answer(status, made.answer(), *location)


def delete(call: Call) -> wire.Reply:
    number = _number(call)
    found = call.world.find(number)
    _place, kind = _placed(call)
    if found is None:
        return nothing(204)
    erase(call.world, found, kind)
    returns_it = kind.name in {rbac.DEFINITION, rbac.ASSIGNMENT, POLICY_ASSIGNMENT}
    return answer(kind.deleted, found.answer()) if returns_it else nothing(kind.deleted)


def collection(call: Call) -> wire.Reply:
    place, kind = _placed(call)
    if place.names:
        above = kind_of(place.type.rpartition("/")[0])
        assert above is not None
        parent = Place(place.scope, above.name, place.names, place.sub, place.group, False)
        if call.world.find(canonical(call.world, parent, above)) is None:
            raise missing(parent, above)
        scope = canonical(call.world, parent, above)
    else:
        demand_group(call.world, place)
        scope = canonical_scope(call.world, place.scope)
    rows = [row for row in _listed(call, kind, scope) if _passes(row, call.query("$filter"), call, scope)]
    return listed(call, rows)


def _listed(call: Call, kind: Kind, scope: str) -> list[Body]:
    """Extensions are listed at a scope, above it, and below it; other resources below only."""
    if kind.home != "any":
        return [resource.answer() for resource in call.world.of_type(kind.name, scope)]
    subscription = f"/subscriptions/{call['sub'].lower()}"
    rows = [resource.answer() for resource in call.world.of_type(kind.name, subscription) if _touches(resource, scope)]
    if kind.name == rbac.DEFINITION:
        rows += [rbac.built_in_role(number, subscription) for number in rbac.BUILT_IN]
    return rows


def _touches(resource: Resource, scope: str) -> bool:
    if resource.type == rbac.DEFINITION:
        return any(rbac.is_within(scope, at) or rbac.is_within(at, scope) for at in resource.properties["assignableScopes"])
    at = resource.id[: resource.id.lower().rindex("/providers/")]
    return rbac.is_within(scope, at) or rbac.is_within(at, scope)


def _passes(row: Body, condition: str, call: Call, scope: str) -> bool:
    """The filters in use: `atScope()`, `assignedTo('id')`, `field eq 'value'`, joined by `and`."""
    for part in filter(None, (piece.strip() for piece in condition.split(" and "))):
        if part == "atScope()":
            at = row["id"][: row["id"].lower().rindex("/providers/")]
            ok = row["type"] == rbac.DEFINITION or rbac.is_within(scope, at)
        elif part.startswith("assignedTo("):
            ok = row["properties"].get("principalId") == part[len("assignedTo('") : -2]
        elif found := FILTER.fullmatch(part):
            ok = _field(row, found["field"]).lower() == found["value"].lower()
        else:
            call.violate("filter", part)
            raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{condition}' specified in the query string.")
        if not ok:
            return False
    return True


def _field(row: Body, name: str) -> str:
    value: Any = row.get("type") if name.lower() == "resourcetype" else row["properties"].get(name, row.get(name))
    return str(value or "")


def listed_resources(call: Call) -> wire.Reply:
    """`/resources` of a subscription or a group."""
    group = call.params.get("rg", "")
    if group and call.world.find(f"/subscriptions/{call['sub']}/resourceGroups/{group}") is None:
        raise errors.no_group(group)
    scope = f"/subscriptions/{call['sub']}" + (f"/resourceGroups/{group}" if group else "")
    rows = []
    for found in call.world.under(scope):
        kind = kind_of(found.type)
        if kind is not None and kind.listed and found.type != GROUP:
            rows.append({name: value for name, value in found.answer().items() if name in {"id", "name", "type", "location", "tags"}})
    return listed(call, [row for row in rows if _is_wanted(row, call)])


def _is_wanted(row: Body, call: Call) -> bool:
    tags = re.fullmatch(r"tagName eq '([^']*)' and tagValue eq '([^']*)'", call.query("$filter").strip())
    if tags:
        return bool((row.get("tags") or {}).get(tags[1]) == tags[2])
    return _passes({**row, "properties": {}}, call.query("$filter"), call, "")


def _placed(call: Call) -> tuple[Place, Kind]:
    place = locate(call.request.path)
    assert place is not None
    kind = place.kind
    assert kind is not None
    return place, kind


def _number(call: Call) -> str:
    place, kind = _placed(call)
    return canonical(call.world, place, kind)


LOCATIONS = {
    "eastus": ("East US", "US"),
    "eastus2": ("East US 2", "US"),
    "westus2": ("West US 2", "US"),
    "westus3": ("West US 3", "US"),
    "centralus": ("Central US", "US"),
    "canadacentral": ("Canada Central", "Canada"),
    "northeurope": ("North Europe", "Europe"),
    "westeurope": ("West Europe", "Europe"),
    "germanywestcentral": ("Germany West Central", "Europe"),
    "swedencentral": ("Sweden Central", "Europe"),
    "switzerlandnorth": ("Switzerland North", "Europe"),
    "uksouth": ("UK South", "Europe"),
    "francecentral": ("France Central", "Europe"),
    "australiaeast": ("Australia East", "Asia Pacific"),
    "japaneast": ("Japan East", "Asia Pacific"),
    "southeastasia": ("Southeast Asia", "Asia Pacific"),
}
