"""Middleware of our own: sign-in for htmx, the user's time zone, headers that keep pages to their reader."""

import zoneinfo
from collections.abc import Callable
from http import HTTPStatus

import structlog
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from django_structlog.middlewares import RequestMiddleware

from portal.audit.origin import client_ip

# Only names that every Chromium knows: an unknown one (bluetooth, web-share on some systems) is an error in each reader's console.
UNUSED_FEATURES = (
    *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media"),
    *("fullscreen", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment"),
    *("picture-in-picture", "screen-wake-lock", "serial", "storage-access", "usb", "xr-spatial-tracking"),
)
# Passkeys and the copy button are ours.
OWN_FEATURES = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS_POLICY = ", ".join([*(f"{name}=()" for name in UNUSED_FEATURES), *(f"{name}=(self)" for name in OWN_FEATURES)])

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestLogMiddleware(RequestMiddleware):
    """One line a request, by django-structlog; with the client's address as the activity log has it, and not as any header has it."""

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=client_ip(request))


class ContentPolicyMiddleware:
    """`CONTENT_SECURITY_POLICY` on every answer. It is the same on all of them, so it is written once and not each time anew."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response


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


class HeadersMiddleware:
    """What a signed-in person is shown stays in no cache, neither the browser's on a shared machine nor a proxy's; unless a view says so.

    Features of the browser that no page of ours uses are off, also for whatever might get into one.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        # Not asked of an error page: it must not need the database.
        is_ours_to_say = response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and not response.has_header("Cache-Control")
        if is_ours_to_say and request.user.is_authenticated:
            response.headers["Cache-Control"] = "private, no-store"
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
