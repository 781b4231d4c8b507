"""Cells and instances of all customers as provider staff see them: the truth, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models.cloud_accounts import Cloud
from cells.fleet.health import cells_of_link
from cells.fleet.rows import NOT_HEARD, QUIET, SILENT, with_number
from cells.models import Cell, Instance, InstanceRevision
from cells.states import AgentLink, CellState
from cells.telemetry.state import link_of
from portal.audit.admin import ReadOnlyAdmin, ReadOnlyInline

NOTHING = "–"  # there is nothing that could be so or otherwise
# Customers read that they have done it themselves.
SWITCHED_OFF = pgettext_lazy("administration", "Switched off by the customer")


class LinkFilter(admin.SimpleListFilter):
    """By the age of the last report, which is all that a link is."""

    title = pgettext_lazy("administration", "agent link")
    parameter_name = "link"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(link.value, SWITCHED_OFF if link == AgentLink.DISABLED else link.label) for link in AgentLink]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return cells_of_link(queryset, AgentLink(link)) if (link := self.value() or "") in AgentLink.values else queryset


class CloudFilter(admin.SimpleListFilter):
    """By its name as people know it: an instance keeps the code alone."""

    title = _("cloud")
    parameter_name = "cloud"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Cloud.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(cloud=cloud) if (cloud := self.value() or "") in Cloud.values else queryset


@admin.register(Cell)
class CellAdmin(ReadOnlyAdmin):
    # What fits beside the filters; a cell's name says its region, and the rest stands on its page and among the filters.
    list_display = ("name", "organisation", "cloud", "state_words", "agent_link", "drift_words", "instance_number")
    list_filter = ("state", LinkFilter, "drift", "account__cloud", "region", "stack_version", "created_at")
    list_select_related = ("organisation", "account", "status")
    search_fields = ("id__istartswith", "name", "region", "stack_name", "account__external_id", "organisation__name", "organisation__slug")
    search_help_text = _("Name, region, stack, number of the cloud account, organisation or ID")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        found: Any = super().get_queryset(request)
        return with_number(found)

    @admin.display(description=_("state"), ordering="state")
    def state_words(self, cell: Cell) -> str:
        return _with_failure(cell)

    @admin.display(description=_("cloud"), ordering="account__cloud")
    def cloud(self, cell: Cell) -> str:
        return cell.account.get_cloud_display()

    @admin.display(description=pgettext_lazy("administration", "agent link"), ordering="status__seen_at")
    def agent_link(self, cell: Cell) -> str:
        if cell.state == CellState.DELETED:
            return NOTHING
        link = link_of(cell)
        return str(SWITCHED_OFF if link == AgentLink.DISABLED else link.label)

    @admin.display(description=_("drift"), ordering="drift")
    def drift_words(self, cell: Cell) -> str:
        return NOTHING if cell.state == CellState.DELETED else cell.get_drift_display()

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
    list_display = ("name", "organisation", "plan", "place", "state_words", "health_words")
    list_filter = ("state", "health", "plan", "plan__tenancy", CloudFilter, "region", "created_at")
    list_select_related = ("organisation", "plan", "cell__status")
    search_fields = ("id__istartswith", "name", "region", "account__external_id", "organisation__name", "organisation__slug")
    search_help_text = _("Name, region, number of the cloud account, organisation or ID")
    date_hierarchy = "created_at"
    inlines = (RevisionInline,)

    @admin.display(description=pgettext_lazy("administration", "place"), ordering="region")
    def place(self, instance: Instance) -> str:
        return f"{Cloud(instance.cloud).label} {instance.region}"

    @admin.display(description=_("state"), ordering="state")
    def state_words(self, instance: Instance) -> str:
        return _with_failure(instance)

    @admin.display(description=_("health"), ordering="health")
    def health_words(self, instance: Instance) -> str:
        """As pages show it: nothing of what does not run, and nothing from memory."""
        if instance.state in QUIET or instance.cell is None:
            return NOTHING
        return str(NOT_HEARD if link_of(instance.cell) in SILENT else instance.get_health_display())


def _with_failure(subject: Cell | Instance) -> str:
    return f"{subject.get_state_display()} ({subject.failure_code})" if subject.failure_code else subject.get_state_display()
