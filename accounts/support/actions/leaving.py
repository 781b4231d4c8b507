"""What of support access ends when an account leaves: every grant on it, at once. Requests that wait find no scope any more and lapse."""

from django.utils.translation import gettext as _

from accounts.models import CloudAccount
from accounts.states import ALLOWED_USES, AccountState, Use
from accounts.support.brokering.endings import end
from accounts.support.models import AccessRequest
from accounts.support.states import GRANTED, AccessState
from portal.audit import Actor

# Ending is under way for these already, or was tried: leaving adds nothing to it.
ENDING_ALREADY = frozenset({AccessState.ENDING, AccessState.CLOSE_FAILED})


def end_grants(account: CloudAccount, to: AccountState) -> None:
    """For an account that is locked in this transaction, and comes to a state that allows no support. Each end is an event of its own."""
    if Use.SUPPORT in ALLOWED_USES[to]:
        return
    standing = AccessRequest.objects.filter(account=account, state__in=sorted(GRANTED - ENDING_ALREADY))
    for row in standing.select_related("organisation", "account", "engineer", "checked_by").select_for_update(of=("self",)).order_by("pk"):
        end(row, AccessState.REVOKED, actor=Actor.system("cloud account"), reason=_why(to))


def _why(to: AccountState) -> str:
    if to == AccountState.DISCONNECTED:
        return _("The cloud account was disconnected.")
    return _("The cloud account is being offboarded.")
