"""The provider's administration: Django's admin behind the portal's own sign-in, second factor and look.

Entering needs a staff account and a second factor proven in this session. Models group by what staff look for, not by Python package.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache

from accounts.sign_in import has_proven_second_factor, has_second_factor

# Written by allauth's own pages with a mail to the person; changed here they would leave no activity event.
LEFT_OUT = frozenset({"account.emailaddress", "account.emailconfirmation", "mfa.authenticator", "usersessions.usersession", "auth.group"})

GROUPS = (
    (
        "customers",
        pgettext_lazy("administration", "Customers"),
        ("organisation", "user", "membership", "invitation", "contact", "closing", "erasure"),
    ),
    (
        "fleet",
        pgettext_lazy("administration", "Fleet"),
        ("cloudaccount", "cell", "instance", "preparation", "trustwatch", "offboarding", "signin", "operation", "step"),
    ),
    ("access", pgettext_lazy("administration", "Access"), ("accessrequest", "decision", "accesspolicy", "policychange", "bundle")),
    (
        "delivery",
        pgettext_lazy("administration", "Delivery"),
        ("kit", "plan", "release", "hostingaccount", "issuerkey", "signingkey", "outgoingmail"),
    ),
    ("audit", pgettext_lazy("administration", "Audit"), ("event", "logentry")),
)
OTHER = ("other", pgettext_lazy("administration", "Other"))


@dataclass(frozen=True)
class Waiting:
    """Something of the product that waits for staff: how many of it, and the list that holds them."""

    label: Any
    number: int
    url: str


_COUNTERS: list[Callable[[HttpRequest], Waiting | None]] = []


def register_counter(counter: Callable[[HttpRequest], Waiting | None]) -> None:
    """For the first page of the administration. A counter answers None to whoever may not see its list."""
    _COUNTERS.append(counter)


class PortalAdminSite(AdminSite):
    enable_nav_sidebar = True
    empty_value_display = ""
    index_title = pgettext_lazy("administration", "Administration")

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Nothing is deleted in bulk: rows that may go have an action of their own, with a reason.
        self.disable_action("delete_selected")

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        for model in models:
            if model._meta.label_lower not in LEFT_OUT:
                super().register([model], admin_class, **options)

    # --- Who may enter -----------------------------------------------------------------------------------------------

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and has_proven_second_factor(request)

    @method_decorator(never_cache)
    @login_not_required  # it only sends people on to the portal's own sign-in pages
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Where `admin_view` sends whoever may not enter yet: on to what is missing, and back again."""
        back = self._back(request)
        if not request.user.is_authenticated:
            return _send("account_login", back)
        if not super().has_permission(request):
            raise PermissionDenied
        if not has_second_factor(request.user):
            messages.warning(request, _("Administration needs a second factor. Set one up, then open it again."))
            return HttpResponseRedirect(reverse("mfa_index"))
        if not has_proven_second_factor(request):
            return _send("account_reauthenticate", back)
        return HttpResponseRedirect(back)

    def _back(self, request: HttpRequest) -> str:
        asked = request.GET.get(REDIRECT_FIELD_NAME, "")
        safe = url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}, require_https=request.is_secure())
        return asked if safe else reverse("admin:index")

    @method_decorator(never_cache)
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        return HttpResponseRedirect(reverse("account_logout"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        return HttpResponseRedirect(reverse("account_change_password"))

    # --- What it shows -----------------------------------------------------------------------------------------------

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What waits for staff stands above the lists, also where it is none."""
        waiting = [found for found in (counter(request) for counter in _COUNTERS) if found is not None]
        return super().index(request, {"waiting": waiting, **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        name = _("%(provider)s administration") % {"provider": settings.PROVIDER_NAME}
        return super().each_context(request) | {"site_header": name, "site_title": name, "is_production": settings.IS_HTTPS}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Grouped by what staff look for; the list of one app (its breadcrumb page) stays Django's own."""
        listed = super().get_app_list(request, app_label)
        if app_label:
            return listed
        rows = {model["model"]._meta.model_name: model for app in listed for model in app["models"]}
        groups = [_group(key, label, [rows.pop(name) for name in names if name in rows]) for key, label, names in GROUPS]
        return [group for group in (*groups, _group(*OTHER, list(rows.values()))) if group["models"]]


def _send(name: str, back: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({REDIRECT_FIELD_NAME: back})}")


def _group(key: str, label: Any, models: list[Any]) -> dict[str, Any]:
    return {"name": capfirst(label), "app_label": key, "app_url": "", "has_module_perms": True, "models": models}
