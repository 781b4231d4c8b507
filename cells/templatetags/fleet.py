"""What pages of accounts show of the fleet. Tenancy does not know cells: its templates ask for these."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import template
from django.db.models import Count, Q

from accounts.access import Permission
from accounts.models import CloudAccount, Membership, Organisation
from cells.availability import why_not_create_in
from cells.fleet.rows import CELL_COLUMNS, cell_rows, with_number
from cells.fleet.summary import summary_of
from cells.models import Cell, Instance

register = template.Library()
SHOWN_CELLS = 20


@dataclass(frozen=True)
class Numbers:
    cells: int = 0
    instances: int = 0


@register.inclusion_tag("cells/fleet/_summary.html")
def fleet_summary(organisation: Organisation, membership: Membership, has_accounts: bool) -> dict[str, Any]:
    """For Home: how many there are, and which of them need somebody. Nothing where there is neither an account nor an instance."""
    can_manage, summary = membership.can(Permission.MANAGE_INSTANCES), summary_of(organisation)
    is_shown = has_accounts or summary.instances or summary.cells
    return {"organisation": organisation, "summary": summary, "can_manage": can_manage, "is_shown": is_shown}


@register.inclusion_tag("cells/fleet/_account_cells.html")
def account_cells(account: CloudAccount, membership: Membership) -> dict[str, Any]:
    """For the page of a cloud account: its cells, and the way to the next instance."""
    cells = with_number(Cell.objects.alive().filter(account=account)).order_by("region")
    rows = list(cells.values("id", *CELL_COLUMNS)[: SHOWN_CELLS + 1])
    takes_cells = not why_not_create_in(account)
    shown = {
        "rows": cell_rows(rows[:SHOWN_CELLS], account.organisation.slug),
        "is_cut": len(rows) > SHOWN_CELLS,
        "may_create": takes_cells and membership.can(Permission.MANAGE_INSTANCES),
    }
    return {"account": account, "takes_cells": takes_cells, **shown}


@register.simple_tag
def count_fleet(accounts: Iterable[CloudAccount]) -> str:
    """Gives each account of a list its `fleet`: how many cells and instances it holds. Two queries, whatever the length."""
    shown = list(accounts)
    alive = ~Q(state="deleted")
    cells = _numbers(Cell.objects.filter(alive, account__in=shown).order_by().values_list("account").annotate(Count("pk")))
    instances = _numbers(Instance.objects.filter(alive, account__in=shown).order_by().values_list("account").annotate(Count("pk")))
    for account in shown:
        account.fleet = Numbers(cells.get(account.pk, 0), instances.get(account.pk, 0))  # type: ignore[attr-defined]
    return ""


def _numbers(rows: Iterable[tuple[Any, int]]) -> dict[Any, int]:
    return dict(rows)
