"""Scheduled work of cells: Celery shells around functions that tests call directly."""

from uuid import UUID

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError as BrokerGone

from cells.steps import drift

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
