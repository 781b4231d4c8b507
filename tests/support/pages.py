"""Addresses of a request's pages for tests, and the offer that the page of approving draws."""

from http import HTTPStatus

from django.urls import reverse

from accounts.support.models import AccessRequest


def page(request: AccessRequest, name: str = "access_request") -> str:
    return reverse(f"support:{name}", args=[request.organisation.slug, request.pk])


def offered(client, request: AccessRequest, **less: str):
    """The offer that the approve page draws, as its form would send it."""
    shown = client.get(page(request, "access_approve"), less)
    assert shown.status_code == HTTPStatus.OK
    return shown.context["token"], shown.context["offer"]
