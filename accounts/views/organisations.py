"""Founding and switching an organisation, and its settings."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, membership_of, requires
from accounts.actions.organisations import create_organisation, rename_organisation, switch_organisation
from accounts.forms.people import OrganisationForm
from accounts.models import Invitation
from accounts.views.people import SignedInRequest, settings_tabs
from portal.operations.availability import NotAllowed


@require_http_methods(["GET", "POST"])
def organisation_create(request: SignedInRequest) -> HttpResponse:
    """Found an organisation, or accept an invitation that waits for one of the person's addresses."""
    form = OrganisationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            organisation = create_organisation(name=form.cleaned_data["name"], by=request.user)
        except NotAllowed as refusal:
            form.add_error(None, refusal.reason)
        else:
            messages.success(request, _("%(organisation)s is set up. You are its owner.") % {"organisation": organisation})
            return redirect("accounts:home", slug=organisation.slug)
    invitations = Invitation.objects.open().for_user(request.user).select_related("organisation", "invited_by")
    return render(request, "accounts/organisations/organisation_create.html", {"form": form, "invitations": invitations})


@require_POST
def organisation_switch(request: SignedInRequest) -> HttpResponse:
    membership = membership_of(request.user, request.POST.get("slug", ""))
    switch_organisation(membership=membership)
    return redirect("accounts:home", slug=membership.organisation.slug)


@requires(Permission.VIEW, to_change=Permission.MANAGE_ORGANISATION)
@require_http_methods(["GET", "POST"])
def organisation_settings(request: OrganisationRequest) -> HttpResponse:
    form = OrganisationForm(request.POST or None, initial={"name": request.organisation.name})
    if request.method == "POST" and form.is_valid():
        rename_organisation(organisation=request.organisation, name=form.cleaned_data["name"], by=request.user)
        messages.success(request, _("The organisation's name is saved."))
        return redirect("accounts:organisation_settings", slug=request.organisation.slug)
    context = {
        "form": form,
        "can_change": request.membership.can(Permission.MANAGE_ORGANISATION),
        "tabs": settings_tabs(request),
        "address": request.build_absolute_uri(reverse("accounts:home", args=[request.organisation.slug])),
    }
    return render(request, "accounts/organisations/organisation_settings.html", context)
