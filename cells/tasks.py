"""Scheduled work of cells: Celery shells around functions that tests call directly."""

from uuid import UUID

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError as BrokerGone

from cells.models import InstanceDraft
from cells.steps import drift
from cells.support import results
from cells.telemetry.alarms import raise_and_end
from cells.telemetry.changes import forget_old
from cells.telemetry.partitions import keep_partitions
from cells.telemetry.sweep import sweep

log = structlog.get_logger()


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=20, time_limit=30)
def compare_due_cells() -> int:
    """Ring for each cell whose comparison is due. Tenancy: ids only. Returns how many bells were sent."""
    return sum(_ring(str(pk)) for pk in drift.take_due())


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def compare_cell(cell_id: str) -> None:
    """One comparison of one cell. Tenancy: the cell's own account and kit."""
    drift.compare(UUID(cell_id))


def _ring(cell_id: str) -> bool:
    """A broker that is away costs time: the round rings again once the cell is due."""
    try:
        compare_cell.delay(cell_id)
    except BrokerGone:
        log.warning("drift_not_rung", cell=cell_id)
        return False
    return True


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=50, time_limit=60)
def tend_agent_orders() -> int:
    """Orders that no agent has fetched or answered in time. Tenancy: each row by itself. Returns how many have ended."""
    return results.tend_orders()


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_agents() -> None:
    """Who fell silent, who came back, who is to be told. Tenancy: by times alone; a mail goes to the contacts of what it is about."""
    if swept := sweep():
        raise_and_end(swept.listening_since)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def keep_history() -> None:
    """Partitions of the days to come, an end to what is too old. Tenancy: by age alone."""
    keep_partitions()
    forget_old()
    InstanceDraft.objects.abandoned().delete()
