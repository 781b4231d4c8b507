"""Where an id points: subscription, group, type and name, whatever its case."""

from dataclasses import dataclass

from portal.sandbox.azure import errors
from portal.sandbox.azure.arm.kind import Kind
from portal.sandbox.azure.arm.kinds import GROUP, kind_of
from portal.sandbox.azure.world import World


@dataclass(frozen=True)
class Place:
    scope: str  # what stands before the last /providers/
    type: str
    names: tuple[str, ...]
    sub: str
    group: str
    is_collection: bool

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.type)

    @property
    def name(self) -> str:
        return self.names[-1] if self.names else ""


def locate(path: str) -> Place | None:
    """None for what is no resource of a provider: `/subscriptions`, a provider itself."""
    parts = path.strip("/").split("/")
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        return None
    index = len(lower) - 1 - lower[::-1].index("providers")
    after = parts[index + 1 :]
    types, names = after[1::2], tuple(after[2::2])
    if not types:
        return None
    scope = "".join(f"/{part}" for part in parts[:index])
    sub = parts[1] if lower[0] == "subscriptions" and len(parts) > 1 else ""
    group = parts[3] if lower[2:3] == ["resourcegroups"] and parts[3:] else ""
    return Place(scope, "/".join([after[0], *types]), names, sub, group, len(types) > len(names))


def canonical(world: World, place: Place, kind: Kind) -> str:
    """The id as its provider answers it."""
    interleaved = "/".join(f"{word}/{name}" for word, name in zip(kind.path, place.names, strict=True))
    return f"{canonical_scope(world, place.scope, kind.spelling)}/providers/{kind.namespace}/{interleaved}"


def canonical_scope(world: World, scope: str, spelling: str = "resourceGroups") -> str:
    root, _, number = scope.strip("/").partition("/")
    if root.lower() == "subscriptions" and "/" not in number:
        return f"/subscriptions/{number.lower()}"
    found = world.find(scope)
    if found is not None and found.type == GROUP:
        return found.id.replace("/resourceGroups/", f"/{spelling}/")
    return found.id if found is not None else scope


def demand_group(world: World, place: Place) -> None:
    if place.group and world.find(f"/subscriptions/{place.sub}/resourceGroups/{place.group}") is None:
        raise errors.no_group(place.group)


def demand_parents(world: World, place: Place, kind: Kind) -> None:
    """What a child hangs on, and what an extension is attached to, must be there."""
    if len(place.names) > 1:
        above = Place(place.scope, place.type.rpartition("/")[0], place.names[:-1], place.sub, place.group, False)
        parent_kind = kind_of(above.type)
        number = canonical(world, above, parent_kind) if parent_kind is not None else ""
        if world.find(number) is None:
            raise errors.ArmError(
                404,
                "ParentResourceNotFound",
                f"Failed to perform 'write' on resource(s) of type '{place.type.partition('/')[2]}', because the parent resource "
                f"'{number}' could not be found.",
            )
    if kind.home == "any" and "/providers/" in place.scope.lower() and world.find(place.scope) is None:
        inner = locate(place.scope)
        assert inner is not None
        raise errors.no_resource(inner.type, inner.name, inner.group)
