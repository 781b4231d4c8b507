"""Who is told when a cell stays silent or an instance stays unhealthy, and when that is over. Once each, and never to and fro.

Two times keep it calm: it must have been bad for a while before anybody is told, and good for a while before it counts as over.
After that nothing new is told of the same thing for half an hour. What the customer switched off on purpose is no outage.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.mail import absolute_url
from cells.contacts import mail_contacts
from cells.models import Alarm, Cell, Instance
from cells.states import AgentLink, CellState, Health, InstanceState
from cells.telemetry.sweep import take_lock
from cells.transitions import subject_of_cell, subject_of_instance
from portal.audit import Actor, record

log = structlog.get_logger()
SWEEPER = Actor.worker("sweep")
CELL_SILENT_FOR = timedelta(minutes=10)
INSTANCE_ILL_FOR = timedelta(minutes=5)
WELL_FOR = timedelta(minutes=5)
QUIET_FOR = timedelta(minutes=30)
MOST_A_ROUND = 200
# The cell is meant to stand and to be heard.
WATCHED = (CellState.READY, CellState.UPDATING)
ENDED_ON_PURPOSE = (InstanceState.STOPPING, InstanceState.STOPPED, InstanceState.BACKING_UP, InstanceState.DELETING, InstanceState.DELETED)


def raise_and_end(listening_since: datetime) -> None:
    """One round: alarm, mail and event in one transaction, so that each is there or none."""
    now = timezone.now()
    with transaction.atomic():
        if not take_lock():
            return
        _end_on_purpose(now)
        for alarm in _over(now):
            _end(alarm, now)
        for alarm in _begun(now, listening_since):
            _begin(alarm)


def _end(alarm: Alarm, now: datetime) -> None:
    with _alone(alarm):
        Alarm.objects.filter(pk=alarm.pk).update(ended_at=now)
        _tell(alarm, is_over=True)


def _begin(alarm: Alarm) -> None:
    with _alone(alarm):
        alarm.save(force_insert=True)
        _tell(alarm, is_over=False)


@contextmanager
def _alone(alarm: Alarm) -> Iterator[None]:
    """One that the database refuses is left to the next round, and the others are told of."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as problem:
        log.error("alarm_not_told", cell=str(alarm.cell_id), instance=str(alarm.instance_id), error=type(problem).__name__)


def _begun(now: datetime, listening_since: datetime) -> Iterator[Alarm]:
    if listening_since <= now - CELL_SILENT_FOR:
        silent = Cell.objects.filter(state__in=WATCHED, is_agent_disabled=False, link__link=AgentLink.OFFLINE)
        silent = silent.filter(status__seen_at__lt=now - CELL_SILENT_FOR).filter(_is_untold("cell", now))
        # Of the status, our own clock alone: what an agent has written there is not needed, and must not be able to stop this.
        heard_at = dict(silent.values_list("pk", "status__seen_at")[:MOST_A_ROUND])
        for cell in Cell.objects.filter(pk__in=heard_at).select_related("organisation"):
            yield Alarm(cell=cell, since=heard_at[cell.pk])
    ill = Instance.objects.filter(state=InstanceState.RUNNING, health=Health.UNHEALTHY, health_at__lt=now - INSTANCE_ILL_FOR)
    # Of a silent cell nothing is known: its own alarm tells of it.
    ill = ill.filter(cell__link__link=AgentLink.CONNECTED).filter(_is_untold("instance", now))
    for instance in ill.select_related("organisation")[:MOST_A_ROUND]:
        yield Alarm(instance=instance, since=instance.health_at or now)


def _is_untold(of: str, now: datetime) -> Q:
    told = Alarm.objects.filter(**{of: OuterRef("pk")}).filter(Q(ended_at=None) | Q(ended_at__gt=now - QUIET_FOR))
    return ~Q(Exists(told))


def _over(now: datetime) -> list[Alarm]:
    back = Q(cell__link__link=AgentLink.CONNECTED, cell__link__since__lt=now - WELL_FOR)
    well = Q(instance__health_at__lt=now - WELL_FOR) & ~Q(instance__health=Health.UNHEALTHY) & ~Q(instance=None)
    well &= Q(instance__state=InstanceState.RUNNING, instance__cell__link__link=AgentLink.CONNECTED)
    alarms = Alarm.objects.filter(ended_at=None).filter(back | well)
    return list(alarms.select_related("cell__organisation", "instance__organisation")[:MOST_A_ROUND])


def _end_on_purpose(now: datetime) -> None:
    """Without a word: whoever switched it off knows."""
    cells = Q(cell__is_agent_disabled=True) | (~Q(cell__state__in=WATCHED) & ~Q(cell=None))
    Alarm.objects.filter(ended_at=None).filter(cells | Q(instance__state__in=ENDED_ON_PURPOSE)).update(ended_at=now)


def _tell(alarm: Alarm, *, is_over: bool) -> None:
    """An event, and one mail to each confirmed operational contact."""
    if alarm.cell is not None:
        subject, organisation, page = subject_of_cell(alarm.cell), alarm.cell.organisation, "cells:cell_detail"
        template = "cell_recovered" if is_over else "cell_offline"
    else:
        instance = alarm.instance
        assert instance is not None  # the constraint says so
        subject, organisation, page = subject_of_instance(instance), instance.organisation, "cells:instance_detail"
        template = "instance_recovered" if is_over else "instance_unhealthy"
    action = template.replace("_", ".", 1)
    details = {"since": alarm.since.strftime("%Y-%m-%dT%H:%M:%SZ")}
    record(organisation_id=organisation.pk, action=action, actor=SWEEPER, subject=subject, details=details)
    context = {"name": subject.label, "organisation": organisation, "since": alarm.since}
    context["url"] = absolute_url(page, organisation.slug, subject.id)
    mail_contacts(organisation, template=template, context=context)
