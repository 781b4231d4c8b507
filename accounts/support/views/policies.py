"""The policy tab: the rules in force, changing them, confirming what loosens them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, Role, requires
from accounts.sign_in import step_up
from accounts.support.actions.policies import confirm_change, drop_change, set_policy
from accounts.support.forms.policies import PolicyForm
from accounts.support.models import PolicyChange
from accounts.support.rules.availability import approvers_missing, why_not_confirm_policy, why_not_set_policy
from accounts.support.rules.people import approvers_of
from accounts.support.rules.policy import policy_of, values_of, with_values
from accounts.support.views.answers import do_and_return, refused
from accounts.support.views.customer import access_tabs
from accounts.support.wording.words import rules_in_words
from portal.operations.availability import NotAllowed


@requires(Permission.VIEW)
@require_GET
def access_policy(request: OrganisationRequest) -> HttpResponse:
    policy = policy_of(request.organisation)
    change = PolicyChange.objects.filter(organisation=request.organisation, state=PolicyChange.State.WAITING).first()
    context = {
        "policy": policy,
        "rows": rules_in_words(policy),
        "change": change,
        "wanted": rules_in_words(with_values(policy, change.values)) if change else [],
        "why_not_confirm": why_not_confirm_policy(request.organisation, request.membership, asked_by=change.asked_by) if change else "",
        "can_change": not why_not_set_policy(request.organisation, request.membership),
        "is_own": bool(change and change.asked_by_id == request.user.pk),
        "approvers": approvers_of(request.organisation).order_by("user__name"),
        "missing": approvers_missing(request.organisation, policy),
        "tabs": access_tabs(request),
    }
    return render(request, "support/access_policy.html", context)


@requires(Permission.MANAGE_ORGANISATION)
@require_http_methods(["GET", "POST"])
@step_up
def access_policy_change(request: OrganisationRequest) -> HttpResponse:
    policy = policy_of(request.organisation)
    if reason := why_not_set_policy(request.organisation, request.membership):
        return _back(request, reason)
    form = PolicyForm(request.POST or None, policy=policy)
    if request.method == "POST" and form.is_valid():
        wanted = values_of(policy) | form.values
        try:
            change = set_policy(organisation=request.organisation, values=wanted, by=request.membership)
        except NotAllowed as refusal:
            return _back(request, refusal.reason)
        messages.success(request, _done(request, wanted, change))
        return redirect("support:access_policy", slug=request.organisation.slug)
    owners = request.organisation.memberships.filter(role=Role.OWNER, user__is_active=True).count()
    context = {"form": form, "policy": policy, "owners": owners, "tabs": access_tabs(request)}
    return render(request, "support/access_policy_change.html", context)


def _done(request: OrganisationRequest, wanted: Mapping[str, Any], change: PolicyChange | None) -> str:
    if change:
        return _("This loosens the policy, so a second owner has to confirm it. Until then the policy stays as it is.")
    if values_of(policy_of(request.organisation)) != wanted:
        return _("Support access is off. The other rules stay as they were, because a change of yours would loosen them.")
    return _("The policy is in force.")


@requires(Permission.MANAGE_ORGANISATION)
@require_POST
@step_up
def access_policy_confirm(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    change = _change_or_404(request, pk)
    done = _("The looser policy is in force.")
    return do_and_return(request, lambda: confirm_change(change, by=request.membership), done=done, to=_page(request))


@requires(Permission.MANAGE_ORGANISATION)
@require_POST
def access_policy_drop(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    change = _change_or_404(request, pk)
    done = _("The change is dropped. The policy stays as it is.")
    return do_and_return(request, lambda: drop_change(change, by=request.membership), done=done, to=_page(request))


def _change_or_404(request: OrganisationRequest, pk: UUID) -> PolicyChange:
    changes = PolicyChange.objects.filter(organisation=request.organisation).select_related("organisation", "asked_by")
    return get_object_or_404(changes, pk=pk)


def _page(request: OrganisationRequest) -> str:
    return reverse("support:access_policy", args=[request.organisation.slug])


def _back(request: OrganisationRequest, reason: str) -> HttpResponse:
    return refused(request, reason, _page(request))
