"""Diagnostic bundles are collected by the agent of the one cell that they are about."""

from uuid import UUID

from django.utils.translation import gettext as _

from accounts.support.brokering import bundles
from accounts.support.models import Bundle
from cells.models import Cell, Instance
from cells.support.handing import order_bundle, why_no_orders
from portal.operations.availability import refuse_if


def collect(bundle: Bundle) -> None:
    """In the transaction that begins to collect it. Raises NotAllowed."""
    instance = None
    if bundle.scope_kind == "instance":
        deployed = Instance.objects.deployed().filter(organisation=bundle.organisation_id, account=bundle.account_id)
        instance = deployed.select_related("cell").filter(pk=UUID(bundle.scope_id)).first()
        cell = instance.cell if instance else None
    else:
        own = Cell.objects.for_organisation(bundle.organisation).alive().filter(account=bundle.account_id)
        cell = own.filter(pk=UUID(bundle.scope_id)).first()
    refuse_if("" if cell else _("This cell or instance is not there any more."))
    assert cell is not None
    refuse_if(why_no_orders(cell))
    order_bundle(bundle, cell, instance)


bundles.COLLECTORS.append(collect)
bundles.SCOPES.update({"cell", "instance"})
