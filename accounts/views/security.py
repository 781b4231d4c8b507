"""The security package: a page to read and print, and the same as a file."""

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import kits
from accounts.access import OrganisationRequest, Permission, requires
from accounts.kits.manifest import grouped
from accounts.security.package import security_package as package_of
from accounts.views.people import settings_tabs

gate = requires(Permission.VIEW)


@gate
@require_GET
def security_packages(request: OrganisationRequest) -> HttpResponse:
    """In the settings: one package for each cloud that can be connected."""
    offered = [kits.load(cloud) for cloud in kits.KITS]
    return render(request, "accounts/security/security_packages.html", {"offered": offered, "tabs": settings_tabs(request)})


@gate
@require_GET
def security_package(request: OrganisationRequest, cloud: str) -> HttpResponse:
    _known(cloud)
    kit = kits.load(cloud)
    crumbs = [
        {"label": _("Security package"), "url": reverse("accounts:security_packages", args=[request.organisation.slug])},
        {"label": kit.words.cloud},
    ]
    context = {"package": package_of(request.organisation, cloud), "kit": kit, "groups": grouped(kit.permissions), "crumbs": crumbs}
    return render(request, "accounts/security/security_package.html", context)


@gate
@require_GET
def security_package_file(request: OrganisationRequest, cloud: str) -> HttpResponse:
    _known(cloud)
    headers = {"Content-Disposition": f'attachment; filename="security-package-{request.organisation.slug}-{cloud}.json"'}
    return JsonResponse(package_of(request.organisation, cloud), headers=headers, json_dumps_params={"indent": 2})


def _known(cloud: str) -> None:
    if cloud not in kits.KITS:
        raise Http404
