"""Calls of the local Google as the signed-in person."""

import http.client
import json
import sys
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from portal.sandbox.shell.session import Session

TRIES, POLL_SECONDS, WAIT_SECONDS = 4, 0.3, 120.0


class RefusedError(Exception):
    """An API's refusal, worded as gcloud words it."""

    def __init__(self, status: int, body: Any) -> None:
        error = body.get("error", {}) if isinstance(body, dict) else {}
        self.code = status
        self.status = str(error.get("status", "HTTPError"))
        lines = [f"{self.status}: {error.get('message', f'HTTP {status}')}"]
        for detail in error.get("details", []):
            lines.append(f"- '@type': {detail.get('@type')}")
            lines += [f"  {name}: {json.dumps(value)}" for name, value in detail.items() if name != "@type"]
        super().__init__("\n".join(lines))


class Api:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.listener = urlsplit(session.google)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises RefusedError; what a moment could mend is tried again."""
        for attempt in range(TRIES):
            status, answer = self._once(method, path, body)
            if status < HTTPStatus.BAD_REQUEST:
                return answer
            if status != HTTPStatus.TOO_MANY_REQUESTS and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(0.2 * 2**attempt)
        raise RefusedError(status, answer)

    def every(self, path: str, field: str) -> list[Any]:
        """A list with all its pages."""
        page = self.call("GET", path)
        rows = list(page.get(field, []))
        while page.get("nextPageToken"):
            page = self.call("GET", f"{path}{'&' if '?' in path else '?'}pageToken={page['nextPageToken']}")
            rows += page.get(field, [])
        return rows

    def _once(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.listener.hostname or "", self.listener.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.session.token}", "User-Agent": "gcloud/played"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, quote(path, safe="/:?&=,@%"), data, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            return 503, {"error": {"status": "UNAVAILABLE", "message": str(problem)}}
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content or b"{}")
        except ValueError:
            return answer.status, None

    def wait(self, api: str, operation: dict[str, Any]) -> dict[str, Any]:
        """Looks until the operation has ended; its response."""
        ends = time.monotonic() + WAIT_SECONDS
        while not operation.get("done") and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
            operation = self.call("GET", f"/{api}/v1/{operation['name']}")
        response: dict[str, Any] = operation.get("response", {})
        return {name: value for name, value in response.items() if name != "@type"}


def tell(line: str) -> None:
    """What gcloud says to a person goes to the error stream."""
    sys.stderr.write(line + "\n")
