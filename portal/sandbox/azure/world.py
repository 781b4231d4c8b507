"""What this Azure holds: tenants, subscriptions, resources, tokens. Plain data, so that a snapshot is a dump of it."""

import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from portal.sandbox.faults import Faults, Kind

Body = dict[str, Any]
JOURNAL_KEPT = 600
# What every subscription has from its first day on.
ALWAYS_REGISTERED = ("Microsoft.Resources", "Microsoft.Authorization", "Microsoft.Subscription", "Microsoft.Features")


@dataclass
class Tenant:
    id: str
    name: str
    domain: str
    owner_id: str = field(default_factory=lambda: str(uuid4()))  # object id of the human who owns its subscriptions

    @property
    def owner_name(self) -> str:
        return f"owner@{self.domain}"


@dataclass
class Subscription:
    id: str
    tenant: str
    name: str
    state: str = "Enabled"  # Enabled | Warned | PastDue | Disabled | Deleted
    registered: dict[str, float] = field(default_factory=dict)  # lower-case namespace -> since when it is Registered
    usages: dict[str, dict[str, list[int]]] = field(default_factory=dict)  # "compute" | "network" -> name -> [used, limit]
    location_denials: list[str] = field(default_factory=list)  # locations this subscription is not offered

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.id}"


@dataclass
class Resource:
    """Anything with an id: groups, identities, assignments, deployments. `body` is what a GET adds to id, name and type."""

    id: str
    type: str
    body: Body
    tenant: str
    created_at: float
    api_version: str = ""
    under: Body = field(default_factory=dict)  # what is never answered: a deployment's plan

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def properties(self) -> Body:
        found: Body = self.body.setdefault("properties", {})
        return found

    def answer(self) -> Body:
        return {"id": self.id, "name": self.name, "type": self.type, **self.body}


@dataclass
class Token:
    """An access token this Azure gave out."""

    tenant: str
    object_id: str
    client: str  # how refusals name whoever carries it: an application's id, a person's name
    expires_at: float
    is_human: bool = False


VAULT = "microsoft.keyvault/vaults"


@dataclass
class World:
    clock_offset: float = 0.0
    tenants: dict[str, Tenant] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)  # by lower-case id
    tokens: dict[str, Token] = field(default_factory=dict)
    deleted_vaults: dict[str, Body] = field(default_factory=dict)  # by name: Azure keeps them, and their names, for a time
    group_deletions: dict[str, Body] = field(default_factory=dict)  # job -> {"group", "done_at"}
    jobs: dict[str, Body] = field(default_factory=dict)  # other operations with an address, by number
    started: set[str] = field(default_factory=set)  # machines that run in this process
    seal: str = field(default_factory=lambda: secrets.token_hex(16))  # signs the addresses of operations
    faults: Faults = field(default_factory=lambda: Faults(frozenset(Kind)))
    activity: list[Body] = field(default_factory=list)  # Azure's own record, the newest last
    removal_seconds: float = 0.0  # for so long an assignment that was deleted is still honoured: Azure's cache
    gone: list[Body] = field(default_factory=list)  # assignments that were deleted and are still honoured
    page_size: int = 0  # entries of a list in one answer; 0: all
    is_dirty: bool = False  # something changed since the last snapshot
    journal: deque[Body] = field(default_factory=lambda: deque(maxlen=JOURNAL_KEPT))

    def now(self) -> float:
        """Moved by control. Tokens, propagation and operations live by it; assertions by the real clock, as their signer does."""
        return time.time() + self.clock_offset

    # --- Look-ups, without regard to case, as ARM does it ---

    def find(self, number: str) -> Resource | None:
        return self.resources.get(number.lower().rstrip("/"))

    def subscription(self, number: str) -> Subscription | None:
        found = self.subscriptions.get(number.lower())
        return found if found is not None and found.state != "Deleted" else None

    def under(self, scope: str) -> Iterator[Resource]:
        """Everything at or below a scope."""
        start = scope.lower().rstrip("/")
        return (found for key, found in list(self.resources.items()) if key == start or key.startswith(f"{start}/"))

    def of_type(self, kind: str, scope: str = "") -> Iterator[Resource]:
        wanted = kind.lower()
        return (found for found in self.under(scope) if found.type.lower() == wanted)

    # --- Changes ---

    def put(self, resource: Resource) -> Resource:
        self.resources[resource.id.lower()] = resource
        return resource

    def remove(self, scope: str) -> None:
        """A resource with everything below and attached to it."""
        for found in list(self.under(scope)):
            if found.type.lower() == VAULT:
                days = found.properties.get("softDeleteRetentionInDays", 90)
                kept = {"id": found.id, "location": found.body["location"], "until": self.now() + days * 86400}
                self.deleted_vaults[found.name.lower()] = kept
            del self.resources[found.id.lower()]

    def mint(self, token: Token) -> str:
        """As long as a real one, so that nothing short can keep it; and opaque, so that nothing reads it."""
        text = secrets.token_urlsafe(1000)
        self.tokens = {key: kept for key, kept in self.tokens.items() if kept.expires_at > self.now() - 3600}
        self.tokens[text] = token
        return text

    def clear(self) -> None:
        """Everything empty again, the seal too: operations of before are nobody's."""
        fresh = World()
        for name in (
            "clock_offset",
            "tenants",
            "subscriptions",
            "resources",
            "tokens",
            "deleted_vaults",
            "group_deletions",
            "jobs",
            "seal",
            "faults",
            "journal",
            "page_size",
            "activity",
            "removal_seconds",
            "gone",
        ):
            setattr(self, name, getattr(fresh, name))

    # --- Snapshots ---

    def as_json(self) -> Body:
        tables = {name: {key: asdict(row) for key, row in getattr(self, name).items()} for name in ROWS}
        return {
            "clock_offset": self.clock_offset,
            "seal": self.seal,
            "deleted_vaults": self.deleted_vaults,
            "group_deletions": self.group_deletions,
            "jobs": self.jobs,
            "activity": self.activity,
            **tables,
        }

    def restore(self, saved: Body) -> None:
        self.clear()
        for name, row in ROWS.items():
            setattr(self, name, {key: row(**values) for key, values in saved[name].items()})
        self.clock_offset, self.seal, self.group_deletions = saved["clock_offset"], saved["seal"], saved["group_deletions"]
        self.deleted_vaults = saved.get("deleted_vaults", {})
        self.jobs, self.activity = saved.get("jobs", {}), saved.get("activity", [])


ROWS: dict[str, Any] = {"tenants": Tenant, "subscriptions": Subscription, "resources": Resource, "tokens": Token}


def stamp(seconds: float) -> str:
    """Azure's time: seven digits behind the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
