"""Writing an event: the one way in."""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone

from portal.audit.details import JSON, plain, plain_text
from portal.audit.models import PLATFORM, ChainHead, Event
from portal.audit.origin import current_origin
from portal.audit.parties import Actor, Subject
from portal.audit.verify import leaf_hash
from portal.audit.words import ACTION

NAME_LENGTH = 254


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
    if not connection.in_atomic_block:
        raise NotInTransaction(f"record({action!r}) outside a transaction")
    if not ACTION.fullmatch(action):
        raise ValueError(f"Action codes are written area.what_happened, not {action!r}.")
    event = _event(organisation_id, action, actor, subject, plain(details))
    head = _locked_head(organisation_id or PLATFORM)
    # The clock is read under the lock, so that times follow the order of the chain.
    event.at, event.sequence, event.previous = timezone.now(), head.sequence + 1, head.hash
    event.hash = leaf_hash(event.leaf())
    event.save(force_insert=True)
    head.sequence, head.hash = event.sequence, event.hash
    head.save(update_fields=["sequence", "hash"])
    return event


def _event(organisation_id: UUID | None, action: str, actor: Actor, subject: Subject | None, details: dict[str, JSON]) -> Event:
    origin = current_origin()
    return Event(
        id=uuid4(),
        organisation_id=organisation_id,
        action=action,
        actor_kind=str(actor.kind),
        actor_id=_name(actor.id),
        actor_name=_name(actor.name),
        actor_email=_name(actor.email),
        subject_kind=subject.kind if subject else "",
        subject_id=_name(subject.id) if subject else "",
        subject_label=_name(subject.label) if subject else "",
        details=details,
        ip=origin.ip,
        request_id=origin.request_id,
    )


def _name(text: object) -> str:
    return plain_text(str(text), NAME_LENGTH)


def _locked_head(chain: UUID) -> ChainHead:
    locked = ChainHead.objects.select_for_update().filter(pk=chain)
    head = locked.first()
    if head is None:
        # Two first events at once: ON CONFLICT DO NOTHING waits for the other to commit, then both queue for the lock.
        ChainHead.objects.bulk_create([ChainHead(chain=chain)], ignore_conflicts=True)
        head = locked.get()
    return head
