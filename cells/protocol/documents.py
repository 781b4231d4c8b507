"""Every document of the agent protocol, strictly typed: what is not named here is refused. The OpenAPI description is made from these.

Metadata only. No field takes free text: words, versions, counts, times, addresses without credentials.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

# Nothing follows: `$` would let a line break pass, and `\Z` is no JSON Schema.
END = r"(?![\s\S])"
Word = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,39}}{END}")]
Name = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9.-]{{0,62}}{END}")]
Version = Annotated[str, Meta(pattern=rf"^[0-9A-Za-z.+_-]{{0,60}}{END}")]
Url = Annotated[str, Meta(max_length=300, pattern=rf"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?{END}")]
Coordinate = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_-]{{43}}{END}")]
Token = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_.-]{{1,2000}}{END}")]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Amount = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]  # what every reader of JSON can hold
Seq = Annotated[int, Meta(ge=1, le=9_007_199_254_740_991)]
Time = Annotated[datetime, Meta(tz=True)]
MOST_REPORTS = 100
MOST_INSTANCES = 1000


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document without room for anything else."""


# --- Enrolment, keys, tokens -----------------------------------------------------------------------------------------


class PublicJwk(Strict, frozen=True):
    """A P-256 public key (RFC 7517). The private half has no place here."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate


class EnrolmentRequest(Strict, frozen=True):
    token: Token
    cell: UUID
    public_jwk: PublicJwk
    agent_version: Version
    proof: Token  # a JWT signed with the key, for this address: whoever enrols it holds it


class KeyRequest(Strict, frozen=True):
    public_jwk: PublicJwk
    proof: Token
    # A JWT signed with the key in use, for this address, with the new key's thumbprint (RFC 7638) as `jti`: an access token alone,
    # which whoever sees it could use, registers none.
    approval: Token


class Registered(Strict, frozen=True):
    key_id: UUID
    first_seq: Seq  # the number of this agent's first report


class TokenRequest(Strict, frozen=True):
    """As a form (RFC 6749, RFC 7523)."""

    grant_type: Literal["client_credentials"]
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    client_assertion: Token


class TokenAnswer(Strict, frozen=True):
    access_token: str
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  RFC 6749's word


# --- Desired state ---------------------------------------------------------------------------------------------------


class ChartRelease(Strict, frozen=True):
    chart: str
    chart_version: str
    digest: str  # SHA-256 of the chart's package


class Resources(Strict, frozen=True):
    cpu: int  # thousandths of a core
    memory: int  # MiB
    storage: int  # GiB


class Values(Strict, frozen=True):
    parameters: dict[str, Any]
    resources: Resources


class DesiredInstance(Strict, frozen=True):
    id: UUID
    is_present: bool  # false: nothing of it may be left
    revision: int
    release: ChartRelease
    values: Values
    is_running: bool
    restarts: int  # grows when the processes shall be started anew


class DesiredComponent(Strict, frozen=True):
    name: str
    is_present: bool
    chart: str
    chart_version: str
    digest: str


class DesiredBackup(Strict, frozen=True):
    """The last one of an instance, before it is removed. The same id is the same backup, however often it is told."""

    id: UUID
    instance: UUID


class Desired(Strict, frozen=True):
    cell: UUID
    version: int
    components: list[DesiredComponent]
    instances: list[DesiredInstance]
    final_backups: list[DesiredBackup]  # since 1.2.0; its answers go to /agent/v1/backups


# --- Reports ---------------------------------------------------------------------------------------------------------


class Agent(Strict, frozen=True):
    version: Version


class Cluster(Strict, frozen=True):
    version: Version
    nodes_ready: Count
    nodes: Count
    cpu_used: Amount  # thousandths of a core
    cpu: Amount
    memory_used: Amount  # MiB
    memory: Amount


class Component(Strict, frozen=True):
    name: Name
    version: Version
    state: Word


class Endpoint(Strict, frozen=True):
    name: Name
    url: Url  # without credentials, query or fragment


class InstanceReport(Strict, frozen=True):
    id: UUID
    revision: Count  # the one that was applied last, or tried
    state: Literal["pending", "deploying", "running", "restarting", "stopping", "stopped", "failed", "absent"]
    health: Literal["healthy", "degraded", "unhealthy", "unknown"]
    ready: Count
    desired: Count
    restarts: Count
    cpu: Amount  # in use, thousandths of a core
    memory: Amount  # in use, MiB
    endpoints: Annotated[list[Endpoint], Meta(max_length=20)]
    components: Annotated[list[Component], Meta(max_length=50)]
    requests: Amount | None = None  # since its processes started; none where nobody counts them
    errors: Amount | None = None
    problem: Annotated[str, Meta(pattern=rf"^([a-z][a-z0-9_]{{0,39}})?{END}")] = ""  # a code: why the revision could not be applied


class Event(Strict, frozen=True):
    at: Time
    code: Word
    instance: UUID | None = None


class Report(Strict, frozen=True):
    """One look. Without `instances` it says nothing of them: detail that was dropped while the portal was away."""

    seq: Seq
    at: Time
    agent: Agent
    cluster: Cluster
    components: Annotated[list[Component], Meta(max_length=50)] | None = None
    instances: Annotated[list[InstanceReport], Meta(max_length=MOST_INSTANCES)] | None = None
    events: Annotated[list[Event], Meta(max_length=50)] = []


class Reports(Strict, frozen=True):
    cell: UUID
    reports: Annotated[list[Report], Meta(min_length=1, max_length=MOST_REPORTS)]


class ReportsAnswer(Strict, frozen=True):
    last_seq: int  # everything up to it is stored


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `code` is stable; `error` is OAuth's own word for it (RFC 6749), where there is one."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    server_time: float | None = None  # with `clock_skew`
    field: str | None = None  # what was wrong in the document
    error: str | None = None
