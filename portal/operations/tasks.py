"""Celery shells: the bell for one operation, and the round that rings every operation that is due."""

import logging
from functools import partial
from uuid import UUID

from celery import shared_task
from django.db import transaction
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
RING_BATCH = 500


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


@shared_task(name="portal.operations.tasks.ring_due_operations", acks_late=True, ignore_result=True, soft_time_limit=20, time_limit=30)
def ring_due_operations() -> int:
    """Ring each due operation once; again only after a while, in case the bell was lost. Returns how many bells were sent."""
    silent = Q(rung_at=None) | Q(rung_at__lte=Now() - RING_AGAIN_AFTER)
    due = list(Operation.objects.due().filter(silent).order_by("next_run_at").values_list("pk", flat=True)[:RING_BATCH])
    if not due:
        return 0
    rung = [pk for pk in due if _ring(pk)]
    Operation.objects.filter(pk__in=rung).update(rung_at=Now())
    return len(rung)


def ring(operation_id: UUID) -> None:
    """Ring once the caller's transaction commits. A broker that is away costs time, not the operation: the round finds it."""
    transaction.on_commit(partial(_ring, operation_id))


def _ring(operation_id: UUID) -> bool:
    try:
        advance.delay(str(operation_id))
    except BrokerGone:
        logger.warning("operation_not_rung operation_id=%s", operation_id)
        return False
    return True
