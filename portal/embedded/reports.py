"""The demo's web server as the proxy that production has: it sends agents' reports on to the process that takes them, by a socket.

One address for agents, as in production. While that process is started again, Django's own way in takes the reports: one that was
stored twice counts once.
"""

import http.client
import logging
import socket
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.protocol.parsing import MOST_BYTES
from cells.telemetry.intake.admission import PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

logger = logging.getLogger(__name__)
WITHIN_S = 20.0
SENT_ON = {
    "HTTP_AUTHORIZATION": "Authorization",
    "CONTENT_TYPE": "Content-Type",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_X_REQUEST_ID": "X-Request-ID",
}


class Line(http.client.HTTPConnection):
    """To a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WITHIN_S)
        self.sock.connect(str(self._path))


class SendReportsOn:
    """Around the portal."""

    def __init__(self, rest: "WSGIApplication", path: Path) -> None:
        self._rest = rest
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH", "")
        is_report = environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST"
        if not (is_report and length.isascii() and length.isdigit() and int(length) <= MOST_BYTES):
            return self._rest(environ, start_response)
        body = environ["wsgi.input"].read(int(length))
        try:
            status, headers, answer = self._send(environ, body)
        except (OSError, http.client.HTTPException) as problem:
            logger.warning("reports_not_sent_on error=%s", type(problem).__name__)
            return self._rest(environ | {"wsgi.input": BytesIO(body)}, start_response)
        start_response(status, headers)
        return [answer]

    def _send(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        """Raises OSError, HTTPException."""
        line = Line(self._path)
        try:
            line.request("POST", PATH, body, {name: environ[key] for key, name in SENT_ON.items() if key in environ})
            answer = line.getresponse()
            content = answer.read()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in {"connection", "date", "server"}]
            return f"{answer.status} {answer.reason}", kept, content
        finally:
            line.close()
