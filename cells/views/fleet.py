"""The lists: every instance of an organisation, and every cell in its accounts. All that narrows them stands in the address.

A list is live: it asks for itself again with the version that it shows. That is answered from the rows alone, and mostly without a body.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from accounts.access import OrganisationRequest, Permission, requires
from accounts.models import Organisation
from cells.fleet.drawing import draw_rows
from cells.fleet.export import CELL_FIELDS, INSTANCE_FIELDS, cell_values, instance_values, stream
from cells.fleet.facets import Facets, cell_facets, instance_facets
from cells.fleet.paging import MAX_COUNTED, Found, PageQuery
from cells.fleet.rows import CELL_COLUMNS, INSTANCE_COLUMNS, cell_rows, instance_rows, with_names, with_number
from cells.forms.fleet import CellFilter, Chip, FleetFilter, InstanceFilter, Sorts
from cells.models import Cell
from cells.states import CellState, InstanceState
from cells.views.live import CALM_CELLS, CALM_INSTANCES
from portal.audit.views import wants_fragment
from portal.planned import A_KEY

gate = requires(Permission.VIEW)
# How often a list asks for itself: while something of it is under way, and when nothing is.
QUICK, CALM = "10s", "30s"
SETTLED_INSTANCES = frozenset(state.value for state in (*CALM_INSTANCES, InstanceState.DELETED))
SETTLED_CELLS = frozenset(state.value for state in (*CALM_CELLS, CellState.DELETED))


class Shown(NamedTuple):
    """All that a list is drawn from but its rows, in plain words: it is kept (portal.templatetags.kept)."""

    words: str
    total: int
    every: str
    slug: str
    has_rows: bool
    is_filtered: bool
    is_first_page: bool
    can_manage: bool
    here_query: str
    first_query: str
    next_query: str
    list_url: str
    csv_url: str
    json_url: str
    sorts: Sorts
    chips: tuple[Chip, ...]


class Templates(NamedTuple):
    page: str
    fragment: str
    row: str


INSTANCES = Templates("cells/instances/instance_list.html", "cells/instances/_instance_list.html", "cells/instances/_instance_row.html")
CELLS = Templates("cells/cells/cell_list.html", "cells/cells/_cell_list.html", "cells/cells/_cell_row.html")


@dataclass(frozen=True)
class Listed:
    """What the two lists differ in."""

    kind: str  # of its addresses
    templates: Templates
    form: FleetFilter
    query: Callable[[Any, bool], PageQuery]  # of the form, for a page after the first or the first
    facets: Callable[..., Facets]
    draw: Callable[[Any], list[dict[str, Any]]]
    settled: frozenset[str]  # states that nothing is under way in

    def words(self, total: int) -> str:
        if self.kind == "cell":
            return ngettext("%(number)d deployment cell", "%(number)d deployment cells", total) % {"number": total}
        return ngettext("%(number)d instance", "%(number)d instances", total) % {"number": total}

    def match_words(self, count: int, total: int) -> str:
        if self.form.value("state") == "deleted":
            return self._deleted_words(count)
        numbers = {"count": count, "total": total, "most": MAX_COUNTED}
        if count > MAX_COUNTED:
            return _("More than %(most)d of %(total)d match") % numbers
        if self.kind == "cell":
            words = ngettext("%(count)d of %(total)d deployment cell matches", "%(count)d of %(total)d deployment cells match", total)
        else:
            words = ngettext("%(count)d of %(total)d instance matches", "%(count)d of %(total)d instances match", total)
        return words % numbers

    def _deleted_words(self, count: int) -> str:
        """They are no part of the total, so there is nothing to set their number against."""
        if count > MAX_COUNTED:
            return _("More than %(most)d match") % {"most": MAX_COUNTED}
        if self.kind == "cell":
            words = ngettext("%(number)d deleted deployment cell matches", "%(number)d deleted deployment cells match", count)
        else:
            words = ngettext("%(number)d deleted instance matches", "%(number)d deleted instances match", count)
        return words % {"number": count}


@gate
@require_GET
@vary_on_headers("HX-Request")
def instance_list(request: OrganisationRequest) -> HttpResponse:
    organisation, form = request.organisation, InstanceFilter.read(request.GET.dict())
    facets = partial(instance_facets, organisation.pk, provider=settings.PROVIDER_NAME)
    draw = partial(instance_rows, slug=organisation.slug, provider=settings.PROVIDER_NAME)
    return _answer(request, Listed("instance", INSTANCES, form, _instance_query, facets, draw, SETTLED_INSTANCES))


@gate
@require_GET
@vary_on_headers("HX-Request")
def cell_list(request: OrganisationRequest) -> HttpResponse:
    organisation, form = request.organisation, CellFilter.read(request.GET.dict())
    facets, draw = partial(cell_facets, organisation.pk), partial(cell_rows, slug=organisation.slug)
    query = _cell_query if form.is_timeless else _cell_query.__wrapped__
    return _answer(request, Listed("cell", CELLS, form, query, facets, draw, SETTLED_CELLS))


# Forms are kept by what was asked (`FleetFilter.read`), and so is the statement that answers one, for every organisation.


@lru_cache(maxsize=512)
def _instance_query(form: InstanceFilter, goes_on: bool) -> PageQuery:
    anybody = Organisation(pk=A_KEY)
    found = form.apply(anybody)
    numbers = {"total": anybody.instances.exclude(state="deleted")} | ({"counted": found} if form.query else {})
    return PageQuery.written(with_names(found), form.order, form.per_page, INSTANCE_COLUMNS, numbers=numbers, goes_on=goes_on)


@lru_cache(maxsize=512)
def _cell_query(form: CellFilter, goes_on: bool) -> PageQuery:
    anybody = Organisation(pk=A_KEY)
    found = form.apply(anybody)
    numbers = {"total": Cell.objects.for_organisation(anybody).exclude(state="deleted")} | ({"counted": found} if form.query else {})
    return PageQuery.written(with_number(found), form.order, form.per_page, CELL_COLUMNS, numbers=numbers, goes_on=goes_on)


@gate
@require_GET
def instance_export(request: OrganisationRequest, kind: str) -> HttpResponseBase:
    """What the filters leave, all pages of it."""
    found = InstanceFilter.read(request.GET.dict()).apply(request.organisation)
    return stream(instance_values(found), INSTANCE_FIELDS, kind=kind, name=f"instances-{request.organisation.slug}")


@gate
@require_GET
def cell_export(request: OrganisationRequest, kind: str) -> HttpResponseBase:
    """What the filters leave, all pages of it."""
    found = with_number(CellFilter.read(request.GET.dict()).apply(request.organisation))
    return stream(cell_values(found), CELL_FIELDS, kind=kind, name=f"cells-{request.organisation.slug}")


def _answer(request: OrganisationRequest, listed: Listed) -> HttpResponse:
    """The page; for htmx the list alone, and 304 or 204 where the reader has it already: the rows alone can tell."""
    is_fragment, form = wants_fragment(request), listed.form
    mark = form.order.mark(request.GET.get("after", ""))
    found = listed.query(form, mark is not None).page(request.organisation.pk, mark)
    # Without any row nothing says how many there are.
    facets = listed.facets(total=None) if found.total is None else None
    context = _context(request, listed, found, facets.total if facets else found.total or 0)
    context["version"] = version = _version(context)
    if is_fragment:
        if request.GET.get("v") == version:
            return HttpResponse(status=204)
        if unchanged := get_conditional_response(request, etag=quote_etag(version)):
            return unchanged
    if facets is None and (form.query or not is_fragment):
        facets = listed.facets(total=found.total)
    facets = facets and facets.and_account(request.organisation.pk, form.value("account"))
    context |= {"chips": form.chips(facets), "drawn": draw_rows(listed.templates.row, context["rows"])}
    context["shown"] = Shown(**{name: context[name] for name in Shown._fields})
    if is_fragment:
        return _fragment(request, render(request, listed.templates.fragment, context), context)
    bar = form.bar(facets, context["list_url"]) if facets and (context["total"] or context["is_filtered"]) else ""
    return render(request, listed.templates.page, context | {"bar": bar})


def _fragment(request: OrganisationRequest, response: HttpResponse, context: dict[str, Any]) -> HttpResponse:
    response["ETag"] = quote_etag(context["version"])
    patch_cache_control(response, private=True, no_cache=True)
    if "v" in request.GET:
        return response
    # The address of the view as one would write it: without the filters that were left empty.
    return push_url(response, f"{request.path}?{context['here_query']}" if context["here_query"] else request.path)


def _context(request: OrganisationRequest, listed: Listed, found: Found, total: int) -> dict[str, Any]:
    form, slug, rows = listed.form, request.organisation.slug, listed.draw(found.rows)
    list_url, csv_url, json_url = _addresses(listed.kind, slug)
    kept, after = form.page_query, request.GET.get("after", "")
    return {
        "form": form,
        "rows": rows,
        "has_rows": bool(rows),
        "every": CALM if all(row["state"] in listed.settled for row in found.rows) else QUICK,
        "total": total,
        "words": listed.match_words(found.count or 0, total) if form.query else listed.words(total),
        # Where there is nothing at all, no filter is to blame for it.
        "is_filtered": bool(form.query) and bool(total or rows),
        "is_first_page": not after,
        "slug": slug,
        "list_url": list_url,
        "csv_url": _with(csv_url, form.query),
        "json_url": _with(json_url, form.query),
        "first_query": urlencode(kept),
        "next_query": urlencode({**kept, "after": found.next_mark}) if found.next_mark else "",
        "here_query": urlencode(kept | ({"after": after} if after else {})),
        "sorts": form.sorts,
        "can_manage": request.membership.can(Permission.MANAGE_INSTANCES),
    }


@lru_cache(maxsize=4096)
def _addresses(kind: str, slug: str) -> tuple[str, str, str]:
    list_url, csv_url, json_url = (reverse(f"cells:{kind}_{name}", args=[slug]) for name in ("list", "export_csv", "export_json"))
    return list_url, csv_url, json_url


def _with(address: str, query: dict[str, str]) -> str:
    return f"{address}?{urlencode(query)}" if query else address


def _version(context: dict[str, Any]) -> str:
    """Of what is shown, word for word: no clock and no counter that a change committed late could slip past."""
    shown = [context[name] for name in ("words", "total", "here_query", "next_query", "can_manage")]
    shown += [value for row in context["rows"] for value in row.values()]
    return hashlib.sha256("\0".join(map(str, shown)).encode()).hexdigest()[:20]
