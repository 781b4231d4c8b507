"""Start, call off, look again, consent. Each page says first what the act means, and why it is not possible where it is not."""

import uuid
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.availability import why_not_as_staff
from accounts.forms.trust import DisconnectForm
from accounts.models import CloudAccount
from accounts.offboarding.actions import (
    cancel_offboarding,
    confirm_never_run,
    consent_to_leftovers,
    hand_over,
    look_again,
    open_one,
    start_offboarding,
)
from accounts.offboarding.availability import why_not_cancel, why_not_consent
from accounts.offboarding.forms import ConsentForm, StartForm
from accounts.offboarding.plan import Plan, plan_of
from accounts.sign_in import step_up
from accounts.views.cloud_accounts import account_crumbs, find_account
from portal.operations.availability import NotAllowed
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data

gate = requires(Permission.CONNECT_ACCOUNTS)
own = requires(Permission.MANAGE_ORGANISATION)


@gate
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def offboarding_start(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    plan = plan_of(account)
    form = StartForm(sent_data(request), account=account)
    if request.method == "POST":
        if plan.why_not_start:
            return _blocked(request, plan)
        return _start(request, account, form) if form.is_valid() else reject(request, form)
    title = _("Start offboarding: %(name)s") % {"name": account}
    reason = why_not_as_staff(request.user) or plan.why_not_start
    context = {"account": account, "plan": plan, "reason": reason, "form": form, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, "offboarding/offboarding_start.html", context)


def _start(request: OrganisationRequest, account: CloudAccount, form: StartForm) -> HttpResponse:
    try:
        row = start_offboarding(account, scheduled_for=form.scheduled_for, by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        messages.success(request, _begun() if row.scheduled_for <= timezone.now() else _planned())
    return _back(request, account)


def _begun() -> str:
    return _("The offboarding begins now. The owners and your contacts get a mail.")


def _planned() -> str:
    return _("The offboarding is planned. The owners and your contacts get a mail.")


def _blocked(request: OrganisationRequest, plan: Plan) -> HttpResponse:
    """A program is told the same list as a person."""
    if "application/json" in request.headers.get("Accept", ""):
        problem = {
            "type": "about:blank",
            "title": _("The offboarding cannot start"),
            "status": int(HTTPStatus.CONFLICT),
            "detail": plan.why_not_start,
            "blockers": [{"what": str(one.sentence), "fix": str(one.fix), "url": one.url} for one in plan.blockers],
        }
        return JsonResponse(problem, status=HTTPStatus.CONFLICT, content_type="application/problem+json")
    messages.warning(request, plan.why_not_start)
    return _back(request, plan.account)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def offboarding_cancel(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    if request.method == "POST":
        try:
            cancel_offboarding(account, by=request.user)
        except (NotAllowed, LostRace) as refused:
            messages.warning(request, getattr(refused, "reason", _("It has begun a moment ago, so it cannot be cancelled any more.")))
        else:
            messages.success(request, _("The offboarding is cancelled. Nothing was touched."))
        return _back(request, account)
    title = _("Cancel offboarding: %(name)s") % {"name": account}
    reason = why_not_as_staff(request.user) or why_not_cancel(open_one(account))
    context = {"account": account, "reason": reason, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, "offboarding/offboarding_cancel.html", context)


@gate
@require_POST
def offboarding_check(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Look now. Decides nothing, so it leaves no event."""
    account = find_account(request, pk)
    try:
        is_asked = look_again(account)
    except NotAllowed:
        is_asked = False
    messages.info(request, _("Your cloud is being asked now.") if is_asked else _("Your cloud was asked a moment ago."))
    return _back(request, account)


@gate
@require_POST
def offboarding_hand_over(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    try:
        hand_over(account, by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        told = _("It is handed over. %(provider)s has been told, with the reference.")
        messages.success(request, told % {"provider": settings.PROVIDER_NAME})
    return _back(request, account)


@own
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def offboarding_consent(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """An owner reads the very list, and agrees that the account is closed with it."""
    account = find_account(request, pk)
    row = open_one(account)
    form = ConsentForm(sent_data(request), account=account, initial={"listed": row.listing if row else ""})
    if request.method == "POST":
        return _consent(request, account, form) if form.is_valid() or why_not_consent(row, request.user) else reject(request, form)
    title = _("Close with leftovers: %(name)s") % {"name": account}
    reason = why_not_consent(row, request.user)
    context = {"account": account, "row": row, "reason": reason, "form": form, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, "offboarding/offboarding_consent.html", context)


def _consent(request: OrganisationRequest, account: CloudAccount, form: ConsentForm) -> HttpResponse:
    try:
        consent_to_leftovers(account, listed=form.cleaned_data.get("listed", ""), by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        messages.success(request, _("Your consent is kept. A second person of the provider closes the offboarding."))
    return _back(request, account)


@own
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def offboarding_never_run(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """An owner says what the cloud cannot be asked: the kit was never run, or is removed."""
    account = find_account(request, pk)
    plan = plan_of(account)
    form = DisconnectForm(sent_data(request), account=account)
    if request.method == "POST":
        return _confirm(request, account) if form.is_valid() or plan.why_not_confirm_never_run else reject(request, form)
    title = _("Confirm that the kit is not there: %(name)s") % {"name": account}
    context = {"account": account, "plan": plan, "form": form, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, "offboarding/offboarding_never_run.html", context)


def _confirm(request: OrganisationRequest, account: CloudAccount) -> HttpResponse:
    try:
        confirm_never_run(account, by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        messages.success(request, _("Your word is kept. The certificate names it, and says that your cloud was not asked."))
    return _back(request, account)


def _back(request: OrganisationRequest, account: CloudAccount) -> HttpResponse:
    return redirect("offboarding:offboarding_plan", request.organisation.slug, account.pk)
