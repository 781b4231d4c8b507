"""Renewing the kit of a connected account: what would change, consent, running the new kit, watching it take over.

Offer -> Run -> Waiting. The kit in use goes on working until the new one has taken over.
"""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.connect import newest_generation, report_kit, take_up
from accounts.actions.renewal import start_renewal, stay_on_kit, stop_renewal
from accounts.actions.step_links import open_link
from accounts.availability import why_not_renew
from accounts.forms.connect import ReportForm
from accounts.kit_links import kit_links, standing_kits
from accounts.kit_offer import KitOffer, kit_offer
from accounts.models import CloudAccount, Kit
from accounts.states import KitState
from accounts.transitions import renewal_of
from accounts.views.account_acts import refused
from accounts.views.cloud_accounts import account_crumbs, find_account
from accounts.views.connect import ROUTE_COOKIE, route_tabs, shown_generation
from portal.audit import Actor
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.rejected_forms import reject, sent_data

gate = requires(Permission.CONNECT_ACCOUNTS)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def account_kit_update(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """What the new kit changes, and consent to it. For a trust that was lost: the same version again."""
    account = find_account(request, pk)
    if request.method == "POST":
        try:
            start_renewal(account, after_generation=shown_generation(request), by=request.user)
        except NotAllowed as reason:
            return refused(request, account, reason)
        return redirect(page_url(account, "run"))
    context = {"offer": kit_offer(account), "reason": why_not_renew(account), "generation": newest_generation(account)}
    return _page(request, account, "kit_update", **context)


@gate
@require_POST
def account_kit_stay(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    try:
        stay_on_kit(account, version=kits.load(account.cloud).version, by=request.user)
    except NotAllowed as reason:
        return refused(request, account, reason)
    return redirect(account)


@gate
@require_GET
def account_kit_run(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    kit = _candidate(account)
    if kit is None:
        return redirect(page_url(account, "waiting" if _operation(account) else "update"))
    links = kit_links(kit)
    asked = request.GET.get("via") or request.COOKIES.get(ROUTE_COOKIE, "")
    route = links.routes.get(asked) or next(iter(links.routes.values()))
    documents = kits.load(account.cloud).documents
    tabs = route_tabs(links.routes, route)
    return _page(request, account, "kit_run", kit=kit, links=links, route=route, routes=tabs, documents=documents, link=open_link(kit))


@gate
@require_GET
def account_kit_waiting(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    if _operation(account) is None:
        return redirect(page_url(account, "update"))
    return _waiting(request, account)


@gate
@require_GET
def account_kit_waiting_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Polled by the waiting page: loads it again when the operation has ended, for what to do then stands outside the operation's panel."""
    account = find_account(request, pk)
    operation = _operation(account)
    if operation is not None and operation.is_live:
        return HttpResponse(status=204)
    return HttpResponse(headers={"HX-Redirect": page_url(account, "waiting")})


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def account_kit_report(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Takes what was pasted on the waiting page. Opened by itself, as after signing in again, it leads there."""
    account = find_account(request, pk)
    if request.method != "POST":
        return redirect(page_url(account, "waiting"))
    form = ReportForm(request.POST, account=account, issued=_candidate(account))
    if not form.is_valid():
        return reject(request, form, to=page_url(account, "waiting"))
    try:
        report_kit(account, report=form.cleaned_data["evidence"], by=Actor.user(request.user))
        take_up(renewal_of(account), by=request.user)
    except NotAllowed as reason:
        return refused(request, account, reason)
    return redirect(page_url(account, "waiting"))


@gate
@require_POST
def account_kit_stop(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Give the new kit up; the one in use was never touched, so nobody is asked twice."""
    account = find_account(request, pk)
    stop_renewal(account, by=request.user)
    return redirect(account)


def page_url(account: CloudAccount, page: str) -> str:
    return reverse(f"accounts:account_kit_{page}", args=[account.organisation.slug, account.pk])


def _operation(account: CloudAccount) -> Operation | None:
    subject = renewal_of(account)
    return account.organisation.operations.for_subject(subject.kind, subject.id).newest_first().first()


def _candidate(account: CloudAccount) -> Kit | None:
    return account.kits.select_related("account").filter(state=KitState.CANDIDATE).first()


def _waiting(request: OrganisationRequest, account: CloudAccount) -> HttpResponse:
    operation = _operation(account)
    form = ReportForm(sent_data(request), account=account, issued=_candidate(account))
    context: dict[str, Any] = {"operation": operation, "report": form, "offer": kit_offer(account)}
    context["generation"] = newest_generation(account)
    context["standing"] = standing_kits(account)
    return _page(request, account, "kit_waiting", **context)


def _page(request: OrganisationRequest, account: CloudAccount, name: str, **context: Any) -> HttpResponse:
    offer: KitOffer | None = context.get("offer") or kit_offer(account)
    title = _("Restore the trust") if offer and offer.restores else _("Update the kit")
    context |= {"account": account, "words": kits.load(account.cloud).words, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, f"accounts/kits/{name}.html", context)
