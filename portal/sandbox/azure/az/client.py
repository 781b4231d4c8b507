"""Requests to the local Azure, as the CLI makes them: one token, one address, and waiting for what takes its time."""

import http.client
import json
import ssl
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

Body = dict[str, Any]
WAITED_SECONDS = 900.0
LOOK_SECONDS = 0.5
TIMEOUT_SECONDS = 60.0


class RefusedError(Exception):
    """Azure said no; the text is what the CLI prints."""

    def __init__(self, status: int, error: Body) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error

    def __str__(self) -> str:
        code, message = self.error.get("code", str(self.status)), self.error.get("message", "")
        lines = [f"({code}) {message}", f"Code: {code}", f"Message: {message}"]
        for detail in self.error.get("details") or []:
            lines += ["Exception Details:", f"\t({detail.get('code')}) {detail.get('message')}"]
        return "\n".join(lines)


class Client:
    def __init__(self, address: str, authority: str, token: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port
        self.context = ssl.create_default_context(cafile=authority)
        self.token = token

    def ask(self, method: str, path: str, version: str, body: object = None, **query: str) -> Any:
        """What is answered, None for nothing. Raises RefusedError."""
        full = f"{quote(path)}?{urlencode({**query, 'api-version': version})}"
        return self.send(method, full, json.dumps(body).encode() if body is not None else None)[1]

    def send(self, method: str, target: str, content: bytes | None = None) -> tuple[http.client.HTTPResponse, Any]:
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_SECONDS, context=self.context)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "User-Agent": "AZURECLI/2.91.0 (played)"}
        if content is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            found = answer.read()
        finally:
            connection.close()
        body = _read(found)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            error = body.get("error") if isinstance(body, dict) else None
            raise RefusedError(answer.status, error if isinstance(error, dict) else {"message": str(body)})
        return answer, body

    def every(self, path: str, version: str, **query: str) -> list[Body]:
        """A list with all its pages."""
        page = self.ask("GET", path, version, **query)
        rows: list[Body] = list(page["value"])
        while page.get("nextLink"):
            parts = urlsplit(page["nextLink"])
            page = self.send("GET", f"{parts.path}?{parts.query}")[1]
            rows += page["value"]
        return rows

    def wait(self, answer: http.client.HTTPResponse) -> Body:
        """Follows what was begun to its end; how it ended."""
        address = answer.getheader("Azure-AsyncOperation") or answer.getheader("Location") or ""
        ends = time.monotonic() + WAITED_SECONDS
        parts = urlsplit(address)
        while time.monotonic() < ends:
            answer, body = self.send("GET", f"{parts.path}?{parts.query}")
            is_open = body.get("status") in {"Accepted", "Running"} if isinstance(body, dict) else answer.status == HTTPStatus.ACCEPTED
            if not is_open:
                return body if isinstance(body, dict) else {"status": "Succeeded"}
            time.sleep(LOOK_SECONDS)
        raise RefusedError(408, {"code": "Timeout", "message": "The operation does not end."})


def _read(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode("utf-8", "replace")
