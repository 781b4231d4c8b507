"""Operations in Django admin: the truth about each, to look at. What staff do about one, they do in the portal."""

from typing import ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from portal.audit.admin import ReadOnlyAdmin, ReadOnlyInline
from portal.operations.models import Operation, Step
from portal.operations.panel import build_panel


class StepInline(ReadOnlyInline):
    model = Step
    fields = ("position", "name", "attempt", "state", "waiting_on", "waiting_why", "tries", "failure_code", "started_at", "ended_at")
    readonly_fields = fields
    ordering = ("position", "attempt")


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    inlines = (StepInline,)
    list_display = (
        "reference", "title", "subject_label", "organisation", "state", "waiting_on", "waiting_why", "failure_code", "attempt",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "waiting_on", "waiting_why", "kind", "failure_code", "created_at")
    list_select_related = ("organisation", "requested_by")
    search_fields = (
        "reference__istartswith",
        "id__istartswith",
        "subject_id__istartswith",
        "subject_label",
        "organisation__name",
        "organisation__slug",
        "requested_by__email",
        "failure_code",
    )
    search_help_text = _("Reference, operation ID, subject, organisation, e-mail address or failure code")
    date_hierarchy = "created_at"
    ordering: ClassVar[tuple[str, ...]] = ("-created_at", "-id")
    readonly_fields = ("verdict", "in_the_portal")
    fieldsets = (
        (None, {"fields": ("verdict", "in_the_portal")}),
        (
            _("What"),
            {"fields": ("reference", "kind", "subject_kind", "subject_label", "subject_id", "organisation", "requested_by", "created_at")},
        ),
        (_("State"), {"fields": ("state", "state_at", "waiting_on", "waiting_why", "waiting_params", "attempt", "started_at", "ended_at")}),
        (_("Failure"), {"fields": ("failure_code", "failure_params", "failure_evidence")}),
        (
            _("Engine"),
            {
                "fields": (
                    "next_run_at",
                    "lease_until",
                    "lost_leases",
                    "rung_at",
                    "idempotency_key",
                    "data",
                    "cancel_requested_at",
                    "cancel_requested_by",
                )
            },
        ),
    )

    @admin.display(description=_("Now"))
    def verdict(self, operation: Operation) -> str:
        return build_panel(operation, can_run=False, with_log=False).verdict

    @admin.display(description=_("Page"))
    def in_the_portal(self, operation: Operation) -> str:
        return format_html('<a href="{}">{}</a>', operation.get_absolute_url(), _("Open in the portal"))
