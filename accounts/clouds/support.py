"""What every cloud says of support access: a door that a grant opens for one engineer, and that the cloud itself shuts at its end.

A third protocol beside `base.CloudAdapter` and `stacks.StackCloud`. No Django, no SDK. Support never writes in a cloud: what changes
anything in a cell goes through the cell's agent, so every act here reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# Codes of errors that only support access can end with; who opens doors has words for them.
SUPPORT_CODES = frozenset(
    {
        "door_busy", "door_not_open_yet", "grant_is_over", "identities_at_rest", "janitor_not_running", "policy_too_long",
        "support_needs_newer_kit", "support_switched_off",
    }
)  # fmt: skip

# Errors of `open` that come of signing in as the operator, before anything was asked of the cloud: signing in as support never ends so.
NOTHING_GIVEN = frozenset({"trust_refused", "provider_deleted"})


@dataclass(frozen=True)
class SupportGrant:
    """What was decided, as much of it as a cloud is told. Times are aware and in UTC."""

    grant: str  # our UUID, as text: stands in every record of the cloud's own log
    engineer: str  # letters, digits, dots and dashes, at most 32: how that log names the person
    case: str  # letters, digits and dashes, at most 32
    profile: str  # diagnose | logs | operate | repair
    region: str
    stack: str  # name of the cell's stack, which limits what the door shows; empty: every cell of the account
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class OpenDoor:
    """A session that a cloud has opened. `secret` is worth something until `expires_at`, which is never after the grant's end."""

    handle: str  # how the cloud's own log names the session
    policy: str  # the exact document the cloud holds it to, with its end
    expires_at: datetime
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ActResult:
    """What an act of reading gave. `text` is not redacted yet; `traces` are the calls by which the cloud's own log will name it."""

    text: str
    traces: Sequence[str] = ()  # "DescribeStacks", "google.cloud.config.v1.Config.GetDeployment", "Microsoft.Resources/.../read"
    is_cut: bool = False  # there was more than is given


@dataclass(frozen=True)
class DoorProbe:
    """One harmless reading with the old session. Only the cloud's own refusal proves that a door is shut."""

    is_refused: bool
    evidence: str  # the cloud's own words
    request_id: str = ""  # of the cloud, where it gives one


@dataclass(frozen=True)
class Trace:
    """One line of the cloud's own log that names this grant."""

    id: str  # of the cloud: the same line read twice is one
    at: datetime
    call: str  # as in ActResult.traces
    is_refused: bool
    principal: str
    raw: str  # as the cloud gave it, at most 4,000 characters


class SupportCloud(Protocol):
    """Support access to one account. Every call is idempotent and answers within a minute, or raises CloudError."""

    def policy(self, grant: SupportGrant) -> str:
        """The exact document that will hold the session, before anything is opened. Asks no cloud."""
        ...

    def open(self, grant: SupportGrant) -> OpenDoor:
        """Open the door, or open it again for what is left of the grant. Raises CloudError: `door_not_open_yet` (retryable) while the
        cloud spreads the news, `door_busy` (retryable), `support_switched_off`, `grant_is_over`, and what signing in raises."""
        ...

    def acts(self, profile: str) -> Sequence[str]:
        """Names of what this profile may read of the cloud: `describe_cell`, `list_events`, `read_cluster_log`, ..."""
        ...

    def act(self, door: OpenDoor, grant: SupportGrant, name: str, arguments: Mapping[str, str]) -> ActResult:
        """Read by this session. Raises CloudError; `access_denied` is the cloud's refusal."""
        ...

    def close(self, grant: SupportGrant) -> None:
        """Tell the cloud to deny this grant's sessions from now on. A grant that is closed already, or was never opened, is no error."""
        ...

    def probe(self, door: OpenDoor, grant: SupportGrant) -> DoorProbe:
        """One harmless reading with this very session. What is neither an answer nor a refusal raises CloudError."""
        ...

    def tidy(self, grant: SupportGrant) -> None:
        """After the proof: take away what `close` had to put there, as far as nothing could use the session any more."""
        ...

    def find_traces(self, grant: SupportGrant, since: datetime, until: datetime) -> Sequence[Trace]:
        """Lines of the cloud's own log that name this grant, oldest first. Read by the operator identity."""
        ...
