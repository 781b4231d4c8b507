"""Ending access, by whoever may: at once for us; the cloud's own refusal is proven afterwards."""

from django.db import transaction

from accounts.models import Membership, User
from accounts.support.actions.requests import lock
from accounts.support.brokering.endings import end
from accounts.support.models import AccessRequest
from accounts.support.rules.availability import why_not_complete, why_not_end
from accounts.support.states import AccessState
from portal.audit import Actor
from portal.operations.availability import refuse_if


def revoke(request: AccessRequest, *, by: Membership, reason: str = "") -> None:
    """By the customer. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_end(row, by))
        end(row, AccessState.REVOKED, actor=Actor.user(by.user), user=by.user, reason=reason)
    request.refresh_from_db()


def give_back(request: AccessRequest, *, by: User) -> None:
    """By the engineer, who is done. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_complete(row, by))
        end(row, AccessState.COMPLETED, actor=Actor.user(by), user=by)
    request.refresh_from_db()
