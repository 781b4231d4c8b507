"""For which regions an account's kit stands, and how another one is added, where a kit is run for one at a time."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.trust import look_now
from accounts.kit_regions import KitRegions, has_kit_regions, regions_url
from accounts.views.cloud_accounts import account_crumbs, find_account
from portal.operations.availability import NotAllowed


@requires(Permission.VIEW)
@require_GET
@vary_on_headers("HX-Request")
def account_kit_regions(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The regions of the kit; with one asked for, the command that adds it: running it is the customer's act, nothing is written."""
    account = find_account(request, pk)
    if not has_kit_regions(account):
        return redirect(account)
    panel = KitRegions(account, request.membership.can(Permission.CONNECT_ACCOUNTS), request.GET.get("region", ""))
    title = _("Locations for cells")
    context = {
        "account": account,
        "panel": panel,
        "words": kits.load(account.cloud).words,
        "title": title,
        "crumbs": account_crumbs(account, title),
        "can_look": request.membership.can(Permission.RUN_OPERATIONS),
    }
    return render(request, "accounts/kits/_kit_regions.html" if request.htmx else "accounts/kits/kit_regions.html", context)


@requires(Permission.RUN_OPERATIONS)
@require_POST
def account_kit_regions_check(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Look now whether the kit has been run for another region; the page shows the answer when it is there."""
    account = find_account(request, pk)
    try:
        look_now(account)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    asked = str(request.POST.get("region", ""))
    is_known = asked in {region.code for region in kits.load(account.cloud).regions}
    return redirect(f"{regions_url(account)}?region={asked}" if is_known else regions_url(account))
