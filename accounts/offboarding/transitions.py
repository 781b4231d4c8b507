"""The only code that writes the state of an offboarding: compare-and-set and its event, in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.offboarding.models import Offboarding
from accounts.offboarding.states import OFFBOARDING_MOVES, OffboardingState
from portal.audit import Actor, Subject, record
from portal.operations.transitions import IllegalMove, LostRace

SUBJECT = "offboarding"


def subject_of(offboarding: Offboarding) -> Subject:
    return Subject(kind=SUBJECT, id=str(offboarding.pk), label=str(offboarding))


def move_offboarding(
    offboarding: Offboarding,
    to: OffboardingState,
    *,
    by: Actor,
    action: str = "",
    details: Mapping[str, Any] | None = None,
    is_recorded: bool = True,
    **fields: Any,
) -> None:
    """Write the state with `fields`, and one event, named `action` (default `offboarding.<state>`). Raises IllegalMove, LostRace."""
    was = OffboardingState(offboarding.state)
    if to not in OFFBOARDING_MOVES[was]:
        raise IllegalMove(offboarding.pk, was, to)
    if to != OffboardingState.STUCK:
        fields |= {"code": "", "params": {}, "obstructions": []}
    fields |= {"state": to, "state_at": timezone.now()}
    with transaction.atomic():
        if not Offboarding.objects.filter(pk=offboarding.pk, state=was).update(**fields):
            raise LostRace(offboarding.pk)
        if is_recorded:
            told = {"state": [was.value, to.value], **(details or {})}
            record_on(offboarding, action or f"offboarding.{to.value}", by=by, details=told)
    for name, value in fields.items():
        setattr(offboarding, name, value)


def record_on(offboarding: Offboarding, action: str, *, by: Actor, details: Mapping[str, Any] | None = None) -> None:
    record(organisation_id=offboarding.organisation_id, action=action, actor=by, subject=subject_of(offboarding), details=details or {})
