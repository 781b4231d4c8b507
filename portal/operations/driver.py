"""Runs an operation: one lease, a loop over its persisted steps, until one waits or ends it."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from portal.operations.group import DATABASE_GONE, give_back
from portal.operations.models import Operation, Step, StepLog
from portal.operations.outcomes import Fail, Outcome, Retry
from portal.operations.recorder import MAX_LOST_LEASES, claim, hand_back, new_lines, record, renew_leases, spec_of, write_log
from portal.operations.transitions import LostRace, remember

logger = logging.getLogger(__name__)

RENEW_EVERY_SECONDS = 1.5
# A step that has not answered after this long loses its lease: the thread that renews it must not keep a hung call alive.
LONGEST_STEP_SECONDS = 240.0
# A worker gives a long operation back in time for the task's own limit (tasks.SOFT_LIMIT_SECONDS); the next one goes on.
LONGEST_TURN_SECONDS = 25.0
LOG_FLUSH_SECONDS = 1.0


class StepContext:
    """What a step is given. `data` is what earlier steps returned, `attempt` counts this step's attempts from 1."""

    def __init__(self, operation: Operation, step: Step) -> None:
        self.operation = operation
        self.step = step
        self.data: Mapping[str, Any] = MappingProxyType(operation.data)
        self.attempt = step.attempt
        self.lines: list[StepLog] = []
        self._flushed = time.monotonic()

    def log(self, line: str) -> None:
        """Say something on the operation's page. Secrets are removed; long steps show their lines while they run."""
        self.lines += new_lines(self.step, line)
        if time.monotonic() - self._flushed > LOG_FLUSH_SECONDS:
            write_log(self.step, self.lines)
            self._flushed = time.monotonic()

    def waited_for(self, why: str) -> timedelta:
        """How long this step has been waiting for this reason without a break; zero when it waits for another or for none."""
        if self.step.waiting_since is None or self.step.waiting_why != why:
            return timedelta()
        return self.now() - self.step.waiting_since

    def now(self) -> datetime:
        return timezone.now()


class Leases:
    """The leases this process holds, renewed by one thread that exists only while a step runs long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Fence, and when the step at hand began: recording the one before has renewed the lease.
        self._held: dict[UUID, tuple[int, float]] = {}
        self._is_renewing = False

    @contextmanager
    def hold(self, operation: Operation) -> Iterator[None]:
        with self._lock:
            self._held[operation.pk] = (operation.fence, time.monotonic())
            if not self._is_renewing:
                self._is_renewing = True
                threading.Thread(target=self._renew_while_held, name="operation-leases", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(operation.pk, None)

    def went_on(self, operation: Operation) -> None:
        """A step was recorded, which renewed the lease."""
        with self._lock:
            self._held[operation.pk] = (operation.fence, time.monotonic())

    def _renew_while_held(self) -> None:
        while True:
            time.sleep(RENEW_EVERY_SECONDS)
            now = time.monotonic()
            with self._lock:
                held = {pk: fence for pk, (fence, since) in self._held.items() if now - since < LONGEST_STEP_SECONDS}
                if not held:
                    self._is_renewing = False
                    return
                long = {pk: fence for pk, fence in held.items() if now - self._held[pk][1] >= RENEW_EVERY_SECONDS}
            if long:
                self._renew(long)

    def _renew(self, held: dict[UUID, int]) -> None:
        try:
            renew_leases(held)
        except DATABASE_GONE:
            logger.warning("operation_leases_not_renewed count=%d", len(held))
        finally:
            connection.close()  # back to the pool: nothing is held between two renewals


leases = Leases()


def advance(operation_id: UUID) -> bool:
    """Claim and drive one operation; a no-op for everybody who does not get the lease. True: ring again, there is more to do now."""
    claimed = claim(operation_id)
    if claimed is None:
        return False
    operation, steps = claimed
    turn_ends = time.monotonic() + LONGEST_TURN_SECONDS
    to_run = [step for step in steps if not step.is_done]
    try:
        with leases.hold(operation):
            for step, following in zip(to_run, [*to_run[1:], None], strict=True):
                if not _run_and_record(operation, step, following):
                    return False
                leases.went_on(operation)
                if time.monotonic() > turn_ends:
                    hand_back(operation)
                    return True
    except LostRace:
        logger.info("operation_result_ignored operation=%s fence=%d", operation.reference, operation.fence)
    return False


def _run_and_record(operation: Operation, step: Step, following: Step | None) -> bool:
    ctx = StepContext(operation, step)
    outcome = _run(ctx)
    before = (dict(vars(operation)), dict(vars(step)), dict(vars(following)) if following else {})
    with_hook = True
    # What is tried when writing an outcome itself fails (a hook of the kind raised): again later, at last without the hook.
    for fallback in (Retry("internal_error"), Fail("internal_error"), None):
        try:
            return record(operation, step, outcome, following=following, lines=ctx.lines, with_hook=with_hook)
        except (LostRace, *DATABASE_GONE):
            raise
        except Exception:
            if fallback is None:
                raise
            logger.exception("operation_outcome_not_recorded operation=%s step=%s", operation.reference, step.name)
            _restore(before, operation, step, following)
            outcome, with_hook = fallback, isinstance(fallback, Retry)
    return False


def _restore(before: tuple[dict[str, Any], ...], *rows: Operation | Step | None) -> None:
    """A transaction was rolled back: the objects at hand say again what the database says."""
    for values, row in zip(before, rows, strict=True):
        if row is not None:
            remember(row, values)


def _run(ctx: StepContext) -> Outcome:
    operation, step = ctx.operation, ctx.step
    if operation.lost_leases > MAX_LOST_LEASES:
        return Fail("worker_lost")
    if operation.cancel_requested_at is not None:
        return Retry("internal_error")  # never written: recording finds the wish to cancel and honours it
    give_back()
    try:
        return spec_of(operation, step).run(ctx)
    except DATABASE_GONE:
        raise
    except Exception:
        logger.exception("operation_step_raised operation=%s step=%s attempt=%d", operation.reference, step.name, step.attempt)
        return Retry("internal_error")
