"""The only code that writes the state of a request or a bundle: compare-and-set and its event, in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.support.models import AccessRequest, Bundle
from accounts.support.states import ACCESS_MOVES, BUNDLE_MOVES, ENDED_AS, AccessState, BundleState
from portal.audit import Actor, Subject, record
from portal.audit.models import Event
from portal.operations.transitions import IllegalMove, LostRace


def subject_of(request: AccessRequest) -> Subject:
    return Subject(kind="support_request", id=str(request.pk), label=str(request))


def bundle_subject(bundle: Bundle) -> Subject:
    return Subject(kind="support_bundle", id=str(bundle.pk), label=str(bundle))


def move_request(
    request: AccessRequest,
    to: AccessState,
    *,
    by: Actor,
    action: str = "",
    details: Mapping[str, Any] | None = None,
    is_recorded: bool = True,
    **fields: Any,
) -> None:
    """Write the state with `fields`, and one event, named `action` (default `support.<state>`). Raises IllegalMove, LostRace.

    `is_recorded=False` is for endings of an operation whose own event, in the same transaction, tells the story once. A second grant of
    the same engineer to the same scope is a lost race, too.
    """
    was = AccessState(request.state)
    if to not in ACCESS_MOVES[was]:
        raise IllegalMove(request.pk, was, to)
    fields |= {"state": to, "state_at": timezone.now()}
    if to in ENDED_AS:
        fields.setdefault("ended_at", fields["state_at"])
    try:
        with transaction.atomic():
            if not AccessRequest.objects.filter(pk=request.pk, state=was, edition=request.edition).update(**fields):
                raise LostRace(request.pk)
            if is_recorded:
                told = {"state": [was.value, to.value], **(details or {})}
                record_on(request, action or f"support.{to.value}", by=by, details=told, shown_at=fields.get("shown_at"))
    except IntegrityError as error:
        raise LostRace(request.pk) from error
    for name, value in fields.items():
        setattr(request, name, value)


def record_on(request: AccessRequest, action: str, *, by: Actor, details: Mapping[str, Any], shown_at: object = None) -> Event:
    """One event on a request: in the customer's chain once the customer may know of it, before that in the platform's own."""
    is_shown = request.shown_at is not None or shown_at is not None
    whose = request.organisation_id if is_shown else None
    return record(organisation_id=whose, action=action, actor=by, subject=subject_of(request), details=details)


def move_bundle(
    bundle: Bundle, to: BundleState, *, by: Actor, action: str = "", details: Mapping[str, Any] | None = None, **fields: Any
) -> None:
    """Write a bundle's state with `fields`, and one event (default `support.bundle_<state>`). Raises IllegalMove, LostRace."""
    was = BundleState(bundle.state)
    if to not in BUNDLE_MOVES[was]:
        raise IllegalMove(bundle.pk, was, to)
    fields |= {"state": to, "state_at": timezone.now()}
    with transaction.atomic():
        if not Bundle.objects.filter(pk=bundle.pk, state=was).update(**fields):
            raise LostRace(bundle.pk)
        record(
            organisation_id=bundle.organisation_id,
            action=action or f"support.bundle_{to.value}",
            actor=by,
            subject=bundle_subject(bundle),
            details={"state": [was.value, to.value], **(details or {})},
        )
    for name, value in fields.items():
        setattr(bundle, name, value)
