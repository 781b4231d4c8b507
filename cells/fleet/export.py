"""The whole filtered list as a file, row by row: CSV for spreadsheets, JSON for programs. Times are UTC."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import StreamingHttpResponse

from cells.models import Cell, Instance, InstanceRevision
from portal.exports import stream_rows

BATCH = 2000
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
    return stream_rows(rows.iterator(BATCH), fields, kind=kind, name=name)
