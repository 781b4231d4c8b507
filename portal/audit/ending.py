"""The end of a chain: what it says is kept for a stated time, then its events are deleted and its head alone stays.

The database holds both: it writes down itself when a chain has ended, never takes that back, and deletes an event only of a chain whose
time is over (migration 0003) and whose organisation is not open (migration 0003 of `accounts.closing`). So no bug, and no end written with
a stolen role, shortens the chain of a customer who is still there.
"""

from datetime import timedelta
from uuid import UUID

from django.db import connection

from portal.audit.models import ChainEnd

_DELETE = "SELECT audit_delete_ended(%s, %s)"


def end_chain(organisation_id: UUID, *, kept_for: timedelta) -> None:
    """Write down that the chain has ended now. A second time changes nothing. What is recorded later is deleted with the rest."""
    ChainEnd.objects.bulk_create([ChainEnd(chain=organisation_id, kept_days=kept_for.days)], ignore_conflicts=True)


def delete_ended(organisation_id: UUID, *, most: int) -> int:
    """Delete up to `most` events of a chain whose time is over, the oldest first. Returns how many; none of any other chain."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [organisation_id, most])
        return int(cursor.fetchone()[0])
