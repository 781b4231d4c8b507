"""Recomputing a chain from the rows, and reading it out as lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from portal.audit.models import PLATFORM, ChainHead, Event, EventQuerySet
from portal.audit.verify import FIRST_PREVIOUS, Broken, Walk

BATCH = 2000
# What a person waits for on a page; a longer chain is checked whole by the command line on its export.
MAX_CHECKED = 50_000


@dataclass(frozen=True)
class ChainCheck:
    """What recomputing found: unbroken, or `broken_at` (number of the first bad event) and `code` of the reason."""

    total: int
    checked: int
    head: str
    broken_at: int | None = None
    code: str = ""

    @property
    def is_unbroken(self) -> bool:
        return self.broken_at is None

    @property
    def is_partial(self) -> bool:
        return self.checked < self.total


def head_of(organisation_id: UUID | None) -> ChainHead:
    """The head of a chain; number 0 when nothing happened yet. One query."""
    chain = organisation_id or PLATFORM
    return ChainHead.objects.filter(pk=chain).first() or ChainHead(chain=chain)


def check_chain(organisation_id: UUID | None, limit: int = MAX_CHECKED) -> ChainCheck:
    """Recompute every hash of the chain, or of its newest `limit` events, and compare the last with the head."""
    head = head_of(organisation_id)
    events = Event.objects.for_chain(organisation_id).filter(sequence__lte=head.sequence)
    start = max(head.sequence - limit, 0)
    walk = Walk(after=(start, _hash_at(events, start)))
    try:
        for event in in_batches(events, after=start):
            walk.take(event.leaf(), event.hash, event.sequence)
        if (walk.sequence, walk.hash) != (head.sequence, head.hash):
            raise Broken(walk.sequence + 1, "head", found=walk.hash, expected=head.hash)
    except Broken as broken:
        return ChainCheck(head.sequence, walk.events, head.hash, broken.line, broken.code)
    return ChainCheck(head.sequence, walk.events, head.hash)


def in_batches(events: EventQuerySet, after: int = 0) -> Iterator[Event]:
    """Events in the order of the chain, 2,000 at a time: no cursor is held open while somebody downloads slowly."""
    while batch := list(events.filter(sequence__gt=after).oldest_first()[:BATCH]):
        yield from batch
        after = batch[-1].sequence


def _hash_at(events: EventQuerySet, sequence: int) -> str:
    found = events.filter(sequence=sequence).values_list("hash", flat=True).first() if sequence else None
    return found or FIRST_PREVIOUS
