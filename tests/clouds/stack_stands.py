"""One cell in each cloud, as the contract suite on stacks drives it: the order, what goes wrong, and what somebody does by hand.

A new cloud writes one class with these names (`StackStand`) and one line in STACK_STANDS.
"""

from collections.abc import Callable
from typing import Any, Protocol

from accounts.clouds.base import CloudAdapter, Target, TokenSource
from accounts.clouds.stacks import StackCloud, StackOrder
from cells.stacks.base import CellStack
from tests.clouds.aws.cells import AwsCellStand
from tests.clouds.azure.cells import AzureCellStand
from tests.clouds.azure.played import addresses as azure_addresses
from tests.clouds.conftest import Cloud, SandboxProcess, TestIssuer
from tests.clouds.gcp.cells import GcpCellStand
from tests.clouds.gcp.cells import addresses as gcp_addresses


class StackStand(Protocol):
    """The kit stands, and nothing of a cell."""

    stack: CellStack
    cell: str  # our UUID
    name_of_cloud: str
    target: Target
    kit: Any  # of this cloud, in the version that is shipped

    def tokens(self, target: Target) -> TokenSource:
        """Tokens of the issuer that the kit trusts."""
        ...

    def adapter(self) -> CloudAdapter:
        """A new one each time."""
        ...

    def turn(self, switch: str, to: str) -> None:
        """The customer turns a switch of the kit: `AllowSupport`, `AllowChanges`; "yes" or "no"."""
        ...

    def stacks(self) -> StackCloud:
        """A new one each time, as every step has."""
        ...

    def order(self, token: str = "order-1", *, machines: int = 2, **changes: Any) -> StackOrder:
        """Of the same cell every time."""
        ...

    # What goes wrong.
    def slow(self) -> None:
        """From now on building takes long enough to be watched."""
        ...

    def fail_building(self) -> str:
        """The next time one part is built, a quota is in the way, once; the part's name."""
        ...

    def hold(self) -> str:
        """Something that is not the stack's keeps one part from being deleted; the part's name."""
        ...

    def let_go(self) -> None:
        """What kept the part is gone."""
        ...

    # What somebody does by hand.
    def change_by_hand(self) -> tuple[str, str]:
        """One property of one part; its kind and name."""
        ...

    def remove_by_hand(self) -> str:
        """One part that nothing depends on; its name."""
        ...

    def leave(self, tags: dict[str, str]) -> str:
        """Something with these tags that no stack made; the cloud's own id."""
        ...

    # What is there.
    def agents(self) -> int:
        """How many machines of agents run."""
        ...


Make = Callable[[Cloud, SandboxProcess, TestIssuer], StackStand]
# Name of the cloud -> how it is made, and the address of its local server by the variable that the adapter reads.
STACK_STANDS: dict[str, tuple[Make, Callable[[SandboxProcess], dict[str, str]]]] = {
    "aws": (lambda cloud, sandbox, issuer: AwsCellStand(cloud), lambda sandbox: {"AWS_ENDPOINT_URL": sandbox.portal}),
    "azure": (lambda cloud, sandbox, issuer: AzureCellStand(sandbox, issuer), azure_addresses),
    "gcp": (lambda cloud, sandbox, issuer: GcpCellStand(sandbox, issuer), gcp_addresses),
}
