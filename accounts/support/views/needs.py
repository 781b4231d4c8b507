"""What of support access waits for somebody, for the top of Home."""

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import OrganisationRequest, Permission
from accounts.models import CloudAccount, Organisation
from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.models.policies import Mode
from accounts.support.rules.availability import approvers_missing
from accounts.support.states import WAITS_FOR_CUSTOMER, AccessState
from accounts.views.home import Need

SHOWN = 5


def access_needs(request: OrganisationRequest) -> list[Need]:
    """What could not be shut, what waits for a decision, and that nobody could decide."""
    if not request.membership.can(Permission.DECIDE_SUPPORT_ACCESS):
        return []
    states = sorted({AccessState.CLOSE_FAILED, *WAITS_FOR_CUSTOMER})
    rows = AccessRequest.objects.filter(organisation=request.organisation, state__in=states).select_related("organisation", "engineer")
    found = list(rows.order_by("decide_by")[:SHOWN])
    failed = [one for one in found if one.state == AccessState.CLOSE_FAILED]
    return [
        *(_need("critical", _("The end of access to %(scope)s is not confirmed"), one) for one in failed),
        *_nobody(request),
        *(_need("attention", _("%(engineer)s asks for access to %(scope)s"), one) for one in found if one not in failed),
    ]


def _need(kind: str, title: str, asked: AccessRequest) -> Need:
    names = {"scope": asked.scope_label, "engineer": asked.engineer}
    if kind == "critical":
        detail = _("Your cloud has not refused the old session yet. See how you can shut it yourself.")
        return Need(kind, title % names, detail, _("See what to do"), asked.get_absolute_url())
    return Need(
        kind, title % names, _("Without a decision it lapses, and access stays refused."), _("Review request"), asked.get_absolute_url()
    )


def _nobody(request: OrganisationRequest) -> list[Need]:
    """Only where there is anything to reach, and where it may be asked for: else nobody has anything to approve."""
    accounts = CloudAccount.objects.proven().filter(organisation=OuterRef("pk"))
    own = Organisation.objects.annotate(has_accounts=Exists(accounts)).select_related("access_policy").get(pk=request.organisation.pk)
    # Asked for first: making one with its defaults would put it in the place of the one that is there.
    policy = own.access_policy if hasattr(own, "access_policy") else AccessPolicy(organisation=own)
    missing = approvers_missing(own, policy) if own.has_accounts and policy.mode != Mode.OFF else 0
    if not missing:
        return []
    names = {"provider": settings.PROVIDER_NAME, "missing": missing}
    title = _("Too few people can approve support access")
    detail = _("Approvers with a passkey or an authenticator app that are missing: %(missing)s. Requests of %(provider)s lapse.") % names
    url = reverse("support:access_policy", args=[request.organisation.slug])
    return [Need("critical", title, detail, _("See who can approve"), url)]
