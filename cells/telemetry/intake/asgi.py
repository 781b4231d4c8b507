"""`POST /agent/v1/reports` in a process of its own beside Django: a bare ASGI callable in front of one group commit.

The same token, the same strict documents, the same statement and the same refusals as the view in `cells.views.agent`, which stays:
whoever routes the path to Django gets the same answers, at a higher price.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.db import DatabaseError, connection

from cells.protocol.access import denied
from cells.protocol.limits import too_many
from cells.protocol.parsing import MOST_BYTES
from cells.protocol.problems import Problem
from cells.telemetry.intake.admission import AGAIN_S, HEADERS, PATH, Admission, answer, not_stored, received, tell_refusal
from cells.telemetry.intake.batching import Answered, Batcher, Full, NotStored, Waiting

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger()
BODY_WITHIN_S = 10.0
# One COMMIT costs as much as some twenty reports. No agent notices the wait: it reports every thirty seconds.
LINGER_S = 0.012
DENIED_EVERY_S = 2.0
# Whom to refuse is older than this: then nobody is let in.
DENIED_AT_MOST_S = 60.0
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS]


class Ingest:
    """One a process. Starts and ends with the server's lifespan."""

    def __init__(self) -> None:
        self._admission = Admission()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="denied")
        self._loop: asyncio.AbstractEventLoop
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
            headers = dict(scope["headers"])
            try:
                await _send(send, 200, _HEADERS, answer(await self._take(headers, receive)))
            except Problem as problem:
                tell_refusal(problem, headers.get(b"x-request-id", b"").decode("latin-1"))
                named = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
                await _send(send, problem.status, named, problem.body())
            except Gone:
                return

    async def _take(self, headers: dict[bytes, bytes], receive: Receive) -> int:
        """The last number of the cell, once it is durable. Raises Problem, Gone."""
        self._check_denied_is_fresh()
        grant = self._admission.admit(
            headers.get(b"authorization", b"").decode("latin-1"),
            headers.get(b"content-type", b"").decode("latin-1"),
            headers.get(b"content-encoding", b"identity").decode("latin-1"),
        )
        body = await _body(receive)
        stored = self._loop.create_future()
        try:
            self._batcher.put(Waiting(received(body, grant), len(body), stored))
            return int(await stored)
        except Full as problem:
            raise too_many(AGAIN_S) from problem
        except NotStored as problem:
            raise not_stored() from problem

    def _check_denied_is_fresh(self) -> None:
        if time.monotonic() - self._denied_read_at > DENIED_AT_MOST_S:
            raise Problem("not_stored", "It cannot be told at present whether this agent may report.", retry_after=AGAIN_S)

    # --- From the server's start to its end ---

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        denied.is_read_aside = True
        self._loop = asyncio.get_running_loop()
        self._batcher = Batcher(lambda answered: self._loop.call_soon_threadsafe(_tell, answered), linger_s=LINGER_S)
        await self._read_denied()
        reading = asyncio.create_task(self._keep_reading_denied())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # The server has answered everybody by now.
        await asyncio.to_thread(self._batcher.stop)
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
        if await self._loop.run_in_executor(self._reader, _renew_denied):
            self._denied_read_at = began


class Gone(Exception):
    """The agent hung up while it was sending."""


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


def _tell(answered: Answered) -> None:
    for one, last in answered:
        if one.stored.done():  # whoever sent it has gone
            continue
        if last is None:
            one.stored.set_exception(NotStored())
        else:
            one.stored.set_result(last)


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
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
