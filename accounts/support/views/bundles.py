"""Diagnostic bundles: the customer starts, looks through, releases and discards; the engineer sees what was released."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.sign_in import step_up
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.bundles import collect_bundle, discard_bundle, release_bundle, start_bundle
from accounts.support.brokering import bundles
from accounts.support.forms.bundles import BundleForm
from accounts.support.models import Bundle, BundleFile
from accounts.support.rules.acts import failure_words
from accounts.support.rules.redactions import rules_in_words
from accounts.support.states import BundleState
from accounts.support.views.answers import do_and_return, refused
from accounts.support.views.cases import desk_tabs
from accounts.support.wording.page import bundle_contents
from accounts.support.wording.words import PART_WORDS
from portal.operations.availability import NotAllowed

SHOWN = 50
WAITING_EVERY = "3s"


def parts_of(bundle: Bundle, *, is_released_only: bool = False) -> list[dict[str, Any]]:
    """Each part with its words, what was struck, and its text as far as it is still there."""
    files = bundle.files.filter(is_excluded=False) if is_released_only else bundle.files.all()
    order = list(PART_WORDS)
    found = sorted(files, key=lambda file: order.index(file.name) if file.name in order else len(order))
    return [_part(file) for file in found]


def _part(file: BundleFile) -> dict[str, Any]:
    words, explained = PART_WORDS.get(file.name, (file.name, ""))
    return {
        "file": file,
        "words": words,
        "explained": explained,
        "text": bundles.text_of(file),
        "rules": rules_in_words(file.redactions),
        "why": failure_words(file.code) or file.code,
    }


# --- The customer ----------------------------------------------------------------------------------------------------


def _of_customer(request: OrganisationRequest, pk: UUID) -> Bundle:
    rows = Bundle.objects.filter(organisation=request.organisation)
    return get_object_or_404(rows.select_related("asked_by", "account", "released_by", "organisation"), pk=pk)


def _crumbs(request: OrganisationRequest, last: str) -> list[dict[str, str]]:
    home = {"label": _("Support access"), "url": reverse("support:access_home", args=[request.organisation.slug])}
    return [home, {"label": last, "url": ""}]


@requires(Permission.VIEW)
@require_GET
def bundle(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """One diagnostic bundle: where it stands, every part of it, and what can be done with it."""
    found = _of_customer(request, pk)
    membership = request.membership
    why_not = bundles.why_no_decider(membership)
    context = {
        "bundle": found,
        # Who may not decide about it does not read it either: it may hold what only few should see.
        "parts": [] if why_not else parts_of(found),
        "why_not": why_not,
        "can_collect": not bundles.why_not_collect(found, membership),
        "can_release": not bundles.why_not_release(found, membership),
        "can_discard": not bundles.why_not_discard(found, membership),
        "contents": bundle_contents(),
        "why_failed": failure_words(found.failure_code) or found.failure_code,
        "is_waiting": found.state == BundleState.COLLECTING,
        "every": WAITING_EVERY,
        "crumbs": _crumbs(request, str(found)),
    }
    return render(request, "support/_bundle_state.html" if request.htmx else "support/bundle.html", context)


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_http_methods(["GET", "POST"])
def bundle_new(request: OrganisationRequest) -> HttpResponse:
    """By the customer, before anybody of the provider has asked."""
    form = BundleForm(request.POST or None, organisation=request.organisation, words=request.GET.get("q", ""))
    if request.method == "POST" and form.is_valid():
        try:
            made = start_bundle(scope=form.chosen, reason=form.cleaned_data["reason"], by=request.membership)
        except NotAllowed as refusal:
            return refused(request, refusal.reason, reverse("support:bundle_new", args=[request.organisation.slug]))
        return redirect(made.get_absolute_url())
    why_not = bundles.why_no_decider(request.membership)
    context = {"form": form, "contents": bundle_contents(), "why_not": why_not, "crumbs": _crumbs(request, _("Start a diagnostic bundle"))}
    return render(request, "support/bundle_new.html", context)


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_POST
def bundle_collect(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    done = _("The agent collects it now. Nobody of the provider sees it before you release it.")
    return _act(request, pk, lambda found: collect_bundle(found, by=request.membership), done)


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@step_up
@require_POST
def bundle_release(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """The parts that are ticked, and no other."""
    parts = request.POST.getlist("part")
    return _act(request, pk, lambda found: release_bundle(found, parts=parts, by=request.membership), _("The chosen parts are released."))


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_POST
def bundle_discard(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    done = _("Nothing of the bundle can be read any more.")
    return _act(request, pk, lambda found: discard_bundle(found, by=request.membership), done)


def _act(request: OrganisationRequest, pk: UUID, act: Callable[[Bundle], None], done: str) -> HttpResponse:
    found = _of_customer(request, pk)
    return do_and_return(request, lambda: act(found), done=done, to=found.get_absolute_url())


# --- The engineer ----------------------------------------------------------------------------------------------------


@engineers_only
@require_GET
def case_bundles(request: EngineerRequest) -> HttpResponse:
    found = bundles.for_engineer(request.user).select_related("organisation", "account", "asked_by").newest_first()
    context = {"bundles": found[:SHOWN], "title": _("Diagnostic bundles"), "tabs": desk_tabs(request)}
    return render(request, "support/desk/case_bundles.html", context)


@engineers_only
@require_GET
def case_bundle(request: EngineerRequest, pk: UUID) -> HttpResponse:
    """Only what was released; before and after that, how it stands."""
    rows = bundles.for_engineer(request.user).select_related("organisation", "account", "asked_by")
    found = get_object_or_404(rows, pk=pk)
    is_released = found.state == BundleState.RELEASED
    context = {
        "bundle": found,
        "parts": parts_of(found, is_released_only=True) if is_released else [],
        "left_out": _left_out(found) if is_released else [],
        "why_failed": failure_words(found.failure_code) or found.failure_code,
        "title": pgettext("diagnostic bundle", "Bundle of %(scope)s") % {"scope": found.scope_label},
        "tabs": desk_tabs(request),
    }
    return render(request, "support/desk/case_bundle.html", context)


def _left_out(bundle: Bundle) -> list[str]:
    return [str(PART_WORDS.get(file.name, (file.name, ""))[0]) for file in bundle.files.filter(is_excluded=True)]
