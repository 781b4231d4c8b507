"""What every cloud adapter speaks: our words, in frozen dataclasses. No Django, no SDK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Subject(StrEnum):
    """Which of an account's two identities a token speaks for."""

    OPS = "ops"
    SUPPORT = "support"


class TokenSource(Protocol):
    def __call__(self, *, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
        """A signed token of at most five minutes. `subject` is the full claim, `account:<uuid>:ops`; `claims` are said beside it."""
        ...


@dataclass(frozen=True)
class Target:
    """One account as an adapter sees it. `issuer` is the token issuer's URL that this kit generation trusts."""

    account: str  # our UUID, as text
    external_id: str  # the cloud's own id: an account number, a project id, a subscription id
    region: str
    suffix: str  # ends every name the kit creates
    generation: int
    kit_version: str
    kit_hash: str
    issuer: str
    audience: str
    # This generation has let us in before: a refusal now means that trust was lost, not that it is still to come.
    was_trusted: bool = False
    # Where the account belongs, as the customer named it: {"project_number": "..."} or {"tenant_id": "..."}. Empty on AWS.
    identity: Mapping[str, str] = field(default_factory=dict)
    # What a report of the kit says it made: {"client_id": "..."}. Nobody's word; the cloud is asked.
    reported: Mapping[str, str] = field(default_factory=dict)
    # Further regions where the same kit was run, in a cloud whose kit makes a place for a cell in one region at a time.
    places: Sequence[str] = ()

    def subject(self, subject: Subject) -> str:
        return f"account:{self.account}:{subject.value}"


def mark_of_region(region: str) -> str:
    """A few letters and digits that tell one region of a cloud from another, for names that must be short."""
    return f"{region[:3]}{region[-3:]}{len(region)}".lower()


@dataclass(frozen=True)
class Place:
    """Another account of the same customer, where a kit may have landed by mistake."""

    external_id: str
    identity: Mapping[str, str] = field(default_factory=dict)


class CloudError(Exception):
    """A cloud refused or could not be reached. `code` is stable, `raw` is the cloud's own text for the operator."""

    def __init__(self, code: str, *, raw: str = "", retryable: bool = False, params: Mapping[str, str] | None = None) -> None:
        super().__init__(code, raw)
        self.code = code
        self.raw = raw
        self.retryable = retryable
        self.params = dict(params or {})
        # The identity was let in, and only then refused: so it is there.
        self.is_signed_in = False


# The customer's own switches, by the names that every kit's report gives them.
ALLOW_CHANGES, ALLOW_SUPPORT = "AllowChanges", "AllowSupport"
ALLOW_CREATION = "AllowCreation"  # no switch of the customer's: "no" is what a recovery kit says of itself


def is_off(switches: Mapping[str, str] | None, name: str) -> bool:
    """Whether the kit said that the customer has set a switch to no. Where it said nothing, it is on."""
    return (switches or {}).get(name) == "no"


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
    made: str  # the cloud's own id of what the kit made
    detail: str = ""
    # As the kit states them: {ALLOW_CHANGES: "yes", ALLOW_SUPPORT: "yes"}.
    switches: Mapping[str, str] = field(default_factory=dict)
    # Further regions where all that a cell needs of the kit stands as shipped, known ones where nothing of it stands any more, and
    # others where something of it stands.
    places: Sequence[str] = ()
    gone: Sequence[str] = ()
    begun: Sequence[str] = ()


@dataclass(frozen=True)
class Identity:
    """Who the cloud says we are."""

    external_id: str
    principal: str


@dataclass(frozen=True)
class PermissionProbe:
    """One question to the cloud's own policy simulation: may this role do this, here, in this context?"""

    key: str  # as in the manifest: "operator/ec2:CreateVpc"; several probes may share one, all must be granted
    role: str  # operator | support | builder
    action: str  # "ec2:CreateVpc"
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)  # condition keys and their values


@dataclass(frozen=True)
class PermissionResult:
    permission: str  # the probe's key
    is_granted: bool
    detail: str = ""  # the cloud's own word, "implicitDeny"; empty when granted
    is_denied_by_organisation: bool = False


@dataclass(frozen=True)
class RefusalResult:
    """A sign-in that must fail. `is_refused` False means the trust is too wide."""

    name: str  # wrong_subject | wrong_audience | support_as_ops | ops_as_support
    is_refused: bool
    evidence: str = ""


class Verdict(StrEnum):
    """What a check of the environment found. UNKNOWN: the cloud gave no answer, which is neither good nor bad news."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    BLOCK = "block"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Needs:
    """What a deployment cell will take up in a region: the figures that quotas and free addresses are held against."""

    vcpus: int
    networks: int  # VPCs, networks, virtual networks
    addresses: int  # public addresses
    cidr: str  # "10.64.0.0/16": must be free of overlap with what the account's networks are peered to
    name_prefix: str  # nothing of this name may be there yet
    standing: tuple[str, ...] = ()  # but the account's own cells, by the names that they and their parts begin with

    def is_of_a_cell(self, name: str) -> bool:
        """Whether a part of this name belongs to one of the account's own cells: `…-europe-west1` is no part of `…-europe-west`."""
        return any(name == own or name.startswith(f"{own}-") for own in self.standing)


@dataclass(frozen=True)
class Finding:
    """One answer about the environment. `evidence` is the cloud's own, `command` and `link` mend it."""

    check: str  # region_enabled, quota_vcpus, ...: as in the kit's environment_checks
    verdict: Verdict
    evidence: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    link: str = ""


class CloudAdapter(Protocol):
    """One account in one cloud. Every call is idempotent and answers within a minute, or raises CloudError."""

    def probe_trust(self) -> Identity:
        """Sign in once with the operator identity. Raises CloudError (`trust_not_ready`, `issuer_unreachable`, ...)."""
        ...

    def find_kit_elsewhere(self, others: Sequence[Place]) -> str | None:
        """The external id of the one of these other accounts of the same customer where this very kit lets us in; None if none does."""
        ...

    def describe_kit(self) -> KitReport:
        """What the kit says of itself in the cloud. Raises CloudError (`wrong_region`, `kit_not_found`, ...)."""
        ...

    def check_trust_unedited(self) -> None:
        """Raises CloudError `trust_policy_edited`, `policy_edited`, `provider_deleted`, `role_deleted` or `boundary_removed`
        when what stands differs from what was shipped."""
        ...

    def check_permissions(self, probes: Sequence[PermissionProbe]) -> Sequence[PermissionResult]:
        """Ask the cloud, permission by permission, whether our identity holds it. One result per key, in order of first sight."""
        ...

    def check_refusals(self) -> Sequence[RefusalResult]:
        """Try sign-ins that must fail: wrong subject, wrong audience, each role with the other's token."""
        ...

    def check_environment(self, region: str, needs: Needs, only: Sequence[str] = ()) -> Sequence[Finding]:
        """Look, without changing anything, whether a cell could be built in `region`. `only` names checks to look at, all when empty.

        One finding a check, in the order of the kit's environment_checks. A check whose call is refused is a finding too; CloudError
        is raised only when nothing can be asked at all.
        """
        ...


def require_current_kit(report: KitReport, target: Target) -> None:
    """The kit that stands is finished and is the one issued last. Raises CloudError with the one thing that is not so."""
    found = {"version": target.kit_version, "found_version": report.version}
    found |= {"generation": str(target.generation), "found_generation": str(report.generation), "made": report.made}
    match report.status:
        case KitStatus.FAILED:
            raise CloudError("kit_failed", raw=report.detail, params=found)
        case KitStatus.DELETING:
            raise CloudError("kit_deleting", raw=report.detail, params=found)
        case KitStatus.CREATING:
            raise CloudError("kit_not_finished", raw=report.detail, retryable=True, params=found)
    if report.account != target.account:
        raise CloudError("kit_of_another_account", params=found)
    if report.generation != target.generation:
        raise CloudError("kit_generation_wrong", params=found)
    if report.version != target.kit_version:
        raise CloudError("kit_version_wrong", params=found)
    if report.region != target.region:
        raise CloudError("wrong_region", params={"found": report.region, "expected": target.region})
    if is_off(report.switches, ALLOW_CHANGES):
        raise CloudError("changes_switched_off", params=found)
