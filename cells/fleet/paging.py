"""Pages of a list by where the last one ended: the price of a page is the same at any depth."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import IntegerField, Q, QuerySet, Subquery, Value

from portal.planned import A_KEY, A_TEXT, A_TIME, ANOTHER_KEY, Planned

# Beyond this a page says "more than": counting everything would make a page slower with every row.
MAX_COUNTED = 10_000
MOMENTS = {"created_at"}


@dataclass(frozen=True)
class Order:
    """A column, then the key: two rows of the same name have an order too."""

    column: str
    is_descending: bool

    @classmethod
    def of(cls, sort: str) -> Order:
        return cls(sort.removeprefix("-"), sort.startswith("-"))

    def sorted(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        sign = "-" if self.is_descending else ""
        return rows.order_by(f"{sign}{self.column}", f"{sign}id")

    def beyond(self, rows: QuerySet[Any], mark: Mark) -> QuerySet[Any]:
        """Rows after the mark. The first condition is what the index is entered by."""
        side = "lt" if self.is_descending else "gt"
        later = Q(**{f"{self.column}__{side}": mark.value}) | Q(**{f"id__{side}": mark.pk})
        return rows.filter(later, **{f"{self.column}__{side}e": mark.value})

    def mark(self, text: str) -> Mark | None:
        """The last row of the page before, from the address; None for anything else."""
        value, _separator, pk = text.rpartition("~")
        try:
            key = uuid.UUID(pk)
            found = Mark(datetime.fromisoformat(value) if self.column in MOMENTS else value, key)
        except ValueError:
            return None
        is_whole = "\0" not in value and (not isinstance(found.value, datetime) or found.value.tzinfo is not None)
        return found if is_whole else None


@dataclass(frozen=True)
class Mark:
    value: str | datetime
    pk: uuid.UUID

    def __str__(self) -> str:
        return f"{self.value.isoformat() if isinstance(self.value, datetime) else self.value}~{self.pk}"


class CountOf(Subquery):
    """How many rows a query finds, up to its limit, as a column beside other rows: one statement instead of two."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True)
class Found:
    """One page of rows, and where the next page begins. A number is None where it was not asked for, or no row is there to bring it."""

    rows: Sequence[dict[str, Any]]
    next_mark: str
    count: int | None
    total: int | None


NUMBERS = ("total", "counted")
LIMITS = {"total": None, "counted": MAX_COUNTED + 1}


@dataclass(frozen=True)
class PageQuery:
    """What brings a page of a list, for whatever organisation asks: one statement."""

    planned: Planned
    order: Order
    size: int
    columns: Sequence[str]

    @classmethod
    def written(
        cls, rows: QuerySet[Any], order: Order, size: int, columns: Sequence[str], *, numbers: Mapping[str, QuerySet[Any]], goes_on: bool
    ) -> PageQuery:
        """`rows` are all of the organisation `A_KEY` that the filters leave; `goes_on` is for pages after the first.

        `numbers` says what else to count: "total" all that there are, "counted" those that the filters leave, up to the limit.
        """
        asked: dict[str, Any] = dict.fromkeys(NUMBERS, Value(None, IntegerField()))
        asked |= {name: CountOf(each.order_by().values("pk")[: LIMITS[name]]) for name, each in numbers.items()}
        stand_in = Mark(A_TIME if order.column in MOMENTS else A_TEXT, ANOTHER_KEY)
        shown = order.beyond(rows, stand_in) if goes_on else rows
        columns = ("id", *columns)
        found = order.sorted(shown).annotate(**asked).values_list(*columns, *NUMBERS)[: size + 1]
        places = {"after": stand_in.value, "after_id": stand_in.pk} if goes_on else {}
        return cls(Planned.written(found, organisation=A_KEY, **places), order, size, columns)

    def page(self, organisation: uuid.UUID, mark: Mark | None) -> Found:
        after = {"after": mark.value, "after_id": mark.pk} if mark else {}
        page = self.planned.rows(organisation=organisation, **after)
        rows = [dict(zip(self.columns, row, strict=False)) for row in page[: self.size]]
        last = rows[-1] if len(page) > self.size else None
        next_mark = str(Mark(last[self.order.column], last["id"])) if last else ""
        total, counted = page[0][-len(NUMBERS) :] if page else (None, None)
        return Found(rows, next_mark, counted, total)
