"""The one way a grant begins to end, whoever wants it: the customer, the engineer, the clock, a policy that was switched off."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.support import hooks
from accounts.support.models import AccessRequest
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from accounts.support.wording import notices
from portal.audit import Actor


def end(row: AccessRequest, as_: AccessState, *, actor: Actor, user: User | None = None, reason: str = "") -> None:
    """End a grant that is locked in this transaction: nothing more is done under it, from this commit on.

    What was never opened is over at once. What may be open goes to ENDING, and whoever shuts doors is called; so does one whose
    end could not be confirmed, to try again.
    """
    fields: dict[str, Any] = {"ended_by": user, "end_reason": reason}
    details: Mapping[str, Any] = {"reason": reason} if reason else {}
    if row.state == AccessState.SCHEDULED:
        move_request(row, as_, by=actor, details=details, ends_as=as_, **fields)
        notices.tell(row)
        return
    if row.state == AccessState.CLOSE_FAILED:
        fields, as_ = {}, AccessState(row.ends_as or as_)
    move_request(
        row, AccessState.ENDING, by=actor, details={**details, "ends_as": as_.value}, ends_as=as_, ending_at=timezone.now(), **fields
    )
    notices.tell_customer(row)
    hooks.ending(row)
