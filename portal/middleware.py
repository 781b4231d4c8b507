"""Middleware of our own: sign-in for htmx, the user's time zone."""

import zoneinfo
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect

GetResponse = Callable[[HttpRequest], HttpResponse]


class HtmxSignInMiddleware:
    """An ended session answers htmx with a client redirect: no sign-in page inside a table."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_sign_in = response.status_code == HTTPStatus.FOUND and response.headers["Location"].startswith(str(settings.LOGIN_REDIRECT_PATH))
        if getattr(request, "htmx", False) and is_sign_in:
            came_from = getattr(request, "htmx").current_url_abs_path or "/"  # noqa: B009  set by django-htmx
            return HttpResponseClientRedirect(redirect_to_login(came_from).url)
        return response


class TimeZoneMiddleware:
    """Pages speak the user's zone: from the profile, else the browser's (cookie), else UTC."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "") or request.COOKIES.get("timezone", "")
        with timezone.override(known_zone(name)):
            return self.get_response(request)


def known_zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this IANA name, or UTC: a cookie may hold anything."""
    try:
        return zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")
