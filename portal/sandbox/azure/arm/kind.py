"""What is said of one type of resource, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.azure.world import Body, Resource, World
from portal.sandbox.sandbox import Sandbox


@dataclass
class Write:
    """A resource about to be written, by a PUT or by a deployment."""

    world: World
    sandbox: Sandbox
    id: str
    body: Body
    tenant: str
    by: str  # object id
    old: Resource | None
    keep: Body = field(default_factory=dict)  # what is remembered with it and never answered

    @property
    def kept(self) -> Body:
        return self.old.under if self.old is not None else {}

    @property
    def properties(self) -> Body:
        found: Body = self.body.setdefault("properties", {})
        return found

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def scope(self) -> str:
        """What an extension resource is attached to."""
        return self.id[: self.id.lower().rindex("/providers/")]


def _pass(write: Write) -> None:
    """Nothing to check, nothing to add."""


def _pass_deletion(world: World, resource: Resource) -> None:
    """Nothing holds it back."""


@dataclass(frozen=True)
class Kind:
    name: str
    versions: tuple[str, ...]
    shape: dict[str, Any]
    home: str = "group"  # group | subscription: at either of them, or below | any: at any scope
    complete: Callable[[Write], None] = _pass
    before_delete: Callable[[World, Resource], None] = _pass_deletion
    created: int = 201
    updated: int = 200
    deleted: int = 200
    spelling: str = "resourceGroups"  # how this provider writes the word in its ids
    listed: bool = True  # among a group's resources
    after_delete: Callable[[World, Resource], None] = _pass_deletion  # takes with it what it had made by itself
    is_deletable: bool = True
    also: tuple[str, ...] = ()  # rights at its group that a write needs beside its own: for what it makes by itself
    secret: frozenset[str] = frozenset()  # members that are taken and never answered
    queries: tuple[str, ...] = field(default=())

    @property
    def namespace(self) -> str:
        return self.name.partition("/")[0]

    @property
    def path(self) -> list[str]:
        return self.name.split("/")[1:]
