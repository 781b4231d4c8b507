"""Cloud accounts, kits and signing keys as provider staff see them: the truth, read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.trust import AccountWatchFilter, KitVersionFilter, TrustChangeInline
from accounts.models import CloudAccount, Kit, SigningKey, TrustCheck
from portal.audit.admin import ReadOnlyAdmin, ReadOnlyInline


class KitInline(ReadOnlyInline):
    model = Kit
    fields = ("generation", "version", "state", "region", "content_hash", "created_by", "created_at", "expires_at")
    readonly_fields = fields


class TrustCheckInline(ReadOnlyInline):
    model = TrustCheck
    fields = ("kind", "name", "is_ok", "detail", "checked_at")
    readonly_fields = fields


@admin.register(CloudAccount)
class CloudAccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "organisation", "cloud", "external_id", "state", "home_region", "failure_code", "last_contact_at", "created_at")
    list_filter = ("state", AccountWatchFilter, "switched_off", KitVersionFilter, "cloud", "home_region", "created_at")
    list_select_related = ("organisation",)
    search_fields = ("id__istartswith", "name", "external_id", "organisation__name", "organisation__slug", "created_by__email")
    search_help_text = _("Name, the cloud's own ID of the account, organisation, e-mail address of who started it, or ID")
    date_hierarchy = "created_at"
    inlines = (KitInline, TrustCheckInline, TrustChangeInline)


@admin.register(Kit)
class KitAdmin(ReadOnlyAdmin):
    list_display = ("account", "organisation", "generation", "version", "state", "region", "created_by", "created_at", "expires_at")
    list_filter = ("state", "version", "region", "created_at")
    list_select_related = ("account__organisation", "created_by")
    search_fields = (
        "account__name",
        "account__external_id",
        "account__organisation__name",
        "content_hash__startswith",
        "created_by__email",
    )
    search_help_text = _("Account name or number, organisation, hash, or e-mail address")
    date_hierarchy = "created_at"

    @admin.display(description=_("organisation"), ordering="account__organisation__name")
    def organisation(self, kit: Kit) -> str:
        return str(kit.account.organisation)


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    list_display = ("kid", "state", "created_at", "state_at")
    list_filter = ("state", "created_at", "state_at")
    search_fields = ("kid",)
    search_help_text = _("Key id")
    date_hierarchy = "created_at"
    fields = ("kid", "state", "public_jwk", "created_at", "state_at")
