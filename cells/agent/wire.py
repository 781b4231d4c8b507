"""One kept-open connection to the portal: requests, answers, and why it refused."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 20
LONGEST_AWAY_SECONDS = 3600.0
MOST_ANSWER_BYTES = 8 * 1024 * 1024


class PortalAwayError(Exception):
    """No answer, or one that says to come again later: `retry_after` seconds from now, where it says when."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(Exception):
    """The portal understood, and said no: `code` is stable."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", f"http_{status}"))
        self.server_time = float(problem.get("server_time") or 0)
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


class Portal:
    """Not for several threads at once: each has its own."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._connection: http.client.HTTPConnection | None = None

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> Answer:
        """Every call may be sent twice. Raises PortalAwayError, RefusedError."""
        was_kept = self._connection is not None
        try:
            return self._checked(*self._once(method, path, body, headers or {}, timeout))
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            if not was_kept:
                raise PortalAwayError(f"{type(problem).__name__}: {problem}") from problem
        # The connection had been kept for long, and the other side has closed it meanwhile.
        return self.call(method, path, body, headers, timeout)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float) -> tuple[int, Any, bytes]:
        connection = self._connection or self._open(timeout)
        self._connection = connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request(method, f"{urlsplit(self.url).path}{path}", body, {"User-Agent": "byoc-agent", **headers})
        answer = connection.getresponse()
        content = answer.read(MOST_ANSWER_BYTES + 1)
        if len(content) > MOST_ANSWER_BYTES:
            raise http.client.HTTPException("The answer is too long.")
        return answer.status, answer.headers, content

    def _open(self, timeout: float) -> http.client.HTTPConnection:
        """Through the proxy of the environment, where it names one."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        proxy = "" if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(parts.scheme, "")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        if not proxy:
            return kind(host, port, timeout=timeout)
        through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        connection = kind(through.hostname or "", through.port, timeout=timeout)
        connection.set_tunnel(host, port)
        return connection

    def _checked(self, status: int, headers: Any, content: bytes) -> Answer:
        named = {name.lower(): value for name, value in headers.items()}
        value = _json(content) if "json" in named.get("content-type", "") else None
        if status in {http.HTTPStatus.TOO_MANY_REQUESTS} or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise PortalAwayError(f"HTTP {status}", seconds_of(named.get("retry-after", "")))
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise RefusedError(status, value if isinstance(value, dict) else {})
        # A sign-in page of some network on the way, or another program on that port.
        if status not in {200, 201, 304} or (status != http.HTTPStatus.NOT_MODIFIED and not isinstance(value, dict)):
            raise PortalAwayError(f"HTTP {status}: this is not the portal's answer")
        return Answer(status, named, value)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def seconds_of(retry_after: str) -> float:
    """Of a Retry-After header, in either of its forms. Nobody is sent away for longer than an hour."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError, IndexError, OverflowError):
            return 0.0
    return min(LONGEST_AWAY_SECONDS, seconds) if seconds > 0 else 0.0  # "nan" is neither
