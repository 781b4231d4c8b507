"""Gives every event of a request its origin."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.audit.origin import Origin, bound_request_id, client_ip, originating


class ActivityMiddleware:
    """Stands after django-structlog's RequestMiddleware, which gives the request its id, and after authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with originating(Origin(bound_request_id(), client_ip(request), request)):
            return self.get_response(request)
