"""Deletes what a closed organisation's terms say, in batches, each in a transaction of its own.

Whoever is killed in between has deleted whole batches and counted them; the next round goes on from there. A second run finds nothing.
What was done is kept as numbers (`Erasure`), and told in the platform's own activity.
"""

import time
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.closing.models import Closing, Erasure
from accounts.closing.parts import in_the_way
from accounts.closing.terms import RECORD, TERMS, Holding, Term, holdings, term_of
from accounts.models import Membership, Organisation, User
from portal.audit import Actor, Subject, record
from portal.audit.chain import head_of
from portal.audit.ending import delete_ended
from portal.audit.models import Event

BATCH = 500
TURN_SECONDS = 120.0
WORKER = Actor.worker("accounts.closing")
# Deleted last, together with the note that it is done.
LAST = frozenset({"closing.Closing", "accounts.Organisation"})
EVENTS = "audit.Event"


class StillInUse(Exception):
    """Something lives in a closed organisation: nothing is deleted until somebody has ended it."""


def due_erasures() -> list[tuple[UUID, str]]:
    """Each organisation and term that is over and not done, in the order of the terms: what refers to something goes before it.

    Those that failed come last, the longest untried first: however many fail, the others have their turn.
    """
    columns = ("failed_at", "organisation_id")
    found = [(*row, term.code) for term in TERMS for row in _due(term).order_by("closed_at").values_list(*columns)]
    found.sort(key=lambda row: row[0].timestamp() if row[0] else 0.0)
    return [(pk, code) for _failed_at, pk, code in found]


def _due(term: Term) -> QuerySet[Closing]:
    rows = Closing.objects.closed().filter(closed_at__lte=timezone.now() - term.after)
    for earlier in TERMS[: TERMS.index(term)]:
        rows = rows.filter(_done(earlier))
    return rows.exclude(_done(term))


def _done(term: Term) -> Exists:
    return Exists(Erasure.objects.filter(organisation_id=OuterRef("organisation_id"), term=term.code, done_at__isnull=False))


def erase_for_a_while(organisation_id: UUID, code: str) -> None:
    """As many batches as fit into a turn; the next round goes on."""
    turn_ends = time.monotonic() + TURN_SECONDS
    while time.monotonic() < turn_ends and erase_batch(organisation_id, code):
        pass


def erase_batch(organisation_id: UUID, code: str) -> bool:
    """One batch. False when there is nothing more to do now: done, not yet due, or not closed at all. Raises StillInUse."""
    with transaction.atomic():
        closing = _due(term_of(code)).select_for_update(of=("self",)).filter(organisation_id=organisation_id).first()
        if closing is None:
            return False
        if found := in_the_way(closing.organisation):
            raise StillInUse(organisation_id, [one.sentence for one in found])
        row, _made = Erasure.objects.get_or_create(organisation_id=organisation_id, term=code)
        for holding in holdings(code):
            if count := _erase_some(holding, organisation_id, row):
                _count(row, holding.model, count)
                return True
        if code == RECORD.code and Event.objects.for_chain(organisation_id).exists():
            return False  # by the database's clock the time is not over
        _finish(row)
        return False


def _erase_some(holding: Holding, organisation_id: UUID, row: Erasure) -> int:
    if holding.model in LAST:
        return 0
    if holding.model == EVENTS:
        return delete_ended(organisation_id, most=BATCH)
    rows = rows_of(holding, organisation_id)
    keys = list(rows.values_list("pk", flat=True)[:BATCH])
    if holding.model == Membership._meta.label:
        _forget_people(keys, row)
    if keys:
        rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)


def rows_of(holding: Holding, organisation_id: UUID) -> QuerySet[Model]:
    """The organisation's rows of one table."""
    wanted = Q()
    for path in holding.paths:
        wanted |= Q(**{path or "pk": organisation_id})
    found: QuerySet[Model] = apps.get_model(holding.model)._base_manager.filter(wanted)
    return found


def _forget_people(memberships: list[UUID], row: Erasure) -> None:
    """A person who belongs nowhere else loses the sign-in. The row stays, empty: other records point at it by its key."""
    # Held first, asked after: whoever joins elsewhere meanwhile has done so before the second question, or waits and is refused.
    # Of two organisations that let go of one person at once, the second one sees that the first one's membership is gone.
    mine = Membership.objects.filter(pk__in=memberships)
    held = User.objects.select_for_update().filter(pk__in=mine.values("user"), is_staff=False, is_support_engineer=False).order_by("pk")
    people = list(held)
    elsewhere = set(Membership.objects.filter(user__in=people).exclude(pk__in=memberships).values_list("user_id", flat=True))
    users = [user for user in people if user.pk not in elsewhere]
    for table in (EmailAddress, Authenticator, UserSession):
        table.objects.filter(user__in=users).delete()
    for user in users:
        user.email, user.name, user.time_zone, user.is_active = f"{user.pk}@forgotten.invalid", "", "", False
        user.current_organisation = None
        user.set_unusable_password()
        user.save()
    if users:
        _count(row, User._meta.label, len(users))


def _count(row: Erasure, table: str, count: int) -> None:
    row.counts[table] = row.counts.get(table, 0) + count
    row.save(update_fields=["counts"])


def _finish(row: Erasure) -> None:
    """Write down that it is done: where nobody's name stands, and in the platform's chain, which no organisation's end shortens."""
    if row.term == RECORD.code:
        head = head_of(row.organisation_id)
        row.last_event, row.last_hash = head.sequence, head.hash
        Closing.objects.filter(organisation=row.organisation_id).delete()
        Organisation.objects.filter(pk=row.organisation_id).delete()
        _count(row, Organisation._meta.label, 1)
    row.done_at = timezone.now()
    row.save()
    details = {"term": row.term, "rows": sum(row.counts.values()), "last_event": row.last_event, "last_hash": row.last_hash}
    record(
        organisation_id=None,
        action="organisation.erased",
        actor=WORKER,
        subject=Subject("organisation", str(row.organisation_id)),
        details=details,
    )
