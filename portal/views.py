"""Pages of the portal itself: error pages, theme, brand stylesheet, health, the component gallery."""

import sys
from http import HTTPStatus
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.access import PERMISSION_WORDS, MissingPermission, Permission, roles_with
from portal.brand import brand_stylesheet
from portal.context_processors import THEMES, brand_of, theme_of
from portal.gallery import gallery_context

THEME_COOKIE_SECONDS = 365 * 24 * 3600
RETRY_AFTER_SECONDS = 60

logger = structlog.get_logger(__name__)


# --- Theme and brand -------------------------------------------------------------------------------------------------


@login_not_required  # a person may prefer dark before signing in
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie: the next page is drawn in it from the first byte."""
    response = HttpResponseRedirect(_next(request))
    chosen = request.POST.get("theme", "auto")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=THEME_COOKIE_SECONDS, samesite="Lax", secure=request.is_secure(), httponly=True)
    return response


def _next(request: HttpRequest) -> str:
    asked = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return asked if safe else reverse("home")


@login_not_required  # the sign-in page wears the brand too
@require_safe
@cache_control(public=True, max_age=300)
def brand(request: HttpRequest) -> HttpResponse:
    """The brand's custom properties: a stylesheet, because a style attribute would break the strict policy."""
    return HttpResponse(brand_stylesheet(), content_type="text/css; charset=utf-8")


# --- Health ----------------------------------------------------------------------------------------------------------


@login_not_required  # asked by load balancers
@require_safe
@cache_control(no_store=True)
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this process can reach its database, else the 500 page."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


# --- Gallery ---------------------------------------------------------------------------------------------------------


@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component in every state, for those who build with them. Provider staff only."""
    if not getattr(request.user, "is_staff", False):
        raise PermissionDenied
    return render(request, "portal/gallery.html", gallery_context())


# --- Errors ----------------------------------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 stands alone too: an unknown host name must not be asked for its address."""
    return _error_page(request, HTTPStatus.BAD_REQUEST, "400.html", standalone=True)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403 names the missing permission, the roles that have it and the people who can grant it."""
    context: dict[str, Any] = {}
    missing = exception.permission.value if isinstance(exception, MissingPermission) else ""
    logger.info("request_refused", path=request.path, user_id=str(request.user.pk), missing=missing)
    if isinstance(exception, MissingPermission):
        managers = roles_with(Permission.MANAGE_ORGANISATION)
        context = {
            "missing": PERMISSION_WORDS[exception.permission],
            "roles": [role.label for role in roles_with(exception.permission)],
            "grantors": exception.organisation.memberships.filter(role__in=managers).select_related("user"),
        }
    return _error_page(request, HTTPStatus.FORBIDDEN, "403.html", context)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error_page(request, HTTPStatus.NOT_FOUND, "404.html")


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """429: a rate limit of the sign-in pages."""
    return _error_page(request, HTTPStatus.TOO_MANY_REQUESTS, "429.html")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _error_page(request, HTTPStatus.FORBIDDEN, "403_csrf.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 while the database is away. Both stand alone: neither may need a row to say that something broke."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return unavailable(request)
    return _error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, "500.html", standalone=True)


def unavailable(request: HttpRequest) -> HttpResponse:
    """503: comes back by itself; says when to try again."""
    response = _error_page(request, HTTPStatus.SERVICE_UNAVAILABLE, "503.html", standalone=True)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _error_page(
    request: HttpRequest, status: HTTPStatus, template: str, context: dict[str, Any] | None = None, *, standalone: bool = False
) -> HttpResponse:
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    shown = {"frame": "base_bare.html", "reference": reference, **(context or {})}
    if standalone:
        shown |= {"brand": brand_of(), "theme": theme_of(request), "csrf_token": "", "messages": [], "request": None, "user": None}
        return HttpResponse(get_template(template).render(shown), status=status)
    if getattr(getattr(request, "user", None), "is_authenticated", False):
        shown["frame"] = "base_app.html"
    return render(request, template, shown, status=status)


urlpatterns = [
    path("theme/", theme, name="theme"),
    path("brand.css", brand, name="brand"),
    path("gallery/", gallery, name="gallery"),
    path("healthz", healthz, name="healthz"),
]
