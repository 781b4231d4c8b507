"""Scheduled work of closings: Celery shells around functions that tests call directly."""

from uuid import UUID

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError as BrokerGone

from accounts.closing.erasing import due_erasures, erase_for_a_while
from accounts.closing.models import Closing
from accounts.closing.steps import close_due

log = structlog.get_logger()
BATCH = 20


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def close_due_organisations() -> int:
    """Close what is due. Tenancy: each row by itself and in its own transaction. Returns how many were looked at."""
    due = list(Closing.objects.due().order_by("scheduled_for").values_list("pk", flat=True)[:BATCH])
    for pk in due:
        close_due(pk)
    return len(due)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def erase_what_is_over() -> int:
    """Ring for each closed organisation of which a term is over. Tenancy: ids only. Returns how many bells were sent."""
    due = due_erasures()
    return sum(_ring(str(organisation), term) for organisation, term in due[:BATCH])


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def erase_term(organisation_id: str, term: str) -> None:
    """Delete what one organisation's term holds, in batches. Tenancy: one organisation, which is closed."""
    erase_for_a_while(UUID(organisation_id), term)


def _ring(organisation_id: str, term: str) -> bool:
    """A broker that is away costs time: the next round rings again."""
    try:
        erase_term.delay(organisation_id, term)
    except BrokerGone:
        log.warning("erasure_not_rung", organisation=organisation_id, term=term)
        return False
    return True
