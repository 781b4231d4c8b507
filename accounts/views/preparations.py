"""A connection that provider staff prepared: the customer reads the terms of trust, changes the values, accepts or declines."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.connect import DuplicateAccount
from accounts.actions.preparations import accept_terms, decline_preparation
from accounts.availability import why_not_as_staff
from accounts.forms.preparations import DeclineForm, TermsForm
from accounts.models import CloudAccount, Preparation
from accounts.sign_in import step_up
from accounts.terms import terms_of
from accounts.views.account_acts import refused
from accounts.views.connect import current_step, step_url
from portal.operations.availability import NotAllowed
from portal.templatetags.components import exact

gate = requires(Permission.CONNECT_ACCOUNTS)


@gate
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def connect_terms(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    preparation = Preparation.objects.undecided().select_related("prepared_by").filter(account=account).first()
    if preparation is None:
        return _decided(request, account, _("Nothing was accepted now."))
    terms = terms_of(account.cloud)
    shown = {"name": account.name, "external_id": account.external_id, "region": account.home_region, **account.identity}
    form = TermsForm(request.POST or None, initial=shown | {"terms_hash": terms.sha256}, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            accept_terms(account, terms_hash=form.cleaned_data["terms_hash"], by=request.user, **form.filled)
        except DuplicateAccount as duplicate:
            told = _("This account is already in your organisation as “%(name)s”.") % {"name": duplicate.existing.name}
            form.add_error("external_id", told)
        except NotAllowed as refusal:
            return refused(request, account, refusal)
        else:
            messages.success(request, _("The terms are accepted. The wizard goes on from here."))
            return redirect(step_url(account, "review"))
    context = {"account": account, "preparation": preparation, "form": form, "terms": terms, "words": kits.load(account.cloud).words}
    return render(request, "accounts/preparations/terms.html", context | {"why_not": why_not_as_staff(request.user)})


@gate
@require_http_methods(["GET", "HEAD", "POST"])
def connect_decline(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    account = _account(request, pk)
    if not account.is_awaiting_terms:
        return _decided(request, account, _("Nothing was declined."))
    form = DeclineForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            decline_preparation(account, reason=form.cleaned_data["reason"], by=request.user)
        except NotAllowed as refusal:
            return refused(request, account, refusal)
        messages.success(request, _("Declined. The draft is gone, and the reason is kept."))
        return redirect("accounts:account_list", request.organisation.slug)
    return render(request, "accounts/preparations/decline.html", {"account": account, "form": form})


def _decided(request: OrganisationRequest, account: CloudAccount, told: str) -> HttpResponse:
    """Somebody accepted before, in another tab or elsewhere: who and when, and `told` to a person whose own answer came too late."""
    accepted = Preparation.objects.select_related("accepted_by").filter(account=account).exclude(accepted_at=None).first()
    if accepted is not None and accepted.accepted_at is not None:
        words = {"person": accepted.accepted_by, "time": exact(timezone.localtime(accepted.accepted_at))}
        said = _("%(person)s accepted the terms on %(time)s. To give the connection up, stop connecting and discard the draft.") % words
        messages.warning(request, f"{told} {said}" if request.method == "POST" else said)
    return redirect(step_url(account, current_step(account)))


def _account(request: OrganisationRequest, pk: uuid.UUID) -> CloudAccount:
    return get_object_or_404(request.organisation.cloud_accounts.select_related("organisation"), pk=pk)
