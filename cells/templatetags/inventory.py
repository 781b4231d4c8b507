"""What a deletion found of a cell, for the page of the cell and of its operation, which does not know cells."""

from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cells.availability import why_not_keep
from cells.models import CellResource
from cells.models.resources import Outcome
from cells.place_words import region_name
from cells.states import CellState

register = template.Library()


@dataclass(frozen=True)
class Region:
    """Found, removed and kept in one region."""

    name: str
    rows: list[CellResource]
    is_under_way: bool  # the deletion works on it

    @property
    def standing(self) -> list[CellResource]:
        """What still costs: first what keeps the deletion from its end, then what is kept on purpose."""
        rows = [row for row in self.rows if row.outcome != Outcome.REMOVED and not self._has_its_turn(row)]
        return sorted(rows, key=lambda row: (row.outcome == Outcome.KEPT, not row.is_stuck))

    @property
    def waiting(self) -> list[CellResource]:
        """Nothing is wrong with them: their turn comes."""
        return [row for row in self.rows if self._has_its_turn(row)]

    def _has_its_turn(self, row: CellResource) -> bool:
        return self.is_under_way and row.outcome == Outcome.FOUND and not row.is_stuck

    @property
    def removed(self) -> list[CellResource]:
        return [row for row in self.rows if row.outcome == Outcome.REMOVED]

    def _count(self, outcome: Outcome) -> int:
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def sentence(self) -> str:
        """As in: 12 resources found: 10 removed, 1 kept on purpose, 1 still there."""
        found = ngettext("%(number)s resource found", "%(number)s resources found", len(self.rows)) % {"number": len(self.rows)}
        counts = [
            (self._count(Outcome.REMOVED), _("%(number)s removed")),
            (self._count(Outcome.KEPT), _("%(number)s kept on purpose")),
            (len(self.waiting), _("%(number)s to be removed")),
            (self._count(Outcome.FOUND) - len(self.waiting), _("%(number)s still there")),
        ]
        return f"{found}: {', '.join(words % {'number': number} for number, words in counts if number)}."


@dataclass(frozen=True)
class Inventory:
    rows: list[CellResource]

    @property
    def regions(self) -> list[Region]:
        return [
            Region(region_name(group[0].account.cloud, region), group, self.is_under_way)
            for region, rows in groupby(self.rows, lambda row: row.region)
            if (group := list(rows))
        ]

    @property
    def is_under_way(self) -> bool:
        cell = self.rows[0].cell if self.rows else None
        return cell is not None and cell.state == CellState.DELETING

    @property
    def can_decide(self) -> bool:
        """A deletion has failed, and waits for somebody."""
        cell = self.rows[0].cell if self.rows else None
        return cell is not None and not why_not_keep(cell)


@register.simple_tag
def cell_inventory(cell_id: UUID | str) -> Inventory:
    """One query, whatever the number of resources. Pages ask only for cells that they may show."""
    return Inventory(list(CellResource.objects.filter(cell_id=cell_id).select_related("account", "cell", "kept_by")))
