"""Celery shells: the bell for one operation, and the round that rings every operation that is due."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from uuid import UUID

from celery import shared_task
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerGone

from portal.operations import driver
from portal.operations.models import Operation
from portal.operations.recorder import RING_AGAIN_AFTER

logger = logging.getLogger(__name__)

# A worker gives an operation back after driver.LONGEST_TURN_SECONDS; one step answers within a minute. The rest is slack.
SOFT_LIMIT_SECONDS = 270
HARD_LIMIT_SECONDS = 300
RING_BATCH = 2_000
# So many operations one message makes a worker drive side by side: its threads are these times Celery's own.
BELL_SIZE = 50


@shared_task(
    name="portal.operations.tasks.advance",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=SOFT_LIMIT_SECONDS,
    time_limit=HARD_LIMIT_SECONDS,
)
def advance(operation_id: str) -> None:
    """Drive one operation until it waits or ends. Ringing twice, or for an operation that ended, does nothing."""
    if driver.advance(UUID(operation_id)):
        advance.delay(operation_id)


@shared_task(
    name="portal.operations.tasks.advance_all",
    acks_late=True,
    ignore_result=True,
    soft_time_limit=SOFT_LIMIT_SECONDS,
    time_limit=HARD_LIMIT_SECONDS,
)
def advance_all(operation_ids: list[str]) -> None:
    """Drive several operations side by side, each in a thread of its own; one that breaks harms no other.

    A message costs the worker as much as ten steps do, and a step is mostly spent waiting for a cloud: so many share one message.
    """
    if connection.in_atomic_block:  # other threads would not see what this transaction has written
        for operation_id in operation_ids:
            advance(operation_id)
        return
    with ThreadPoolExecutor(len(operation_ids), thread_name_prefix="operations") as pool:
        turns = {one: pool.submit(copy_context().run, _turn, UUID(one)) for one in operation_ids}
    errors = [error for turn in turns.values() if (error := turn.exception())]
    _ring_all([one for one, turn in turns.items() if not turn.exception() and turn.result()])
    if errors:
        raise BaseExceptionGroup("operations were not driven", errors)


def _turn(operation_id: UUID) -> bool:
    try:
        return driver.advance(operation_id)
    finally:
        connection.close()  # the thread ends here, and its connection would go with it


@shared_task(name="portal.operations.tasks.ring_due_operations", acks_late=True, ignore_result=True, soft_time_limit=20, time_limit=30)
def ring_due_operations() -> int:
    """Ring each due operation once; again only after a while, in case the bell was lost. Returns how many were rung."""
    silent = Q(rung_at=None) | Q(rung_at__lte=Now() - RING_AGAIN_AFTER)
    due = list(Operation.objects.due().filter(silent).order_by("next_run_at").values_list("pk", flat=True)[:RING_BATCH])
    if not due:
        return 0
    # Before the bells: whoever hears one must not find the row locked by this very statement.
    Operation.objects.filter(pk__in=due).update(rung_at=Now())
    rung = set(_ring_all([str(pk) for pk in due]))
    if silenced := [pk for pk in due if str(pk) not in rung]:
        Operation.objects.filter(pk__in=silenced).update(rung_at=None)
    return len(rung)


def ring(operation_id: UUID) -> None:
    """Ring once the caller's transaction commits. A broker that is away costs time, not the operation: the round finds it."""
    transaction.on_commit(partial(_ring, operation_id))


def _ring(operation_id: UUID) -> bool:
    return bool(_ring_all([str(operation_id)]))


def _ring_all(operation_ids: Sequence[str]) -> list[str]:
    """Bells for these, as many to a message as are driven side by side; answers those whose bell was sent."""
    bells = [list(operation_ids[at : at + BELL_SIZE]) for at in range(0, len(operation_ids), BELL_SIZE)]
    return [one for bell in bells if _send(bell) for one in bell]


def _send(bell: list[str]) -> bool:
    try:
        if len(bell) == 1:
            advance.delay(bell[0])
        else:
            advance_all.delay(bell)
    except BrokerGone:
        logger.warning("operations_not_rung operation_ids=%s", ",".join(bell))
        return False
    return True
