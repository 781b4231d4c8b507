"""From our rows to the facts of placement: which accounts and cells may take an instance."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Count, Q

from accounts.models import CloudAccount, Organisation
from accounts.states import AccountState
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
    return place(
        PlanFacts(Hosting(plan.hosting), Tenancy(plan.tenancy), plan.regions),
        organisation=str(organisation.pk),
        cloud=cloud,
        region=region,
        account=_facts(account, Hosting.CUSTOMER) if account else None,
        hosts=[_host_facts(host) for host in hosts],
        cells=_cells(accounts, region),
    )


def _hosts(plan: Plan, cloud: str) -> Iterable[HostingAccount]:
    return HostingAccount.objects.select_related("account").filter(hosting=plan.hosting, account__cloud=cloud).order_by("account_id")


def _facts(account: CloudAccount, hosting: Hosting) -> AccountFacts:
    is_usable = account.state == AccountState.CONNECTED and not account.switched_off
    return AccountFacts(str(account.pk), account.cloud, hosting, is_usable)


def _host_facts(host: HostingAccount) -> AccountFacts:
    is_usable = host.account.state == AccountState.CONNECTED and not host.account.switched_off
    reserved = str(host.reserved_for_id) if host.reserved_for_id else ""
    return AccountFacts(str(host.account_id), host.account.cloud, Hosting(host.hosting), is_usable, reserved, host.is_open)


def _cells(accounts: Sequence[UUID], region: str) -> list[CellFacts]:
    alive = Count("instances", filter=Q(instances__state__in=sorted(ALIVE_INSTANCES)))
    columns = ("pk", "account_id", "region", "state", "taken", "most_instances")
    cells = Cell.objects.alive().filter(account__in=accounts, region=region).annotate(taken=alive).values_list(*columns)
    return [CellFacts(str(pk), str(account), where, CellState(state), taken, most) for pk, account, where, state, taken, most in cells]
