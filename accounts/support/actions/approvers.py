"""What becomes of approvals when somebody may not decide about support access any more: removed, with another role, or deactivated."""

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.support.brokering.endings import end
from accounts.support.models import AccessRequest, Decision
from accounts.support.rules.people import approvers_of
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from accounts.support.wording import notices
from portal.audit import Actor

# Nothing is opened by it yet. What is being opened, the gate closes; what is open goes on, and its page says whose approval it was.
NOT_BEGUN = frozenset({AccessState.APPROVED, AccessState.SCHEDULED})


def drop_approvals(organisation_id: UUID, person: User, by: User) -> None:
    """In the transaction in which somebody lost a role or all of them: their word counts no more where nothing has begun."""
    if approvers_of(organisation_id).filter(user=person).exists():
        return
    approved = Decision.objects.standing().filter(approver=person, request__organisation=organisation_id).values("request")
    rows = AccessRequest.objects.filter(pk__in=approved, state__in=sorted(NOT_BEGUN)).order_by("pk")
    for row in rows.select_related("organisation", "account", "engineer", "checked_by").select_for_update(of=("self",)):
        if row.state == AccessState.APPROVED:
            _ask_again(row, person, by)
        else:
            reason = _("%(person)s approved this access and does not decide about support access any more.") % {"person": person}
            end(row, AccessState.REVOKED, actor=Actor.user(by), reason=reason)


def _ask_again(row: AccessRequest, person: User, by: User) -> None:
    """As though nobody had approved it yet."""
    Decision.objects.standing().filter(request=row, approver=person).update(set_aside_at=timezone.now())
    details = {"approver": str(person)}
    move_request(row, AccessState.REQUESTED, by=Actor.user(by), action="support.approval_dropped", details=details, document="", sha256="")
    notices.tell_customer(row)
