"""What every cloud's cell is made of, as one declarative stack: one protocol for three clouds. No models, no SDK, no settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from accounts.clouds.base import Target
from accounts.clouds.stacks import StackOrder
from portal.operations.catalogue import Text


@dataclass(frozen=True)
class AgentBootstrap:
    """What the machine of the agent is told when it starts; the rest the agent is told by the portal."""

    portal_url: str
    cell: str  # our UUID
    enrolment_token: str = field(repr=False)  # used once; the same for every order of one generation of the cell
    package_url: str  # of the agent's own file
    package_sha256: str
    # How the address of a chart may begin; empty: any that is encrypted. The machine keeps it: the portal cannot widen it afterwards.
    allowed_charts: Sequence[str] = ()


@dataclass(frozen=True)
class CellInput:
    """One cell as a stack sees it. The rest follows from the account's own kit, by `Target`."""

    cell: str  # our UUID
    region: str
    zones: Sequence[str]  # at least two where the region has them
    cidr: str  # "10.64.0.0/16"
    machine_size: str  # small | medium | large: each stack has the cloud's own type for it
    machines: int
    agent: AgentBootstrap
    token: str  # tells this order from others of the same cell


@dataclass(frozen=True)
class PlannedPart:
    """One resource of a cell in words, for the page that asks "create this?". A test holds the list against the document."""

    kind: str  # the cloud's own type
    name: str  # its name in the document
    why: Text
    cost: Text  # who pays for what; "Nobody: AWS does not charge for it."


@dataclass(frozen=True)
class Called:
    """A host that the agent's machine opens connections to."""

    host: str
    purpose: Text
    port: int = 443


@dataclass(frozen=True)
class Kept:
    """What is written down of what happens in a cell, where, and who may read it; or that it is not."""

    what: Text
    where: Text
    reader: Text


class CellStack(Protocol):
    """The cell of one cloud."""

    version: str  # of document and parameters together, "1.0.0"
    # Why a cell that stands cannot change to the identities of a newer kit, and what can be done; empty where it can change.
    keeps_identities: Text
    # What that change does to the cell, where it can.
    moving: Text

    def name(self, target: Target, region: str) -> str:
        """What the stack is called: one for each account and region."""
        ...

    def order(self, target: Target, cell: CellInput) -> StackOrder:
        """What has to stand for this cell. The same input gives the same order."""
        ...

    def parts(self) -> Sequence[PlannedPart]:
        """All that the order creates."""
        ...

    def calls(self) -> Sequence[Called]:
        """Every host that the agent's machine calls, apart from the portal and the charts' registries."""
        ...

    def records(self) -> Sequence[Kept]:
        """What this cloud writes down of a cell."""
        ...

    def tags(self, target: Target, cell: str = "") -> dict[str, str]:
        """What marks everything of this account's cells, or of one of them."""
        ...
