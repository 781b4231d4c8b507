"""Pages of operations. `accounts.urls` mounts them behind tenancy's gate, which sets `request.organisation` and `request.membership`."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from portal.operations.actions import request_cancel, request_check, request_retry
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation, StepLog
from portal.operations.panel import build_panel
from portal.operations.registry import KINDS
from portal.operations.states import OperationState
from portal.operations.transitions import LostRace

PAGE_SIZE = 50
# A look this recent is news to a page that polls every three seconds.
LOOK_IS_NEWS_FOR = timedelta(seconds=6)


class Membership(Protocol):
    def can(self, permission: Any) -> bool: ...


class TenantRequest(HttpRequest):
    """A request behind the gate, as far as this floor needs to know it."""

    organisation: Any
    membership: Membership
    htmx: Any


@require_GET
@vary_on_headers("HX-Request")
def operation_list(request: TenantRequest) -> HttpResponse:
    """The organisation's operations, newest first; filters and place in the query string."""
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    operations = Operation.objects.filter(organisation=request.organisation).newest_first()
    if state in OperationState.values:
        operations = operations.filter(state=state)
    if kind in KINDS:
        operations = operations.filter(kind=kind)
    if after := _place(request.GET.get("after", "")):
        operations = operations.after(*after)
    found = list(operations[: PAGE_SIZE + 1])
    context = {
        "operations": found[:PAGE_SIZE],
        "state": state,
        "kind": kind,
        "states": OperationState.choices,
        "kinds": [(kind.name, kind.title) for kind in KINDS.values()],
        "is_filtered": bool(state or kind),
        "first_url": _page_url(request) if request.GET.get("after") else "",
        "next_url": _page_url(request, after=found[PAGE_SIZE - 1]) if len(found) > PAGE_SIZE else "",
    }
    return render(request, "operations/_operation_list.html" if request.htmx else "operations/operation_list.html", context)


@require_GET
def operation_detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    operation = _operation(request, pk)
    context = {"operation": operation, "crumbs": _crumbs(request, operation.reference), "is_operation_page": True}
    return render(request, "operations/operation_detail.html", context)


@require_GET
def operation_progress(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The live fragment, polled: 204 when nothing it shows has changed since `v`, only the time of the last look when that is news."""
    operation = _operation(request, pk)
    panel = build_panel(operation, can_run=False, with_log=False)
    if request.GET.get("v") == panel.version:
        looked_at = panel.last_checked_at
        if looked_at is None or not operation.is_live or timezone.now() - looked_at > LOOK_IS_NEWS_FOR:
            return HttpResponse(status=204)
        return _out_of_band(render(request, "operations/_operation_looked.html", {"panel": panel, "is_swap": True}))
    context = {
        "operation": operation,
        "is_operation_page": "page" in request.GET,
        "is_milestone": request.GET.get("m") != panel.milestone,
    }
    return render(request, "operations/_operation_update.html", context)


@require_POST
def operation_retry(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    operation = _operation(request, pk)
    try:
        request_retry(operation, by=cast(Any, request.user))
    except (NotAllowed, LostRace) as refused:
        messages.warning(request, _words(refused))
    return redirect(operation)


@require_http_methods(["GET", "POST"])
def operation_cancel(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """GET says what will be left behind and asks; POST cancels."""
    operation = _operation(request, pk)
    if request.method == "GET":
        panel = build_panel(operation, can_run=True, with_log=False)
        crumbs = _crumbs(request, operation.reference, _("Cancel"), url=operation.get_absolute_url())
        return render(request, "operations/operation_cancel.html", {"panel": panel, "operation": operation, "crumbs": crumbs})
    try:
        request_cancel(operation, by=cast(Any, request.user))
    except (NotAllowed, LostRace) as refused:
        messages.warning(request, _words(refused))
    return redirect(operation)


@require_POST
def operation_check(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Look now ("Check again"): the reader stays where they are; the next poll brings the answer."""
    operation = _operation(request, pk)
    try:
        request_check(operation)
    except NotAllowed as refused:
        if not request.htmx:
            messages.warning(request, _words(refused))
    if not request.htmx:
        return redirect(operation)
    panel = build_panel(operation, can_run=True, with_log=False)
    return _out_of_band(render(request, "operations/_operation_looked.html", {"panel": panel, "is_swap": True, "is_looking": True}))


@require_GET
def operation_log(request: TenantRequest, pk: uuid.UUID, step: str) -> HttpResponse:
    """What a step said, all its attempts, as a text file. Times are UTC."""
    operation = _operation(request, pk)
    if not operation.steps.filter(name=step).exists():
        raise Http404
    lines = StepLog.objects.filter(step__operation=operation, step__name=step).select_related("step").order_by("step__attempt", "id")
    text = "".join(f"{line.at:%Y-%m-%dT%H:%M:%SZ} {line.step.attempt} {line.line}\n" for line in lines)
    headers = {"Content-Disposition": f'attachment; filename="{operation.reference}-{step}.log"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


def _operation(request: TenantRequest, pk: uuid.UUID) -> Operation:
    operations = Operation.objects.filter(organisation=request.organisation)
    return get_object_or_404(operations.select_related("organisation", "requested_by", "cancel_requested_by"), pk=pk)


def _words(refused: NotAllowed | LostRace) -> str:
    return refused.reason if isinstance(refused, NotAllowed) else _("Somebody else acted first. This is how it stands now.")


def _out_of_band(response: HttpResponse) -> HttpResponse:
    """Only what is marked out-of-band is swapped: the fragment itself, focus and open logs stay untouched."""
    response["HX-Reswap"] = "none"
    return response


def _page_url(request: HttpRequest, after: Operation | None = None) -> str:
    """This list, same filters: from the newest, or from the row after this one."""
    query = request.GET.copy()
    query.pop("after", None)
    if after is not None:
        query["after"] = f"{after.created_at.isoformat()}~{after.pk}"
    return f"{request.path}?{query.urlencode()}"


def _crumbs(request: TenantRequest, label: str, below: str = "", *, url: str = "") -> list[dict[str, str]]:
    crumbs = [{"label": _("Operations"), "url": reverse("accounts:operation_list", args=[request.organisation.slug])}]
    crumbs.append({"label": label, "url": url})
    return [*crumbs, {"label": below, "url": ""}] if below else crumbs


def _place(text: str) -> tuple[datetime, uuid.UUID] | None:
    """The last row of the page before, from the query string; None for anything else."""
    moment, _separator, pk = text.partition("~")
    try:
        found = datetime.fromisoformat(moment), uuid.UUID(pk)
    except ValueError:
        return None
    return found if found[0].tzinfo else None
