"""`POST /agent/v1/reports` in a process of its own beside Django: a bare ASGI callable in front of one group commit.

The same token, the same strict documents, the same statements and the same refusals as the view in `cells.views.agent`, which stays:
whoever routes the path to Django gets the same answers, at a higher price.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from django.db import DatabaseError, connection

from cells.protocol.access import bearer, denied, verify
from cells.protocol.documents import ReportsAnswer
from cells.protocol.limits import Buckets, too_many
from cells.protocol.parsing import MOST_BYTES, check_leap, parse_reports
from cells.protocol.problems import Problem
from cells.telemetry.batching import Batcher, Full, NotStored
from cells.telemetry.ingest import Received

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger()
PATH = "/agent/v1/reports"
JSON = b"application/json"
BODY_WITHIN_S = 10.0
DENIED_EVERY_S = 2.0
# Whom to refuse is older than this: then nobody is let in.
DENIED_AT_MOST_S = 60.0
AGAIN_S = 2


class Gone(Exception):
    """The agent hung up while it was sending."""


class Ingest:
    """One a process. Starts and ends with the server's lifespan."""

    def __init__(self) -> None:
        self._buckets = Buckets(burst=60, each_second=2)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="denied")
        self._batcher: Batcher
        self._denied_read_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] != PATH:
            await _send(send, 404, [], b"")
        elif scope["method"] != "POST":
            await _send(send, 405, [(b"allow", b"POST")], b"")
        else:
            try:
                body = msgspec.json.encode(ReportsAnswer(last_seq=await self._take(scope, receive)))
                await _send(send, 200, [(b"content-type", JSON), (b"cache-control", b"no-store")], body)
            except Problem as problem:
                headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
                await _send(send, problem.status, headers, problem.body())
            except Gone:
                return

    async def _take(self, scope: Scope, receive: Receive) -> int:
        """Raises Problem, Gone."""
        headers = dict(scope["headers"])
        now = time.time()
        self._check_denied_is_fresh()
        grant = verify(bearer(headers.get(b"authorization", b"").decode("latin-1")), now)
        self._buckets.take(grant.cell, time.monotonic())
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != JSON:
            raise Problem("wrong_media_type", "Send application/json.")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Problem("wrong_media_type", "Send the body as it is, not compressed.")
        body = await _body(receive)
        received = Received(parse_reports(body, grant, now), datetime.now(UTC))
        try:
            last = await self._batcher.put(received, len(body))
        except Full as problem:
            raise too_many(AGAIN_S) from problem
        except NotStored as problem:
            raise Problem("not_stored", "The reports could not be stored. Send them again.", retry_after=AGAIN_S) from problem
        check_leap(last)
        return last

    def _check_denied_is_fresh(self) -> None:
        if time.monotonic() - self._denied_read_at > DENIED_AT_MOST_S:
            raise Problem("not_stored", "It cannot be told at present whether this agent may report.", retry_after=AGAIN_S)

    # --- From the server's start to its end ---

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        denied.is_read_aside = True
        self._batcher = Batcher()
        await self._read_denied()
        writing, reading = asyncio.create_task(self._batcher.run()), asyncio.create_task(self._keep_reading_denied())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # The server has answered everybody by now.
        self._batcher.stop()
        await writing
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await send({"type": "lifespan.shutdown.complete"})

    async def _keep_reading_denied(self) -> None:
        while True:
            await asyncio.sleep(DENIED_EVERY_S)
            await self._read_denied()

    async def _read_denied(self) -> None:
        began = time.monotonic()
        if await asyncio.get_running_loop().run_in_executor(self._reader, _renew_denied):
            self._denied_read_at = began


def _renew_denied() -> bool:
    """In a thread of its own: no report waits for it."""
    try:
        denied.renew()
    except DatabaseError as problem:
        log.warning("denied_not_read", error=type(problem).__name__)
        with contextlib.suppress(DatabaseError):
            connection.close()
        return False
    return True


async def _body(receive: Receive) -> bytes:
    """Usually one message; a slow one has some seconds. Raises Problem, Gone."""
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        return bytes(message["body"])
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while message["type"] == "http.request":
                parts.append(message["body"])
                size += len(message["body"])
                if not message.get("more_body") or size > MOST_BYTES:
                    return b"".join(parts)
                message = await receive()
    except TimeoutError as problem:
        raise Problem("malformed", "The body did not arrive in time.") from problem
    raise Gone


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
