"""Group commit: what many threads want written at one moment becomes one statement, and each is answered after its COMMIT."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError, connections
from psycopg.errors import DeadlockDetected

# The database went away under us: nothing can be recorded, the lease runs out and the operation is rung again.
DATABASE_GONE = (OperationalError, InterfaceError)
LARGEST_GROUP = 200

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class NotWritten(OperationalError):
    """The thread that wrote for us died while it did: like a database that went away, nobody knows what became of it."""


class Ticket(Generic[Item, Answer]):
    """One item, the thread that waits with it, and what it waits for."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.woken = threading.Event()
        self.answers: list[Answer] = []
        self.error: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        return bool(self.answers) or self.error is not None

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.answers[0]


class GroupCommit(Generic[Item, Answer]):
    """Whoever comes first writes for all who have come; meanwhile the others gather, and the first of them is next.

    There is no thread for it: alone, a caller writes at once on its own connection, as without a group. Only after a group of several does
    the next one wait `gather_seconds` for more to come. `write` gets items, answers in their order, and commits by itself.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Answer]], *, gather_seconds: float) -> None:
        self._write = write
        self._gather_seconds = gather_seconds
        self._lock = threading.Lock()
        self._queue: list[Ticket[Item, Answer]] = []
        self._is_led = False
        self._is_busy = False

    def submit(self, item: Item) -> Answer:
        if connections[DEFAULT_DB_ALIAS].in_atomic_block:  # what the caller's transaction has written, nobody else sees
            return self._write([item])[0]
        ticket: Ticket[Item, Answer] = Ticket(item)
        if not self._is_first(ticket):
            ticket.woken.wait()
        if not ticket.is_settled:
            self._lead()
        return ticket.result()

    def _is_first(self, ticket: Ticket[Item, Answer]) -> bool:
        with self._lock:
            self._queue.append(ticket)
            is_first, self._is_led = not self._is_led, True
            return is_first

    def _lead(self) -> None:
        """Write the first of the queue, which is our own, and all who come until then; then the next one leads, whatever happened."""
        with self._lock:
            group = [self._queue.pop(0)]
        try:
            if self._is_busy:
                time.sleep(self._gather_seconds)
            with self._lock:
                group += self._queue[: LARGEST_GROUP - 1]
                del self._queue[: LARGEST_GROUP - 1]
            self._is_busy = len(group) > 1
            self._settle(group)
        finally:
            self._pass_on()
            for ticket in group:
                if not ticket.is_settled:
                    ticket.error = NotWritten()
                ticket.woken.set()

    def _settle(self, group: Sequence[Ticket[Item, Answer]]) -> None:
        try:
            answers = self._write([ticket.item for ticket in group])
        except DatabaseError as error:
            if isinstance(error, DATABASE_GONE) and not isinstance(error.__cause__, DeadlockDetected):
                self._fail(group, error)
            else:
                self._settle_alone(group, error)
        except InterfaceError as error:
            self._fail(group, error)
        else:
            for ticket, answer in zip(group, answers, strict=True):
                ticket.answers.append(answer)

    def _fail(self, group: Sequence[Ticket[Item, Answer]], error: BaseException) -> None:
        for ticket in group:
            ticket.error = error

    def _settle_alone(self, group: Sequence[Ticket[Item, Answer]], error: DatabaseError) -> None:
        """One item that the database refuses must not cost the others theirs."""
        if len(group) == 1:
            self._fail(group, error)
            return
        for ticket in group:
            self._settle([ticket])

    def _pass_on(self) -> None:
        with self._lock:
            self._is_led = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()


def give_back() -> None:
    """The thread's connection goes back to the pool: whoever sleeps or asks a cloud must not sit on one."""
    here = connections[DEFAULT_DB_ALIAS]  # once: `django.db.connection` looks it up at each mention, and every step comes by here
    if here.connection is not None and "pool" in here.settings_dict["OPTIONS"] and not here.in_atomic_block:
        here.close()
