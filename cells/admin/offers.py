"""Plans, releases and hosting accounts: what provider staff offer. Nothing is deleted; what is not offered any more is switched off."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cells.actions.offers import record_host, record_plan, record_release
from cells.forms.offers import HostForm, PlanOfferForm, ReleaseForm, SizeForm
from cells.models import HostingAccount, Plan, PlanSize, Release
from portal.audit.admin import ClosedAdmin, ReadOnlyInline, has_right


class OfferAdmin(ClosedAdmin):
    """Staff with the right to add and change; every save is an event with its reason."""

    record: Callable[..., None]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return has_right(request, "add", self.model)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return has_right(request, "change", self.model)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Here everything is saved, in the transaction of the request."""
        super().save_related(request, form, formsets, change)
        fields = [name for name in form.changed_data if name != "reason"]
        fields += [f"{formset.prefix} {changed}" for formset in formsets for changed in _changed(formset)]
        type(self).record(form.instance, by=request.user, reason=form.cleaned_data["reason"], fields=fields, is_new=not change)


def _changed(formset: Any) -> list[str]:
    return [str(form.instance) for form in formset.forms if form.has_changed()]


class SizeInline(ReadOnlyInline):
    """The one inline that may be written: sizes belong to their plan."""

    model = PlanSize
    form = SizeForm
    extra = 1

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_right(request, "add", PlanSize)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_right(request, "change", PlanSize)


class ReleaseInline(ReadOnlyInline):
    model = Release
    fields = ("version", "chart", "chart_version", "is_offered", "published_at")
    readonly_fields = fields


@admin.register(Plan)
class PlanAdmin(OfferAdmin):
    form = PlanOfferForm
    record = staticmethod(record_plan)
    list_display = ("name", "code", "hosting", "tenancy", "is_published", "instance_number", "created_at")
    list_filter = ("is_published", "hosting", "tenancy", "has_backups")
    search_fields = ("name", "code", "summary", "=id")
    search_help_text = _("Name, code, summary or ID")
    inlines = (SizeInline, ReleaseInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        alive = Count("instances", filter=~Q(instances__state="deleted"))
        found: QuerySet[Model] = super().get_queryset(request).annotate(number=alive)
        return found

    @admin.display(description=_("instances"), ordering="number")
    def instance_number(self, plan: Any) -> int:
        return int(plan.number)


@admin.register(Release)
class ReleaseAdmin(OfferAdmin):
    form = ReleaseForm
    record = staticmethod(record_release)
    list_display = ("version", "plan", "chart", "chart_version", "is_offered", "published_at")
    list_filter = ("is_offered", "plan", "published_at")
    list_select_related = ("plan",)
    search_fields = ("version", "chart", "digest__startswith", "plan__name", "plan__code")
    search_help_text = _("Version, chart, hash or plan")
    date_hierarchy = "published_at"


@admin.register(HostingAccount)
class HostingAccountAdmin(OfferAdmin):
    form = HostForm
    record = staticmethod(record_host)
    list_display = ("account", "hosting", "cloud", "reserved_for", "is_open")
    list_filter = ("hosting", "is_open", "account__cloud")
    list_select_related = ("account", "reserved_for")
    search_fields = ("account__name", "account__external_id", "reserved_for__name", "reserved_for__slug")
    search_help_text = _("Account name or number, or the organisation it is reserved for")
    raw_id_fields = ("account", "reserved_for")

    @admin.display(description=_("cloud"), ordering="account__cloud")
    def cloud(self, host: HostingAccount) -> str:
        return host.account.get_cloud_display()
