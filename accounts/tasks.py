"""Scheduled work of accounts: Celery shells around functions that tests call directly."""

from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerGone

from accounts.environment.assessments import start_by_schedule
from accounts.issuer import keys
from accounts.models import Assessment, CloudAccount
from accounts.states import Use
from accounts.steps import trust_history, watch

log = structlog.get_logger()
ENVIRONMENT_EVERY = timedelta(days=1)
# Accounts a round: after a long standstill, when all are due, the rounds spread them.
ENVIRONMENT_BATCH = 20


@shared_task(acks_late=True, time_limit=60)
def rotate_issuer_keys() -> None:
    """One tick of key rotation. Tenancy: none, the keys are the platform's."""
    keys.rotate()


@shared_task(acks_late=True, soft_time_limit=60, time_limit=90)
def check_environments() -> int:
    """Start the daily look at the home region of each connected account that is due. Returns how many were started.

    Tenancy: ids only; the operation of each account does the asking.
    """
    started = Assessment.objects.filter(account=OuterRef("pk"), region=OuterRef("home_region")).order_by("-started_at")
    accounts = CloudAccount.objects.usable_for(Use.CHECK).annotate(looked=Subquery(started.values("started_at")[:1]))
    due = accounts.filter(Q(looked=None) | Q(looked__lte=timezone.now() - ENVIRONMENT_EVERY)).order_by(F("looked").asc(nulls_first=True))
    return sum(start_by_schedule(pk) for pk in due.values_list("pk", flat=True)[:ENVIRONMENT_BATCH])


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=20, time_limit=30)
def watch_due_accounts() -> int:
    """Ring for each account whose trust is to be looked at. Tenancy: ids only. Returns how many bells were sent."""
    due = watch.take_due()
    return sum(ring_watch(str(pk)) for pk in due)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def look_at_trust(watch_id: str) -> None:
    """One look at one account. Tenancy: the watch's own account and kit; a second bell finds the lease taken."""
    watch.watch_once(UUID(watch_id))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=240, time_limit=270)
def tidy_trust_watch() -> None:
    """Forget old history, watch what nobody watches. Tenancy: rows by age alone."""
    trust_history.tidy()


def ring_watch(watch_id: str) -> bool:
    """A broker that is away costs time: the round rings again."""
    try:
        look_at_trust.delay(watch_id)
    except BrokerGone:
        log.warning("trust_watch_not_rung", watch=watch_id)
        return False
    return True
