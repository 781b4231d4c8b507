"""Invite people, and the page an invitation's link opens."""

from functools import partial

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, Role, requires, role_words
from accounts.actions.invitations import accept_invitation, create_invitation, resend_invitation, revoke_invitation
from accounts.availability_people import why_not_accept_invitation
from accounts.forms.people import InvitationForm
from accounts.models import Invitation, User
from accounts.models.people import token_hash
from accounts.sign_in import step_up
from accounts.views.people import SignedInRequest, do_and_return, roles_explained, settings_tabs
from portal.operations.availability import NotAllowed

# --- By an owner -----------------------------------------------------------------------------------------------------


@requires(Permission.MANAGE_ORGANISATION)
@require_http_methods(["GET", "POST"])
@step_up
def invitation_create(request: OrganisationRequest) -> HttpResponse:
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            create_invitation(organisation=request.organisation, email=email, role=Role(form.cleaned_data["role"]), by=request.user)
        except NotAllowed as refusal:
            form.add_error("email", refusal.reason)
        else:
            messages.success(request, _("An invitation is on its way to %(email)s.") % {"email": email})
            return redirect("accounts:members", slug=request.organisation.slug)
    context = {"form": form, "roles": roles_explained(), "tabs": settings_tabs(request)}
    return render(request, "accounts/invitations/invitation_create.html", context)


@requires(Permission.MANAGE_ORGANISATION)
@require_POST
def invitation_resend(request: OrganisationRequest, pk: str) -> HttpResponse:
    invitation = get_object_or_404(request.organisation.invitations, pk=pk)
    done = _("A new link is on its way to %(email)s. The old one no longer works.") % {"email": invitation.email}
    return do_and_return(request, partial(resend_invitation, invitation=invitation, by=request.user), done=done, to="accounts:members")


@requires(Permission.MANAGE_ORGANISATION)
@require_POST
def invitation_revoke(request: OrganisationRequest, pk: str) -> HttpResponse:
    invitation = get_object_or_404(request.organisation.invitations, pk=pk)
    done = _("The invitation to %(email)s is withdrawn.") % {"email": invitation.email}
    return do_and_return(request, partial(revoke_invitation, invitation=invitation, by=request.user), done=done, to="accounts:members")


# --- By the invited --------------------------------------------------------------------------------------------------


@login_not_required  # the invited may have no account yet; the secret in the address is the key
@never_cache
@require_GET
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What is offered, and what to do next: join, sign in, sign up, or change the account."""
    found = _by_token(token)
    if found is None or not found.is_open:
        return render(request, "accounts/invitations/invitation_gone.html", {"invitation": found}, status=410)
    user = request.user if request.user.is_authenticated else None
    back = urlencode({"next": request.path})
    context = {
        "invitation": found,
        "words": role_words(Role(found.role)),
        "why_not": why_not_accept_invitation(found, user) if user else "",
        "sign_in_url": f"{reverse('account_login')}?{back}",
        "sign_out_url": f"{reverse('account_logout')}?{back}",
        "token": token,
    }
    return render(request, "accounts/invitations/invitation.html", context)


@login_not_required  # the first step of somebody who has no account yet
@never_cache
@require_POST
def invitation_sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """To the sign-up page. The secret came by mail to the invited address, so that address needs no second mail to be proven."""
    found = _by_token(token)
    if found is None or not found.is_open:
        return redirect("accounts:invitation", token=token)
    back = reverse("accounts:invitation", args=[token])
    if User.objects.filter(email__iexact=found.email).exists():
        # An address proves one account only; to whom the mailbox belongs, the account is no news.
        return redirect(f"{reverse('account_login')}?{urlencode({'next': back})}")
    get_adapter().stash_verified_email(request, found.email)
    return redirect(f"{reverse('account_signup')}?{urlencode({'next': back, 'email': found.email})}")


@require_POST
def invitation_accept(request: SignedInRequest, pk: str) -> HttpResponse:
    """By id, not by secret: owning the invited address is what counts, and an invitation for others does not exist."""
    found = get_object_or_404(Invitation.objects.for_user(request.user), pk=pk)
    try:
        accept_invitation(invitation=found, by=request.user)
    except NotAllowed as refusal:
        messages.error(request, refusal.reason)
        return redirect("home")
    messages.success(request, _("You are now a member of %(organisation)s.") % {"organisation": found.organisation})
    return redirect("accounts:home", slug=found.organisation.slug)


def _by_token(token: str) -> Invitation | None:
    return Invitation.objects.select_related("organisation", "invited_by").filter(token_hash=token_hash(token)).first()
