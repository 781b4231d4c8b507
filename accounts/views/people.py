"""Members of an organisation and a person's own profile."""

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.email_verification import send_verification_email_at_login
from allauth.account.internal.stagekit import unstash_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import PERMISSION_WORDS, ROLE_PERMISSIONS, OrganisationRequest, Permission, Role, requires
from accounts.actions.people import change_role, remove_member, update_profile
from accounts.availability_people import why_not_change_role, why_not_remove, why_not_resend_invitation
from accounts.forms.people import ProfileForm, RoleForm
from accounts.models import Membership, User
from accounts.sign_in import step_up
from portal.operations.availability import NotAllowed


class SignedInRequest(HttpRequest):
    """A request behind the log-in middleware, outside of any organisation."""

    user: User


def settings_tabs(request: OrganisationRequest) -> list[dict[str, Any]]:
    """Tabs of the settings pages, for `{% tabs %}`."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    places = [
        ("accounts:organisation_settings", _("Organisation"), ("organisation_settings",)),
        ("accounts:members", _("Members"), ("member", "invitation")),
        ("accounts:contacts", _("Contacts"), ("contact",)),
        ("accounts:security_packages", _("Security package"), ("security",)),
        ("closing:closing_home", _("Closing"), ("closing",)),
    ]
    return [
        {
            "label": label,
            "url": reverse(name, args=[request.organisation.slug]),
            "is_current": (here or "").startswith(prefixes),
        }
        for name, label, prefixes in places
    ]


def do_and_return(request: OrganisationRequest, act: Callable[[], None], *, done: str, to: str) -> HttpResponse:
    """A button in a settings list: act, lead back to the list `to`, and say there what was done or why it was refused."""
    try:
        act()
    except NotAllowed as refusal:
        messages.error(request, refusal.reason)
    else:
        messages.success(request, done)
    return redirect(to, slug=request.organisation.slug)


def roles_explained() -> dict[str, Any]:
    """The permission lists as a table: `labels` of the roles; `rows` of a permission's `words` and, role by role, if it is `held`."""
    rows = [{"words": words, "held": [name in ROLE_PERMISSIONS[role] for role in Role]} for name, words in PERMISSION_WORDS.items()]
    return {"labels": [role.label for role in Role], "rows": rows}


# --- Members ---------------------------------------------------------------------------------------------------------


@requires(Permission.VIEW)
@require_GET
def members(request: OrganisationRequest) -> HttpResponse:
    memberships = list(request.organisation.memberships.with_user())
    can_manage = request.membership.can(Permission.MANAGE_ORGANISATION)
    owner_count = sum(membership.role == Role.OWNER and membership.user.is_active for membership in memberships)
    invitations = list(request.organisation.invitations.unanswered()) if can_manage else []
    context = {
        "rows": [_member_row(request, membership, owner_count) for membership in memberships],
        "invitations": [{"invitation": each, "why_not_resend": why_not_resend_invitation(each)} for each in invitations],
        "can_manage": can_manage,
        "why_not_leave": why_not_remove(request.membership, owner_count=owner_count),
        "roles": roles_explained(),
        "tabs": settings_tabs(request),
    }
    return render(request, "accounts/members/members.html", context)


def _member_row(request: OrganisationRequest, membership: Membership, owner_count: int) -> dict[str, Any]:
    return {
        "membership": membership,
        "is_you": membership.user_id == request.user.pk,
        "why_not_change": why_not_change_role(membership, owner_count=owner_count),
        "why_not_remove": why_not_remove(membership, owner_count=owner_count),
    }


@requires(Permission.MANAGE_ORGANISATION)
@require_http_methods(["GET", "POST"])
@step_up
def member_role(request: OrganisationRequest, pk: str) -> HttpResponse:
    membership = _member_or_404(request, pk)
    form = RoleForm(request.POST or None, initial={"role": membership.role})
    if request.method == "POST" and form.is_valid():
        role = Role(form.cleaned_data["role"])
        try:
            change_role(membership=membership, role=role, by=request.user)
        except NotAllowed as refusal:
            form.add_error(None, refusal.reason)
        else:
            messages.success(request, _("%(person)s now has the role %(role)s.") % {"person": membership.user, "role": role.label})
            return redirect("accounts:members", slug=request.organisation.slug)
    context = {"form": form, "member": membership, "roles": roles_explained(), "tabs": settings_tabs(request)}
    return render(request, "accounts/members/member_role.html", context)


@requires(Permission.MANAGE_ORGANISATION)
@require_http_methods(["GET", "POST"])
@step_up
def member_remove(request: OrganisationRequest, pk: str) -> HttpResponse:
    return _end_membership(request, _member_or_404(request, pk))


@requires(Permission.VIEW)
@require_http_methods(["GET", "POST"])
def member_leave(request: OrganisationRequest) -> HttpResponse:
    return _end_membership(request, request.membership)


def _end_membership(request: OrganisationRequest, membership: Membership) -> HttpResponse:
    """Say what ends, then end it."""
    owner_count = request.organisation.memberships.owners().count()
    is_you = membership.user_id == request.user.pk
    refusal = why_not_remove(membership, owner_count=owner_count)
    if request.method == "POST":
        try:
            remove_member(membership=membership, by=request.user)
        except NotAllowed as error:
            refusal = error.reason
        else:
            names = {"person": membership.user, "organisation": request.organisation}
            done = _("You have left %(organisation)s.") if is_you else _("%(person)s is no longer a member of %(organisation)s.")
            messages.success(request, done % names)
            return redirect("home") if is_you else redirect("accounts:members", slug=request.organisation.slug)
    context = {"member": membership, "is_you": is_you, "why_not": refusal, "tabs": settings_tabs(request)}
    return render(request, "accounts/members/member_remove.html", context)


def _member_or_404(request: OrganisationRequest, pk: str) -> Membership:
    return get_object_or_404(request.organisation.memberships.select_related("user"), pk=pk)


# --- Signing up ------------------------------------------------------------------------------------------------------


@login_not_required  # between sign-up and confirmation
@require_POST
def confirmation_resend(request: HttpRequest) -> HttpResponse:
    """Once more what allauth mailed to the address of this sign-up, under its own limits: also to one that has an account already."""
    login = unstash_login(request, peek=True)
    if login is None:
        messages.info(request, _("Sign in with the address and the password you chose. A new link is sent then."))
        return redirect("account_login")
    if not send_verification_email_at_login(request, login):
        messages.info(request, _("The next link can be sent 3 minutes after the last one. If the address is confirmed by now, sign in."))
    return redirect("account_email_verification_sent")


# --- Profile ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    user = request.user
    form = ProfileForm(request.POST or None, initial={"name": user.name, "time_zone": user.time_zone})
    if request.method == "POST" and form.is_valid():
        update_profile(user=user, name=form.cleaned_data["name"], time_zone=form.cleaned_data["time_zone"])
        messages.success(request, _("Your profile is saved."))
        return redirect("accounts:profile")
    return render(
        request, "accounts/profile.html", {"form": form, "memberships_with_roles": user.memberships.select_related("organisation")}
    )
