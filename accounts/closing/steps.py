"""What a worker does at the time of a closing: close, or call it off where something is in the way. Safe to run twice."""

from datetime import datetime
from typing import cast
from uuid import UUID

import structlog
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from accounts.closing.models import Closing
from accounts.closing.notices import tell
from accounts.closing.parts import ENDINGS, in_the_way
from accounts.closing.states import ClosingState
from accounts.closing.terms import RECORD
from accounts.closing.transitions import move_closing
from accounts.models import Contact, Organisation, StepLink
from portal.audit import Actor
from portal.audit.ending import end_chain

log = structlog.get_logger()
WORKER = Actor.worker("accounts.closing")


def close_due(closing_id: UUID) -> None:
    """All of it in one transaction: whoever is killed in between has changed nothing, and the next round begins anew."""
    try:
        _close_or_call_off(closing_id)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        log.info("closing_stepped_back", closing=str(closing_id))


def _close_or_call_off(closing_id: UUID) -> None:
    with transaction.atomic():
        # In the order of the actions: the organisation first. Whoever adds something to it meanwhile waits, or is seen below.
        organisation_id = Closing.objects.values_list("organisation_id", flat=True).get(pk=closing_id)
        organisation = Organisation.objects.select_for_update().get(pk=organisation_id)
        closing = Closing.objects.due().select_for_update(of=("self",)).filter(pk=closing_id).first()
        if closing is None:
            return
        closing.organisation = organisation
        _wait_for_nobody_for_long()
        if found := in_the_way(organisation):
            told = {"count": len(found)}
            action, at = "organisation.closing_blocked", timezone.now()
            move_closing(closing, ClosingState.CANCELLED, by=WORKER, action=action, details=told, cancelled_at=at)
            tell(closing, "closing_blocked", blockers=found)
        else:
            _close(closing)


def _wait_for_nobody_for_long() -> None:
    """Whoever holds a row below may be about to add one to the organisation, and so wait for us: then they go first.

    Well before PostgreSQL looks for deadlocks (a second), which might end their request instead of this round.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '400ms'")


def _end_now(organisation: Organisation) -> datetime:
    """By the database, which does it for a plan that is due and for nothing else. The product may not write the column."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT closing_close(%s)", [organisation.pk])
        return cast(datetime, cursor.fetchone()[0])


def _close(closing: Closing) -> None:
    now, organisation = timezone.now(), closing.organisation
    withdrawn = organisation.invitations.unanswered().update(revoked_at=now)
    # Links that were mailed open nothing any more.
    Contact.objects.filter(organisation=organisation).exclude(token_hash="").update(token_hash="")
    StepLink.objects.filter(kit__account__organisation=organisation, ended_at=None).update(ended_at=now)
    for end in ENDINGS:
        end(organisation)
    organisation.closed_at = now = _end_now(organisation)
    details = {"invitations": withdrawn}
    move_closing(closing, ClosingState.CLOSED, by=WORKER, action="organisation.closed", details=details, closed_at=now)
    end_chain(organisation.pk, kept_for=RECORD.after)
    tell(closing, "closing_done")
