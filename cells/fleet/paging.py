"""Pages of a list by where the last one ended: the price of a page is the same at any depth."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import IntegerField, Q, QuerySet, Subquery

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


def page_of(
    rows: QuerySet[Any], order: Order, mark: Mark | None, size: int, columns: Sequence[str], *, total: QuerySet[Any], counts: bool
) -> Found:
    """`rows` are all that the filters leave, `total` all there are; `counts` asks for the number of the former too. One query."""
    shown = order.beyond(rows, mark) if mark else rows
    numbers = {"total": CountOf(total.order_by().values("pk"))}
    if counts:
        numbers["counted"] = CountOf(rows.order_by().values("pk")[: MAX_COUNTED + 1])
    page = list(order.sorted(shown).annotate(**numbers).values("id", *columns, *numbers)[: size + 1])
    last = page[size - 1] if len(page) > size else None
    first: dict[str, Any] = page[0] if page else {}
    next_mark = str(Mark(last[order.column], last["id"])) if last else ""
    return Found(page[:size], next_mark, first.get("counted"), first.get("total"))
