"""`POST /agent/v1/reports` on the way to Django: answered before any of its handling begins, and the reports of all threads together.

Where no process of its own takes the reports, this does. A report has no session, no cookie and no page, so nothing of their price is due.
"""

from collections.abc import Iterable
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from cells.protocol.limits import Gate, too_many
from cells.protocol.parsing import MOST_BYTES
from cells.protocol.problems import Problem
from cells.telemetry.intake.admission import AGAIN_S, HEADERS, PATH, Admission, answer, not_stored, received, tell_refusal
from cells.telemetry.intake.batching import Answered, Batcher, Full, Waiting

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Environ = dict[str, Any]

log = structlog.get_logger()
# One transaction costs as much as what a whole thread does for a report, and every thread that has one waits by now.
LINGER_S = 0.004


class ReportsFirst:
    """One a process, around Django. Whatever is not plainly a report, or not by https where that is wanted, is Django's to answer."""

    def __init__(self, rest: "WSGIApplication") -> None:
        self._rest = rest
        self._admission = Admission()
        self._storing = Gate(settings.AGENT_STORING)
        self._batcher = Batcher(_tell, linger_s=LINGER_S, full=settings.AGENT_STORING)

    def __call__(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST" or "CONTENT_LENGTH" not in environ or not _is_safe(environ):
            return self._rest(environ, start_response)
        try:
            status, headers, body = 200, HEADERS, answer(self._take(environ))
        except Problem as problem:
            tell_refusal(problem, environ.get("HTTP_X_REQUEST_ID", ""))
            status, headers, body = problem.status, list(problem.headers.items()), problem.body()
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _take(self, environ: Environ) -> int:
        """The last number of the cell, once it is durable. Raises Problem."""
        grant = self._admit(environ)
        body = _body(environ)
        waiting = Waiting(received(body, grant), len(body), Reply())
        with self._storing.entered() as has_room:
            if not has_room:
                raise too_many(AGAIN_S)
            try:
                self._batcher.put(waiting)
            except Full as problem:
                raise too_many(AGAIN_S) from problem
            last: int | None = waiting.stored.wait()
        if last is None:
            raise not_stored()
        return last

    def _admit(self, environ: Environ) -> Any:
        """Now and then it is looked up who is to be refused: the connection for that does not stay with a thread that needs none."""
        try:
            return self._admission.admit(
                environ.get("HTTP_AUTHORIZATION", ""), environ.get("CONTENT_TYPE", ""), environ.get("HTTP_CONTENT_ENCODING", "identity")
            )
        except DatabaseError as problem:
            log.warning("denied_not_read", error=type(problem).__name__)
            raise not_stored() from problem
        finally:
            if connection.connection is not None:
                connection.close()


class Reply:
    """What one thread waits for and another knows: a lock that is handed over, which costs a tenth of a Future."""

    __slots__ = ("_last", "_lock")

    def __init__(self) -> None:
        self._last: int | None = None
        self._lock = Lock()
        self._lock.acquire()

    def wait(self) -> int | None:
        with self._lock:
            return self._last

    def tell(self, last: int | None) -> None:
        self._last = last
        self._lock.release()


def _tell(answered: Answered) -> None:
    for one, last in answered:
        one.stored.tell(last)


def _body(environ: Environ) -> bytes:
    """Raises Problem."""
    length = environ["CONTENT_LENGTH"]
    if not (length.isascii() and length.isdigit()):
        raise Problem("malformed", "Content-Length is no number.")
    # One more than is taken, so that what is too large shows without being read whole.
    return bytes(environ["wsgi.input"].read(min(int(length), MOST_BYTES + 1)))


def _is_safe(environ: Environ) -> bool:
    """As Django sees it."""
    if not settings.SECURE_SSL_REDIRECT or environ["wsgi.url_scheme"] == "https":
        return True
    name, value = settings.SECURE_PROXY_SSL_HEADER or ("", "")
    return bool(name) and environ.get(name) == value
