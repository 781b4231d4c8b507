"""The Activity page. Every view reads `request.organisation`, which the gate in front of it has set (accounts/urls.py mounts them)."""

from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from portal.audit import verify
from portal.audit.actions import request_export
from portal.audit.chain import check_chain, head_of, in_batches
from portal.audit.forms import ActivityFilter
from portal.audit.models import Event
from portal.audit.panels import Panel, panel_of

# Beyond this the page says "more than": counting everything would make a page slower with every event.
MAX_COUNTED = 10_000

BROKEN_WORDS = {
    "hash": _("Event %(number)s does not match its hash. It was changed after it was written."),
    "gap": _("Event %(number)s does not follow the one before it. Events between them were removed."),
    "link": _("Event %(number)s does not continue the chain. It, or the event before it, was replaced."),
    "head": _("The chain does not end where its head says. The last events, from number %(number)s on, were removed or replaced."),
}


class OrganisationLike(Protocol):
    id: UUID
    name: str
    slug: str


def organisation_of(request: HttpRequest) -> OrganisationLike:
    return cast(OrganisationLike, getattr(request, "organisation"))  # noqa: B009  set by the gate


@require_GET
@vary_on_headers("HX-Request")
def activity_list(request: HttpRequest) -> HttpResponse:
    """Filter, count, days, and a link to older events. The same URL answers htmx with the list alone."""
    organisation = organisation_of(request)
    form = ActivityFilter(request.GET.dict())
    context = {"organisation": organisation, "form": form, "head": head_of(organisation.id), "can_export": may_export(request)}
    context |= _found(organisation, form, _number(request.GET.get("before", "")))
    if not wants_fragment(request):
        return render(request, "audit/activity_list.html", context)
    response = render(request, "audit/_activity_list.html", context)
    # The address of the view as one would write it: without the filters that were left empty.
    return push_url(response, f"{request.path}?{context['here_query']}" if context["here_query"] else request.path)


def _found(organisation: OrganisationLike, form: ActivityFilter, before: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"panel": Panel([], None), "count": None, "max_counted": MAX_COUNTED}
    found |= {"is_filtered": False, "is_first_page": before is None}
    found |= {"query": "", "newest_query": "", "older_query": "", "here_query": urlencode(form.data)}
    if not form.is_valid():
        return found
    events = form.apply(Event.objects.for_chain(organisation.id))
    panel = panel_of(events, form.per_page, before)
    if form.is_active:
        found |= {"is_filtered": True, "count": events[: MAX_COUNTED + 1].count()}
    older = urlencode({**form.page_query, "before": panel.older_than}) if panel.older_than else ""
    here = urlencode(form.page_query | ({} if before is None else {"before": str(before)}))
    found |= {"newest_query": urlencode(form.page_query), "older_query": older, "here_query": here}
    return found | {"panel": panel, "query": urlencode(form.query)}


@require_POST
def activity_export(request: HttpRequest) -> HttpResponseBase:
    """JSON Lines, streamed: the whole chain, or what the filters in the query string leave. The export is itself an event."""
    organisation = organisation_of(request)
    form = ActivityFilter(request.GET.dict())
    if not form.is_valid():
        return redirect(f"{reverse('accounts:activity', args=[organisation.slug])}?{request.GET.urlencode()}")
    own = request_export(organisation_id=organisation.id, name=organisation.name, filters=form.query, by=request.user)
    events = form.apply(Event.objects.for_chain(organisation.id)).filter(sequence__lte=own.sequence)
    response = StreamingHttpResponse((event.line() for event in in_batches(events)), content_type="application/jsonl; charset=utf-8")
    scope = "filtered" if form.is_active else "whole"
    # The name carries the head, so that a file says by itself where it must end.
    response["Content-Disposition"] = f'attachment; filename="activity-{organisation.slug}-{scope}-{own.sequence}-{own.hash[:12]}.jsonl"'
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@vary_on_headers("HX-Request")
def activity_verify(request: HttpRequest) -> HttpResponse:
    """Recompute the chain and say what was found. A computation without effect, so a GET."""
    organisation = organisation_of(request)
    check = check_chain(organisation.id)
    reason = BROKEN_WORDS.get(check.code, BROKEN_WORDS["link"]) % {"number": check.broken_at} if check.code else ""
    template = "audit/_activity_verdict.html" if wants_fragment(request) else "audit/activity_verify.html"
    return render(request, template, {"organisation": organisation, "check": check, "reason": reason})


@require_GET
def activity_verifier(_request: HttpRequest) -> HttpResponse:
    """The offline verifier, the very file the portal itself uses."""
    source = Path(str(verify.__file__)).read_bytes()
    return HttpResponse(
        source, content_type="text/x-python; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="verify.py"'}
    )


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for the list alone. Going back asks with htmx, too, but wants the page."""
    htmx = cast(Any, request).htmx
    return bool(htmx) and not htmx.history_restore_request


def may_export(request: HttpRequest) -> bool:
    # The gate in front of the export decides; this only spares people a button that would refuse them.
    membership = getattr(request, "membership", None)
    return membership is None or bool(membership.can("export_activity"))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004  a bigint holds 18 digits
