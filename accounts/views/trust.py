"""The trust of a connected account: what is believed of it, what has changed, "Check now"."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.trust import look_now
from accounts.trust_panel import trust_panel
from accounts.views.cloud_accounts import account_tab, find_account
from portal.operations.availability import NotAllowed

gate = requires(Permission.VIEW)


@gate
@require_GET
def account_trust(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    panel = trust_panel(account, can_act=request.membership.can(Permission.RUN_OPERATIONS))
    return account_tab(request, account, "account_trust", panel=panel)


@gate
@require_GET
def account_trust_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live part of the page, and the badge above it, polled while something is about to change by itself."""
    account = find_account(request, pk)
    panel = trust_panel(account, can_act=request.membership.can(Permission.RUN_OPERATIONS))
    can_connect = request.membership.can(Permission.CONNECT_ACCOUNTS)
    context = {"panel": panel, "account": account, "can_connect": can_connect, "words": kits.load(account.cloud).words}
    return render(request, "accounts/trust/_trust_update.html", context)


@requires(Permission.RUN_OPERATIONS)
@require_POST
def account_trust_check(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Look now ("Check now"): the page shows that it is asked for, and the answer when it is there."""
    account = find_account(request, pk)
    try:
        look_now(account)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    return redirect("accounts:account_trust", request.organisation.slug, account.pk)
