"""The page of an account's way out: the plan from day one, then how far it is. Reading starts nothing."""

import uuid

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from accounts.access import OrganisationRequest, Permission, requires
from accounts.models import CloudAccount
from accounts.offboarding.leftovers import look_of
from accounts.offboarding.plan import Plan, plan_of
from accounts.views.cloud_accounts import account_crumbs, account_tabs, find_account

gate = requires(Permission.VIEW)


@gate
@require_GET
def offboarding_plan(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    plan = plan_of(account)
    look = look_of(account) if plan.row and (plan.row.has_begun or not plan.row.is_open) else None
    tabs = account_tabs(account, "offboarding:offboarding_plan")
    return render(request, "offboarding/offboarding_plan.html", {**_context(request, account, plan), "look": look, "tabs": tabs})


@gate
@require_GET
def offboarding_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live part of that page, polled while it is under way. In another state than it was polled from, the whole page is another."""
    account = find_account(request, pk)
    plan = plan_of(account)
    if request.htmx and plan.row and request.GET.get("state") not in {None, plan.row.state}:
        return HttpResponseClientRefresh()
    return render(request, "offboarding/_offboarding_status.html", _context(request, account, plan))


@gate
@require_GET
def offboarding_file(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Plan and configuration as a file to keep, before anything is deleted."""
    account = find_account(request, pk)
    headers = {"Content-Disposition": f'attachment; filename="offboarding-plan-{account.pk}.json"', "Cache-Control": "no-store"}
    return JsonResponse(plan_of(account).as_file(), headers=headers, json_dumps_params={"indent": 2})


def _context(request: OrganisationRequest, account: CloudAccount, plan: Plan) -> dict[str, object]:
    return {
        "account": account,
        "plan": plan,
        "row": plan.row,
        "can_connect": request.membership.can(Permission.CONNECT_ACCOUNTS),
        "can_export": request.membership.can(Permission.EXPORT_ACTIVITY),
        "crumbs": account_crumbs(account, _("Offboarding")),
    }
