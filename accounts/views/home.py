"""Home: what needs you, how the accounts are, what to set up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import OrganisationRequest, Permission, requires
from accounts.models import CloudAccount, User
from accounts.states import AccountState

SHOWN_ACCOUNTS = 50
# What else may wait for somebody: the product adds to it, which tenancy does not know.
MORE_NEEDS: "list[Callable[[OrganisationRequest], list[Need]]]" = []


@dataclass(frozen=True)
class Need:
    """One thing that waits for this person: what, why, and the act that ends it."""

    kind: str
    title: str
    detail: str
    act: str
    url: str


@dataclass(frozen=True)
class Task:
    """One row of "Get set up"."""

    title: str
    detail: str
    url: str
    badge: tuple[str, str]

    @property
    def is_done(self) -> bool:
        return self.badge[0] == "ok"


@require_GET
def home_redirect(request: HttpRequest) -> HttpResponse:
    """`/`: the organisation used last, else where this person belongs."""
    user = cast(User, request.user)
    if membership := user.landing_membership():
        return redirect(membership.organisation)
    if user.is_support_engineer:
        return redirect("support:case_list")
    if user.is_staff:
        return redirect("admin:index")
    return redirect("accounts:organisation_create")


@requires(Permission.VIEW)
@require_GET
def home(request: OrganisationRequest) -> HttpResponse:
    accounts = list(request.organisation.cloud_accounts.select_related("organisation").order_by("name", "created_at")[: SHOWN_ACCOUNTS + 1])
    operations = list(request.organisation.operations.live().newest_first()[:10])
    tasks = _tasks(request, accounts)
    context = {
        "accounts": accounts[:SHOWN_ACCOUNTS],
        "is_cut": len(accounts) > SHOWN_ACCOUNTS,
        "operations": operations,
        "needs": _needs(request, accounts),
        "tasks": tasks,
        "is_set_up": all(task.is_done for task in tasks),
        "can_connect": request.membership.can(Permission.CONNECT_ACCOUNTS),
    }
    return render(request, "accounts/home.html", context)


def _needs(request: OrganisationRequest, accounts: list[CloudAccount]) -> list[Need]:
    more = [need for ask in MORE_NEEDS for need in ask(request)]
    if not request.membership.can(Permission.CONNECT_ACCOUNTS):
        return more
    if not accounts and not more:
        return [_first_need(request)]
    needs = [_account_need(account) for account in accounts]
    return [*(need for need in needs if need is not None), *more]


def _first_need(request: OrganisationRequest) -> Need:
    return Need(
        "neutral",
        _("Connect your first cloud account"),
        _("You run a small kit in it, and this portal verifies the trust. About 10 minutes, and no keys are handed over."),
        _("Start connecting"),
        reverse("accounts:connect_start", args=[request.organisation.slug]),
    )


def _account_need(account: CloudAccount) -> Need | None:
    url = reverse("accounts:connect_resume", args=[account.organisation.slug, account.pk])
    name = str(account) if account.name or account.external_id else _("a new cloud account")
    if account.state == AccountState.FAILED:
        return Need(
            "critical",
            _("Connecting %(name)s failed") % {"name": name},
            _("See the cause and run the kit again."),
            _("See what happened"),
            url,
        )
    if account.state == AccountState.NEEDS_ATTENTION:
        return Need(
            "attention",
            _("The trust of %(name)s is lost") % {"name": name},
            _("What runs there keeps running. See what broke and how to restore it."),
            _("See what broke"),
            reverse("accounts:account_trust", args=[account.organisation.slug, account.pk]),
        )
    if account.state == AccountState.WAITING_FOR_KIT:
        detail = _("The kit is ready and waits for somebody with rights in the cloud account.")
        return Need("attention", _("Run the kit for %(name)s") % {"name": name}, detail, _("Continue"), url)
    if account.is_awaiting_terms:
        detail = _("%(provider)s prepared this connection. Read the terms of trust, then accept or decline.")
        title = _("Decide about connecting %(name)s") % {"name": name}
        return Need("attention", title, detail % {"provider": settings.PROVIDER_NAME}, _("Read and decide"), url)
    if account.state == AccountState.DRAFT:
        detail = _("Everything entered so far is saved.")
        return Need("neutral", _("Continue connecting %(name)s") % {"name": name}, detail, _("Continue"), url)
    return None


def _tasks(request: OrganisationRequest, accounts: list[CloudAccount]) -> list[Task]:
    """What is left to set up, of the things this person's role may do."""
    slug = request.organisation.slug
    is_connected = any(not account.is_connecting for account in accounts)
    tasks = (
        (
            Permission.MANAGE_ORGANISATION,
            Task(
                _("Invite a colleague"),
                _("Roles decide who connects, who approves and who only reads."),
                reverse("accounts:members", args=[slug]),
                progress(is_done=request.organisation.memberships.count() > 1),
            ),
        ),
        (
            Permission.MANAGE_CONTACTS,
            Task(
                _("Name an operational contact"),
                _("Told when an account needs attention. Need not be a user."),
                reverse("accounts:contacts", args=[slug]),
                progress(is_done=request.organisation.has_operational_contact()),
            ),
        ),
        (
            Permission.CONNECT_ACCOUNTS,
            Task(
                _("Connect a cloud account"),
                _("About 10 minutes, and no keys are handed over."),
                reverse("accounts:connect_start", args=[slug]),
                progress(is_done=is_connected, is_started=bool(accounts)),
            ),
        ),
    )
    return [task for permission, task in tasks if request.membership.can(permission)]


def progress(*, is_done: bool, is_started: bool = False) -> tuple[str, str]:
    """Kind and words of a task's badge."""
    if is_done:
        return "ok", _("Completed")
    return ("progress", _("In progress")) if is_started else ("neutral", _("Not yet started"))
