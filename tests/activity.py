"""The activity log in tests: reading it out, asserting on it, and letting Django empty it between transactional tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from portal.audit.models import ChainHead, Event


@dataclass
class Written:
    """What `assert_one_event` found; `event` is there after the block."""

    event: Event | None = None


@contextmanager
def assert_one_event(organisation: Any, *, action: str | None = None) -> Iterator[Written]:
    """Exactly one event, in whatever chain, is written in this block, and it is this organisation's (None: the platform's)."""
    heads = dict(ChainHead.objects.values_list("chain", "sequence"))
    written = Written()
    yield written
    found = events_since(heads)
    assert len(found) == 1, f"{len(found)} events instead of one: {[event.action for event in found]}"
    assert found[0].organisation_id == id_of(organisation), f"{found[0].action} stands in another chain"
    if action is not None:
        assert found[0].action == action
    written.event = found[0]


@contextmanager
def assert_no_event() -> Iterator[None]:
    """Nothing is written to any chain in this block."""
    heads = dict(ChainHead.objects.values_list("chain", "sequence"))
    yield
    assert [event.action for event in events_since(heads)] == []


def events_since(heads: dict[UUID, int]) -> list[Event]:
    """Events of all chains beyond these heads (chain, number), oldest first in each chain."""
    old = Q(pk__in=[])
    for chain, sequence in heads.items():
        old |= Q(organisation_id=chain if chain.int else None, sequence__lte=sequence)
    return list(Event.objects.exclude(old).order_by("organisation_id", "sequence"))


def id_of(organisation: Any) -> UUID | None:
    return organisation if organisation is None or isinstance(organisation, UUID) else organisation.id


def let_tests_empty_the_log() -> None:
    """Transactional tests end with TRUNCATE of every table; only here, as the owner of a test database, that is let through.

    Changing and deleting stay refused. The product has no switch for any of it.
    """
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_no_truncate")
        cursor.execute("ALTER TABLE audit_chainhead DISABLE TRIGGER audit_chainhead_no_truncate")
        cursor.execute("ALTER TABLE audit_chainend DISABLE TRIGGER audit_chainend_no_truncate")
