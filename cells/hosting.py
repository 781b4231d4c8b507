"""From our rows to the facts of placement: which accounts and cells may take an instance."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Count, Q

from accounts import kits
from accounts.kits.history import offers_cells
from accounts.models import CloudAccount, Kit, Organisation
from accounts.states import KitState, Use
from cells.models import Cell, HostingAccount, Plan
from cells.placement import AccountFacts, CellFacts, Placement, PlanFacts, place
from cells.states import ALIVE_INSTANCES, CellState, Hosting, Tenancy


def lock_places(plan: Plan, account: CloudAccount | None, *, cloud: str) -> None:
    """Nobody else plans a cell in these accounts until the transaction ends. In the order of their keys: no two wait for each other."""
    ids = [account.pk] if account else [host.account_id for host in _hosts(plan, cloud)]
    list(CloudAccount.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))


def find_place(plan: Plan, *, organisation: Organisation, cloud: str, region: str, account: CloudAccount | None) -> Placement:
    hosts = [] if plan.needs_account else list(_hosts(plan, cloud))
    accounts = [account.pk] if account else [host.account_id for host in hosts]
    in_use = _kits(accounts)
    return place(
        PlanFacts(Hosting(plan.hosting), Tenancy(plan.tenancy), plan.regions),
        organisation=str(organisation.pk),
        cloud=cloud,
        region=region,
        account=_facts(account, in_use.get(account.pk), Hosting.CUSTOMER) if account else None,
        hosts=[_host_facts(host, in_use.get(host.account_id)) for host in hosts],
        cells=_cells(accounts, region),
    )


def _hosts(plan: Plan, cloud: str) -> Iterable[HostingAccount]:
    return HostingAccount.objects.select_related("account").filter(hosting=plan.hosting, account__cloud=cloud).order_by("account_id")


def builds_cells(cloud: str, kit: Kit | None) -> bool:
    """An account without a kit in use has other troubles, which are told as such."""
    return kit is None or offers_cells(cloud, kit.version)


def only_regions(account: CloudAccount, kit: Kit | None) -> frozenset[str]:
    """The regions that the account's kit was run for, where its cells can stand; empty where one run reaches all."""
    if kits.load(account.cloud).cell_regions_are_free:
        return frozenset()
    return frozenset(kit.regions if kit else [account.home_region])


def regions_in_use(accounts: Sequence[CloudAccount]) -> list[tuple[CloudAccount, list[str]]]:
    """Of accounts whose kit is run for one region at a time: where a cell of theirs can stand."""
    in_use = _kits([account.pk for account in accounts])
    return [(account, sorted(only_regions(account, in_use.get(account.pk)))) for account in accounts]


def _facts(account: CloudAccount, kit: Kit | None, hosting: Hosting, reserved: str = "", *, is_open: bool = True) -> AccountFacts:
    is_usable = account.obstacle_to(Use.BUILD) is None
    builds, only = builds_cells(account.cloud, kit), only_regions(account, kit)
    return AccountFacts(str(account.pk), account.cloud, hosting, is_usable, reserved, is_open, builds, only)


def _host_facts(host: HostingAccount, kit: Kit | None) -> AccountFacts:
    reserved = str(host.reserved_for_id) if host.reserved_for_id else ""
    return _facts(host.account, kit, Hosting(host.hosting), reserved, is_open=host.is_open)


def _kits(accounts: Sequence[UUID]) -> dict[UUID, Kit]:
    """Those in use, by account."""
    return {kit.account_id: kit for kit in Kit.objects.filter(account__in=accounts, state=KitState.CURRENT)}


def _cells(accounts: Sequence[UUID], region: str) -> list[CellFacts]:
    alive = Count("instances", filter=Q(instances__state__in=sorted(ALIVE_INSTANCES)))
    columns = ("pk", "account_id", "region", "state", "taken", "most_instances")
    cells = Cell.objects.alive().filter(account__in=accounts, region=region).annotate(taken=alive).values_list(*columns)
    return [CellFacts(str(pk), str(account), where, CellState(state), taken, most) for pk, account, where, state, taken, most in cells]
