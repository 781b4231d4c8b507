"""The whole filtered list as a file, row by row: CSV for spreadsheets, JSON for programs. Times are UTC."""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import StreamingHttpResponse

from cells.models import Cell, Instance, InstanceRevision

BATCH = 2000
# What a spreadsheet takes for a formula when a cell begins with it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
INSTANCE_FIELDS = (
    *("id", "name", "plan", "state", "state_since", "health", "version", "size", "cloud", "region"),
    *("account_number", "account_name", "is_protected", "created_at"),
)
CELL_FIELDS = (
    *("id", "name", "state", "state_since", "cloud", "region", "account_number", "account_name", "stack_version"),
    *("agent_version", "last_heard_at", "drift", "instances", "created_at"),
)


def instance_values(instances: QuerySet[Instance]) -> QuerySet[Any, Any]:
    """In the order of `INSTANCE_FIELDS`. Of a cell that the provider hosts nothing is named, nor of its account."""
    newest = InstanceRevision.objects.filter(instance=OuterRef("pk"), number=OuterRef("revision"))
    named = {"plan_name": F("plan__name"), "number": F("account__external_id"), "account_name": F("account__name")}
    found = instances.annotate(version=Subquery(newest.values("release__version")), size=Subquery(newest.values("size__name")), **named)
    columns = (
        *("id", "name", "plan_name", "state", "state_at", "health", "version", "size", "cloud", "region", "number", "account_name"),
        *("is_protected", "created_at"),
    )
    return found.order_by("name", "id").values_list(*columns)


def cell_values(cells: QuerySet[Cell]) -> QuerySet[Any, Any]:
    """In the order of `CELL_FIELDS`; `number` is annotated before."""
    columns = (
        *("id", "name", "state", "state_at", "account__cloud", "region", "account__external_id", "account__name", "stack_version"),
        *("status__agent_version", "status__seen_at", "drift", "number", "created_at"),
    )
    return cells.order_by("name", "id").values_list(*columns)


def stream(rows: QuerySet[Any, Any], fields: Sequence[str], *, kind: str, name: str) -> StreamingHttpResponse:
    lines, content_type = (_csv(rows, fields), "text/csv") if kind == "csv" else (_json(rows, fields), "application/json")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=f"{content_type}; charset=utf-8", headers=headers)


class _Line:
    """What the CSV writer writes to: hands each line back."""

    def write(self, text: str) -> str:
        return text


def _csv(rows: QuerySet[Any, Any], fields: Sequence[str]) -> Iterator[str]:
    write = csv.writer(_Line()).writerow
    yield str(write(fields))
    for row in rows.iterator(BATCH):
        yield str(write([_harmless(_plain(value)) for value in row]))


def _json(rows: QuerySet[Any, Any], fields: Sequence[str]) -> Iterator[str]:
    separator = "[\n"
    for row in rows.iterator(BATCH):
        yield separator + json.dumps(dict(zip(fields, map(_plain, row), strict=True)), ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator.startswith(",") else "[]\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if value is None or isinstance(value, bool | int) else str(value)


def _harmless(value: Any) -> Any:
    """Text stays text, whatever opens the file."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
