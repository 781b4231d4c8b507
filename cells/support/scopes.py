"""What of the fleet support access can be limited to: one cell, or one instance. Only what stands in the customer's own accounts."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from accounts.states import Use
from accounts.support.rules.scopes import Scope, ScopeKind, Wanted, account_serves_others, register
from cells.models import Cell, Instance


def cells(organisation: Organisation, wanted: Wanted) -> Iterator[Scope]:
    found = _open_cells(organisation).filter(Q(name__icontains=wanted.words) | Q(region__icontains=wanted.words))
    for cell in _within(found, wanted, account="account").order_by("name", "pk")[: wanted.most]:
        yield _of_cell(cell, organisation)


def cell(organisation: Organisation, pk: str) -> Scope | None:
    found = _open_cells(organisation).filter(pk=pk).first() if _is_id(pk) else None
    return _of_cell(found, organisation) if found else None


def instances(organisation: Organisation, wanted: Wanted) -> Iterator[Scope]:
    found = _open_instances(organisation).filter(Q(name__icontains=wanted.words) | Q(region__icontains=wanted.words))
    for instance in _within(found, wanted, account="cell__account", cell="cell").order_by("name", "pk")[: wanted.most]:
        yield _of_instance(instance, organisation)


def instance(organisation: Organisation, pk: str) -> Scope | None:
    found = _open_instances(organisation).filter(pk=pk).first() if _is_id(pk) else None
    return _of_instance(found, organisation) if found else None


def _of_cell(cell: Cell, organisation: Organisation) -> Scope:
    cell.organisation = organisation
    return Scope(
        kind="cell",
        id=str(cell.pk),
        label=cell.name,
        account=cell.account_id,
        region=cell.region,
        stack=cell.stack_name,
        url=cell.get_absolute_url(),
        inside=(f"account:{cell.account_id}",),
    )


def _of_instance(instance: Instance, organisation: Organisation) -> Scope:
    cell = instance.cell
    assert cell is not None
    instance.organisation = organisation
    return Scope(
        kind="instance",
        id=str(instance.pk),
        label=instance.name,
        account=cell.account_id,
        region=cell.region,
        stack=cell.stack_name,
        url=instance.get_absolute_url(),
        inside=(f"account:{cell.account_id}", f"cell:{cell.pk}"),
    )


def _open_instances(organisation: Organisation) -> QuerySet[Instance]:
    """Those that have come as far as their cell: of others, nothing is anywhere yet."""
    deployed = Instance.objects.deployed().filter(organisation=organisation, account__isnull=False, cell__in=_open_cells(organisation))
    return deployed.select_related("cell")


def _open_cells(organisation: Organisation) -> QuerySet[Cell]:
    """A cell whose stack was never ordered is left out: without the name of a stack, a grant would show every cell of the account.

    A cell in which the provider hosts holds what is other customers' too, so nobody can grant access to it.
    """
    usable = CloudAccount.objects.usable_for(Use.SUPPORT).filter(organisation=organisation, hosts=None)
    return Cell.objects.for_organisation(organisation).alive().filter(account__in=usable).exclude(stack_name="")


def _within(found: QuerySet, wanted: Wanted, **fields: str) -> QuerySet:  # type: ignore[type-arg]  # of either model
    """Only what lies in the scope that is wanted; nothing, where that is of a kind that holds none of these."""
    if not wanted.inside:
        return found
    kind, _separator, pk = wanted.inside.partition(":")
    return found.filter(**{fields[kind]: pk}) if kind in fields and _is_id(pk) else found.none()


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


account_serves_others(Q(hosts__isnull=False))
register(ScopeKind("cell", _("Deployment cell"), rank=1, search=cells, get=cell))
register(ScopeKind("instance", _("Instance"), rank=2, search=instances, get=instance))
