"""Writing an event: the one way in."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone

from portal.audit.details import plain, plain_text
from portal.audit.models import PLATFORM, ChainHead, Event
from portal.audit.origin import Origin, current_origin
from portal.audit.parties import Actor, Subject
from portal.audit.verify import leaf_hash
from portal.audit.words import ACTION

NAME_LENGTH = 254
_MOVE_HEAD = "UPDATE audit_chainhead SET sequence = %s, hash = %s WHERE chain = %s"


@dataclass(frozen=True)
class Entry:
    """What `record` is given, for `record_all`; made by whoever acts, whose request or task it remembers."""

    organisation_id: UUID | None
    action: str
    actor: Actor
    subject: Subject | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    origin: Origin = field(default_factory=current_origin)


class NotInTransaction(RuntimeError):
    """An event is written in the transaction of what it tells about, so that neither exists without the other."""


def record(
    *,
    organisation_id: UUID | None,
    action: str,
    actor: Actor,
    subject: Subject | None = None,
    details: Mapping[str, object] = MappingProxyType({}),
) -> Event:
    """Append one event to the organisation's chain (None: the platform's own), inside the caller's transaction.

    `details` is small plain JSON; a change is written `{"role": ["operator", "owner"]}`, before and after. Any list of two plain values
    reads as such a pair, so put other pairs in an object. The chain stays locked until the transaction ends: record last, and
    where one transaction writes to two chains, the organisation's before the platform's, so that no two wait for each other.

    Raises NotInTransaction, ValueError for a malformed action code, DetailsRefused (a key that names a secret, a value that is no
    plain JSON, more than 8 KiB).
    """
    return record_all([Entry(organisation_id, action, actor, subject, details)])[0]


def record_all(entries: Sequence[Entry]) -> list[Event]:
    """`record` for several events at once, by a handful of round trips; each chain in the order given."""
    if not connection.in_atomic_block:
        raise NotInTransaction(f"record({entries[0].action!r}) outside a transaction")
    events = [_event(entry) for entry in entries]
    heads = _locked_heads({_chain(event) for event in events})
    for event in events:
        head = heads[_chain(event)]
        # The clock is read under the lock, so that times follow the order of the chain.
        event.at, event.sequence, event.previous = timezone.now(), head.sequence + 1, head.hash
        event.hash = leaf_hash(event.leaf())
        head.sequence, head.hash = event.sequence, event.hash
    Event.objects.bulk_create(events)
    _move_heads(events)
    return events


def _event(entry: Entry) -> Event:
    if not ACTION.fullmatch(entry.action):
        raise ValueError(f"Action codes are written area.what_happened, not {entry.action!r}.")
    actor, subject = entry.actor, entry.subject
    origin = entry.origin
    return Event(
        id=uuid4(),
        organisation_id=entry.organisation_id,
        action=entry.action,
        actor_kind=str(actor.kind),
        actor_id=_name(actor.id),
        actor_name=_name(actor.name),
        actor_email=_name(actor.email),
        subject_kind=subject.kind if subject else "",
        subject_id=_name(subject.id) if subject else "",
        subject_label=_name(subject.label) if subject else "",
        details=plain(entry.details),
        ip=origin.ip,
        request_id=origin.request_id,
    )


def _name(text: object) -> str:
    return plain_text(str(text), NAME_LENGTH)


def _chain(event: Event) -> UUID:
    return event.organisation_id or PLATFORM


def _locked_heads(chains: Set[UUID]) -> dict[UUID, ChainHead]:
    # In one order, the platform's last, so that of two who lock several neither waits for the other.
    locked = ChainHead.objects.select_for_update().filter(pk__in=chains).order_by("-pk")
    heads = {head.chain: head for head in locked}
    if len(heads) < len(chains):
        # Two first events at once: ON CONFLICT DO NOTHING waits for the other to commit, then both queue for the lock.
        ChainHead.objects.bulk_create(
            [ChainHead(chain=chain) for chain in sorted(chains - heads.keys(), reverse=True)], ignore_conflicts=True
        )
        heads = {head.chain: head for head in locked.all()}
    return heads


def _move_heads(events: Sequence[Event]) -> None:
    """Once an event: the database lets a head move forward by one only."""
    with connection.cursor() as cursor:
        cursor.executemany(_MOVE_HEAD, [(event.sequence, event.hash, _chain(event)) for event in events])
