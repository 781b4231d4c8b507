"""Support access in the administration: read, never written. What is to change goes through the pages, their people and their proofs."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.support.models import AccessPolicy, AccessRequest, Bundle, Decision, PolicyChange
from portal.audit.admin import ReadOnlyAdmin


@admin.register(AccessRequest)
class AccessRequestAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "organisation", "engineer", "profile", "state", "created_at", "granted_from", "granted_until", "ended_at")
    list_filter = ("state", "profile", "reason_type", "created_at")
    list_select_related = ("organisation", "engineer")
    search_fields = ("case", "scope_label", "organisation__name", "organisation__slug", "engineer__email", "engineer__name", "sha256")
    search_help_text = _("Case, scope, organisation, engineer or SHA-256 of the grant")
    date_hierarchy = "created_at"


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("request", "organisation", "approver", "verb", "method", "at", "set_aside_at")
    list_filter = ("verb", "method", "at")
    list_select_related = ("request__organisation", "approver")
    search_fields = ("request__case", "request__organisation__name", "approver__email", "sha256")
    search_help_text = _("Case, organisation, approver or SHA-256 of the grant")
    date_hierarchy = "at"
    exclude = ("seal",)

    @admin.display(description=_("organisation"), ordering="request__organisation__name")
    def organisation(self, decision: Decision) -> str:
        return str(decision.request.organisation)


@admin.register(AccessPolicy)
class AccessPolicyAdmin(ReadOnlyAdmin):
    list_display = ("organisation", "version", "mode", "longest_minutes", "decide_hours", "allows_direct", "changed_by", "changed_at")
    list_filter = ("mode", "outside", "allows_direct")
    list_select_related = ("organisation", "changed_by")
    search_fields = ("organisation__name", "organisation__slug")
    search_help_text = _("Organisation")


@admin.register(PolicyChange)
class PolicyChangeAdmin(ReadOnlyAdmin):
    list_display = ("organisation", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state", "asked_at", "decided_at")
    list_select_related = ("organisation", "asked_by", "decided_by")
    search_fields = ("organisation__name", "organisation__slug", "asked_by__email")
    search_help_text = _("Organisation or who asked")
    date_hierarchy = "asked_at"


@admin.register(Bundle)
class BundleAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "organisation", "state", "asked_by", "asked_at", "released_by", "released_at", "expires_at")
    list_filter = ("state", "is_by_customer", "asked_at")
    list_select_related = ("organisation", "asked_by", "released_by")
    search_fields = ("scope_label", "case", "organisation__name", "organisation__slug", "asked_by__email")
    search_help_text = _("Scope, case, organisation or who asked")
    date_hierarchy = "asked_at"
