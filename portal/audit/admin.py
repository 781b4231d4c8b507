"""The log in Django admin: to look at, whoever you are. Every other model's admin stands on one of the bases here:

`ReadOnlyAdmin` (and `ReadOnlyInline`) where only the product writes rows, `ClosedAdmin` where staff may do one thing.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from portal.audit.models import Event

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Model]
    Inline = admin.TabularInline[Model, Model]
else:
    Base, Inline = admin.ModelAdmin, admin.TabularInline  # not generic when it runs


# What Django's own filters append to a field's name.
FILTER_SUFFIXES = frozenset({"exact", "id__exact", "in", "isnull", "isempty", "gte", "lt", "year", "month", "day"})


class ShownLookups(Base):
    """The address of a list filters by what the list offers, and by nothing else.

    By itself Django takes any column there: `?token_hash__startswith=a` would tell a secret letter by letter.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if "\0" in value:
            return False
        filters = self.get_list_filter(request) if request else self.list_filter
        for name in [*map(_filtered_by, filters), self.date_hierarchy]:
            if name and (lookup == name or (lookup.startswith(f"{name}__") and lookup.removeprefix(f"{name}__") in FILTER_SUFFIXES)):
                return True
        return False


def _filtered_by(entry: Any) -> str:
    """What an entry of `list_filter` filters by: a field, a field with its filter, or a filter of its own."""
    if isinstance(entry, tuple):
        return str(entry[0])
    return entry if isinstance(entry, str) else str(entry.parameter_name)


def has_right(request: HttpRequest, verb: str, model: type[Model]) -> bool:
    """Whether this person of the provider has Django's own right to "add" or "change" these rows: to be staff is none."""
    user = request.user
    right = f"{model._meta.app_label}.{get_permission_codename(verb, model._meta)}"
    return user.is_authenticated and user.is_active and user.is_staff and user.has_perm(right)


class ClosedAdmin(ShownLookups):
    """Nothing can be added, changed or deleted, and nothing is done in bulk, also by a superuser.

    What may be, a subclass opens, to whoever `has_right`.
    """

    actions = None
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.ALLOW

    def has_add_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False


class ReadOnlyAdmin(ClosedAdmin):
    """Closed, and anything but reading is 403."""

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


class ReadOnlyInline(Inline):
    """Rows on the page of what they belong to, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        return False


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
