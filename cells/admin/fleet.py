"""Cells and instances of all customers as provider staff see them: the truth, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cells.fleet.health import cells_of_link
from cells.fleet.rows import with_number
from cells.models import Cell, Instance, InstanceRevision
from cells.states import AgentLink
from cells.telemetry.state import link_of
from portal.audit.admin import ReadOnlyAdmin, ReadOnlyInline


class LinkFilter(admin.SimpleListFilter):
    """By the age of the last report, which is all that a link is."""

    title = pgettext_lazy("administration", "agent link")
    parameter_name = "link"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(AgentLink.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return cells_of_link(queryset, AgentLink(link)) if (link := self.value() or "") in AgentLink.values else queryset


@admin.register(Cell)
class CellAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "organisation",
        "cloud",
        "region",
        "state",
        "agent_link",
        "drift",
        "instance_number",
        "stack_version",
        "created_at",
    )
    list_filter = ("state", LinkFilter, "drift", "account__cloud", "region", "stack_version", "created_at")
    list_select_related = ("organisation", "account", "status")
    search_fields = ("id__istartswith", "name", "region", "stack_name", "account__external_id", "organisation__name", "organisation__slug")
    search_help_text = _("Name, region, stack, number of the cloud account, organisation or ID")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        found: Any = super().get_queryset(request)
        return with_number(found)

    @admin.display(description=_("cloud"), ordering="account__cloud")
    def cloud(self, cell: Cell) -> str:
        return cell.account.get_cloud_display()

    @admin.display(description=pgettext_lazy("administration", "agent link"), ordering="status__seen_at")
    def agent_link(self, cell: Cell) -> str:
        return str(link_of(cell).label)

    @admin.display(description=_("instances"), ordering="number")
    def instance_number(self, cell: Any) -> int:
        return int(cell.number)


class RevisionInline(ReadOnlyInline):
    model = InstanceRevision
    fields = ("number", "reason", "release", "size", "parameters", "is_running", "by", "at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("release", "size", "by")


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    list_display = ("name", "organisation", "plan", "state", "health", "cloud", "region", "cell", "failure_code", "created_at")
    list_filter = ("state", "health", "plan", "plan__tenancy", "cloud", "region", "created_at")
    list_select_related = ("organisation", "plan", "cell")
    search_fields = ("id__istartswith", "name", "region", "account__external_id", "organisation__name", "organisation__slug")
    search_help_text = _("Name, region, number of the cloud account, organisation or ID")
    date_hierarchy = "created_at"
    inlines = (RevisionInline,)
