"""What an owner does about a closing: plan it, call it off. Check and write in one transaction."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.availability import why_not_as_staff
from accounts.closing.availability import why_not_cancel, why_not_start
from accounts.closing.models import SHORTEST_WAIT, Closing
from accounts.closing.notices import tell
from accounts.closing.parts import blockers
from accounts.closing.states import ClosingState
from accounts.closing.transitions import move_closing, record_on
from accounts.models import Organisation, User
from portal.audit import Actor
from portal.operations.availability import refuse_if


def start_closing(organisation: Organisation, *, scheduled_for: datetime, by: User) -> Closing:
    """Plan it: nothing changes before its time. Raises NotAllowed."""
    with transaction.atomic():
        organisation = _locked(organisation)
        refuse_if(why_not_as_staff(by) or why_not_start(standing_closing(organisation), blockers(organisation)))
        now = timezone.now()
        at = max(scheduled_for, now + SHORTEST_WAIT)
        closing = Closing.objects.create(organisation=organisation, requested_by=by, requested_at=now, scheduled_for=at)
        details = {"scheduled_for": at.isoformat(timespec="seconds")}
        record_on(closing, "organisation.closing_planned", by=Actor.user(by), details=details)
        tell(closing, "closing_planned", by=by)
    return closing


def cancel_closing(organisation: Organisation, *, by: User) -> None:
    """Call it off, until its very time. Raises NotAllowed."""
    with transaction.atomic():
        organisation = _locked(organisation)
        closing = standing_closing(organisation)
        refuse_if(why_not_as_staff(by) or why_not_cancel(closing))
        assert closing is not None
        action, at = "organisation.closing_cancelled", timezone.now()
        move_closing(closing, ClosingState.CANCELLED, by=Actor.user(by), action=action, cancelled_by=by, cancelled_at=at)
        tell(closing, "closing_cancelled", by=by)


def standing_closing(organisation: Organisation) -> Closing | None:
    """The closing that is planned or done: at most one."""
    rows = Closing.objects.exclude(state=ClosingState.CANCELLED).select_related("requested_by")
    found = rows.filter(organisation=organisation).first()
    if found is not None:
        found.organisation = organisation
    return found


def _locked(organisation: Organisation) -> Organisation:
    return Organisation.objects.select_for_update().get(pk=organisation.pk)
