"""What every way in for reports asks of a request, and how it answers; the view in `cells.views.agent` is one more."""

import time
from datetime import UTC, datetime

import msgspec
import structlog

from cells.protocol.access import Grant, bearer, verify
from cells.protocol.documents import ReportsAnswer
from cells.protocol.limits import Buckets
from cells.protocol.parsing import check_leap, check_media, parse_reports
from cells.protocol.problems import Problem
from cells.telemetry.ingest import Received

log = structlog.get_logger()
PATH = "/agent/v1/reports"
JSON = "application/json"
HEADERS = [("content-type", JSON), ("cache-control", "no-store")]
AGAIN_S = 2


class Admission:
    """Of one process. An agent reports twice a minute and on change; after an absence it catches up."""

    def __init__(self) -> None:
        self._buckets = Buckets(burst=60, each_second=2)

    def admit(self, authorization: str, media_type: str, encoding: str) -> Grant:
        """From the head of a request. Raises Problem."""
        grant = verify(bearer(authorization), time.time())
        self._buckets.take(grant.cell, time.monotonic())
        check_media(media_type, encoding, JSON)
        return grant


def received(body: bytes, grant: Grant) -> Received:
    """Raises Problem."""
    now = time.time()
    return Received(parse_reports(body, grant, now), datetime.fromtimestamp(now, UTC))


def answer(last: int) -> bytes:
    """To the last number of the cell. Raises Problem."""
    check_leap(last)
    return msgspec.json.encode(ReportsAnswer(last_seq=last))


def not_stored() -> Problem:
    return Problem("not_stored", "The reports could not be stored. Send them again.", retry_after=AGAIN_S)


def tell_refusal(problem: Problem, request_id: str) -> None:
    """One line a request that was refused. Those that were taken are counted (`cells.telemetry.intake.batching`)."""
    log.info("report_refused", problem=problem.code, status=problem.status, request_id=request_id[:64])
