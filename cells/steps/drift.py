"""Scheduled read-only comparison of a cell with what was ordered. It takes no write lock, so no change ever waits for it.

What it finds is an axis of its own: a cell that has drifted is as ready as it was.
"""

from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.clouds.base import CloudError
from accounts.clouds.stacks import DriftLook
from accounts.issuer.tokens import KitReplaced
from accounts.models import CloudAccount, Kit
from accounts.states import Use
from cells.models import Cell
from cells.orders import order_of, stacks_of
from cells.states import CellState, Drift
from cells.transitions import subject_of_cell
from portal.audit import Actor, record

log = structlog.get_logger()
COMPARER = Actor.worker("drift")
EVERY = timedelta(hours=6)
LOOK_AGAIN = timedelta(seconds=30)  # where the cloud takes its time to compare
AFTER_A_REFUSAL = timedelta(hours=1)
LEASE = timedelta(minutes=6)  # longer than one look can take: its task is stopped before
MOST_A_ROUND = 100
MOST_DIFFERENCES = 200


def take_due() -> list[UUID]:
    """Ready cells whose comparison is due, each taken by one round: the next time is moved on before anybody looks."""
    with transaction.atomic():
        usable = CloudAccount.objects.usable_for(Use.COMPARE)
        due = Cell.objects.filter(state=CellState.READY, account__in=usable, drift_due_at__lte=timezone.now())
        ids = list(
            due.select_for_update(of=("self",), skip_locked=True).order_by("drift_due_at").values_list("pk", flat=True)[:MOST_A_ROUND]
        )
        Cell.objects.filter(pk__in=ids).update(drift_due_at=timezone.now() + LEASE)
    return ids


def compare(cell_id: UUID) -> None:
    """One look at one cell. A cell that is no longer ready is left alone: an operation changes it."""
    cell = Cell.objects.select_related("account__organisation", "organisation").get(pk=cell_id)
    if cell.state != CellState.READY or not cell.stack_name or cell.account.obstacle_to(Use.COMPARE):
        return
    try:
        order = order_of(cell)
        if order.token != cell.stack_token:  # an update is due: what stands is not what would be ordered now, by nobody's hand
            Cell.objects.filter(pk=cell_id).update(drift_due_at=timezone.now() + EVERY)
            return
        look = stacks_of(cell.account).find_drift(order)
    except (CloudError, KitReplaced, Kit.DoesNotExist) as refusal:
        # The watch over the trust tells of a loss; here nothing has been learned.
        log.info("drift_not_compared", cell=str(cell_id), code=getattr(refusal, "code", "access_ended"))
        Cell.objects.filter(pk=cell_id).update(drift_due_at=timezone.now() + AFTER_A_REFUSAL)
        return
    if not look.is_finished:
        Cell.objects.filter(pk=cell_id).update(drift_due_at=timezone.now() + LOOK_AGAIN)
        return
    _keep(cell, look)


def _keep(cell: Cell, look: DriftLook) -> None:
    """The finding, and one event when it is another than before. Written only over the state it was found in."""
    now = timezone.now()
    found = Drift.UNKNOWN if not look.is_compared else Drift.DRIFTED if look.differences else Drift.IN_SYNC
    differences = [asdict(difference) for difference in look.differences[:MOST_DIFFERENCES]]
    with transaction.atomic():
        locked = Cell.objects.select_for_update().get(pk=cell.pk)
        if locked.state != CellState.READY or locked.stack_token != cell.stack_token:
            return
        was = Drift(locked.drift)
        Cell.objects.filter(pk=cell.pk).update(drift=found, drift_at=now, drift_due_at=now + EVERY, differences=differences)
        has_news = found == Drift.DRIFTED if was != Drift.DRIFTED else found == Drift.IN_SYNC
        if has_news:
            record(
                organisation_id=locked.organisation_id,
                action=f"cell.{found.value}",
                actor=COMPARER,
                subject=subject_of_cell(locked),
                details={"drift": [was.value, found.value], "differences": len(look.differences)},
            )
