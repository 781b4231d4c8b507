"""The log in Django admin: to look at, whoever you are. `ReadOnlyAdmin` serves every model whose rows only the product writes."""

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from portal.audit.models import Event

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Model]
else:
    Base = admin.ModelAdmin  # not generic when it runs


class ReadOnlyAdmin(Base):
    """Nothing can be added, changed or deleted, and anything but reading is 403, also for a superuser."""

    actions = None
    list_max_show_all = 0
    list_per_page = 100
    show_full_result_count = False
    show_facets = admin.ShowFacets.ALLOW

    def has_add_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        urls: list[Any] = super().get_urls()
        for pattern in urls:
            if hasattr(pattern, "callback"):
                pattern.callback = _reading(pattern.callback)
        return urls


def _reading(view: Any) -> Any:
    @wraps(view)
    def only_reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        response: HttpResponse = view(request, *args, **kwargs)
        return response

    return only_reading


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("sequence", "at", "organisation_id", "actor_name", "sentence", "subject_label", "ip")
    list_display_links = ("sequence", "at")
    list_filter = ("actor_kind", "subject_kind", "action", "at")
    search_fields = (
        "id__istartswith",
        "organisation_id__istartswith",
        "actor_name",
        "actor_email",
        "action",
        "subject_label",
        "subject_id",
        "request_id",
        "hash__startswith",
    )
    search_help_text = _("Name, e-mail address, object, action code, organisation ID, event ID, request ID or hash")
    date_hierarchy = "at"
    # All of them: by itself Django leaves out what no form may edit.
    fields: ClassVar[tuple[str, ...]] = tuple(field.name for field in Event._meta.concrete_fields)
    ordering: ClassVar[tuple[str, ...]] = ("-at", "-sequence")
