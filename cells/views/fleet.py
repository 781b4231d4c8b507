"""The lists: every instance of an organisation, and every cell in its accounts. All that narrows them stands in the address."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from accounts.access import OrganisationRequest, Permission, requires
from cells.fleet.export import CELL_FIELDS, INSTANCE_FIELDS, cell_values, instance_values, stream
from cells.fleet.facets import Facets, cell_facets, instance_facets
from cells.fleet.paging import MAX_COUNTED, Found, page_of
from cells.fleet.rows import CELL_COLUMNS, INSTANCE_COLUMNS, cell_rows, instance_rows, with_number
from cells.forms.fleet import SORTS, CellFilter, FleetFilter, InstanceFilter
from portal.audit.views import wants_fragment

gate = requires(Permission.VIEW)


@gate
@require_GET
@vary_on_headers("HX-Request")
def instance_list(request: OrganisationRequest) -> HttpResponse:
    organisation, form = request.organisation, InstanceFilter(request.GET.dict())
    facets = instance_facets(organisation.pk, provider=settings.PROVIDER_NAME)
    form.offer(facets)
    found = page_of(form.apply(organisation), form.order, _mark(request, form), form.per_page, INSTANCE_COLUMNS)
    context = _context(request, form, facets, found) | {"rows": instance_rows(found.rows, organisation.slug, settings.PROVIDER_NAME)}
    return _answer(request, "cells/instances/instance_list.html", "cells/instances/_instance_list.html", context)


@gate
@require_GET
@vary_on_headers("HX-Request")
def cell_list(request: OrganisationRequest) -> HttpResponse:
    organisation, form = request.organisation, CellFilter(request.GET.dict())
    facets = cell_facets(organisation.pk)
    form.offer(facets)
    cells = with_number(form.apply(organisation))
    found = page_of(cells, form.order, _mark(request, form), form.per_page, CELL_COLUMNS)
    context = _context(request, form, facets, found) | {"rows": cell_rows(found.rows, organisation.slug)}
    return _answer(request, "cells/cells/cell_list.html", "cells/cells/_cell_list.html", context)


@gate
@require_GET
def instance_export(request: OrganisationRequest, kind: str) -> HttpResponseBase:
    """What the filters leave, all pages of it."""
    found = InstanceFilter(request.GET.dict()).apply(request.organisation)
    return stream(instance_values(found), INSTANCE_FIELDS, kind=kind, name=f"instances-{request.organisation.slug}")


@gate
@require_GET
def cell_export(request: OrganisationRequest, kind: str) -> HttpResponseBase:
    """What the filters leave, all pages of it."""
    found = with_number(CellFilter(request.GET.dict()).apply(request.organisation))
    return stream(cell_values(found), CELL_FIELDS, kind=kind, name=f"cells-{request.organisation.slug}")


def _mark(request: OrganisationRequest, form: FleetFilter) -> Any:
    return form.order.mark(request.GET.get("after", ""))


def _context(request: OrganisationRequest, form: FleetFilter, facets: Facets, found: Found) -> dict[str, Any]:
    kept, after = form.page_query, request.GET.get("after", "")
    return {
        "form": form,
        "total": facets.total,
        "count": found.count,
        "max_counted": MAX_COUNTED,
        "is_filtered": bool(form.query),
        "is_first_page": not after,
        "query": urlencode(form.query),
        "first_query": urlencode(kept),
        "next_query": urlencode({**kept, "after": found.next_mark}) if found.next_mark else "",
        "here_query": urlencode(kept | ({"after": after} if after else {})),
        "sorts": _sorts(form),
        "can_manage": request.membership.can(Permission.MANAGE_INSTANCES),
    }


def _sorts(form: FleetFilter) -> dict[str, dict[str, str]]:
    """By column: the address that sorts by it, or the other way round, and what `aria-sort` says now."""
    now, kept = form.order, form.page_query
    sorts = {}
    for column in {sort.removeprefix("-") for sort in SORTS}:
        is_now = now.column == column
        sort = f"-{column}" if is_now and not now.is_descending else column
        query = urlencode({**{name: value for name, value in kept.items() if name != "sort"}, "sort": sort})
        sorts[column] = {"query": query, "aria": ("descending" if now.is_descending else "ascending") if is_now else ""}
    return sorts


def _answer(request: OrganisationRequest, page: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    """The page; for htmx the list alone, and 304 or 204 where the reader has it already.

    Its version is of the very rows: no clock and no counter that a change committed late could slip past.
    """
    if not wants_fragment(request):
        return render(request, page, context | {"version": _version(context)})
    version = _version(context)
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    etag = quote_etag(version)
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    response = render(request, fragment, context | {"version": version})
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    if "v" in request.GET:
        return response
    # The address of the view as one would write it: without the filters that were left empty.
    return push_url(response, f"{request.path}?{context['here_query']}" if context["here_query"] else request.path)


def _version(context: Mapping[str, Any]) -> str:
    shown = [context[name] for name in ("rows", "total", "count", "here_query", "next_query", "can_manage")]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:20]
