"""What of the fleet waits for somebody, for the top of Home."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.access import OrganisationRequest, Permission
from accounts.views.home import Need
from cells.fleet.summary import Summary, summary_of

SHOWN_DRAFTS = 3


def fleet_needs(request: OrganisationRequest) -> list[Need]:
    """Worst first. The numbers are read once for the whole page."""
    if not request.membership.can(Permission.MANAGE_INSTANCES):
        return []
    summary = summary_of(request.organisation)
    slug = request.organisation.slug
    instances, cells = (reverse(f"cells:{name}_list", args=[slug]) for name in ("instance", "cell"))
    return [*_failed(summary, instances, cells), *_ill(summary, instances, cells), *_drafts(request)]


def _failed(summary: Summary, instances: str, cells: str) -> list[Need]:
    found = []
    if number := summary.failed_cells:
        title = ngettext("%(number)s deployment cell failed", "%(number)s deployment cells failed", number) % {"number": number}
        found.append(_need("critical", title, _("Its operation says why, and goes on with a retry."), f"{cells}?state=failed"))
    if number := summary.failed:
        title = ngettext("%(number)s instance failed", "%(number)s instances failed", number) % {"number": number}
        found.append(_need("critical", title, _("Its operation says why, and goes on with a retry."), f"{instances}?state=failed"))
    return found


def _ill(summary: Summary, instances: str, cells: str) -> list[Need]:
    found = []
    if number := summary.unhealthy:
        title = ngettext("%(number)s instance is not healthy", "%(number)s instances are not healthy", number) % {"number": number}
        found.append(
            _need("critical", title, _("It runs, but does not serve as it should."), f"{instances}?state=running&health=unhealthy")
        )
    if number := summary.degraded:
        title = ngettext("%(number)s instance is degraded", "%(number)s instances are degraded", number) % {"number": number}
        found.append(_need("attention", title, _("It runs, but only in part."), f"{instances}?state=running&health=degraded"))
    if number := summary.silent:
        title = ngettext("%(number)s cell is not heard", "%(number)s cells are not heard", number) % {"number": number}
        found.append(
            _need("unknown", title, _("What runs there keeps running; what this portal shows of it may be old."), f"{cells}?link=offline")
        )
    if number := summary.drifted:
        title = ngettext("%(number)s cell differs from what was ordered", "%(number)s cells differ from what was ordered", number)
        found.append(
            _need(
                "attention",
                title % {"number": number},
                _("Somebody changed it by hand. Its page lists what differs."),
                f"{cells}?drift=drifted",
            )
        )
    return found


def _drafts(request: OrganisationRequest) -> list[Need]:
    drafts = request.organisation.instance_drafts.filter(created_by=request.user).select_related("plan", "organisation")
    detail = _("Everything entered so far is saved.")
    return [
        Need("neutral", _("Continue creating %(name)s") % {"name": draft}, detail, _("Continue"), draft.get_absolute_url())
        for draft in drafts[:SHOWN_DRAFTS]
    ]


def _need(kind: str, title: str, detail: str, url: str) -> Need:
    return Need(kind, title, detail, _("See which"), url)
