"""From bytes to a document, strictly. Knows no request: the batching server beside Django uses the same functions."""

import re
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from cells.protocol.access import Grant
from cells.protocol.documents import Reports, Strict, TokenRequest
from cells.protocol.problems import Problem

MOST_BYTES = 256 * 1024
# An agent's clock may be a little ahead.
AHEAD_S = 120
Document = TypeVar("Document", bound=Strict)
_UNKNOWN = re.compile(r"unknown field `(.{1,80}?)`", re.DOTALL)
_PLACE = re.compile(r"`(\$[^`]*)`$")
_reports = msgspec.json.Decoder(Reports)


def parse(body: bytes, kind: type[Document]) -> Document:
    """Raises Problem that names the field."""
    _check_size(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _refusal(str(problem)) from problem


def parse_form(body: bytes) -> TokenRequest:
    """Raises Problem."""
    _check_size(body)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=10)
        if len(dict(pairs)) != len(pairs):
            raise Problem("malformed", "A field stands there twice.")
        return msgspec.convert(dict(pairs), TokenRequest)
    except (msgspec.ValidationError, UnicodeDecodeError, ValueError) as problem:
        raise _refusal(str(problem)) from problem


def parse_reports(body: bytes, grant: Grant, now: float) -> Reports:
    """A batch that this agent may send. Raises Problem."""
    _check_size(body)
    try:
        batch = _reports.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _refusal(str(problem)) from problem
    if batch.cell != grant.cell:
        raise Problem("wrong_cell", "An agent reports on its own cell only.")
    newest = max(report.at.timestamp() for report in batch.reports)
    if newest > now + AHEAD_S:
        detail = f"A report is of {int(newest - now)} seconds in the future. Set the clock of the agent's machine."
        raise Problem("clock_skew", detail, more={"server_time": now})
    return batch


def _check_size(body: bytes) -> None:
    if len(body) > MOST_BYTES:
        raise Problem("too_large", f"At most {MOST_BYTES // 1024} KiB are taken at once. Send fewer reports.")


def _refusal(message: str) -> Problem:
    place = found.group(1) if (found := _PLACE.search(message)) else "$"
    unknown = _UNKNOWN.search(message)
    if unknown:
        field = f"{place}.{unknown.group(1)}"
        return Problem("unknown_field", f"{field} is not accepted: reports hold the described metadata only.", more={"field": field})
    return Problem("malformed", f"{message[:300]}.", more={"field": place})
