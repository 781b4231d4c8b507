"""Everything this Google Cloud knows: one object, plain enough to be written as JSON."""

import base64
import datetime as dt
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

ALPHABETS = str.maketrans("-_", "+/")
MOST_LOGGED = 2000
SOFT_DELETE_SECONDS = 30 * 86400.0
# What a new project has without asking, of what is played here.
FIRST_SERVICES = ("serviceusage.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com", "storage.googleapis.com")


@dataclass
class Organization:
    number: str
    name: str
    domain: str
    customer: str  # directory customer id, what domain-restricted sharing compares


@dataclass
class Project:
    id: str
    number: str
    owner: str  # an address
    organization: str = ""
    state: str = "ACTIVE"
    created_at: float = 0.0
    deleted_at: float = 0.0
    services: dict[str, float] = field(default_factory=dict)  # host -> when it works
    # What differs from the usual: region, or "" for the whole project -> metric -> limit, usage.
    quotas: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    @property
    def policy_name(self) -> str:
        return f"projects/{self.number}"


@dataclass
class Resource:
    """Anything Google names, in Google's own JSON."""

    body: dict[str, Any]
    created_at: float
    deleted_at: float | None = None

    @property
    def is_live(self) -> bool:
        return self.deleted_at is None


@dataclass
class Token:
    """Who an opaque access token stands for. `identities` are the members that bindings may name it by."""

    kind: str  # user | federated | account
    member: str
    identities: list[str]
    expires_at: float
    email: str = ""
    unique_id: str = ""
    consumer: str = ""  # number of the project whose APIs are used; a person brings none
    delegation: list[str] = field(default_factory=list)  # who became this service account


@dataclass
class Operation:
    done_at: float
    response: dict[str, Any]
    metadata: dict[str, Any]


@dataclass
class PolicyVersion:
    at: float
    etag: str
    bindings: list[dict[str, Any]]


@dataclass
class Knobs:
    propagation_seconds: float = 0.0  # how long IAM does not know of a new binding, pool, provider or service account
    operation_seconds: float = 0.0  # how long an operation works


@dataclass
class World:
    clock_ahead: float = 0.0
    knobs: Knobs = field(default_factory=Knobs)
    organizations: dict[str, Organization] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)  # by number; an id may have lived before
    resources: dict[str, Resource] = field(default_factory=dict)
    policies: dict[str, list[PolicyVersion]] = field(default_factory=dict)  # oldest first
    org_policies: dict[str, dict[str, Any]] = field(default_factory=dict)  # "organizations/1" or "projects/2" -> constraint -> spec
    tokens: dict[str, Token] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    # What Infrastructure Manager keeps: deployments and previews by their full name with the project's number, in its own words.
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    previews: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)  # of resources that a plan orders, on order
    audit_configs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # name of a policy -> which reading is logged
    log: list[dict[str, Any]] = field(default_factory=list)  # Cloud Audit Logs, oldest first, in Logging's own JSON
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> project, bindings, etag, objects in base 64

    def now(self) -> float:
        return time.time() + self.clock_ahead

    def project(self, name: str) -> Project | None:
        """By number, or the latest one by id."""
        if name in self.projects:
            return self.projects[name]
        found = [project for project in self.projects.values() if project.id == name]
        return max(found, key=lambda project: (project.state == "ACTIVE", project.created_at)) if found else None

    def live(self, name: str) -> Resource | None:
        found = self.resources.get(name)
        return found if found is not None and found.is_live else None

    def under(self, prefix: str) -> list[tuple[str, Resource]]:
        return [(name, found) for name, found in self.resources.items() if name.startswith(prefix) and "/" not in name[len(prefix) :]]

    def account(self, email: str) -> Resource | None:
        """A service account that is not deleted, by address or by unique id."""
        for name, found in self.resources.items():
            if "/serviceAccounts/" in name and found.is_live and email in {found.body["email"], found.body["uniqueId"]}:
                return found
        return None

    def deleted_account(self, unique_id: str) -> Resource | None:
        gone = (found for name, found in self.resources.items() if "/serviceAccounts/" in name and not found.is_live)
        return next((found for found in gone if found.body["uniqueId"] == unique_id), None)

    def purge(self) -> None:
        """What was deleted more than 30 days ago is gone; so are tokens that ended and operations nobody asks for."""
        now = self.now()
        for name, found in list(self.resources.items()):
            if found.deleted_at is not None and now - found.deleted_at > SOFT_DELETE_SECONDS:
                del self.resources[name]
        self.tokens = {text: token for text, token in self.tokens.items() if token.expires_at > now - 3600}
        self.log = self.log[-MOST_LOGGED:]
        self.operations = {name: made for name, made in self.operations.items() if made.done_at > now - 86400}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "World":
        """Raises TypeError or KeyError when it was written by another version."""
        made: dict[str, type[Any]] = {
            "organizations": Organization, "projects": Project, "resources": Resource, "tokens": Token, "operations": Operation,
        }  # fmt: skip
        values = {entry.name: saved[entry.name] for entry in fields(cls)}
        for name, kind in made.items():
            values[name] = {key: kind(**value) for key, value in saved[name].items()}
        values["knobs"] = Knobs(**saved["knobs"])
        values["policies"] = {key: [PolicyVersion(**entry) for entry in value] for key, value in saved["policies"].items()}
        return cls(**values)


def stamp(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_stamp(moment: float) -> str:
    """Without a fraction: what google-auth can read as `expireTime`."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fresh_etag() -> str:
    return base64.b64encode(b"\x07\x06" + secrets.token_bytes(6)).decode()


def is_same_etag(one: str, other: str) -> bool:
    """Bytes count, not letters: gcloud hands them back in the other alphabet of base64."""
    return one.translate(ALPHABETS) == other.translate(ALPHABETS)


def fresh_number(digits: int) -> str:
    return str(secrets.randbelow(9 * 10 ** (digits - 1)) + 10 ** (digits - 1))


def fresh_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(96)
