"""The closing of an organisation: a page to read from day one, everything to take along, plan it, call it off, and what is left to say.

Reading starts nothing. Once it is closed, every other page leads to `closing_done`.
"""

from datetime import UTC
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, Role, requires
from accounts.closing.actions import cancel_closing, standing_closing, start_closing
from accounts.closing.availability import why_not_cancel, why_not_start
from accounts.closing.export import archive
from accounts.closing.forms import StartForm
from accounts.closing.parts import blockers, sections
from accounts.closing.terms import PEOPLE, TERMS, after_all, backups
from accounts.models import Organisation
from accounts.sign_in import step_up, step_up_for_file
from accounts.views.people import settings_tabs
from portal.operations.availability import NotAllowed
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data

own = requires(Permission.MANAGE_ORGANISATION)


@requires(Permission.VIEW)
@require_GET
def closing_home(request: OrganisationRequest) -> HttpResponse:
    closing = standing_closing(request.organisation)
    found = blockers(request.organisation)
    context = {
        "tabs": settings_tabs(request),
        "closing": closing,
        "blockers": found,
        "why_not": why_not_start(closing, found),
        **_kept(request),
    }
    return render(request, "closing/closing_home.html", context)


def _kept(request: OrganisationRequest) -> dict[str, Any]:
    """What is kept and what can be taken along: the same before and after."""
    is_owner = request.membership.can(Permission.MANAGE_ORGANISATION)
    return {"terms": TERMS, "backups": backups(), "after_all": after_all(), "sections": sections(), "is_owner": is_owner}


@requires(Permission.MANAGE_ORGANISATION, even_closed=True)
@step_up_for_file("closing:closing_home")
@require_POST
def closing_export(request: OrganisationRequest) -> StreamingHttpResponse:
    """Everything, as one archive that is written while it is sent."""
    organisation = request.organisation
    own_event = archive.request_export(organisation, by=request.user)
    name = f"{organisation.slug}-everything-{own_event.at.astimezone(UTC):%Y-%m-%d-%H%M}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(archive.stream(organisation, own_event), content_type="application/zip", headers=headers)


@own
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def closing_start(request: OrganisationRequest) -> HttpResponse:
    organisation = request.organisation
    found = blockers(organisation)
    why_not = why_not_start(standing_closing(organisation), found)
    form = StartForm(sent_data(request), organisation=organisation)
    if request.method == "POST":
        if why_not:
            messages.warning(request, why_not)
            return _back(request)
        return _start(request, form) if form.is_valid() else reject(request, form)
    context = {"form": form, "why_not": why_not, "blockers": found, "owners": _other_owners(organisation, request), "terms": TERMS}
    context |= {"export_for": PEOPLE.period, "backups": backups()}
    context |= {"title": _("Close %(name)s") % {"name": organisation}, "tabs": settings_tabs(request)}
    return render(request, "closing/closing_start.html", context)


def _other_owners(organisation: Organisation, request: OrganisationRequest) -> list[str]:
    rows = organisation.memberships.filter(role=Role.OWNER, user__is_active=True).exclude(user=request.user)
    return [str(membership.user) for membership in rows.select_related("user")]


def _start(request: OrganisationRequest, form: StartForm) -> HttpResponse:
    try:
        start_closing(request.organisation, scheduled_for=form.scheduled_for, by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        messages.success(request, _("The closing is planned. All members are told by mail."))
    return _back(request)


@own
@require_http_methods(["GET", "HEAD", "POST"])
def closing_cancel(request: OrganisationRequest) -> HttpResponse:
    closing = standing_closing(request.organisation)
    if request.method == "POST":
        try:
            cancel_closing(request.organisation, by=request.user)
        except (NotAllowed, LostRace) as refused:
            messages.warning(request, getattr(refused, "reason", _("Somebody else has called it off, or it has closed a moment ago.")))
        else:
            messages.success(request, _("The closing is called off. Nothing was changed. All members are told by mail."))
        return _back(request)
    context = {"closing": closing, "why_not": why_not_cancel(closing), "title": _("Call off the closing"), "tabs": settings_tabs(request)}
    return render(request, "closing/closing_cancel.html", context)


@requires(Permission.VIEW, even_closed=True)
@require_GET
def closing_done(request: OrganisationRequest) -> HttpResponseBase:
    """All that a member of a closed organisation still sees of it."""
    if request.organisation.closed_at is None:
        return redirect("closing:closing_home", request.organisation.slug)
    others = [each.organisation for each in request.memberships if each.organisation.closed_at is None]
    context = {"closing": standing_closing(request.organisation), "others": others, **_kept(request)}
    return render(request, "closing/closing_done.html", context)


def _back(request: OrganisationRequest) -> HttpResponse:
    return redirect("closing:closing_home", request.organisation.slug)
