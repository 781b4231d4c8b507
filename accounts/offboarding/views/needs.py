"""What of offboarding waits for somebody, for the top of Home."""

from django.utils.translation import gettext as _

from accounts.access import OrganisationRequest, Permission
from accounts.offboarding.models import Offboarding
from accounts.offboarding.states import OffboardingState
from accounts.views.home import Need

WAITS = {OffboardingState.BLOCKED, OffboardingState.WAITING_FOR_YOU, OffboardingState.STUCK}


def offboarding_needs(request: OrganisationRequest) -> list[Need]:
    if not request.membership.can(Permission.CONNECT_ACCOUNTS):
        return []
    rows = Offboarding.objects.filter(organisation=request.organisation, state__in=sorted(WAITS))
    return [_need(row) for row in rows.select_related("account", "organisation").order_by("state_at")[:5]]


def _need(row: Offboarding) -> Need:
    names, url = {"name": row.account}, row.get_absolute_url()
    if row.state == OffboardingState.STUCK:
        detail = _("Something is left that could not be removed. See what, and the ways out.")
        return Need("critical", _("The offboarding of %(name)s is stuck") % names, detail, _("See what is in the way"), url)
    if row.state == OffboardingState.BLOCKED:
        detail = _("It was to begin, and something is in the way. Nothing was touched.")
        return Need("attention", _("The offboarding of %(name)s is blocked") % names, detail, _("See what is in the way"), url)
    detail = _("Only the kit is left. You remove it, as the last step.")
    return Need("attention", _("Remove the kit from %(name)s") % names, detail, _("See the command"), url)
