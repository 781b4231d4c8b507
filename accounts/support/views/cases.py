"""The engineer's pages: own cases, a new request, its answer, its end."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Organisation
from accounts.sign_in import require_recent_authentication
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.endings import give_back
from accounts.support.actions.requests import Wish, ask_for_access, ask_for_bundle, revise_request, withdraw_request
from accounts.support.brokering.bundles import ASKED_FOR
from accounts.support.forms.requests import BUNDLE, AnswerForm, RequestForm
from accounts.support.models import AccessPolicy, AccessRequest, Bundle
from accounts.support.rules.availability import why_not_check, why_not_complete, why_not_revise, why_not_withdraw
from accounts.support.rules.policy import policy_of
from accounts.support.states import OPEN, OVER, AccessState
from accounts.support.views.answers import do_and_return, refused
from accounts.support.wording.page import RequestPage, bundle_contents, page_of
from accounts.support.wording.words import rules_in_words
from portal.operations.availability import NotAllowed

SHOWN = 200


def desk_tabs(request: EngineerRequest) -> list[dict[str, Any]]:
    here = request.resolver_match.url_name if request.resolver_match else ""
    places = (
        ("case_list", _("My cases")),
        ("case_new", _("Request access")),
        ("review_queue", _("Review queue")),
        ("session_list", _("Active sessions")),
        ("case_bundles", _("Diagnostic bundles")),
        ("case_history", _("History")),
    )
    return [{"label": label, "url": reverse(f"support:{name}"), "is_current": here == name} for name, label in places]


@engineers_only
@require_GET
def case_list(request: EngineerRequest) -> HttpResponse:
    own = AccessRequest.objects.filter(engineer=request.user).with_people().newest_first()
    context = {"requests": own.exclude(state__in=sorted(OVER))[:SHOWN], "over": own.over()[:20], "tabs": desk_tabs(request)}
    return render(request, "support/desk/case_list.html", context)


@engineers_only
@require_http_methods(["GET", "POST"])
def case_new(request: EngineerRequest) -> HttpResponse:
    """First whose, then what. With a preview: the very words that the customer will read, of access or of a bundle."""
    organisation = _customer(request.GET.get("customer", ""))
    if organisation is None:
        return _choose_customer(request)
    policy = policy_of(organisation)
    form = RequestForm(request.POST or None, organisation=organisation, policy=policy, words=request.GET.get("q", ""))
    previews: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        if "preview" not in request.POST:
            require_recent_authentication(request)
            return _ask(request, organisation, form)
        name, draw = ("bundle", bundle_preview_of) if form.cleaned_data["wants"] == BUNDLE else ("preview", preview_of)
        previews[name] = draw(organisation, form.wish, request)
    context = {"form": form, "tabs": desk_tabs(request), **_beside(organisation, policy), **previews}
    return render(request, "support/desk/case_new.html", context)


def _beside(organisation: Organisation, policy: AccessPolicy) -> dict[str, Any]:
    """What stands beside the form: a preview where one was asked for, what a bundle holds, and the customer's own rules."""
    beside = {"customer": organisation, "contents": bundle_contents(), "rules": rules_in_words(policy)}
    return {"preview": None, "bundle": None, **beside}


def _choose_customer(request: EngineerRequest) -> HttpResponse:
    words = request.GET.get("q", "").replace("\0", "")[:120]
    found = Organisation.objects.filter(name__icontains=words).order_by("name") if words else Organisation.objects.order_by("name")
    context = {"customers": found[: SHOWN + 1][:SHOWN], "is_cut": found.count() > SHOWN, "q": words, "tabs": desk_tabs(request)}
    return render(request, "support/desk/case_customer.html", context)


def _customer(key: str) -> Organisation | None:
    """None where nothing was chosen; a key of nobody is not found."""
    if not key:
        return None
    try:
        return get_object_or_404(Organisation, pk=UUID(key))
    except ValueError as error:
        raise Http404 from error


def _ask(request: EngineerRequest, organisation: Organisation, form: RequestForm) -> HttpResponse:
    wish = form.wish
    try:
        if form.cleaned_data["wants"] == BUNDLE:
            bundle = ask_for_bundle(organisation=organisation, scope=wish.scope, case=wish.case, reason=wish.reason, by=request.user)
            names = {"organisation": organisation}
            messages.success(request, _("A diagnostic bundle is asked for. %(organisation)s decides about it.") % names)
            return redirect(bundle.get_engineer_url())
        asked = ask_for_access(organisation=organisation, wish=wish, by=request.user)
    except NotAllowed as refusal:
        return refused(request, refusal.reason, "support:case_list")
    messages.success(request, _("Your request waits for the check of a second engineer."))
    return redirect(asked.get_engineer_url())


def preview_of(organisation: Organisation, wish: Wish, request: EngineerRequest) -> RequestPage:
    """As the customer will read it, with what a decision or silence leads to. Nothing is stored."""
    policy = policy_of(organisation)
    fields = wish.fields() | {"decide_by": timezone.now() + policy.decide_within, "state": AccessState.REQUESTED}
    return page_of(AccessRequest(organisation=organisation, engineer=request.user, **fields), policy).at_desk()


def bundle_preview_of(organisation: Organisation, wish: Wish, request: EngineerRequest) -> Bundle:
    """The same for a bundle."""
    fields = {name: wish.fields()[name] for name in ("scope_kind", "scope_id", "scope_label", "region", "case", "reason")}
    expires_at = timezone.now() + ASKED_FOR
    return Bundle(organisation=organisation, account_id=wish.scope.account, asked_by=request.user, expires_at=expires_at, **fields)


@engineers_only
@require_GET
def case_detail(request: EngineerRequest, pk: UUID) -> HttpResponse:
    asked = case_or_404(pk)
    user = request.user
    context = {
        "asked": asked,
        "page": page_of(asked, policy_of(asked.organisation)).at_desk(),
        "notes": asked.notes.select_related("by"),
        "decisions": asked.decisions.select_related("approver"),
        "may": {
            "check": not why_not_check(asked, user),
            "revise": not why_not_revise(asked, user),
            "withdraw": not why_not_withdraw(asked, user),
            "end": not why_not_complete(asked, user),
            "read_receipt": asked.has_receipt and user.pk in {asked.engineer_id, asked.checked_by_id},
        },
        "why_not_check": why_not_check(asked, user) if asked.engineer_id == user.pk else "",
        "title": pgettext("support request", "Case %(case)s") % {"case": asked.case},
        "tabs": desk_tabs(request),
    }
    return render(request, "support/desk/case_detail.html", context)


@engineers_only
@require_http_methods(["GET", "POST"])
def case_edit(request: EngineerRequest, pk: UUID) -> HttpResponse:
    """Answer a question, with changes or without."""
    asked = case_or_404(pk)
    if reason := why_not_revise(asked, request.user):
        return refused(request, reason, asked.get_engineer_url())
    policy = policy_of(asked.organisation)
    words = request.GET.get("q", "")
    form = AnswerForm(request.POST or None, organisation=asked.organisation, policy=policy, initial=_initial(asked), words=words)
    preview = None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            preview = preview_of(asked.organisation, form.wish, request)
        else:
            require_recent_authentication(request)
            try:
                revise_request(asked, wish=form.wish, answer=form.cleaned_data["answer"], by=request.user)
            except NotAllowed as refusal:
                return refused(request, refusal.reason, asked.get_engineer_url())
            messages.success(request, _("Your answer is checked by a second engineer next."))
            return redirect(asked.get_engineer_url())
    beside = _beside(asked.organisation, policy) | {"preview": preview}
    context = {"form": form, "asked": asked, **beside, "tabs": desk_tabs(request)}
    return render(request, "support/desk/case_edit.html", context)


def _initial(asked: AccessRequest) -> dict[str, Any]:
    names = ("case", "case_url", "reason_type", "reason", "profile", "is_direct")
    place = {"scope": f"{asked.scope_kind}:{asked.scope_id}", "place": asked.engineer_place}
    return {name: getattr(asked, name) for name in names} | place | {"minutes": asked.minutes, "starts_at": asked.starts_at}


@engineers_only
@require_POST
def case_withdraw(request: EngineerRequest, pk: UUID) -> HttpResponse:
    asked = case_or_404(pk)
    return _act(request, asked, lambda: withdraw_request(asked, by=request.user), _("The request is withdrawn. Nothing was opened."))


@engineers_only
@require_POST
def case_end(request: EngineerRequest, pk: UUID) -> HttpResponse:
    """“I am done”: given back before its time."""
    asked = case_or_404(pk)
    return _act(request, asked, lambda: give_back(asked, by=request.user), _("Your access is being ended."))


def _act(request: EngineerRequest, asked: AccessRequest, act: Any, done: str) -> HttpResponse:
    return do_and_return(request, act, done=done, to=asked.get_engineer_url())


@engineers_only
@require_GET
def session_list(request: EngineerRequest) -> HttpResponse:
    open_now = AccessRequest.objects.filter(state__in=sorted(OPEN)).with_people().order_by("granted_until")
    soon = AccessRequest.objects.filter(state="scheduled").with_people().order_by("granted_from")
    context = {"open": open_now[:SHOWN], "soon": soon[:SHOWN], "tabs": desk_tabs(request)}
    return render(request, "support/desk/session_list.html", context)


def case_or_404(pk: UUID) -> AccessRequest:
    return get_object_or_404(AccessRequest.objects.with_people(), pk=pk)
