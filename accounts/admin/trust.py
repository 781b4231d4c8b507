"""The watch over customers' trust as provider staff see it: which accounts are lost, in doubt, or could not be looked at, and why."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.models import Kit, TrustChange, TrustWatch
from accounts.states import KitState, TrustVerdict
from portal.audit.admin import ReadOnlyAdmin, ReadOnlyInline


class TrustChangeInline(ReadOnlyInline):
    model = TrustChange
    fields = ("at", "kind", "name", "was", "now", "code")
    readonly_fields = fields
    max_num = 0


class WatchFilter(admin.SimpleListFilter):
    """What the watch believes; "could not look" is ours or the cloud's to mend."""

    title = _("trust")
    parameter_name = "trust"
    path = ""  # from the listed row to the watch

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*TrustVerdict.choices, ("unclear", _("Could not look"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value == "unclear":
            return queryset.filter(**{f"{self.path}unclear_since__isnull": False})
        return queryset.filter(**{f"{self.path}verdict": value}) if value in TrustVerdict.values else queryset


class AccountWatchFilter(WatchFilter):
    path = "watch__"


class KitVersionFilter(admin.SimpleListFilter):
    """The spread of kit versions in use, by cloud: which accounts run which, and how many."""

    title = _("kit in use")
    parameter_name = "kit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        in_use = Kit.objects.filter(state=KitState.CURRENT).values("account__cloud", "version").annotate(number=Count("pk"))
        shipped = {cloud: kits.load(cloud).version for cloud in kits.KITS}
        found = []
        for row in in_use.order_by("account__cloud", "version"):
            cloud, version = row["account__cloud"], row["version"]
            words = {"cloud": cloud, "version": version, "number": row["number"]}
            is_newest = shipped.get(cloud) == version
            label = _("%(cloud)s %(version)s, newest (%(number)s)") if is_newest else _("%(cloud)s %(version)s, outdated (%(number)s)")
            found.append((f"{cloud}~{version}", label % words))
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        cloud, _separator, version = (self.value() or "").partition("~")
        if not version or "\0" in version:
            return queryset
        return queryset.filter(Q(cloud=cloud), kits__state=KitState.CURRENT, kits__version=version)


@admin.register(TrustWatch)
class TrustWatchAdmin(ReadOnlyAdmin):
    list_display = ("account", "organisation", "verdict", "code", "lost_since", "unclear_since", "unclear_code", "looked_at", "next_at")
    list_filter = (WatchFilter, "code", "unclear_code", "looked_at")
    list_select_related = ("account__organisation",)
    search_fields = ("account__name", "account__external_id", "account__organisation__name", "account__organisation__slug", "code")
    search_help_text = _("Account name or number, organisation, or reason")
    date_hierarchy = "looked_at"

    @admin.display(description=_("organisation"), ordering="account__organisation__name")
    def organisation(self, watch: TrustWatch) -> str:
        return str(watch.account.organisation)
