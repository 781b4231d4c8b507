"""The only code that writes the state of a closing: compare-and-set and its event, in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.closing.models import Closing
from accounts.closing.states import CLOSING_MOVES, ClosingState
from portal.audit import Actor, Subject, record
from portal.operations.transitions import IllegalMove, LostRace


def move_closing(
    closing: Closing, to: ClosingState, *, by: Actor, action: str, details: Mapping[str, Any] | None = None, **fields: Any
) -> None:
    """Write the state with `fields`, and one event. Raises IllegalMove, LostRace."""
    was = ClosingState(closing.state)
    if to not in CLOSING_MOVES[was]:
        raise IllegalMove(closing.pk, was, to)
    fields |= {"state": to}
    with transaction.atomic():
        if not Closing.objects.filter(pk=closing.pk, state=was).update(**fields):
            raise LostRace(closing.pk)
        record_on(closing, action, by=by, details=details)
    for name, value in fields.items():
        setattr(closing, name, value)


def record_on(closing: Closing, action: str, *, by: Actor, details: Mapping[str, Any] | None = None) -> None:
    organisation = closing.organisation
    subject = Subject(kind="organisation", id=str(organisation.pk), label=organisation.name)
    record(organisation_id=organisation.pk, action=action, actor=by, subject=subject, details=details or {})
