"""What of the fleet support access can be limited to: one cell, or one instance. Only what stands in the customer's own accounts."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from accounts.states import Use
from accounts.support.scopes import Scope, ScopeKind, register
from cells.models import Cell, Instance


def cells(organisation: Organisation) -> Iterator[Scope]:
    for cell in _open_cells(organisation).order_by("name", "pk"):
        cell.organisation = organisation
        yield Scope(
            kind="cell",
            id=str(cell.pk),
            label=cell.name,
            account=cell.account_id,
            region=cell.region,
            stack=cell.stack_name,
            url=cell.get_absolute_url(),
            inside=(f"account:{cell.account_id}",),
        )


def instances(organisation: Organisation) -> Iterator[Scope]:
    """Those that have come as far as their cell: of others, nothing is anywhere yet."""
    deployed = Instance.objects.deployed().filter(organisation=organisation, account__isnull=False, cell__in=_open_cells(organisation))
    for instance in deployed.select_related("cell").order_by("name", "pk"):
        cell = instance.cell
        assert cell is not None
        instance.organisation = organisation
        yield Scope(
            kind="instance",
            id=str(instance.pk),
            label=instance.name,
            account=cell.account_id,
            region=cell.region,
            stack=cell.stack_name,
            url=instance.get_absolute_url(),
            inside=(f"account:{cell.account_id}", f"cell:{cell.pk}"),
        )


def _open_cells(organisation: Organisation) -> QuerySet[Cell]:
    """A cell whose stack was never ordered is left out: without the name of a stack, a grant would show every cell of the account.

    A cell in which the provider hosts holds what is other customers' too, so nobody can grant access to it.
    """
    usable = CloudAccount.objects.usable_for(Use.SUPPORT).filter(organisation=organisation, hosts=None)
    return Cell.objects.for_organisation(organisation).alive().filter(account__in=usable).exclude(stack_name="")


register(ScopeKind("cell", _("Deployment cell"), rank=1, all_of=cells))
register(ScopeKind("instance", _("Instance"), rank=2, all_of=instances))
