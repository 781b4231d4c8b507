"""Comparing an ended grant with the cloud's own log once more, because somebody asks."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.support.brokering.correlation import COMPARE
from accounts.support.models import AccessRequest
from accounts.support.rules.availability import why_not_compare
from accounts.support.transitions import subject_of
from portal.operations.availability import NotAllowed, refuse_if
from portal.operations.engine import OperationInProgress, start


def compare_again(request: AccessRequest, *, by: User) -> None:
    """Raises NotAllowed."""
    refuse_if(why_not_compare(request))
    try:
        with transaction.atomic():
            start(kind=COMPARE, subject=subject_of(request), organisation_id=request.organisation_id, by=by)
    except OperationInProgress as busy:
        raise NotAllowed(_("The log is being read already.")) from busy
