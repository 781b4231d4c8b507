"""The closing of an organisation: a page to read from day one, and everything to take along. Reading starts nothing."""

from datetime import UTC

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.closing.export import archive
from accounts.closing.parts import blockers, sections
from accounts.closing.terms import TERMS, after_all
from accounts.sign_in import step_up_for_file
from accounts.views.people import settings_tabs


@requires(Permission.VIEW)
@require_GET
def closing_home(request: OrganisationRequest) -> HttpResponse:
    context = {
        "tabs": settings_tabs(request),
        "blockers": blockers(request.organisation),
        "terms": TERMS,
        "after_all": after_all(),
        "sections": sections(),
        "is_owner": request.membership.can(Permission.MANAGE_ORGANISATION),
    }
    return render(request, "closing/closing_home.html", context)


@requires(Permission.MANAGE_ORGANISATION)
@step_up_for_file("closing:closing_home")
@require_POST
def closing_export(request: OrganisationRequest) -> StreamingHttpResponse:
    """Everything, as one archive that is written while it is sent."""
    organisation = request.organisation
    own = archive.request_export(organisation, by=request.user)
    name = f"{organisation.slug}-everything-{own.at.astimezone(UTC):%Y-%m-%d-%H%M}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(archive.stream(organisation, own), content_type="application/zip", headers=headers)
