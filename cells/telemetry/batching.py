"""Group commit: reports that arrive within a few milliseconds become one transaction, and each is answered after its COMMIT."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from cells.protocol.parsing import check_times
from cells.protocol.problems import Problem
from cells.telemetry.ingest import Received, store

log = structlog.get_logger()
LINGER_S = 0.004
MOST_ROWS = 1000
# More than this, or than settings.AGENT_WAITING requests, is told to come again.
MOST_WAITING_BYTES = 64 * 1024 * 1024


class Full(Exception):
    """The queue holds as much as it may."""


class NotStored(Exception):
    """The database did not take it; it may the next time."""


@dataclass(eq=False)
class Waiting:
    received: Received
    size: int
    since: float
    stored: "asyncio.Future[int]"


class Batcher:
    """One queue and one writing thread with a connection of its own. Used from one event loop."""

    def __init__(self) -> None:
        self._queue: list[Waiting] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._is_stopping = False

    async def put(self, received: Received, size: int) -> int:
        """The last number of the cell, once it is durable. Raises Full, NotStored."""
        if len(self._queue) >= settings.AGENT_WAITING or self._bytes + size > MOST_WAITING_BYTES:
            raise Full
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(received, size, time.monotonic(), stored))
        self._bytes += size
        self._wake.set()
        return await stored

    async def run(self) -> None:
        """Until `stop`, and then until nothing waits."""
        loop = asyncio.get_running_loop()
        while not self._is_stopping or self._queue:
            await self._wake.wait()
            if not self._queue:
                self._wake.clear()
                continue
            await self._linger()
            batch, self._queue = self._queue[:MOST_ROWS], self._queue[MOST_ROWS:]
            self._bytes -= sum(one.size for one in batch)
            if not self._queue and not self._is_stopping:
                self._wake.clear()
            answers = await loop.run_in_executor(self._writer, store_all, [one.received for one in batch])
            for one, answer in zip(batch, answers, strict=True):
                _answer(one, answer)
        await loop.run_in_executor(self._writer, connection.close)
        self._writer.shutdown()

    def stop(self) -> None:
        """What waits is still stored."""
        self._is_stopping = True
        self._wake.set()

    async def _linger(self) -> None:
        """Until the oldest has waited its few milliseconds: after a long COMMIT it has."""
        left = self._queue[0].since + LINGER_S - time.monotonic()
        if left > 0 and len(self._queue) < MOST_ROWS and not self._is_stopping:
            await asyncio.sleep(left)


def _answer(one: Waiting, answer: int | None) -> None:
    if one.stored.done():  # whoever sent it has gone
        return
    if answer is None:
        one.stored.set_exception(NotStored())
    else:
        one.stored.set_result(answer)


def store_all(batch: Sequence[Received]) -> list[int | None]:
    """The last number for each, None for what could not be stored, 0 for numbers that were refused. One that fails, fails alone."""
    sound = [_is_sound(one) for one in batch]
    if not all(sound):
        answers = iter(store_all([one for one, is_sound in zip(batch, sound, strict=True) if is_sound]) if any(sound) else [])
        return [next(answers) if is_sound else None for is_sound in sound]
    try:
        stored = _store(batch)
    except Exception as problem:  # noqa: BLE001  the edge of the writing thread: whatever it was, the next batch is written
        log.warning("reports_refused", reports=len(batch), error=type(problem).__name__)
        is_away = isinstance(problem, (OperationalError, InterfaceError))
        return [None] * len(batch) if is_away or len(batch) == 1 else [answer for one in batch for answer in store_all([one])]
    return [stored[one.reports.cell] for one in batch]


def _is_sound(one: Received) -> bool:
    """Looked at before the others are bound to it: one that makes the statement fail would have everybody's stored one by one."""
    try:
        check_times(one.reports, one.at)
    except Problem as problem:
        log.warning("reports_unsound", cell=str(one.reports.cell), problem=problem.code)
        return False
    return True


def _store(batch: Sequence[Received]) -> dict[UUID, int]:
    """Storing again what was stored changes nothing, so a connection that broke is replaced and the batch tried once more."""
    try:
        _connect()
        return store(batch)
    except (OperationalError, InterfaceError) as problem:
        log.warning("reports_tried_again", reports=len(batch), error=type(problem).__name__)
        with contextlib.suppress(DatabaseError):
            connection.close()
    _connect()
    return store(batch)


def _connect() -> None:
    """Of the writing thread. Its statements are planned once: a plan for arrays of any length, by index and never by reading the tables."""
    if connection.connection is None:
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
