"""The agent of a cell, as far as its owner decides on it: replace it, switch it off and on."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.access import OrganisationRequest
from cells.actions.cells import request_agent_replacement, switch_agent
from cells.availability import why_not_replace_agent, why_not_switch_agent
from cells.models import Cell
from cells.views.cells import cell_crumbs, done, find_cell, manage
from portal.operations.availability import NotAllowed

REPLACING = gettext_lazy(
    "The agent loses its access at once. The cloud builds a new machine for it, which enrols with a new token. Instances go on running; "
    "changes to them wait until the new agent reports in."
)
SWITCHING_OFF = gettext_lazy(
    "The portal takes nothing from the agent and tells it nothing until you switch it on again. Instances go on running. "
    "What the portal shows of them gets old, and changes wait."
)
SWITCHING_ON = gettext_lazy("The portal listens to the agent again, and tells it what has changed meanwhile.")


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_agent_replace(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    cell = find_cell(request, pk)
    if request.method == "POST":
        return done(request, cell, lambda: request_agent_replacement(cell, by=request.user))
    title = _("Replace the agent of %(name)s") % {"name": cell.name}
    return _ask(request, cell, title, reason=why_not_replace_agent(cell), says=REPLACING, act=_("Replace the agent"))


@manage
@require_http_methods(["GET", "HEAD", "POST"])
def cell_agent_switch(request: OrganisationRequest, pk: uuid.UUID, *, is_on: bool) -> HttpResponse:
    cell = find_cell(request, pk)
    if request.method == "POST":
        try:
            switch_agent(cell, is_on=is_on, by=request.user)
            messages.success(request, _("The agent is switched on.") if is_on else _("The agent is switched off."))
        except NotAllowed as refused:
            messages.warning(request, refused.reason)
        return redirect(cell)
    title = (_("Switch on the agent of %(name)s") if is_on else _("Switch off the agent of %(name)s")) % {"name": cell.name}
    act, says = (_("Switch the agent on"), SWITCHING_ON) if is_on else (_("Switch the agent off"), SWITCHING_OFF)
    return _ask(request, cell, title, reason=why_not_switch_agent(cell, is_on=is_on), says=says, act=act)


def _ask(request: OrganisationRequest, cell: Cell, title: str, **words: str | Promise) -> HttpResponse:
    return render(request, "cells/cells/cell_agent.html", {"cell": cell, "title": title, "crumbs": cell_crumbs(cell, title), **words})
