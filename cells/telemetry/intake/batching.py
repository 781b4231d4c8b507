"""Group commit: reports that arrive within a few milliseconds become one transaction, and each is answered after its COMMIT."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from cells.protocol.parsing import check_times
from cells.protocol.problems import Problem
from cells.telemetry.ingest import Received, store

log = structlog.get_logger()
MOST_ROWS = 1000
# More than this, or than settings.AGENT_WAITING requests, is told to come again.
MOST_WAITING_BYTES = 64 * 1024 * 1024
TELL_EVERY_S = 60.0


class Full(Exception):
    """The queue holds as much as it may."""


class NotStored(Exception):
    """The database did not take it; it may the next time."""


@dataclass(eq=False, slots=True)
class Waiting:
    """One request, and whom to tell: a future of the event loop, or the reply of a thread."""

    received: Received
    size: int
    stored: Any
    since: float = field(default_factory=time.monotonic)


Answered = list[tuple[Waiting, int | None]]


class Batcher:
    """One queue, and one writing thread with a connection of its own. `tell` hears in that thread what became of a batch.

    The thread starts with the first report: a server forks its workers before that.
    """

    def __init__(self, tell: Callable[[Answered], object], *, linger_s: float, full: int = MOST_ROWS) -> None:
        """A batch waits for others until its oldest has waited for `linger_s`, or until it is `full`."""
        self._tell = tell
        self._linger_s = linger_s
        self._full = full
        self._most = settings.AGENT_WAITING
        self._queue: list[Waiting] = []
        self._bytes = 0
        self._there = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._tally = Tally()

    def put(self, one: Waiting) -> None:
        """It is told once it is durable, or was not stored. Raises Full."""
        with self._there:
            if len(self._queue) >= self._most or self._bytes + one.size > MOST_WAITING_BYTES:
                raise Full
            self._queue.append(one)
            self._bytes += one.size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
                self._thread.start()
            if len(self._queue) in {1, self._full}:
                self._there.notify()

    def stop(self) -> None:
        """Returns when what waited is stored and told."""
        with self._there:
            self._is_stopping = True
            self._there.notify()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while self._is_any_waiting():
            self._linger()
            with self._there:
                batch, self._queue = self._queue[:MOST_ROWS], self._queue[MOST_ROWS:]
                self._bytes -= sum(one.size for one in batch)
            answers = store_all([one.received for one in batch])
            self._tell(list(zip(batch, answers, strict=True)))
            self._tally.add(answers)
        connection.close()

    def _is_any_waiting(self) -> bool:
        with self._there:
            while not self._queue and not self._is_stopping:
                self._there.wait()
            return bool(self._queue)

    def _linger(self) -> None:
        """After a long COMMIT the oldest has waited enough."""
        with self._there:
            left = self._queue[0].since + self._linger_s - time.monotonic()
            if left > 0:
                self._there.wait_for(lambda: len(self._queue) >= self._full or self._is_stopping, left)


class Tally:
    """A line each minute in which there was anything: a line a report would cost more than storing it."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._reports = self._batches = self._not_stored = 0

    def add(self, answers: Sequence[int | None]) -> None:
        self._reports += len(answers)
        self._batches += 1
        self._not_stored += answers.count(None)
        if (now := time.monotonic()) - self._since >= TELL_EVERY_S:
            log.info("reports_taken", requests=self._reports, batches=self._batches, not_stored=self._not_stored)
            self._since, self._reports, self._batches, self._not_stored = now, 0, 0, 0


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


def _store(batch: Sequence[Received]) -> dict[Any, int]:
    """Storing again what was stored changes nothing, so a connection that broke is replaced and the batch tried once more."""
    try:
        return store(batch)
    except (OperationalError, InterfaceError) as problem:
        log.warning("reports_tried_again", reports=len(batch), error=type(problem).__name__)
        with contextlib.suppress(DatabaseError):
            connection.close()
    return store(batch)
