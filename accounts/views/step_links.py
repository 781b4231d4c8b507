"""One step for a colleague: the owner sends and withdraws the link, its holder runs the kit without an account."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from allauth.core.internal.ratelimit import consume
from allauth.core.ratelimit import respond_429
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.step_links import open_link, open_step, report_step, send_step, withdraw_step
from accounts.availability import why_not_send_step
from accounts.forms.connect import ReportForm
from accounts.forms.step_links import SendStepForm
from accounts.kit_links import kit_links
from accounts.kits.manifest import grouped
from accounts.models import CloudAccount, StepLink
from accounts.models.people import token_hash
from accounts.models.step_links import StepLinkPhase
from accounts.states import KitState
from accounts.views.cloud_accounts import account_crumbs
from accounts.views.connect import current_step, route_tabs, step_url
from portal.operations.availability import NotAllowed
from portal.rejected_forms import reject, sent_data

# A link is 256 random bits: this is not against guessing, it keeps one machine from asking without end.
LIMITS = {"step_link": "120/m/ip", "step_link_report": "10/10m/key"}

SENT_COOKIE = "sent_step"
SENT_SECONDS = 60

gate = requires(Permission.CONNECT_ACCOUNTS)

# --- By whoever connects the account ---------------------------------------------------------------------------------


@gate
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def connect_send(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask for a link; its address is shown once, or is in a mail."""
    account = _account(request, pk)
    if request.method == "POST":
        return _send(request, account)
    kit = account.kits.waiting().first()
    link = open_link(kit) if kit else None
    crumbs = account_crumbs(account, _("Send this step to a colleague"))
    if link and (url := request.get_signed_cookie(SENT_COOKIE, default="", max_age=SENT_SECONDS)):
        shown = {"account": account, "link": link, "url": url, "run_url": run_url(account), "crumbs": crumbs}
        response = render(request, "accounts/step_links/step_sent.html", shown)
        response.delete_cookie(SENT_COOKIE, path=request.path)
        return response
    context = {"account": account, "form": SendStepForm(sent_data(request)), "kit": kit, "link": link, "reason": why_not_send_step(account)}
    context |= {"run_url": run_url(account), "crumbs": crumbs}
    return render(request, "accounts/step_links/step_send.html", context)


def _send(request: OrganisationRequest, account: CloudAccount) -> HttpResponse:
    form = SendStepForm(request.POST)
    if not form.is_valid():
        return reject(request, form)
    try:
        link, url = send_step(account, by=request.user, **form.sending)
    except NotAllowed:
        return redirect(request.path)  # which says why not
    if link.email:
        messages.success(request, _("The link is on its way to %(email)s.") % {"email": link.email})
        return redirect(run_url(account))
    response = redirect(request.path)
    # The secret is kept nowhere here: the one browser that may show it carries it to the next page.
    response.set_signed_cookie(
        SENT_COOKIE, url, max_age=SENT_SECONDS, path=request.path, samesite="Strict", httponly=True, secure=request.is_secure()
    )
    return response


@gate
@require_POST
def connect_send_withdraw(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    try:
        withdraw_step(account, by=request.user)
    except NotAllowed as refusal:
        messages.error(request, refusal.reason)
    else:
        messages.success(request, _("The link is withdrawn. It opens nothing any more."))
    return redirect(run_url(account))


@gate
@require_GET
def connect_send_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Polled by the run page: leads on once the kit has run, and shows until then what became of an open link."""
    account = _account(request, pk)
    kit = account.kits.waiting().first()
    if kit is None:
        return HttpResponse(headers={"HX-Redirect": run_url(account)})
    return render(request, "accounts/step_links/_sent_link.html", {"account": account, "link": open_link(kit)})


def run_url(account: CloudAccount) -> str:
    """Where the sender was: at the kit that is to replace another, or where connecting is."""
    is_renewing = account.is_watched and account.kits.filter(state=KitState.CANDIDATE).exists()
    if not is_renewing:
        return step_url(account, current_step(account))
    page = "run" if account.kits.waiting().exists() else "waiting"
    return reverse(f"accounts:account_kit_{page}", args=[account.organisation.slug, account.pk])


def _account(request: OrganisationRequest, pk: uuid.UUID) -> CloudAccount:
    return get_object_or_404(request.organisation.cloud_accounts.select_related("organisation"), pk=pk)


# --- By the holder of the link ---------------------------------------------------------------------------------------

P = ParamSpec("P")


def by_link(view: Callable[Concatenate[HttpRequest, StepLink, P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Finds the link of the address, answers every other address alike, and keeps the page out of caches and search engines."""

    @wraps(view)
    def opened(request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not consume(request, app="accounts", action="step_link", config=LIMITS, limit_get=True):
            return cast(HttpResponse, respond_429(request))
        link = _by_token(token)
        if link is None or link.phase == StepLinkPhase.GONE:
            response = render(request, "accounts/step_links/step_gone.html", status=410)
        else:
            response = view(request, link, *args, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        return response

    return never_cache(opened)


@login_not_required  # a colleague with rights in the cloud needs no account; the secret in the address is the key
@require_GET
@by_link
def step_link(request: HttpRequest, link: StepLink) -> HttpResponse:
    """The step. The first look is written down: the sender wants to know whether the mail arrived."""
    if link.opened_at is None:
        open_step(link)
    return _step_page(request, link)


@login_not_required  # as the page it belongs to
@require_GET
@by_link
def step_link_status(request: HttpRequest, link: StepLink) -> HttpResponse:
    """Polled by the page. Once nothing is to be run any more the whole page is loaded again: it then shows less."""
    if link.phase != StepLinkPhase.OPEN and request.GET.get("was") == StepLinkPhase.OPEN:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "accounts/step_links/_step_status.html", _status(link) | {"token": _token(request)})


@login_not_required  # as the page it belongs to
@require_GET
@by_link
def step_link_file(request: HttpRequest, link: StepLink, file: str) -> HttpResponse:
    """A file of the kit: the exact bytes whose hash the page shows."""
    document = next((document for document in kits.load(link.account.cloud).documents if document.file == file), None)
    if document is None or link.phase != StepLinkPhase.OPEN:
        raise Http404
    headers = {"Content-Disposition": f'inline; filename="{document.file}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(document.text, content_type="text/plain; charset=utf-8", headers=headers)


@login_not_required  # as the page it belongs to
@require_http_methods(["GET", "HEAD", "POST"])
@by_link
def step_link_report(request: HttpRequest, link: StepLink) -> HttpResponse:
    """What the kit printed, pasted by whoever ran it. Kept as a hint, as everywhere, and believed never."""
    page = reverse("accounts:step_link", args=[_token(request)])
    if request.method != "POST":
        return redirect(page)
    if not consume(request, app="accounts", action="step_link_report", config=LIMITS, key=str(link.pk)):
        return cast(HttpResponse, respond_429(request))
    form = ReportForm(request.POST, account=link.account, issued=link.kit)
    if link.phase == StepLinkPhase.OPEN and not form.is_valid():
        return reject(request, form, to=page)
    if link.phase == StepLinkPhase.OPEN:
        try:
            report_step(link, report=form.cleaned_data["evidence"])
        except NotAllowed:
            pass  # it ended between two lines; the page tells
        else:
            messages.success(request, _("Thank you. The portal looks now."))
    return redirect(page)


def _by_token(token: str) -> StepLink | None:
    links = StepLink.objects.select_related("kit__account__organisation", "sent_by")
    return links.filter(token_hash=token_hash(token)).first()


def _token(request: HttpRequest) -> str:
    return str(request.resolver_match.kwargs["token"]) if request.resolver_match else ""


def _step_page(request: HttpRequest, link: StepLink) -> HttpResponse:
    context = _status(link) | {"token": _token(request), "words": kits.load(link.account.cloud).words, "portal_url": settings.PORTAL_URL}
    if link.phase != StepLinkPhase.OPEN:
        return render(request, "accounts/step_links/step_done.html", context)
    kit, routes = kits.load(link.account.cloud), kit_links(link.kit, link=link).routes
    route = routes.get(request.GET.get("via", "")) or next(iter(routes.values()))
    context |= {
        "kit": kit,
        "route": route,
        "routes": route_tabs(routes, route),
        "made_name": kit.made_name(link.kit.suffix),
        "groups": grouped(kit.permissions),
        "total": len(kit.permissions),
        "report": ReportForm(sent_data(request), account=link.account, issued=link.kit),
        "issuer_url": settings.ISSUER_URL,
    }
    return render(request, "accounts/step_links/step_link.html", context)


def _status(link: StepLink) -> dict[str, Any]:
    """What is known about the run: when the portal last looked, when it saw the kit."""
    operations = link.account.organisation.operations.newest_first()
    operation = operations.filter(data__kit=str(link.kit.pk)).first()
    step = operation.steps.filter(name="run_kit").order_by("-attempt").first() if operation else None
    seen_at = (step.ended_at if step and step.is_done else None) or link.account.state_at
    return {
        "link": link,
        "account": link.account,
        "phase": link.phase.value,
        "looked_at": step.last_run_at if step else None,
        "seen_at": seen_at,
    }
