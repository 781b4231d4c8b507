"""Rename, disconnect and reconnect an account. Each page says first what the act means, and why it is not possible where it is not."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.accounts import disconnect_account, mark_kit_removed, rename_account
from accounts.actions.connect import issue_kit, newest_generation
from accounts.availability import why_not_as_staff, why_not_disconnect, why_not_reconnect
from accounts.forms.trust import DisconnectForm, ReconnectForm, RenameForm
from accounts.kit_links import standing_kits
from accounts.models import CloudAccount
from accounts.sign_in import step_up
from accounts.views.cloud_accounts import account_crumbs, find_account
from accounts.views.connect import shown_generation, step_url
from portal.operations.availability import NotAllowed

gate = requires(Permission.CONNECT_ACCOUNTS)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def account_rename(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    form = RenameForm(request.POST or None, initial={"name": account.name}, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            rename_account(account, name=form.cleaned_data["name"], by=request.user)
        except NotAllowed as reason:
            return refused(request, account, reason)
        messages.success(request, _("The name is saved."))
        return redirect(account)
    return render(
        request,
        "accounts/cloud_accounts/account_rename.html",
        {"account": account, "form": form, "crumbs": account_crumbs(account, _("Rename"))},
    )


@gate
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def account_disconnect(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = find_account(request, pk)
    form = DisconnectForm(request.POST or None, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            disconnect_account(account, by=request.user)
        except NotAllowed as reason:
            return refused(request, account, reason)
        messages.success(request, _("%(account)s is disconnected. Nothing signs in there any more.") % {"account": account})
        return redirect(account)
    why_not = why_not_as_staff(request.user) or why_not_disconnect(account)
    context = {"account": account, "form": form, "reason": why_not, "crumbs": account_crumbs(account, _("Disconnect"))}
    return render(request, "accounts/cloud_accounts/account_disconnect.html", context)


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def account_reconnect(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """A new kit for the same record, through the wizard's own pages from there on."""
    account = find_account(request, pk)
    reason = why_not_reconnect(account)
    form = ReconnectForm(request.POST if request.method == "POST" else None, account=account)
    if request.method == "POST" and (reason or form.is_valid()):
        try:
            if reason:
                raise NotAllowed(reason)
            issue_kit(account, after_generation=shown_generation(request), by=request.user, identity=form.identity)
        except NotAllowed as refusal:
            return refused(request, account, refusal)
        return redirect(step_url(account, "run"))
    context = {
        "account": account,
        "form": form,
        "reason": reason,
        "generation": newest_generation(account),
        "standing": standing_kits(account),
        "crumbs": account_crumbs(account, _("Reconnect")),
    }
    return render(request, "accounts/cloud_accounts/account_reconnect.html", context)


@gate
@require_POST
def account_kit_removed(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The customer has run a removal command. Pressed twice it says the same."""
    account = find_account(request, pk)
    generation = shown_generation(request)
    try:
        mark_kit_removed(account, generation=generation, by=request.user)
    except NotAllowed as reason:
        return refused(request, account, reason)
    messages.success(request, _("Kit number %(number)s is listed as removed.") % {"number": generation})
    return redirect("accounts:account_kit", request.organisation.slug, account.pk)


def refused(request: OrganisationRequest, account: CloudAccount, reason: NotAllowed) -> HttpResponse:
    return render(request, "accounts/connect/connect_refused.html", {"account": account, "reason": reason.reason}, status=409)
