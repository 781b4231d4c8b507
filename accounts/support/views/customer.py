"""What a customer sees of support access: what waits, what is open, what was; and ending it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.shutting import ways_to_shut
from accounts.support.actions.endings import revoke
from accounts.support.forms.decisions import HistoryFilter, NarrowForm
from accounts.support.forms.requests import EndingForm
from accounts.support.models import AccessRequest, Bundle
from accounts.support.models.requests import AccessRequestQuerySet
from accounts.support.proof.exports import FORMATS, answer, record_export
from accounts.support.proof.proofs import factors_of
from accounts.support.rules.availability import approvers_missing, why_not_approve, why_not_decline, why_not_end
from accounts.support.rules.offers import scope_of
from accounts.support.rules.people import approvers_gone
from accounts.support.rules.policy import policy_of
from accounts.support.states import GRANTED, WAITS_FOR_CUSTOMER, AccessState
from accounts.support.views.answers import do_and_return
from accounts.support.wording.page import page_of
from accounts.targets import cloud_names

SHOWN = 50


def access_tabs(request: OrganisationRequest) -> list[dict[str, Any]]:
    here = request.resolver_match.url_name if request.resolver_match else ""
    places = (("access_home", _("Now")), ("access_history", _("History")), ("access_policy", _("Policy")))
    slug = request.organisation.slug
    return [{"label": label, "url": reverse(f"support:{name}", args=[slug]), "is_current": here == name} for name, label in places]


def shown_to(request: OrganisationRequest) -> AccessRequestQuerySet:
    """Every request that this customer may know of."""
    return AccessRequest.objects.filter(organisation=request.organisation).for_customer().with_people()


def request_or_404(request: OrganisationRequest, pk: UUID) -> AccessRequest:
    return get_object_or_404(shown_to(request), pk=pk)


@requires(Permission.VIEW)
@require_GET
def access_home(request: OrganisationRequest) -> HttpResponse:
    """Pending requests, grants, the newest of the history."""
    seen = shown_to(request)
    policy = policy_of(request.organisation)
    waits = sorted({*WAITS_FOR_CUSTOMER, AccessState.MORE_INFO, AccessState.CHECKING})
    context = {
        "pending": seen.filter(state__in=waits).order_by("decide_by")[:SHOWN],
        "granted": seen.filter(state__in=sorted(GRANTED)).order_by("granted_until")[:SHOWN],
        "past": seen.over().newest_first()[:5],
        "bundles": Bundle.objects.filter(organisation=request.organisation).newest_first()[:5],
        "policy": policy,
        "missing": approvers_missing(request.organisation, policy),
        "can_decide": request.membership.can(Permission.DECIDE_SUPPORT_ACCESS),
        "tabs": access_tabs(request),
    }
    return render(request, "support/access_home.html", context)


@requires(Permission.VIEW)
@require_GET
def access_request(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """One request: everything that a decision needs on one screen; later the grant; in the end what became of it."""
    asked = request_or_404(request, pk)
    if request.htmx and request.GET.get("state") == asked.state:
        return HttpResponse(status=204)
    policy = policy_of(request.organisation)
    scope = scope_of(asked)
    why_not = why_not_approve(asked, request.membership, policy)
    is_decidable = asked.state in WAITS_FOR_CUSTOMER and scope is not None
    context = {
        "asked": asked,
        "page": page_of(asked, policy),
        "is_decidable": is_decidable,
        "why_not_approve": why_not,
        "can_decline": not why_not_decline(asked, request.membership),
        "can_end": not why_not_end(asked, request.membership),
        "is_failed": asked.state == AccessState.CLOSE_FAILED,
        # Seconds from now it is something else: the page then shows it by itself.
        "is_moving": asked.state in {AccessState.SCHEDULED, AccessState.ACTIVATING, AccessState.ENDING},
        "proof": asked.proofs.filter(is_refused=True).order_by("asked_at").first() if asked.is_over else None,
        "cloud": cloud_names(asked.account.cloud)["cloud"],
        "ways": [{"what": way.text, "command": way.command} for way in ways_to_shut(asked.account)] if asked.is_open else [],
        "narrow": NarrowForm(None, request=asked, scope=scope, policy=policy) if scope and is_decidable and not why_not else None,
        "factors": factors_of(request, request.user),
        "notes": asked.notes.filter(is_internal=False).select_related("by"),
        "decisions": asked.decisions.select_related("approver"),
        "gone": approvers_gone(asked) if asked.is_open else [],
        "earlier": shown_to(request).filter(engineer=asked.engineer).exclude(pk=asked.pk).newest_first()[:5],
        "crumbs": crumbs(request, asked),
    }
    return render(request, "support/access_request.html", context)


def crumbs(request: OrganisationRequest, asked: AccessRequest, *more: str) -> list[dict[str, str]]:
    """The way to a page under one request."""
    way = [
        {"label": _("Support access"), "url": reverse("support:access_home", args=[request.organisation.slug])},
        {"label": str(asked), "url": asked.get_absolute_url()},
    ]
    return [*way, *({"label": label, "url": ""} for label in more)]


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_http_methods(["GET", "POST"])
def access_end(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """Ends at once, without another proof of identity."""
    asked = request_or_404(request, pk)
    form = EndingForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["text"]
        done = _("The access is being ended. Nothing more is done under it.")
        return do_and_return(request, lambda: revoke(asked, by=request.membership, reason=reason), done=done, to=asked.get_absolute_url())
    context = {"asked": asked, "form": form, "why_not": why_not_end(asked, request.membership)}
    return render(request, "support/access_end.html", context | {"crumbs": crumbs(request, asked, _("End access now"))})


# --- History ---------------------------------------------------------------------------------------------------------


@requires(Permission.VIEW)
@require_GET
def access_history(request: OrganisationRequest) -> HttpResponse:
    form = HistoryFilter(request.GET.dict())
    found = form.apply(shown_to(request)).newest_first() if form.is_valid() else AccessRequest.objects.none()
    context = {
        "form": form,
        "requests": found[:SHOWN],
        "count": found.count(),
        "limit": SHOWN,
        "query": form.query if form.is_valid() else "",
        "can_export": request.membership.can(Permission.EXPORT_ACTIVITY),
        "tabs": access_tabs(request),
    }
    return render(request, "support/access_history.html", context)


@requires(Permission.EXPORT_ACTIVITY)
@require_POST
def access_export(request: OrganisationRequest, kind: str) -> HttpResponseBase:
    """The filtered history, streamed; times are UTC. That it was exported is itself an event."""
    form = HistoryFilter(request.GET.dict())
    if kind not in FORMATS or not form.is_valid():
        raise Http404
    record_export(kind, form.query, by=request.user, organisation=request.organisation)
    return answer(kind, form.apply(shown_to(request)).newest_first(), f"support-access-{request.organisation.slug}")
