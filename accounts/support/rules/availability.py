"""May a person do this with a request, and if not, why: one function for the button, the form and the action. Empty means yes."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Permission
from accounts.models import CloudAccount, Membership, Organisation, User
from accounts.states import Use
from accounts.support.clouds import DIRECT_CLOUDS, has_support, kit_too_old
from accounts.support.models import AccessPolicy, AccessRequest, Decision
from accounts.support.models.policies import Mode, Outside
from accounts.support.rules.gate import is_provider
from accounts.support.rules.people import approvers_of
from accounts.support.rules.policy import hours_of
from accounts.support.states import OPEN, WAITS_FOR_CUSTOMER, AccessState
from accounts.targets import cloud_names

ENDABLE = OPEN - {AccessState.ENDING} | {AccessState.SCHEDULED}
WITHDRAWABLE = frozenset({AccessState.CHECKING, AccessState.RETURNED, AccessState.REQUESTED, AccessState.MORE_INFO, AccessState.APPROVED})
REVISABLE = frozenset({AccessState.RETURNED, AccessState.MORE_INFO})
DECLINABLE = WAITS_FOR_CUSTOMER | {AccessState.MORE_INFO}

# --- The provider's side ---------------------------------------------------------------------------------------------


def is_engineer(user: User) -> bool:
    return user.is_active and user.is_support_engineer


def why_not_ask(policy: AccessPolicy, *, minutes: int, wished: datetime | None, is_direct: bool) -> str:
    """What the customer's own rules refuse before anybody reads the request."""
    if policy.mode == Mode.OFF:
        return _("%(organisation)s has switched support access off. Ask for a diagnostic bundle.") % {"organisation": policy.organisation}
    if minutes > policy.longest_minutes:
        limit = {"organisation": policy.organisation, "minutes": policy.longest_minutes}
        return _("%(organisation)s allows access for at most %(minutes)s minutes.") % limit
    if is_direct and not policy.allows_direct:
        return _("%(organisation)s does not allow credentials to be handed out. Ask without.") % {"organisation": policy.organisation}
    hours = hours_of(policy)
    if hours and policy.outside == Outside.REFUSE and wished and not hours.around(wished):
        return _("%(organisation)s refuses access at this time. Its opening hours stand beside the form.") % {
            "organisation": policy.organisation
        }
    return ""


def why_not_in_account(account_id: UUID) -> str:
    """Support access is built cloud by cloud, and needs a kit that knows it."""
    account = CloudAccount.objects.get(pk=account_id)
    names = cloud_names(account.cloud)
    if not has_support(account.cloud):
        return _("Support access is not available in %(cloud)s yet. Ask for a diagnostic bundle.") % names
    if versions := kit_too_old(account):
        return _(
            "This account runs kit %(version)s. Support access in %(cloud)s needs kit %(needed)s or a newer one. Ask for a diagnostic "
            "bundle, or ask the customer to update the kit."
        ) % {**names, **versions}
    return ""


def why_not_direct(cloud: str) -> str:
    """Where no tool of the cloud takes credentials that are fetched anew under a grant."""
    if cloud in DIRECT_CLOUDS:
        return ""
    return _("Credentials for %(cloud)s cannot be handed out. Ask without: everything then goes through this portal.") % cloud_names(cloud)


def why_not_check(request: AccessRequest, user: User) -> str:
    if not is_engineer(user):
        return _("Only support engineers check requests.")
    if user.pk == request.engineer_id:
        return _("This is your own request. Somebody else checks it.")
    if request.state != AccessState.CHECKING:
        return _("This request does not wait for a check any more.")
    return ""


def why_not_revise(request: AccessRequest, user: User) -> str:
    return _only_own(request, user) or ("" if request.state in REVISABLE else _("Nobody has asked you anything about this request."))


def why_not_withdraw(request: AccessRequest, user: User) -> str:
    return _only_own(request, user) or ("" if request.state in WITHDRAWABLE else _("This request is decided. It cannot be withdrawn."))


def why_not_complete(request: AccessRequest, user: User) -> str:
    return _only_own(request, user) or why_not_ending(request)


def _only_own(request: AccessRequest, user: User) -> str:
    if not is_engineer(user) or user.pk != request.engineer_id:
        return _("This is the request of another engineer.")
    return ""


# --- The customer's side ---------------------------------------------------------------------------------------------


def why_no_decider(request: AccessRequest, membership: Membership) -> str:
    """Who may never decide about this request, whatever its state."""
    user = membership.user
    if is_provider(user):
        names = {"provider": settings.PROVIDER_NAME}
        return _("You belong to %(provider)s. Only people of the organisation itself decide about support access.") % names
    if user.pk in {request.engineer_id, request.checked_by_id}:
        return _("You asked for this access, or checked the request. Somebody else decides.")
    if membership.organisation_id != request.organisation_id or not user.is_active or not membership.can(Permission.DECIDE_SUPPORT_ACCESS):
        return _("Your role does not decide about support access. Owners and approvers do.")
    return ""


def why_not_decline(request: AccessRequest, membership: Membership) -> str:
    if reason := why_no_decider(request, membership):
        return reason
    return "" if request.state in DECLINABLE else _not_waiting(request)


def why_not_ask_more(request: AccessRequest, membership: Membership) -> str:
    if reason := why_no_decider(request, membership):
        return reason
    return "" if request.state in WAITS_FOR_CUSTOMER else _not_waiting(request)


def why_not_approve(request: AccessRequest, membership: Membership, policy: AccessPolicy) -> str:
    """All but the second factor, which is asked for with the approval itself."""
    if reason := why_not_ask_more(request, membership):
        return reason
    if request.decide_by <= timezone.now():
        return _("The time to decide is over. Nothing was opened.")
    if policy.mode == Mode.OFF:
        return _("Your policy has switched support access off. Change the policy first.")
    if Decision.objects.standing().filter(request=request, approver=membership.user).exists():
        return _("You have approved this already. A second approver has to, too.")
    taken = AccessRequest.objects.granted().filter(engineer=request.engineer_id, scope_kind=request.scope_kind, scope_id=request.scope_id)
    if taken.exclude(pk=request.pk).exists():
        return _("This engineer has access to this already. End that access first, or wait for its end.")
    return ""


def why_not_end(request: AccessRequest, membership: Membership) -> str:
    """Whoever may decide may end, provider's people among the members too: that only ever takes access away."""
    is_known = membership.organisation_id == request.organisation_id and membership.user.is_active
    if not is_known or not membership.can(Permission.DECIDE_SUPPORT_ACCESS):
        return _("Your role cannot end support access. Owners and approvers can.")
    return why_not_ending(request)


def why_not_ending(request: AccessRequest) -> str:
    if request.state == AccessState.ENDING:
        return _("This access is being ended already.")
    return "" if request.state in ENDABLE else _("No access is open here. There is nothing to end.")


def _not_waiting(request: AccessRequest) -> str:
    said = {"state": request.get_state_display()}
    return _("This request does not wait for a decision any more. It is: %(state)s.") % said


# --- The policy ------------------------------------------------------------------------------------------------------


def why_not_set_policy(organisation: Organisation, membership: Membership) -> str:
    if is_provider(membership.user):
        return _("Only people of the organisation itself set its policy.")
    is_known = membership.organisation_id == organisation.pk and membership.user.is_active
    if not is_known or not membership.can(Permission.MANAGE_ORGANISATION):
        return _("Only owners set the policy.")
    return ""


def why_not_confirm_policy(organisation: Organisation, membership: Membership, *, asked_by: User) -> str:
    if reason := why_not_set_policy(organisation, membership):
        return reason
    return _("You asked for this change. Another owner confirms it.") if membership.user_id == asked_by.pk else ""


def approvers_missing(organisation: Organisation, policy: AccessPolicy) -> int:
    """How many more approvers with a second factor there have to be, before every request could be approved."""
    if policy.mode == Mode.OFF:
        return 0
    needed = 1 if policy.mode == Mode.ONE else 2
    able = sum(bool(one.has_second_factor) for one in approvers_of(organisation))  # type: ignore[attr-defined]  # annotated
    return max(0, needed - able)


def why_not_compare(request: AccessRequest) -> str:
    """Empty while the cloud can be asked for its log."""
    if request.account.obstacle_to(Use.PROVE) is None:
        return ""
    return _("Our access to this account has ended, so its log cannot be read any more.")
