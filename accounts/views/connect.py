"""The connect wizard: one page a step, each with its own URL; saved at every step, so any device can go on.

Start -> Account -> Place -> Review -> Preflight -> Run kit -> Waiting -> Done
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.connect import (
    STEPS,
    DraftChanged,
    DuplicateAccount,
    accept_review,
    choose_cloud,
    discard_draft,
    issue_kit,
    newest_generation,
    report_kit,
    save_identity,
    save_place,
    start_draft,
    stop_connecting,
    take_up,
)
from accounts.actions.step_links import open_link
from accounts.availability import why_not_discard, why_not_stop
from accounts.environment.preflight import is_blocked, preflight
from accounts.forms.connect import IdentityForm, PlaceForm, ReportForm, StartForm
from accounts.kit_links import identity_answers, installer_rights, kit_links, named_resources, standing_kits
from accounts.kits.base import Route, search_permissions
from accounts.kits.manifest import grouped
from accounts.models import CloudAccount
from accounts.models.cloud_accounts import Cloud
from accounts.states import PROVEN_STATES, AccountState, KitState
from accounts.transitions import subject_of
from accounts.views.drafts import found_by_kit, is_behind, rejected, unsaved
from portal.audit import Actor
from portal.operations.availability import NotAllowed
from portal.operations.catalogue import fill
from portal.operations.models import Operation
from portal.rejected_forms import reject, sent_data

TITLES = (
    ("start", gettext_lazy("Start")),
    ("account", gettext_lazy("Account")),
    ("place", gettext_lazy("Place")),
    ("review", gettext_lazy("Review")),
    ("preflight", gettext_lazy("Preflight")),
    ("run", gettext_lazy("Run kit")),
    ("waiting", gettext_lazy("Waiting")),
    ("done", gettext_lazy("Done")),
)
ROUTE_COOKIE = "kit_route"
GENERATION_DIGITS = 9  # the column holds no more

gate = requires(Permission.CONNECT_ACCOUNTS)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_start(request: OrganisationRequest) -> HttpResponse:
    """With `?draft=` it is the first page of a draft that stands: another answer changes its cloud."""
    draft = _draft(request)
    form = StartForm(sent_data(request), initial={"cloud": draft.cloud if draft else None})
    if request.method == "POST":
        if not form.is_valid():
            return reject(request, form)
        cloud = Cloud(form.cleaned_data["cloud"])
        if draft is None:
            try:
                draft = start_draft(organisation=request.organisation, cloud=cloud, by=request.user)
            except NotAllowed as reason:
                messages.warning(request, reason.reason)
                return redirect("accounts:account_list", request.organisation.slug)
        try:
            choose_cloud(draft, cloud=cloud, by=request.user)
        except NotAllowed as reason:
            return _refused(request, draft, reason)
        return redirect(step_url(draft, "account"))
    offered = [(kits.load(cloud), installer_rights(cloud)) for cloud in kits.KITS]
    return _page(request, "start", None, form=form, offered=offered)


@gate
@require_GET
def connect_resume(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Where this account stopped, on any device."""
    account = _account(request, pk)
    return redirect(step_url(account, current_step(account)))


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_account(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "account"):
        return unsaved(request, account, moved)
    found = found_by_kit(account)
    initial = {"name": account.name, "external_id": account.external_id, **account.identity, **found}
    form = IdentityForm(sent_data(request), initial=initial, account=account)
    if request.method == "POST":
        if is_behind(request, account) or not form.is_valid():
            return rejected(request, account, form)
        try:
            name, seen = form.cleaned_data["name"], request.POST.get("seen", "")
            save_identity(account, name=name, external_id=form.external_id, identity=form.identity, by=request.user, seen=seen)
        except (DraftChanged, DuplicateAccount):  # since the form looked: its page finds it too
            return rejected(request, account, form)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        return redirect(step_url(account, "place"))
    told = [(form.fields[name].label, account.identity[name], value) for name, value in found.items()]
    return _page(request, "account", account, form=form, told=told)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_place(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "place"):
        return unsaved(request, account, moved)
    initial = {"region": account.home_region or kits.load(account.cloud).default_region}
    form = PlaceForm(sent_data(request), initial=initial, account=account)
    if request.method == "POST":
        if is_behind(request, account) or not form.is_valid():
            return rejected(request, account, form)
        try:
            save_place(account, region=form.cleaned_data["region"], by=request.user, seen=request.POST.get("seen", ""))
        except DraftChanged:
            return rejected(request, account, form)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        return redirect(step_url(account, "review"))
    return _page(request, "place", account, form=form)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_review(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "review"):
        return moved
    if request.method == "POST":
        try:
            accept_review(account, by=request.user)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        return redirect(step_url(account, "preflight"))
    kit = kits.load(account.cloud)
    words = request.GET.get("q", "").strip()
    resources = named_resources(account, newest_generation(account) + 1)
    found = search_permissions(kit, words)
    context = {"kit": kit, "answers": identity_answers(account), "resources": resources}
    return _page(request, "review", account, **context, groups=grouped(found), total=len(found), q=words)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_preflight(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "preflight"):
        return moved
    checks = preflight(account)
    if request.method == "POST":
        if is_blocked(checks):
            return reject(request)
        try:
            issue_kit(account, after_generation=shown_generation(request), by=request.user)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        return redirect(step_url(account, "run"))
    is_refused = sent_data(request) is not None and is_blocked(checks)
    return _page(request, "preflight", account, checks=checks, is_refused=is_refused, generation=newest_generation(account))


@gate
@require_GET
def connect_run(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "run"):
        return moved
    kit = account.kits.filter(state=KitState.CURRENT).first()
    if kit is None:
        return redirect(step_url(account, "waiting"))
    links = kit_links(kit)
    asked = request.GET.get("via") or request.COOKIES.get(ROUTE_COOKIE, "")
    route = links.routes.get(asked) or next(iter(links.routes.values()))
    documents = kits.load(account.cloud).documents
    shown = {"kit": kit, "links": links, "route": route, "routes": route_tabs(links.routes, route), "documents": documents}
    response = _page(request, "run", account, **shown, link=open_link(kit))
    response.set_cookie(ROUTE_COOKIE, route.code, max_age=365 * 24 * 3600, samesite="Lax", httponly=True, secure=request.is_secure())
    return response


@gate
@require_GET
def connect_waiting(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if moved := _elsewhere(account, "waiting"):
        return moved
    return _waiting_page(request, account)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_report(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Takes what was pasted on the waiting page. Opened by itself, as after signing in again, it leads there."""
    account = _account(request, pk)
    if request.method != "POST":
        return redirect(step_url(account, "waiting"))
    form = ReportForm(request.POST, account=account, issued=account.kits.first())
    if not form.is_valid():
        return reject(request, form, to=step_url(account, "waiting"))
    try:
        report_kit(account, report=form.cleaned_data["evidence"], by=Actor.user(request.user))
        take_up(subject_of(account), by=request.user)
    except NotAllowed as reason:
        return _refused(request, account, reason)
    return redirect(step_url(account, "waiting"))


@gate
@require_GET
def connect_waiting_status(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Polled until it is over: leads on once connected; after a failure loads the page again, which then offers to run again."""
    account = _account(request, pk)
    over = "done" if account.state in PROVEN_STATES else "waiting" if account.state == AccountState.FAILED else ""
    return HttpResponse(headers={"HX-Redirect": step_url(account, over)}) if over else HttpResponse(status=204)


@gate
@require_GET
def connect_done(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if account.state not in PROVEN_STATES:
        return redirect(step_url(account, current_step(account)))
    operation = _operation(account)
    contacts = request.organisation.contacts.all()
    return _page(
        request, "done", account, operation=operation, kit=account.kits.first(), contacts=contacts, checks=account.trust_checks.all()
    )


@gate
@require_POST
def connect_run_again(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    try:
        issue_kit(account, after_generation=shown_generation(request), by=request.user)
    except NotAllowed as reason:
        return _refused(request, account, reason)
    return redirect(step_url(account, "run"))


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_stop(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if request.method == "POST":
        try:
            stop_connecting(account, by=request.user)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        messages.success(request, _stopped(account))
        return redirect(account if account.was_connected else step_url(account, "account"))
    return render(
        request, "accounts/connect/connect_stop.html", {"account": account, "reason": why_not_stop(account), **_left_behind(account)}
    )


def _stopped(account: CloudAccount) -> str:
    if account.was_connected:
        return _("Connecting is stopped, and the kit's trust has ended. The account stays disconnected.")
    return _("Connecting is stopped, and the kit's trust has ended. Your answers are kept: change them, or discard the draft.")


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_discard(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if request.method == "POST":
        try:
            discard_draft(account, by=request.user)
        except NotAllowed as reason:
            return _refused(request, account, reason)
        return redirect("accounts:account_list", request.organisation.slug)
    return render(
        request, "accounts/connect/connect_discard.html", {"account": account, "reason": why_not_discard(account), **_left_behind(account)}
    )


def step_url(account: CloudAccount, step: str) -> str:
    return reverse(f"accounts:connect_{step}", args=[account.organisation.slug, account.pk])


def _start_url(account: CloudAccount) -> str:
    return f"{reverse('accounts:connect_start', args=[account.organisation.slug])}?draft={account.pk}"


def current_step(account: CloudAccount) -> str:
    """The step to continue at: as far as the draft got, the kit while it has not run, else the waiting page."""
    if account.state in PROVEN_STATES:
        return "done"
    if account.state == AccountState.DRAFT:
        return account.wizard_step
    return "run" if account.state == AccountState.WAITING_FOR_KIT else "waiting"


def _elsewhere(account: CloudAccount, step: str) -> HttpResponseRedirect | None:
    """Where this page is not the place to be: ahead of what is filled in, or behind what is done."""
    here = current_step(account)
    if account.state == AccountState.DRAFT and step in STEPS and step != "run":
        is_open = STEPS.index(step) <= STEPS.index(account.wizard_step)
    elif account.state in PROVEN_STATES:
        is_open = step == "done"
    else:
        is_open = step in {"run", "waiting"} and account.state != AccountState.DRAFT
    return None if is_open else redirect(step_url(account, here))


def _account(request: OrganisationRequest, pk: uuid.UUID) -> CloudAccount:
    return get_object_or_404(request.organisation.cloud_accounts.select_related("organisation"), pk=pk)


def _operation(account: CloudAccount) -> Operation | None:
    return account.organisation.operations.for_subject("cloud_account", account.pk).newest_first().first()


def _left_behind(account: CloudAccount) -> dict[str, Any]:
    """How to remove what the newest kit may have made, and what earlier ones did; empty before the first."""
    kit = account.kits.select_related("account").first()
    if kit is None:
        return {"standing": []}
    earlier = [standing for standing in standing_kits(account) if standing.kit != kit]
    command = "" if kit.removed_at else kit_links(kit).removal_command
    return {"words": kits.load(account.cloud).words, "command": command, "standing": earlier}


def shown_generation(request: OrganisationRequest) -> int:
    shown = request.POST.get("generation", "")
    return int(shown) if shown.isdecimal() and len(shown) <= GENERATION_DIGITS else -1


def _waiting_page(request: OrganisationRequest, account: CloudAccount) -> HttpResponse:
    kit = account.kits.first()
    context: dict[str, Any] = {"operation": _operation(account), "kit": kit, "generation": newest_generation(account)}
    context["report"] = ReportForm(sent_data(request), account=account, issued=kit)
    if kit:
        names = {"number": account.external_id, "region": kit.region}
        words = kits.load(account.cloud).words
        context["standing"] = standing_kits(account)
        context |= {"links": kit_links(kit), "doubts": [fill(doubt, names) for doubt in words.doubts]}
    return _page(request, "waiting", account, **context)


def route_tabs(routes: Mapping[str, Route], current: Route) -> list[dict[str, Any]]:
    return [{"label": route.title, "url": f"?via={code}", "is_current": route is current} for code, route in routes.items()]


def _draft(request: OrganisationRequest) -> CloudAccount | None:
    """The draft that the first page was opened for."""
    try:
        pk = uuid.UUID(request.GET.get("draft", ""))
    except ValueError:
        return None
    return request.organisation.cloud_accounts.select_related("organisation").filter(pk=pk, state=AccountState.DRAFT).first()


def _refused(request: OrganisationRequest, account: CloudAccount, reason: NotAllowed) -> HttpResponse:
    return render(request, "accounts/connect/connect_refused.html", {"account": account, "reason": reason.reason}, status=409)


def _page(request: OrganisationRequest, step: str, account: CloudAccount | None, **context: Any) -> HttpResponse:
    names = [code for code, title in TITLES]
    index = names.index(step)
    context |= {
        "account": account,
        "words": kits.load(account.cloud).words if account else None,
        "identity_command": kits.load(account.cloud).identity_command if account else "",
        "step": step,
        "step_title": TITLES[index][1],
        "number": index + 1,
        "steps": [title for code, title in TITLES],
    }
    context["crumbs"] = [
        {"label": _("Cloud accounts"), "url": reverse("accounts:account_list", args=[request.organisation.slug])},
        {"label": account.name if account and account.name else _("Connect a cloud account")},
    ]
    if account and 0 < index <= names.index("preflight"):
        context["back_url"] = step_url(account, names[index - 1]) if index > 1 else _start_url(account)
    return render(request, f"accounts/connect/connect_{step}.html", context)
