"""Acts on one instance. Each page says first what the act means, and why it is not possible where it is not."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from cells.actions.instances import (
    delete_instance,
    modify_instance,
    protect_instance,
    restart_instance,
    start_instance,
    stop_instance,
    upgrade_instance,
)
from cells.availability import Act, why_not
from cells.forms.instances import ModifyForm, TypedNameForm, UpgradeForm
from cells.models import Instance
from cells.views.instances import find_instance, instance_crumbs
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.transitions import LostRace

gate = requires(Permission.MANAGE_INSTANCES)
READS_AND_POSTS = ["GET", "HEAD", "POST"]


@gate
@require_http_methods(READS_AND_POSTS)
def instance_modify(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    current = instance.revisions.get(number=instance.revision)
    form = ModifyForm(request.POST or None, instance=instance, initial={"size": current.size}, parameters=current.parameters)
    return _ask(
        request,
        instance,
        Act.MODIFY,
        form,
        lambda: modify_instance(instance, size=form.cleaned_data["size"], parameters=form.parameters, by=request.user),
    )


@gate
@require_http_methods(READS_AND_POSTS)
def instance_upgrade(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    current = instance.revisions.select_related("release").get(number=instance.revision).release
    form = UpgradeForm(request.POST or None, instance=instance, current=current)
    return _ask(
        request,
        instance,
        Act.UPGRADE,
        form,
        lambda: upgrade_instance(instance, release=form.cleaned_data["release"], by=request.user),
        current=current,
    )


@gate
@require_http_methods(READS_AND_POSTS)
def instance_delete(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    form = TypedNameForm(request.POST or None, expected=instance.name)
    return _ask(request, instance, Act.DELETE, form, lambda: delete_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_stop(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.STOP, Form(request.POST or None), lambda: stop_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_start(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.START, Form(request.POST or None), lambda: start_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_restart(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.RESTART, Form(request.POST or None), lambda: restart_instance(instance, by=request.user))


@gate
@require_POST
def instance_protect(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    is_protected = request.POST.get("protected") == "yes"
    protect_instance(instance, is_protected=is_protected, by=request.user)
    messages.success(request, _("The instance is protected from deletion.") if is_protected else _("The protection is switched off."))
    return redirect(instance)


def _ask(
    request: OrganisationRequest, instance: Instance, act: Act, form: Form, do: Callable[[], Operation], **context: object
) -> HttpResponse:
    """The page of one act: GET explains, POST does it and leads to its operation."""
    reason = why_not(act, instance)
    if request.method == "POST" and (reason or form.is_valid()):
        try:
            if reason:
                raise NotAllowed(reason)
            return redirect(do())
        except NotAllowed as refused:
            reason = refused.reason
        except LostRace:
            reason = _("Somebody else acted on this instance first. Look at it again.")
    titles = {
        Act.MODIFY: _("Change %(name)s"),
        Act.UPGRADE: _("Upgrade %(name)s"),
        Act.STOP: _("Stop %(name)s"),
        Act.START: _("Start %(name)s"),
        Act.RESTART: _("Restart %(name)s"),
        Act.DELETE: _("Delete instance %(name)s"),
    }
    title = titles[act] % {"name": instance.name}
    context |= {
        "instance": instance,
        "form": form,
        "reason": reason,
        "title": title,
        "crumbs": instance_crumbs(instance, title),
        "act": act.value,
    }
    status = 409 if reason and request.method == "POST" else 200
    return render(request, f"cells/instances/instance_{act.value}.html", context, status=status)
