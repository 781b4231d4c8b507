"""Cloud accounts: the list, and one account with its tabs."""

import uuid
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.forms.connect import AccountFilterForm
from accounts.kit_links import identity_answers, kit_links, named_resources, standing_kits
from accounts.kit_offer import kit_offer
from accounts.kit_regions import has_kit_regions
from accounts.kits.base import search_permissions
from accounts.kits.manifest import PermissionGroup, grouped
from accounts.kits.recovery import recovery_of
from accounts.models import CloudAccount, Kit, TrustCheck, TrustWatch
from accounts.models.cloud_accounts import SHOWN_STATES, CloudAccountQuerySet
from accounts.states import AccountState, KitState, TrustVerdict
from accounts.transitions import renewal_of, subject_of
from accounts.trust_panel import trust_panel

PAGE_SIZE = 100

gate = requires(Permission.VIEW)


@gate
@require_GET
@vary_on_headers("HX-Request")
def account_list(request: OrganisationRequest) -> HttpResponse:
    form = AccountFilterForm(request.GET)
    form.is_valid()  # a filter that makes no sense is no filter
    words, state = form.cleaned_data.get("q", ""), form.cleaned_data.get("state", "")
    accounts = _search(request.organisation.cloud_accounts.select_related("organisation"), words, state)
    found = list(accounts[: PAGE_SIZE + 1])
    context = {
        "accounts": found[:PAGE_SIZE],
        "is_cut": len(found) > PAGE_SIZE,
        "q": words,
        "state": state,
        "states": SHOWN_STATES,
        "is_filtered": bool(words or state),
        "has_any": bool(found or words or state),
        "can_connect": request.membership.can(Permission.CONNECT_ACCOUNTS),
    }
    return render(
        request, "accounts/cloud_accounts/_account_table.html" if request.htmx else "accounts/cloud_accounts/account_list.html", context
    )


def _search(accounts: CloudAccountQuerySet, words: str, state: str) -> CloudAccountQuerySet:
    if words:
        digits = words.replace(" ", "").replace("-", "")
        accounts = accounts.filter(Q(name__icontains=words) | Q(external_id__icontains=digits) | Q(home_region__icontains=words))
    if state:
        accounts = accounts.shown_as(state)
    return accounts


@gate
@require_GET
def account_detail(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    refusals = account.trust_checks.filter(kind=TrustCheck.Kind.REFUSAL)
    about = [subject_of(account).kind, renewal_of(account).kind]
    operations = request.organisation.operations.filter(subject_kind__in=about, subject_id=str(account.pk)).newest_first()[:10]
    held = account.trust_checks.filter(kind=TrustCheck.Kind.PERMISSION)
    context: dict[str, Any] = {"refusals": refusals, "operations": operations, "held": sum(check.is_ok for check in held)}
    context |= {"wanted": len(held), "verified_at": max((check.checked_at for check in held), default=None)}
    panel = trust_panel(account, can_act=False)
    context |= {"trust": panel, "offer": kit_offer(account)}
    context["regions"] = panel.kit.regions if has_kit_regions(account) and panel.kit else []
    return account_tab(request, account, "account_detail", **context)


@gate
@require_GET
def account_permissions(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    words = request.GET.get("q", "").strip()
    kit = kits.load(account.cloud)
    checks = _permission_checks(account)
    found = search_permissions(kit, words)
    rows = [(permission, checks.get(permission.key)) for permission in found]
    groups = [(group, _missing(group, checks), [(each, checks.get(each.key)) for each in group.permissions]) for group in grouped(found)]
    return account_tab(request, account, "account_permissions", rows=rows, groups=groups, q=words, kit=kit, total=len(kit.permissions))


def _missing(group: PermissionGroup, checks: dict[str, TrustCheck]) -> int:
    """How many of a group were looked for and not found."""
    return sum(not checks[permission.key].is_ok for permission in group.permissions if permission.key in checks)


def _permission_checks(account: CloudAccount) -> dict[str, TrustCheck]:
    """What was found of each permission, last verified with the last look at a trust that holds."""
    checks = {check.name: check for check in account.trust_checks.filter(kind=TrustCheck.Kind.PERMISSION)}
    watch = TrustWatch.objects.filter(account=account, verdict=TrustVerdict.HOLDS).exclude(looked_at=None).first()
    for check in checks.values():
        check.checked_at = max(check.checked_at, watch.looked_at) if watch and watch.looked_at else check.checked_at
    return checks


@gate
@require_GET
def account_kit(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    issued = list(account.kits.select_related("created_by", "account"))
    links = kit_links(issued[0]) if issued else None
    resources = named_resources(account, issued[0].generation if issued else 1)
    documents = kits.load(account.cloud).documents
    context = {"issued": issued, "links": links, "resources": resources, "documents": documents}
    return account_tab(request, account, "account_kit", offer=kit_offer(account), standing=standing_kits(account), **context)


@gate
@require_GET
def account_kit_file(request: OrganisationRequest, pk: uuid.UUID, file: str) -> HttpResponse:
    """A file of the kit, or of its recovery kit, to read or run: the exact bytes whose hash the pages show."""
    cloud = find_account(request, pk).cloud
    small = recovery_of(cloud)
    documents = (*kits.load(cloud).documents, *(small.documents if small else ()))
    document = next((document for document in documents if document.file == file), None)
    if document is None:
        raise Http404
    headers = {"Content-Disposition": f'inline; filename="{document.file}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(document.text, content_type="text/plain; charset=utf-8", headers=headers)


@gate
@require_GET
def account_activity(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    return account_tab(request, account, "account_activity")


@gate
@require_GET
def account_record(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The connection as a file to keep: who, what, when, what was proven. Times are UTC."""
    account = find_account(request, pk)
    kit = account.kits.filter(state=KitState.CURRENT).first() or account.kits.first()
    record = {
        "record": "cloud account connection",
        "organisation": request.organisation.name,
        "cloud": account.cloud,
        "account_number": account.external_id,
        "identity": account.identity,
        "name": account.name,
        "reference": str(account.pk),
        "state": account.state,
        "connected_at": account.connected_at,
        "kit": _kit_record(kit) if kit else None,
        "checks": list(account.trust_checks.values("kind", "name", "is_ok", "detail", "checked_at")),
    }
    headers = {"Content-Disposition": f'attachment; filename="connection-{account.external_id}.json"'}
    return JsonResponse(record, headers=headers, json_dumps_params={"indent": 2})


def _kit_record(kit: Kit) -> dict[str, Any]:
    return {"version": kit.version, "generation": kit.generation, "sha256": kit.content_hash, "region": kit.region, "suffix": kit.suffix}


def find_account(request: OrganisationRequest, pk: uuid.UUID) -> CloudAccount:
    return get_object_or_404(request.organisation.cloud_accounts.select_related("organisation", "created_by"), pk=pk)


TABS = (
    ("accounts:account_detail", gettext_lazy("Overview")),
    ("accounts:account_environment", gettext_lazy("Environment")),
    ("accounts:account_trust", gettext_lazy("Trust")),
    ("accounts:account_permissions", gettext_lazy("Permissions")),
    ("accounts:account_kit", gettext_lazy("Kit")),
    ("accounts:account_activity", gettext_lazy("Activity")),
    ("offboarding:offboarding_plan", gettext_lazy("Offboarding")),
)


def account_tabs(account: CloudAccount, current: str) -> list[dict[str, Any]]:
    """The pages of one account. Of a draft nothing was made yet, so there is nothing to leave."""
    args = [account.organisation.slug, account.pk]
    shown = TABS[:-1] if account.state == AccountState.DRAFT else TABS
    return [{"label": label, "url": reverse(tab, args=args), "is_current": tab == current} for tab, label in shown]


def account_tab(request: OrganisationRequest, account: CloudAccount, name: str, **context: Any) -> HttpResponse:
    items = account_tabs(account, f"accounts:{name}")
    crumbs = account_crumbs(account)
    can_connect = request.membership.can(Permission.CONNECT_ACCOUNTS)
    context |= {"account": account, "tabs": items, "crumbs": crumbs, "can_connect": can_connect}
    context["is_past"] = account.was_connected and not account.is_watched
    context["tab_title"] = next(item["label"] for item in items if item["is_current"])
    context |= {"identity": identity_answers(account), "words": kits.load(account.cloud).words}
    return render(request, f"accounts/cloud_accounts/{name}.html", context)


def account_crumbs(account: CloudAccount, below: str = "") -> list[dict[str, str]]:
    """The way to an account, or to a page below it."""
    slug, label = account.organisation.slug, account.name or account.external_id or _("New cloud account")
    crumbs = [{"label": _("Cloud accounts"), "url": reverse("accounts:account_list", args=[slug])}]
    return [*crumbs, {"label": label, "url": account.get_absolute_url()}, {"label": below}] if below else [*crumbs, {"label": label}]
