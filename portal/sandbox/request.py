"""One HTTP request, read once: who calls which action of which service, in which account."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import HTTP
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES = 64 * 1024 * 1024
CREDENTIAL = re.compile(r"Credential=([^/,\s]*)/[^/]*/([^/]*)/([^/]*)/")
ROOT_KEY = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @cached_property
    def credential(self) -> tuple[str, str, str]:
        """Access key, region and service of the signature's scope; empty where the request is not signed."""
        found = CREDENTIAL.search(self.headers.get("authorization", ""))
        if found:
            return found.group(1), found.group(2), found.group(3)
        match (self.query.get("X-Amz-Credential") or [""])[0].split("/"):
            case [key, _date, region, service, _ending]:
                return key, region, service
        return (self.query.get("AWSAccessKeyId") or [""])[0], "", ""

    @property
    def access_key(self) -> str:
        return self.credential[0]

    @property
    def region(self) -> str:
        return self.credential[1] or "us-east-1"

    @property
    def is_signed(self) -> bool:
        return bool(self.headers.get("authorization")) or bool(self.credential[0])

    @property
    def is_root(self) -> bool:
        """Signed with an account number, which ministack takes for that account's root, or with no key at all."""
        return self.is_signed and (not self.access_key or self.access_key == "test" or bool(ROOT_KEY.fullmatch(self.access_key)))

    @cached_property
    def form(self) -> dict[str, list[str]]:
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {**self.query, **parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)}
        if self.headers.get("content-type", "").startswith("multipart/form-data"):
            return {**self.query, **self._parts}
        return self.query

    @property
    def _parts(self) -> dict[str, list[str]]:
        """The fields of a form that may hold a file; of a file its text. Line ends are as sent."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        found: dict[str, list[str]] = {}
        for part in message_from_bytes(head + self.body, policy=HTTP).iter_parts():
            name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(content, bytes):
                found.setdefault(name, []).append(content.decode("utf-8", "replace"))
        return found

    @property
    def service(self) -> str:
        """The service's name in the signature; of an unsigned request, what its shape says."""
        if self.credential[2]:
            return self.credential[2]
        return "sts" if "WebIdentity" in self.action else "s3"

    @property
    def action(self) -> str:
        """`CreateStack`; of REST services the method and path."""
        target = self.headers.get("x-amz-target", "")
        return (self.form.get("Action") or [""])[0] or target.rpartition(".")[2] or f"{self.method} {self.path}"


async def read(scope: Scope, receive: Receive) -> Request | None:
    """The whole request, or None when the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            return None
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    return Request(scope["method"], scope["path"], query, headers, bytes(body))


def replay(request: Request, receive: Receive) -> Receive:
    """Gives the body once more to the application behind, then whatever the client does."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    return again
