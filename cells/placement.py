"""Where an instance goes: a pure function of the plan, the place and the cells that are there. No rows, no cloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cells.states import CellState, Hosting, Tenancy


@dataclass(frozen=True)
class PlanFacts:
    hosting: Hosting
    tenancy: Tenancy
    regions: dict[str, Sequence[str]]  # cloud -> regions; an empty list means all of them


@dataclass(frozen=True)
class AccountFacts:
    """A cloud account in which the instance might go: the customer's own, or one that hosts for customers."""

    id: str
    cloud: str
    hosting: Hosting
    is_usable: bool  # trust holds, and the customer has not switched us off
    reserved_for: str = ""  # organisation; empty means everybody
    is_open: bool = True
    builds_cells: bool = True  # an earlier kit lacks what a cell needs
    only_regions: frozenset[str] = frozenset()  # where its cells can stand; empty means anywhere


@dataclass(frozen=True)
class CellFacts:
    id: str
    account: str
    region: str
    state: CellState
    instances: int
    most_instances: int


@dataclass(frozen=True)
class Reuse:
    cell: str


@dataclass(frozen=True)
class WaitFor:
    cell: str


@dataclass(frozen=True)
class Bootstrap:
    account: str
    region: str


class Refusal(StrEnum):
    """Why there is no place."""

    REGION_NOT_OFFERED = "region_not_offered"
    ACCOUNT_MISSING = "account_missing"  # the plan runs in the customer's own account, and none was named
    ACCOUNT_NOT_NEEDED = "account_not_needed"  # the provider hosts the plan
    ACCOUNT_OF_OTHER_CLOUD = "account_of_other_cloud"
    ACCOUNT_NOT_USABLE = "account_not_usable"
    NO_HOST = "no_host"  # the provider has no account there that takes instances
    CELL_FAILED = "cell_failed"
    CELL_LEAVING = "cell_leaving"
    CELL_FULL = "cell_full"
    KIT_TOO_OLD = "kit_too_old"  # a cell would have to be made, and the account's kit cannot
    ONLY_WHERE_THE_KIT_IS = "only_where_the_kit_is"  # the same, in a region that the kit was not run for


@dataclass(frozen=True)
class NoPlace:
    why: Refusal


Placement = Reuse | WaitFor | Bootstrap | NoPlace


def place(
    plan: PlanFacts,
    *,
    organisation: str,
    cloud: str,
    region: str,
    account: AccountFacts | None,
    hosts: Sequence[AccountFacts] = (),
    cells: Sequence[CellFacts] = (),
) -> Placement:
    """`account` is the customer's own, for plans that run there; `hosts` are the provider's; `cells` all alive in any of them."""
    offered = plan.regions.get(cloud)
    if offered is None or (offered and region not in offered):
        return NoPlace(Refusal.REGION_NOT_OFFERED)
    if plan.hosting == Hosting.CUSTOMER:
        return _in_own_account(account, cloud, region, cells)
    if account is not None:
        return NoPlace(Refusal.ACCOUNT_NOT_NEEDED)
    return _in_hosts([host for host in hosts if _takes(host, plan, organisation, cloud)], region, cells)


def _in_own_account(account: AccountFacts | None, cloud: str, region: str, cells: Sequence[CellFacts]) -> Placement:
    if account is None:
        return NoPlace(Refusal.ACCOUNT_MISSING)
    if account.cloud != cloud:
        return NoPlace(Refusal.ACCOUNT_OF_OTHER_CLOUD)
    if not account.is_usable:
        return NoPlace(Refusal.ACCOUNT_NOT_USABLE)
    return _in_account(account, region, cells)


def _takes(host: AccountFacts, plan: PlanFacts, organisation: str, cloud: str) -> bool:
    """A dedicated plan goes only where nobody else can be; any other only where nobody is promised to be alone."""
    wanted = organisation if plan.tenancy == Tenancy.DEDICATED else ""
    return host.hosting == plan.hosting and host.cloud == cloud and host.is_usable and host.is_open and host.reserved_for == wanted


def _in_hosts(hosts: Sequence[AccountFacts], region: str, cells: Sequence[CellFacts]) -> Placement:
    """The first host in order that has room: where a cell runs already, then where one is coming, then where one can be made.

    Why there is no room is the provider's own matter: its cells are nobody else's to hear of.
    """
    found = [_in_account(host, region, cells) for host in hosts]
    for wanted in (Reuse, WaitFor, Bootstrap):
        for placement in found:
            if isinstance(placement, wanted):
                return placement
    return NoPlace(Refusal.NO_HOST)


def _in_account(account: AccountFacts, region: str, cells: Sequence[CellFacts]) -> Placement:
    here = next((cell for cell in cells if (cell.account, cell.region) == (account.id, region) and cell.state != CellState.DELETED), None)
    if here is None:
        return _new_cell(account, region)
    if here.state == CellState.FAILED:
        return NoPlace(Refusal.CELL_FAILED)
    if here.state == CellState.DELETING:
        return NoPlace(Refusal.CELL_LEAVING)
    if here.instances >= here.most_instances:
        return NoPlace(Refusal.CELL_FULL)
    if here.state in {CellState.READY, CellState.UPDATING}:
        return Reuse(here.id)
    return WaitFor(here.id)


def _new_cell(account: AccountFacts, region: str) -> Placement:
    if not account.builds_cells:
        return NoPlace(Refusal.KIT_TOO_OLD)
    if account.only_regions and region not in account.only_regions:
        return NoPlace(Refusal.ONLY_WHERE_THE_KIT_IS)
    return Bootstrap(account.id, region)
