"""From bytes to a document, strictly. Knows no request: the batching server beside Django uses the same functions."""

import re
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from cells.protocol.access import Grant
from cells.protocol.documents import Reports, Strict, TokenRequest
from cells.protocol.problems import Problem

MOST_BYTES = 256 * 1024
# An agent's clock may be a little ahead.
AHEAD_S = 120
# Longer than any agent keeps what it could not send.
OLDEST = timedelta(days=30)
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
    check_times(batch, datetime.fromtimestamp(now, UTC))
    return batch


def check_media(given: str, encoding: str, wanted: str) -> None:
    """What the head says of the body. Raises Problem."""
    if given.partition(";")[0].strip().lower() != wanted:
        raise Problem("wrong_media_type", f"Send {wanted}.")
    if encoding != "identity":
        raise Problem("wrong_media_type", "Send the body as it is, not compressed.")


def check_times(batch: Reports, now: datetime) -> None:
    """Times that a clock can have shown: others would be a burden to everything that reads them later. Raises Problem."""
    latest, oldest = now + timedelta(seconds=AHEAD_S), now - OLDEST
    newest = max(report.at for report in batch.reports)
    if newest > latest:
        detail = f"A report is of {int((newest - now).total_seconds())} seconds in the future. Set the clock of the agent's machine."
        raise Problem("clock_skew", detail, more={"server_time": now.timestamp()})
    for report in batch.reports:
        if report.at < oldest:
            raise Problem("malformed", f"A report is older than {OLDEST.days} days.", more={"field": "$.reports[...].at"})
        if any(not oldest <= event.at <= latest for event in report.events):
            detail = f"An event is older than {OLDEST.days} days, or in the future."
            raise Problem("malformed", detail, more={"field": "$.reports[...].events[...].at"})


def check_leap(last: int) -> None:
    """What `cells.telemetry.ingest.store` says of a cell. Raises Problem where the numbers went too far ahead to be taken."""
    if not last:
        detail = "The number of a report is too far beyond the last one that is stored. Count on one by one."
        raise Problem("malformed", detail, more={"field": "$.reports[...].seq"})


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
