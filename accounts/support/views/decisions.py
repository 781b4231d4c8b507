"""Deciding: approve what was read, by a passkey or a code; decline; ask for more. Never by GET, never by a link alone."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import OrganisationRequest, Permission, requires
from accounts.support.actions.decisions import approve, ask_for_more, decline
from accounts.support.forms.decisions import NarrowForm
from accounts.support.forms.requests import NoteForm, OptionalReasonForm
from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.proof.documents import Document, NoTimeLeft, parse
from accounts.support.proof.proofs import Factors, NotProven, Proof, factors_of, passkey_options, prove_by_code, prove_by_passkey
from accounts.support.rules.availability import why_not_approve, why_not_ask_more, why_not_decline
from accounts.support.rules.offers import Offer, OfferChanged, OfferOver, draw, reopen, require_unchanged, scope_of
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from accounts.support.views.answers import do_and_return, overtaken, refused
from accounts.support.views.customer import crumbs, request_or_404
from accounts.support.wording.page import differences, page_on
from portal.operations.availability import NotAllowed
from portal.operations.transitions import IllegalMove, LostRace

LONGEST_TOKEN = 20_000


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_http_methods(["GET", "POST"])
def access_approve(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """GET draws the one document that is decided about; POST brings it back with the proof of who decides."""
    asked = request_or_404(request, pk)
    policy = policy_of(request.organisation)
    if reason := why_not_approve(asked, request.membership, policy):
        return refused(request, reason, asked.get_absolute_url())
    if request.method == "POST":
        return _approve(request, asked, policy)
    scope = scope_of(asked)
    if scope is None:
        return refused(request, _("What this request is about does not exist any more."), asked.get_absolute_url())
    given = {"scope": scope.key, "profile": asked.profile, "minutes": str(min(asked.minutes, policy.longest_minutes))}
    form = NarrowForm(given | request.GET.dict(), request=asked, scope=scope, policy=policy)
    if not form.is_valid():
        return refused(request, _("Only less than what was asked can be approved. Choose again."), asked.get_absolute_url())
    try:
        offer = draw(asked, form.terms, policy)
    except NoTimeLeft:
        return refused(request, _("Your policy does not allow access at this time."), asked.get_absolute_url())
    return _show(request, asked, policy, offer)


def _approve(request: OrganisationRequest, asked: AccessRequest, policy: AccessPolicy) -> HttpResponse:
    try:
        offer = reopen(request.POST.get("offer", "")[:LONGEST_TOKEN], asked, request.user)
        require_unchanged(offer, asked, policy)
        approve(asked, offer=offer, proof=_proof(request, offer), by=request.membership)
    except OfferOver:
        over = _(
            "This page was open for more than five minutes, or is not yours. Nothing was approved. Read the request and approve again."
        )
        return refused(request, over, asked.get_absolute_url())
    except OfferChanged as changed:
        return _show_difference(request, asked, policy, changed.shown)
    except NotProven as error:
        return _show(request, asked, policy, offer, error=error.reason)
    except NotAllowed as refusal:
        return refused(request, refusal.reason, asked.get_absolute_url())
    except (LostRace, IllegalMove):
        return refused(request, overtaken(), asked.get_absolute_url())
    messages.success(request, _done(asked))
    return redirect(asked)


def _proof(request: OrganisationRequest, offer: Offer) -> Proof:
    """By passkey where its answer came along, else by a code. Raises NotProven."""
    if credential := request.POST.get("credential", ""):
        return prove_by_passkey(request, request.user, offer.text, credential)
    return prove_by_code(request, request.user, request.POST.get("code", "").strip()[:20])


def _done(asked: AccessRequest) -> str:
    if asked.state == AccessState.APPROVED:
        return _("Your approval is kept. Nothing is open until a second approver agrees to the same.")
    return _("The access is approved. It ends by itself, and you can end it at any time.")


def _show(request: OrganisationRequest, asked: AccessRequest, policy: AccessPolicy, offer: Offer, *, error: str = "") -> HttpResponse:
    factors: Factors = factors_of(request, request.user)
    context = {
        "asked": asked,
        "offer": offer,
        "document": offer.document,
        "page": page_on(asked, offer.terms, policy),
        "token": offer.token_for(asked, request.user),
        "factors": factors,
        "options": passkey_options(request.user, offer.text) if factors.has_passkey else None,
        "sets_aside": asked.state == AccessState.APPROVED and not offer.joins,
        "error": error,
        "crumbs": crumbs(request, asked, _("Approve access")),
    }
    return render(request, "support/access_approve.html", context)


def _show_difference(request: OrganisationRequest, asked: AccessRequest, policy: AccessPolicy, shown: Document) -> HttpResponse:
    """What was read is not what would be granted now: nothing is approved, and the difference is shown."""
    now = _as_it_is(asked, policy)
    # The moment of drawing and what follows from it differ by themselves.
    changed = [one for one in differences(shown, now) if one[0] not in {_("From"), _("Until")}] if now else []
    context = {"asked": asked, "changes": changed, "crumbs": crumbs(request, asked, _("The request has changed"))}
    return render(request, "support/access_changed.html", context)


def _as_it_is(asked: AccessRequest, policy: AccessPolicy) -> Document | None:
    scope = scope_of(asked)
    if scope is None:
        return None
    form = NarrowForm(
        {"scope": scope.key, "profile": asked.profile, "minutes": str(min(asked.minutes, policy.longest_minutes))},
        request=asked,
        scope=scope,
        policy=policy,
    )
    try:
        return parse(draw(asked, form.terms, policy, timezone.now()).text) if form.is_valid() else None
    except NoTimeLeft:
        return None


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_http_methods(["GET", "POST"])
def access_decline(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = request_or_404(request, pk)
    form = OptionalReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["text"]
        done = _("The request is declined. Nothing was opened.")
        return do_and_return(request, lambda: decline(asked, reason=reason, by=request.membership), done=done, to=asked.get_absolute_url())
    context = {"asked": asked, "form": form, "why_not": why_not_decline(asked, request.membership)}
    return render(request, "support/access_decline.html", context | {"crumbs": crumbs(request, asked, _("Decline"))})


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_http_methods(["GET", "POST"])
def access_ask(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = request_or_404(request, pk)
    form = NoteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        question = form.cleaned_data["text"]
        done = _("Your question is sent. Nothing is open.")
        back = asked.get_absolute_url()
        return do_and_return(request, lambda: ask_for_more(asked, question=question, by=request.membership), done=done, to=back)
    context = {"asked": asked, "form": form, "why_not": why_not_ask_more(asked, request.membership)}
    return render(request, "support/access_ask.html", context | {"crumbs": crumbs(request, asked, _("Ask for more information"))})
