"""Provider staff start a connection for a customer: a draft, and no more. What became of it is read here, too."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import kits
from accounts.actions.connect import DuplicateAccount
from accounts.actions.preparations import prepare_connection
from accounts.availability import why_not_prepare
from accounts.forms.preparations import PrepareForm
from accounts.models import CloudAccount, Organisation, Preparation
from accounts.models.cloud_accounts import Cloud
from portal.audit.admin import ReadOnlyAdmin, has_right
from portal.operations.availability import NotAllowed


class DecisionFilter(admin.SimpleListFilter):
    title = gettext_lazy("decision")
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Waits for the customer")), ("accepted", _("Accepted")), ("declined", _("Declined"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = {"accepted": {"accepted_at__isnull": False}, "declined": {"declined_at__isnull": False}}
        wanted["open"] = {"accepted_at__isnull": True, "declined_at__isnull": True}
        return queryset.filter(**wanted.get(self.value() or "", {}))


@admin.register(Preparation)
class PreparationAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "organisation", "cloud", "prepared_by", "prepared_at", "accepted_at", "declined_at", "decline_reason")
    list_filter = (DecisionFilter, "cloud", "prepared_at")
    list_select_related = ("organisation", "prepared_by")
    search_fields = ("organisation__name", "organisation__slug", "values__icontains", "prepared_by__email", "note", "decline_reason")
    search_help_text = gettext_lazy("Organisation, account name or number, e-mail address of who prepared it, note or reason")
    date_hierarchy = "prepared_at"
    change_list_template = "accounts/preparations/admin_list.html"


@require_http_methods(["GET", "POST"])
def start_connection(request: HttpRequest, object_id: str) -> HttpResponse:
    """Opened from the organisation's page. First the cloud, by its address; then what that cloud asks. Stands behind the site's gate."""
    user: Any = request.user
    if why_not_prepare(user) or not has_right(request, "add", Preparation):
        raise PermissionDenied
    organisation = get_object_or_404(Organisation, pk=_uuid(object_id), closed_at=None)
    cloud = request.GET.get("cloud", "")
    context = admin.site.each_context(request) | {
        "organisation": organisation,
        "opts": Organisation._meta,
        "title": _("Start a connection for %(organisation)s") % {"organisation": organisation},
        "owners": [owner.user.email for owner in organisation.memberships.owners().select_related("user")],
        "undecided": organisation.preparations.undecided(),
    }
    if cloud not in kits.KITS:
        offered = [(code, kits.load(code).words.choice) for code in kits.KITS]
        return render(request, "accounts/preparations/admin_choose.html", context | {"offered": offered})
    kit = kits.load(cloud)
    form = PrepareForm(
        request.POST or None, initial={"region": kit.default_region}, account=CloudAccount(cloud=cloud, organisation=organisation)
    )
    if request.method == "POST" and form.is_valid():
        try:
            prepare_connection(organisation=organisation, cloud=Cloud(cloud), note=form.cleaned_data["note"], by=user, **form.filled)
        except DuplicateAccount as duplicate:
            form.add_error("external_id", _("The customer has this account already, as “%(name)s”.") % {"name": duplicate.existing})
        except NotAllowed as refused:
            form.add_error("name", refused.reason)
        else:
            told = _("The draft waits for the customer. Owners told by e-mail: %(count)s.") % {"count": len(context["owners"])}
            messages.success(request, told)
            return redirect("admin:accounts_preparation_changelist")
    return render(request, "accounts/preparations/admin_start.html", context | {"form": form, "words": kit.words})


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
