"""The lists: every instance of an organisation, and every cell in its accounts."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import OrganisationRequest, Permission, requires
from cells.models import Cell

PAGE_SIZE = 50

gate = requires(Permission.VIEW)


@gate
@require_GET
def instance_list(request: OrganisationRequest) -> HttpResponse:
    instances = request.organisation.instances.alive().select_related("organisation", "plan").order_by("name", "pk")[:PAGE_SIZE]
    context = {"instances": instances, "can_manage": request.membership.can(Permission.MANAGE_INSTANCES)}
    return render(request, "cells/instances/instance_list.html", context)


@gate
@require_GET
def cell_list(request: OrganisationRequest) -> HttpResponse:
    cells = Cell.objects.alive().for_organisation(request.organisation).select_related("organisation", "account")
    return render(request, "cells/cells/cell_list.html", {"cells": cells.order_by("name", "pk")[:PAGE_SIZE]})
