"""What a deletion has left of a cell: keep it on purpose, or have it removed after all."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest
from accounts.availability import why_not_as_staff
from cells.actions.resources import keep_resources, release_resource
from cells.availability import why_not_keep
from cells.forms.resources import KeepForm
from cells.models import Cell
from cells.views.cells import cell_crumbs, find_cell, manage
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.rejected_forms import reject, sent_data


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_keep(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """GET lists what could not be removed, with the one that was asked about chosen; POST keeps, with the cell's name typed."""
    cell = find_cell(request, pk)
    remaining = list(cell.resources.remaining())
    initial = {"resource": [str(row.pk) for row in remaining if row.is_stuck or request.GET.get("resource") == str(row.pk)]}
    form = KeepForm(sent_data(request), initial=initial, expected=cell.name, resources=remaining)
    if request.method == "POST":
        if why_not_keep(cell):
            return reject(request)
        if not form.is_valid():
            return reject(request, form)
        return _keep(request, cell, form)
    title = _("Keep resources of %(name)s") % {"name": cell.name}
    reason = why_not_as_staff(request.user) or why_not_keep(cell) or ("" if remaining else _("Nothing is left that could be kept."))
    context = {"cell": cell, "form": form, "reason": reason, "title": title, "crumbs": cell_crumbs(cell, title)}
    return render(request, "cells/cells/cell_keep.html", context)


def _keep(request: OrganisationRequest, cell: Cell, form: KeepForm) -> HttpResponse:
    chosen = form.cleaned_data["resource"]
    try:
        kept = keep_resources(cell, ids=chosen, why=form.cleaned_data["why"], by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
        return redirect(cell)
    said = ngettext("%(number)s resource is kept.", "%(number)s resources are kept.", len(kept)) % {"number": len(kept)}
    messages.success(request, said + " " + _("Press Retry this step: the deletion goes on without what you keep."))
    return redirect(_deletion(cell) or cell)


@manage
@require_POST
def cell_release(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """What was kept is to be removed after all."""
    cell = find_cell(request, pk)
    try:
        release_resource(cell, pk=_chosen(cell, request.POST.get("resource", "")), by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    return redirect(_deletion(cell) or cell)


def _chosen(cell: Cell, text: str) -> uuid.UUID | None:
    """What is kept of this cell and was named; nothing for any other text."""
    return next((row.pk for row in cell.resources.kept() if str(row.pk) == text), None)


def _deletion(cell: Cell) -> Operation | None:
    """The newest operation that deletes this cell: its page has the retry."""
    return Operation.objects.for_subject("cell", cell.pk).filter(kind="delete_cell").select_related("organisation").newest_first().first()
