"""That the organisation is about to close, for the top of Home: everybody reads it."""

from django.utils.translation import gettext as _

from accounts.access import OrganisationRequest, Permission
from accounts.closing.models import Closing
from accounts.views.home import Need


def closing_needs(request: OrganisationRequest) -> list[Need]:
    closing = Closing.objects.planned().filter(organisation=request.organisation).select_related("organisation", "requested_by").first()
    if closing is None:
        return []
    can_call_off = request.membership.can(Permission.MANAGE_ORGANISATION)
    title = _("%(name)s is about to be closed") % {"name": request.organisation}
    detail = _("%(person)s has planned it. Everything stays as it is until then, and an owner can call it off.") % {
        "person": closing.requested_by
    }
    act = _("See when, or call it off") if can_call_off else _("See when")
    return [Need("attention", title, detail, act, closing.get_absolute_url())]
