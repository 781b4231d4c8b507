"""What every cloud adapter speaks: our words, in frozen dataclasses. No Django, no SDK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Subject(StrEnum):
    """Which of an account's two identities a token speaks for."""

    OPS = "ops"
    SUPPORT = "support"


class TokenSource(Protocol):
    def __call__(self, *, subject: str, audience: str) -> str:
        """A signed token of at most five minutes. `subject` is the full claim, `account:<uuid>:ops`."""
        ...


@dataclass(frozen=True)
class Target:
    """One account as an adapter sees it. `issuer` is the token issuer's URL that this kit generation trusts."""

    account: str  # our UUID, as text
    external_id: str  # the cloud's own number, 12 digits on AWS
    region: str
    suffix: str  # ends every name the kit creates
    generation: int
    kit_version: str
    kit_hash: str
    issuer: str
    audience: str

    def subject(self, subject: Subject) -> str:
        return f"account:{self.account}:{subject.value}"


class CloudError(Exception):
    """A cloud refused or could not be reached. `code` is stable, `raw` is the cloud's own text for the operator."""

    def __init__(self, code: str, *, raw: str = "", retryable: bool = False, params: Mapping[str, str] | None = None) -> None:
        super().__init__(code, raw)
        self.code = code
        self.raw = raw
        self.retryable = retryable
        self.params = dict(params or {})


class KitStatus(StrEnum):
    CREATING = "creating"
    COMPLETE = "complete"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True)
class KitReport:
    """What stands in the customer's cloud: the kit's own statement about itself."""

    status: KitStatus
    version: str
    generation: int
    account: str  # our UUID from the kit's outputs
    region: str
    stack: str  # the cloud's own id of what the kit made
    detail: str = ""


@dataclass(frozen=True)
class Identity:
    """Who the cloud says we are."""

    external_id: str
    principal: str


@dataclass(frozen=True)
class PermissionResult:
    permission: str  # as in the manifest: "ec2:CreateVpc"
    is_granted: bool
    detail: str = ""


@dataclass(frozen=True)
class RefusalResult:
    """A sign-in that must fail. `is_refused` False means the trust is too wide."""

    name: str  # wrong_subject | wrong_audience | support_as_ops
    is_refused: bool
    evidence: str = ""


@dataclass(frozen=True)
class Verification:
    permissions: Sequence[PermissionResult] = field(default_factory=tuple)
    refusals: Sequence[RefusalResult] = field(default_factory=tuple)


class CloudAdapter(Protocol):
    """One account in one cloud. Every call is idempotent and answers within a minute, or raises CloudError."""

    def probe_trust(self) -> Identity:
        """Sign in once with the operator identity. Raises CloudError (`trust_not_ready`, `issuer_unreachable`, ...)."""
        ...

    def describe_kit(self) -> KitReport:
        """What the kit says of itself in the cloud, and whether its trust is as shipped."""
        ...

    def check_trust_unedited(self) -> None:
        """Raises CloudError `trust_policy_edited` / `provider_deleted` / `boundary_removed` when the kit's trust differs from the shipped one."""
        ...

    def check_permissions(self, permissions: Sequence[str]) -> Sequence[PermissionResult]:
        """Ask the cloud, permission by permission, whether our identity holds it."""
        ...

    def check_refusals(self) -> Sequence[RefusalResult]:
        """Try sign-ins that must fail: wrong subject, wrong audience, ops token on the support role."""
        ...
