"""Scheduled work of closings: Celery shells around functions that tests call directly."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerGone

from accounts.closing.erasing import due_erasures, erase_for_a_while
from accounts.closing.models import Closing, ClosingQuerySet
from accounts.closing.steps import close_due

log = structlog.get_logger()
BATCH = 20


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def close_due_organisations() -> int:
    """Close what is due. Tenancy: each row by itself and in its own transaction. Returns how many were looked at."""
    order = (F("failed_at").asc(nulls_first=True), "scheduled_for")
    due = list(Closing.objects.due().order_by(*order).values_list("pk", flat=True)[:BATCH])
    for pk in due:
        _try(Closing.objects.filter(pk=pk), partial(close_due, pk))
    return len(due)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def erase_what_is_over() -> int:
    """Ring for each closed organisation of which a term is over. Tenancy: ids only. Returns how many bells were sent."""
    due = due_erasures()
    return sum(_ring(str(organisation), term) for organisation, term in due[:BATCH])


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def erase_term(organisation_id: str, term: str) -> None:
    """Delete what one organisation's term holds, in batches. Tenancy: one organisation, which is closed."""
    key = UUID(organisation_id)
    _try(Closing.objects.closed().filter(organisation=key), partial(erase_for_a_while, key, term))


def _try(closing: ClosingQuerySet, act: Callable[[], None]) -> None:
    """One that raises keeps nobody else from its turn: it is noted for staff, and tried again after the others."""
    try:
        act()
    except Exception as error:
        log.exception("closing_failed", closings=[str(pk) for pk in closing.values_list("pk", flat=True)])
        closing.update(failed_at=timezone.now())
        if isinstance(error, SoftTimeLimitExceeded):
            raise
    else:
        closing.failing().update(failed_at=None)


def _ring(organisation_id: str, term: str) -> bool:
    """A broker that is away costs time: the next round rings again."""
    try:
        erase_term.delay(organisation_id, term)
    except BrokerGone:
        log.warning("erasure_not_rung", organisation=organisation_id, term=term)
        return False
    return True
