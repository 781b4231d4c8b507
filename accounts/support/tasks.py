"""Scheduled work of support access: Celery shells around functions that tests call directly."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task
from django.db import transaction

from accounts.support import notices
from accounts.support.endings import end
from accounts.support.models import AccessRequest
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from portal.audit import Actor
from portal.operations.transitions import LostRace

log = structlog.get_logger()
SCHEDULE = "support access"
BATCH = 100


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def lapse_due_requests() -> int:
    """Silence is refusal: what nobody decided in time lapses. Tenancy: each row by itself. Returns how many."""
    due = AccessRequest.objects.lapsing().order_by("decide_by").values_list("pk", flat=True)[:BATCH]
    return sum(_one(pk, _lapse) for pk in list(due))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def end_due_grants() -> int:
    """Time is over: nothing more is done under these, and their doors are shut. Tenancy: each row by itself. Returns how many."""
    due = AccessRequest.objects.out_of_time().order_by("granted_until").values_list("pk", flat=True)[:BATCH]
    return sum(_one(pk, _expire) for pk in list(due))


def _one(pk: UUID, act: Callable[[AccessRequest], None]) -> bool:
    """Act on one row, unless somebody else holds it or was quicker."""
    try:
        with transaction.atomic():
            rows = AccessRequest.objects.select_related("organisation", "account", "engineer", "checked_by")
            row = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if row is not None:
                act(row)
    except LostRace:
        log.info("support_row_taken", request=str(pk))
        return False
    return row is not None


def _lapse(row: AccessRequest) -> None:
    move_request(row, AccessState.LAPSED, by=Actor.system(SCHEDULE))
    notices.tell(row)


def _expire(row: AccessRequest) -> None:
    end(row, AccessState.EXPIRED, actor=Actor.system(SCHEDULE))
