"""What every cloud says of declarative stacks: everything of one deployment cell is ordered, watched and taken away as one thing.

A second protocol beside `base.CloudAdapter`: an account is connected without it. No Django, no SDK, and nothing of what a cell is made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

# Codes of errors that only the work on stacks can end with; who orders stacks has words for them.
STACK_CODES = frozenset({"plans_not_published", "quota_exceeded", "retain_all_or_nothing", "retain_too_early", "stack_busy"})


class StackState(StrEnum):
    ABSENT = "absent"  # never made, or gone
    WORKING = "working"  # being created or updated
    READY = "ready"
    FAILED = "failed"  # the cloud has stopped; what was made may still stand
    DELETING = "deleting"
    DELETE_FAILED = "delete_failed"


@dataclass(frozen=True)
class StackOrder:
    """What shall stand. The same order twice is one order; `token` tells two apart, and is the cloud's idempotency key where it has one."""

    name: str  # starts with what the kit's limits let a cell be called
    region: str
    document: str  # template or configuration, the exact bytes that are shipped
    token: str  # letters, digits and dashes, at most 60
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # parameters that no log or page may show
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # further files of the configuration, by name, where the cloud takes several


@dataclass(frozen=True)
class StackPart:
    """One resource, as the cloud lists it."""

    kind: str  # the cloud's own type: "AWS::EC2::VPC", "google_compute_network", "Microsoft.Network/virtualNetworks"
    name: str  # its name in the document, or the cloud's name where there is no document
    made: str = ""  # the cloud's own id; empty until it exists
    state: str = ""  # working | ready | failed | deleting | deleted
    detail: str = ""  # why it failed, in the cloud's own words
    link: str = ""  # its page in the cloud's console


@dataclass(frozen=True)
class StackLook:
    """What stands now. `code` and `raw` say why it failed: a stable code and the cloud's own words of the first resource that failed."""

    state: StackState
    token: str = ""  # of the order that stands or is being carried out
    # Of the request that made it so: another one for each request that the cloud has taken up, even where the order is the same. Only
    # a look at a stack that failed has to bear one.
    mark: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[StackPart] = ()
    code: str = ""
    raw: str = ""
    link: str = ""  # the stack's own page in the cloud's console


@dataclass(frozen=True)
class Difference:
    """One property that is not as ordered."""

    kind: str
    name: str
    made: str
    path: str  # of the property; empty when the resource is missing or was added
    expected: str
    found: str


@dataclass(frozen=True)
class DriftLook:
    """A read-only comparison of what stands with what was ordered. Not finished: ask again later."""

    is_finished: bool
    differences: Sequence[Difference] = ()
    detail: str = ""  # what could not be compared
    is_compared: bool = True  # False: there is nothing that could be compared, or the cloud did not do it


class StackCloud(Protocol):
    """Stacks in one account of one cloud. Every call is idempotent and answers within a minute, or raises base.CloudError.

    Long work is started, then watched with `look`. Codes of errors are those of the cloud's own table; a stack that the cloud itself
    gave up is no error but a look.
    """

    def apply(self, order: StackOrder) -> None:
        """Have what is ordered created, or what stands updated to it. Nothing happens where it stands already or is under way.

        A stack that failed on its way is continued from what stands, or where the cloud cannot do that, first taken away: then `look`
        answers DELETING, and the next call creates it. Raises CloudError `stack_busy` (retryable) while the cloud works on another order.
        """
        ...

    def look(self, name: str, region: str) -> StackLook:
        """What stands, with its parts. ABSENT for a name that the cloud does not know."""
        ...

    def delete(self, name: str, region: str, *, retain: Sequence[str] = ()) -> None:
        """Have the whole stack taken away. `retain` names parts, by `StackPart.name`, that stay on purpose. Idempotent."""
        ...

    def find_zones(self, region: str) -> Sequence[str]:
        """Names of the region's zones that are open to the account, in order. Empty where the region has none."""
        ...

    def find_leftovers(self, region: str, tags: Mapping[str, str]) -> Sequence[StackPart]:
        """Everything in `region` that bears all these tags, whatever made it: what is left when stacks are gone."""
        ...

    def find_drift(self, order: StackOrder) -> DriftLook:
        """Compare what stands with the order, changing nothing. Started by the first call where the cloud takes its time."""
        ...
