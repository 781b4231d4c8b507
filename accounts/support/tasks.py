"""Scheduled work of support access: Celery shells around functions that tests call directly."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.clouds.base import CloudError
from accounts.support import hooks
from accounts.support.brokering import broker, bundles, handouts
from accounts.support.brokering.correlation import COMPARE
from accounts.support.brokering.doors import open_door, standing_door
from accounts.support.brokering.endings import end
from accounts.support.models import AccessRequest, Bundle
from accounts.support.models.requests import AccessRequestQuerySet
from accounts.support.states import AccessState
from accounts.support.steps.closing import begin_closing
from accounts.support.steps.opening import begin_opening
from accounts.support.steps.reviewing import TIDY, begin, due_for
from accounts.support.transitions import move_request
from accounts.support.wording import notices
from portal.audit import Actor
from portal.operations.engine import OperationInProgress
from portal.operations.models import Operation, OperationQuerySet
from portal.operations.transitions import LostRace

log = structlog.get_logger()
SCHEDULE = "support access"
BATCH = 100
RING_AFTER = timedelta(seconds=5)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def lapse_due_requests() -> int:
    """Silence is refusal: what nobody decided in time lapses. Tenancy: each row by itself. Returns how many."""
    due = AccessRequest.objects.lapsing().order_by("decide_by").values_list("pk", flat=True)[:BATCH]
    return sum(_one(pk, _lapse, still=AccessRequest.objects.lapsing) for pk in list(due))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def open_due_grants() -> int:
    """The granted time has begun: open the door. Tenancy: each row by itself. Returns how many."""
    now = timezone.now()
    due = AccessRequest.objects.filter(state=AccessState.SCHEDULED, granted_from__lte=now, granted_until__gt=now)
    return sum(_one(pk, _open) for pk in list(due.order_by("granted_from").values_list("pk", flat=True)[:BATCH]))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def close_ending_grants() -> int:
    """What is to end and has nobody at work on it: its opening was still under way, or a worker was lost. Returns how many."""
    due = AccessRequest.objects.filter(~Exists(_under_way()), state=AccessState.ENDING)
    return sum(_one(pk, _close) for pk in list(due.order_by("ending_at").values_list("pk", flat=True)[:BATCH]))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def end_due_grants() -> int:
    """Time is over: nothing more is done under these, and their doors are shut. Tenancy: each row by itself. Returns how many."""
    due = AccessRequest.objects.out_of_time().order_by("granted_until").values_list("pk", flat=True)[:BATCH]
    return sum(_one(pk, _expire, still=AccessRequest.objects.out_of_time) for pk in list(due))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=120, time_limit=150)
def run_act(act_id: str) -> None:
    """One act that an engineer asked for. Told twice, it is done once."""
    broker.carry_out(UUID(act_id))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def renew_door(request_id: str) -> bool:
    """A computer waits for credentials and the session has run out. Told twice, one session is opened. Tenancy: one grant, by its id."""
    request = AccessRequest.objects.with_people().get(pk=UUID(request_id))
    if handouts.why_not_hand_out(request) or standing_door(request, timezone.now()):
        return False
    try:
        open_door(request)
    except CloudError as error:
        log.warning("support_door_not_renewed", request=request_id, code=error.code)
        return False
    return True


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def tend_acts() -> int:
    """Acts whose message was lost are rung again, those whose worker is gone have failed. Returns how many were rung."""
    broker.give_up_lost()
    waiting = broker.waiting(timezone.now() - RING_AFTER)
    for pk in waiting:
        run_act.delay(str(pk))
    return len(waiting)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def expire_due_bundles() -> int:
    """Bundles whose time is over: their content is erased. Tenancy: each row by itself. Returns how many."""
    return sum(_expire_bundle(pk) for pk in list(bundles.overdue().values_list("pk", flat=True)[:BATCH]))


def _expire_bundle(pk: UUID) -> bool:
    """One that cannot be erased never stops the others: it is in the log, and the next run finds it again."""
    try:
        with transaction.atomic():
            rows = bundles.overdue().select_related("organisation", "asked_by")
            row: Bundle | None = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if row is not None:
                bundles.expire(row, by=Actor.system(SCHEDULE))
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("support_bundle_not_erased", bundle=str(pk))
        return False
    return row is not None


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def review_ended_grants() -> int:
    """Ended grants whose cloud log is to be compared, or whose denial can be taken away. Tenancy: each row by itself. Returns how many."""
    begun = 0
    for kind in (COMPARE, TIDY):
        due = list(due_for(kind, timezone.now()).order_by("ended_at").values_list("pk", flat=True)[:BATCH])
        begun += sum(_one(pk, partial(_review, kind)) for pk in due)
    return begun


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=60, time_limit=90)
def write_due_receipts() -> int:
    """Receipts of grants that ended without ever being opened. Tenancy: each row by itself. Returns how many."""
    due = AccessRequest.objects.without_receipt().order_by("ended_at").values_list("pk", flat=True)[:BATCH]
    return sum(_one(pk, _write) for pk in list(due))


def _one(pk: UUID, act: Callable[[AccessRequest], None], *, still: Callable[[], AccessRequestQuerySet] = AccessRequest.objects.all) -> bool:
    """Act on one row, unless somebody else holds it or was quicker: under its lock it is asked `still` once more. Whether it was done.

    One row that cannot be acted on never stops the others: it is in the log, and the next run finds it again.
    """
    try:
        with transaction.atomic():
            rows = still().select_related("organisation", "account", "engineer", "checked_by")
            row = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if row is not None:
                act(row)
    except LostRace:
        log.info("support_row_taken", request=str(pk))
        return False
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.exception("support_row_failed", request=str(pk), act=getattr(act, "__name__", ""))
        return False
    return row is not None


def _lapse(row: AccessRequest) -> None:
    move_request(row, AccessState.LAPSED, by=Actor.system(SCHEDULE))
    notices.tell(row)


def _expire(row: AccessRequest) -> None:
    end(row, AccessState.EXPIRED, actor=Actor.system(SCHEDULE))


def _open(row: AccessRequest) -> None:
    if row.state == AccessState.SCHEDULED:
        begin_opening(row)


def _close(row: AccessRequest) -> None:
    if row.state == AccessState.ENDING:
        begin_closing(row)


def _under_way() -> OperationQuerySet:
    return Operation.objects.live().filter(subject_kind="support_request", subject_id=Cast(OuterRef("pk"), TextField()))


def _write(row: AccessRequest) -> None:
    if not row.receipts.exists():
        hooks.told(row)


def _review(kind: str, row: AccessRequest) -> None:
    with contextlib.suppress(OperationInProgress):
        begin(row, kind)
