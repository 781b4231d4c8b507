"""Creating an instance: plan, place, settings, check answers. Each page saves; nothing is asked for before the last one."""

import uuid
from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.models import CloudAccount
from cells.actions.instances import Wish, create_instance, find_place, start_draft
from cells.availability import why_no_place
from cells.forms.instances import PlaceForm, PlanForm, SettingsForm, size_words
from cells.forms.parameters import label_of, said
from cells.models import Instance, InstanceDraft, Plan
from cells.place_words import PlaceWords, place_words
from cells.placement import NoPlace
from portal.operations.availability import NotAllowed
from portal.rejected_forms import reject, sent_data

gate = requires(Permission.MANAGE_INSTANCES)
READS_AND_POSTS = ["GET", "HEAD", "POST"]
SHOWN_DRAFTS = 10
Page = Callable[[OrganisationRequest, InstanceDraft], HttpResponse]


def page_of_draft(page: Page) -> Callable[..., HttpResponse]:
    """The draft, from the tenant. Where its plan has nothing to offer any more, another one is asked for."""

    @wraps(page)
    def shown(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
        draft = _draft(request, pk)
        if draft.release and not draft.release.is_offered:
            draft.release = None
        plan = draft.plan
        if not (plan.is_published and plan.sizes.exists() and plan.releases.filter(is_offered=True).exists()):
            messages.warning(request, _("This plan has nothing to offer now. Choose another one."))
            return redirect(_url(request.organisation.slug, "plan", draft))
        return page(request, draft)

    return shown


def steps(slug: str, draft: InstanceDraft | None) -> list[dict[str, str]]:
    """The pages in order; those that are answered are links."""
    names = (("plan", _("Plan")), ("place", _("Place")), ("settings", _("Settings")), ("check", _("Check answers")))
    done = {"plan": bool(draft), "place": bool(draft and draft.is_placed), "settings": bool(draft and draft.is_complete), "check": False}
    return [{"label": label, "url": _url(slug, name, draft) if draft and done[name] else ""} for name, label in names]


def _url(slug: str, name: str, draft: InstanceDraft) -> str:
    return reverse(f"cells:instance_new_{name}", args=[slug, draft.pk])


@gate
@require_http_methods(READS_AND_POSTS)
def instance_new(request: OrganisationRequest) -> HttpResponse:
    """Which plan. A draft begins with the answer."""
    form = PlanForm(sent_data(request))
    if request.method == "POST":
        if not form.is_valid():
            return reject(request, form)
        plan = form.cleaned_data["plan"]
        asked = _asked_account(request) if plan.needs_account else None
        try:
            draft = start_draft(request.organisation, plan=plan, account=asked, by=request.user)
        except NotAllowed as refused:
            messages.warning(request, refused.reason)
            return redirect("cells:instance_list", request.organisation.slug)
        return redirect(_url(request.organisation.slug, "place", draft))
    return _plan_page(request, form, None)


def _asked_account(request: OrganisationRequest) -> CloudAccount | None:
    """The account whose page led here: it is chosen already on the page that asks for one."""
    try:
        return request.organisation.cloud_accounts.filter(pk=uuid.UUID(request.GET.get("account", ""))).first()
    except ValueError:
        return None


@gate
@require_http_methods(READS_AND_POSTS)
def instance_new_plan(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Another plan: what was answered for the one before is forgotten where it need not fit."""
    draft = _draft(request, pk)
    form = PlanForm(sent_data(request))
    if request.method == "POST":
        if not form.is_valid():
            return reject(request, form)
        if form.cleaned_data["plan"] != draft.plan:
            draft.plan, draft.cloud, draft.region, draft.account = form.cleaned_data["plan"], "", "", None
            draft.size, draft.release, draft.parameters = None, None, {}
            draft.save()
        return redirect(_url(request.organisation.slug, "place", draft))
    return _plan_page(request, form, draft)


def _plan_page(request: OrganisationRequest, form: PlanForm, draft: InstanceDraft | None) -> HttpResponse:
    plans = [(plan, [size_words(size) for size in plan.sizes.all()]) for plan in Plan.objects.published().prefetch_related("sizes")]
    drafts = [] if draft else list(request.organisation.instance_drafts.select_related("plan", "organisation", "created_by")[:SHOWN_DRAFTS])
    context = {"form": form, "plans": plans, "chosen": draft.plan.code if draft else "", "drafts": drafts}
    return _page(request, "instance_new", 1, draft, **context)


@gate
@require_http_methods(READS_AND_POSTS)
@page_of_draft
def instance_new_place(request: OrganisationRequest, draft: InstanceDraft) -> HttpResponse:
    """Which account and region; the page says whether a cell is there or comes first."""
    initial = {"account": draft.account, "region": f"{draft.cloud}:{draft.region}" if draft.is_placed else ""}
    form = PlaceForm(sent_data(request), initial=initial, organisation=request.organisation, plan=draft.plan)
    if request.method == "POST":
        if not form.is_valid():
            return reject(request, form)
        draft.account = form.cleaned_data.get("account")
        draft.cloud, draft.region = form.place
        placement = find_place(_wish(draft), request.organisation)
        if isinstance(placement, NoPlace):
            messages.warning(request, why_no_place(placement.why, draft.account))
            return reject(request, form)
        draft.save(update_fields=["account", "cloud", "region"])
        return redirect(_url(request.organisation.slug, "settings", draft))
    return _page(request, "instance_new_place", 2, draft, form=form)


@gate
@require_http_methods(READS_AND_POSTS)
@page_of_draft
def instance_new_settings(request: OrganisationRequest, draft: InstanceDraft) -> HttpResponse:
    if not draft.is_placed:
        return redirect(_url(request.organisation.slug, "place", draft))
    releases = draft.plan.releases.filter(is_offered=True)
    initial = {
        "name": draft.name,
        "size": draft.size or draft.plan.sizes.first(),
        "release": draft.release or releases.first(),
        "is_protected": draft.is_protected,
    }
    form = SettingsForm(
        sent_data(request), plan=draft.plan, organisation=request.organisation, initial=initial, parameters=draft.parameters
    )
    if request.method == "POST":
        if not form.is_valid():
            return reject(request, form)
        for name in ("name", "size", "release", "is_protected"):
            setattr(draft, name, form.cleaned_data[name])
        draft.parameters = form.parameters
        draft.save()
        return redirect(_url(request.organisation.slug, "check", draft))
    return _page(request, "instance_new_settings", 3, draft, form=form, place=_place(draft, request))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_new_check(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """All answers on one page, with what will be made and what it costs; then the instance is asked for, once."""
    if made := _made(request, pk):
        return redirect(made)
    return _check(request, pk)


@page_of_draft
def _check(request: OrganisationRequest, draft: InstanceDraft) -> HttpResponse:
    if not draft.is_complete:
        return redirect(_url(request.organisation.slug, "settings", draft))
    if request.method == "POST":
        try:
            instance = create_instance(
                request.organisation,
                name=draft.name,
                wish=_wish(draft),
                by=request.user,
                is_protected=draft.is_protected,
                idempotency_key=str(draft.pk),
            )
        except NotAllowed as refused:
            if not isinstance(find_place(_wish(draft), request.organisation), NoPlace):  # else the page itself says it
                messages.warning(request, refused.reason)
            return redirect(_url(request.organisation.slug, "check", draft))
        draft.delete()
        return redirect(instance)
    schema = draft.plan.parameters
    answers = [(label_of(schema, name), said(value)) for name, value in draft.parameters.items()]
    context = {"place": _place(draft, request), "size": size_words(draft.size) if draft.size else "", "answers": answers}
    return _page(request, "instance_new_check", 4, draft, **context)


@gate
@require_POST
def instance_new_discard(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """What was entered is forgotten. Nothing was asked for yet, so nothing is undone."""
    _draft(request, pk).delete()
    return redirect("cells:instance_list", request.organisation.slug)


def _made(request: OrganisationRequest, pk: uuid.UUID) -> Instance | None:
    """The instance that this draft has become, where the page is asked for again."""
    made = request.organisation.operations.filter(idempotency_key=str(pk), kind="create_instance").first()
    return request.organisation.instances.filter(pk=made.subject_id).first() if made else None


def _draft(request: OrganisationRequest, pk: uuid.UUID) -> InstanceDraft:
    drafts = request.organisation.instance_drafts.select_related("plan", "account", "size", "release", "organisation")
    return get_object_or_404(drafts, pk=pk)


def _wish(draft: InstanceDraft) -> Wish:
    release = draft.release or draft.plan.releases.filter(is_offered=True).first()
    size = draft.size or draft.plan.sizes.first()
    if release is None or size is None:
        raise NotAllowed(_("This plan has nothing to offer now. Choose another one."))
    return Wish(draft.plan, release, size, draft.parameters, draft.cloud, draft.region, draft.account)


def _place(draft: InstanceDraft, request: OrganisationRequest) -> PlaceWords:
    return place_words(find_place(_wish(draft), request.organisation), draft.cloud, draft.region, draft.account)


def _page(request: OrganisationRequest, name: str, at: int, draft: InstanceDraft | None, **context: object) -> HttpResponse:
    slug = request.organisation.slug
    crumbs = [{"label": _("Instances"), "url": reverse("cells:instance_list", args=[slug])}, {"label": _("Create instance")}]
    context |= {"steps": steps(slug, draft), "at": at, "crumbs": crumbs, "draft": draft}
    return render(request, f"cells/create/{name}.html", context)
