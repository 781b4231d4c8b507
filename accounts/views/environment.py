"""The environment of an account: what a look found in a region, looking again, taking it along as a file."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.environment import request_assessment
from accounts.environment.page import EnvironmentPage, build_page
from accounts.forms.environment import EnvironmentForm
from accounts.models import Assessment, CloudAccount
from accounts.views.cloud_accounts import account_tab, find_account
from portal.operations.availability import NotAllowed
from portal.operations.engine import OperationInProgress


@requires(Permission.VIEW)
@require_GET
def account_environment(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    region = _region(request, account)
    seen = list(account.assessments.order_by("region").values_list("region", flat=True).distinct())
    form = EnvironmentForm(initial={"region": region}, kit=kits.load(account.cloud), home=account.home_region, seen=seen)
    context = _live(request, account, build_page(account, region))
    return account_tab(request, account, "account_environment", form=form, seen=seen, **context)


@requires(Permission.VIEW)
@require_GET
def account_environment_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The live fragment, polled while a look is under way: 204 when nothing it shows has changed since `v`."""
    account = find_account(request, pk)
    page = build_page(account, _region(request, account))
    if request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    context = {"account": account, "organisation": request.organisation, **_live(request, account, page)}
    return render(request, "accounts/environment/_account_environment_update.html", context)


def _live(request: OrganisationRequest, account: CloudAccount, page: EnvironmentPage) -> dict[str, Any]:
    can_check = request.membership.can(Permission.RUN_OPERATIONS) and not page.running and not page.why_not
    return {"page": page, "can_check": can_check}


@requires(Permission.RUN_OPERATIONS)
@require_POST
def account_environment_check(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Look again: at everything in a region, or at the one check named `only`."""
    account = find_account(request, pk)
    form = EnvironmentForm(request.POST, kit=kits.load(account.cloud))
    if not form.is_valid():
        messages.warning(request, _("Choose one of the regions that the kit is offered in."))
        return redirect(environment_url(account, account.home_region))
    region = form.cleaned_data["region"]
    try:
        request_assessment(account, region=region, by=request.user, check=form.cleaned_data["only"])
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    except OperationInProgress:
        messages.info(request, _("%(region)s is being checked already.") % {"region": region})
    return redirect(environment_url(account, region))


@requires(Permission.VIEW)
@require_GET
def account_environment_export(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The newest look as a file to keep or to hand to whoever mends things. Times are UTC."""
    account = find_account(request, pk)
    region = _region(request, account)
    page = build_page(account, region)
    headers = {"Content-Disposition": f'attachment; filename="environment-{account.external_id}-{region}.json"'}
    return JsonResponse(_record(account, page), headers=headers, json_dumps_params={"indent": 2})


def _record(account: CloudAccount, page: EnvironmentPage) -> dict[str, Any]:
    newest = page.newest
    columns = ("name", "verdict", "evidence", "params", "command", "link", "checked_at")
    return {
        "record": "environment of a cloud account",
        "cloud": account.cloud,
        "account_number": account.external_id,
        "name": account.name,
        "region": page.region,
        "assessment": _assessment_record(newest) if newest else None,
        "findings": list(newest.findings.values(*columns)) if newest else [],
        "capabilities": newest.facts if newest else {},
        "profiles": {found.profile.code: found.fits for found, _why in page.matches},
    }


def _assessment_record(newest: Assessment) -> dict[str, Any]:
    return {
        "id": str(newest.pk),
        "trigger": newest.trigger,
        "requested_by": str(newest.requested_by) if newest.requested_by else "",
        "kit_version": newest.kit_version,
        "needs": newest.needs,
        "started_at": newest.started_at,
        "finished_at": newest.finished_at,
        "passed": newest.passed,
        "warned": newest.warned,
        "blocked": newest.blocked,
        "unknown": newest.unknown,
    }


def _region(request: OrganisationRequest, account: CloudAccount) -> str:
    """The region that the address names, else that of the kit. A region that is not offered does not exist."""
    asked = request.GET.get("region", "")
    if not asked:
        return account.home_region
    try:
        return kits.load(account.cloud).region(asked).code
    except KeyError:
        raise Http404 from None


def environment_url(account: CloudAccount, region: str) -> str:
    page = reverse("accounts:account_environment", args=[account.organisation.slug, account.pk])
    return f"{page}?{urlencode({'region': region})}"
