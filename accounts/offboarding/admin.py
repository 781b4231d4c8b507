"""Offboardings in the administration: read, and closed with leftovers by two people with the customer's consent."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.offboarding.actions import ask_to_close, close_with_leftovers, why_not_close
from accounts.offboarding.certificates import standing
from accounts.offboarding.forms import CloseForm
from accounts.offboarding.models import Offboarding, SignIn
from accounts.offboarding.states import OffboardingState
from accounts.sign_in import step_up
from portal.admin import Waiting, register_counter
from portal.audit.admin import ReadOnlyAdmin, has_right
from portal.operations.availability import NotAllowed


@admin.register(Offboarding)
class OffboardingAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "organisation", "state", "state_at", "scheduled_for", "irreversible_at", "completed_at", "code")
    list_filter = ("state", "account__cloud", "requested_at")
    list_select_related = ("organisation", "account")
    search_fields = ("account__name", "account__external_id", "organisation__name", "organisation__slug", "sha256")
    search_help_text = _("Account, its number, organisation or SHA-256 of the certificate")
    date_hierarchy = "requested_at"
    change_form_template = "offboarding/admin_change.html"

    def get_urls(self) -> list[URLPattern]:
        close = path("<uuid:pk>/close/", self.admin_site.admin_view(self.close_view), name="offboarding_offboarding_close")
        return [close, *super().get_urls()]

    @method_decorator(step_up)
    def close_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """One person asks with a reason; another one closes, once the customer has consented to the list."""
        if not has_right(request, "change", Offboarding):
            raise PermissionDenied
        row = get_object_or_404(Offboarding.objects.select_related("account__organisation", "organisation", "closing_asked_by"), pk=pk)
        by = cast(User, request.user)
        form = CloseForm(request.POST if request.method == "POST" and "ask" in request.POST else None)
        if request.method == "POST":
            try:
                if "close" in request.POST:
                    close_with_leftovers(row, by=by)
                    messages.success(request, _now("The offboarding is closed with leftovers."))
                    return redirect("admin:offboarding_offboarding_change", pk)
                if form.is_valid():
                    ask_to_close(row, reason=form.cleaned_data["reason"], by=by)
                    messages.success(request, _now("The customer is asked to consent to the list."))
                    return redirect("admin:offboarding_offboarding_close", pk)
            except NotAllowed as refused:
                messages.error(request, refused.reason)
        context = {
            **self.admin_site.each_context(request),
            "title": _now("Close with leftovers"),
            "row": row,
            "left": standing(row.account),
            "form": form,
            "why_not": why_not_close(row, by),
            "opts": self.model._meta,
        }
        return render(request, "offboarding/admin_close.html", context)


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin):
    list_display = ("offboarding", "kit", "asked_at", "is_refused", "code")
    list_filter = ("is_refused", "asked_at")
    list_select_related = ("offboarding__account", "kit")
    search_fields = ("offboarding__account__name", "offboarding__account__external_id")
    search_help_text = _("Account or its number")
    date_hierarchy = "asked_at"


def _stuck(request: HttpRequest) -> Waiting | None:
    if not admin.site.get_model_admin(Offboarding).has_view_permission(request):
        return None
    url = f"{reverse('admin:offboarding_offboarding_changelist')}?state__exact={OffboardingState.STUCK}"
    return Waiting(_("Stuck offboardings"), Offboarding.objects.filter(state=OffboardingState.STUCK).count(), url)


register_counter(_stuck)
