"""Rows as a file, streamed: CSV for spreadsheets, JSON for programs. Times are UTC."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.http import StreamingHttpResponse

# What a spreadsheet takes for a formula where a cell begins: for one that is set to semicolons or tabs, within our text, too.
FORMULA = re.compile(r"""^(?=[\t\r])|(^|[;\t\r\n])("*)(?=[=+@-])""")


def stream_rows(rows: Iterable[Sequence[Any]], fields: Sequence[str], *, kind: str, name: str) -> StreamingHttpResponse:
    lines, content_type = (csv_lines(rows, fields), "text/csv") if kind == "csv" else (json_lines(rows, fields), "application/json")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=f"{content_type}; charset=utf-8", headers=headers)


class _Line:
    """What the CSV writer writes to: hands each line back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Sequence[Any]], fields: Sequence[str]) -> Iterator[str]:
    write = csv.writer(_Line()).writerow
    yield str(write(fields))
    for row in rows:
        yield str(write([_harmless(_plain(value)) for value in row]))


def json_lines(rows: Iterable[Sequence[Any]], fields: Sequence[str]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(dict(zip(fields, map(_plain, row), strict=True)), ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator.startswith(",") else "[]\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if value is None or isinstance(value, bool | int | list | dict) else str(value)


def _harmless(value: Any) -> Any:
    """Text stays text, whatever opens the file."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return FORMULA.sub(r"\1\2'", value) if isinstance(value, str) else value
