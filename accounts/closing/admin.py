"""Closings and what was deleted after them, in the administration: to read."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.closing.models import Closing, Erasure
from accounts.closing.states import ClosingState
from accounts.closing.terms import RECORD
from portal.admin import Waiting, register_counter
from portal.audit.admin import ReadOnlyAdmin
from portal.audit.models import ChainEnd


@admin.register(Closing)
class ClosingAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "state", "requested_by", "requested_at", "scheduled_for", "cancelled_at", "closed_at", "failed_at")
    list_filter = ("state", ("failed_at", admin.EmptyFieldListFilter), "requested_at")
    list_select_related = ("organisation", "requested_by")
    search_fields = ("organisation__name", "organisation__slug")
    search_help_text = _("Organisation or its address")
    date_hierarchy = "requested_at"


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ("organisation_id", "term", "began_at", "done_at", "last_event", "last_hash")
    list_filter = ("term", "done_at")
    search_fields = ("=organisation_id", "last_hash")
    search_help_text = _("ID of the organisation or last hash of its activity")
    date_hierarchy = "began_at"


def _failing(request: HttpRequest) -> Waiting | None:
    if not admin.site.get_model_admin(Closing).has_view_permission(request):
        return None
    url = f"{reverse('admin:closing_closing_changelist')}?failed_at__isempty=0"
    return Waiting(_("Failing closings"), Closing.objects.failing().count(), url)


register_counter(_failing)


def _ended_without_closing(request: HttpRequest) -> Waiting | None:
    """Nobody but a closing ends a chain: any other end was written past the product."""
    if not admin.site.get_model_admin(Closing).has_view_permission(request):
        return None
    closed = Closing.objects.closed().values("organisation_id")
    erased = Erasure.objects.filter(term=RECORD.code, done_at__isnull=False).values("organisation_id")
    ends = ChainEnd.objects.exclude(chain__in=closed).exclude(chain__in=erased)
    url = f"{reverse('admin:closing_closing_changelist')}?state__exact={ClosingState.CLOSED}"
    return Waiting(_("Activity logs that ended without a closing"), ends.count(), url)


register_counter(_ended_without_closing)
