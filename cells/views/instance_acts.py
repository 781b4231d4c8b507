"""Acts on one instance. Each page says first what the act means, and why it is not possible where it is not."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from cells.actions.instances import (
    delete_instance,
    keep_instance,
    modify_instance,
    protect_instance,
    restart_instance,
    start_instance,
    stop_instance,
    upgrade_instance,
)
from cells.availability import Act, why_no_backup, why_not
from cells.forms.instances import DeletionForm, ModifyForm, UpgradeForm
from cells.models import Instance
from cells.states import InstanceState
from cells.views.instances import find_instance, instance_crumbs
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data

gate = requires(Permission.MANAGE_INSTANCES)
READS_AND_POSTS = ["GET", "HEAD", "POST"]
TITLES = {
    Act.MODIFY: gettext_lazy("Change %(name)s"),
    Act.UPGRADE: gettext_lazy("Upgrade %(name)s"),
    Act.STOP: gettext_lazy("Stop %(name)s"),
    Act.START: gettext_lazy("Start %(name)s"),
    Act.RESTART: gettext_lazy("Restart %(name)s"),
    Act.DELETE: gettext_lazy("Delete instance %(name)s"),
    Act.KEEP: gettext_lazy("Keep instance %(name)s"),
}
GOING_BACK = gettext_lazy("Go back to an earlier version of %(name)s")


@gate
@require_http_methods(READS_AND_POSTS)
def instance_modify(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    current = instance.revisions.get(number=instance.revision)
    form = ModifyForm(sent_data(request), instance=instance, initial={"size": current.size}, parameters=current.parameters)
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
    form = UpgradeForm(sent_data(request), instance=instance, current=current)
    return _ask(
        request,
        instance,
        Act.UPGRADE,
        form,
        lambda: upgrade_instance(instance, release=form.cleaned_data["release"], by=request.user),
        current=current,
        asks=GOING_BACK if form.offers == "earlier" else TITLES[Act.UPGRADE],
        obstacle="" if form.offers else _("It runs version %(version)s, and no other version is offered.") % {"version": current.version},
    )


@gate
@require_http_methods(READS_AND_POSTS)
def instance_delete(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    why_none = why_no_backup(instance)
    has_failed = instance.failed_while == InstanceState.BACKING_UP
    form = DeletionForm(sent_data(request), expected=instance.name, backups=0 if why_none else 1, is_preset=not has_failed)
    return _ask(
        request,
        instance,
        Act.DELETE,
        form,
        lambda: delete_instance(instance, by=request.user, final_backup=form.is_backed_up),
        why_no_backup=why_none,
        failed_backup=has_failed and instance.final_backups.first(),
    )


@gate
@require_http_methods(READS_AND_POSTS)
def instance_keep(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.KEEP, Form(sent_data(request)), lambda: keep_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_stop(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.STOP, Form(sent_data(request)), lambda: stop_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_start(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.START, Form(sent_data(request)), lambda: start_instance(instance, by=request.user))


@gate
@require_http_methods(READS_AND_POSTS)
def instance_restart(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    return _ask(request, instance, Act.RESTART, Form(sent_data(request)), lambda: restart_instance(instance, by=request.user))


@gate
@require_POST
def instance_protect(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    instance = find_instance(request, pk)
    is_protected = request.POST.get("protected") == "yes"
    try:
        protect_instance(instance, is_protected=is_protected, by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
        return redirect(instance)
    messages.success(request, _("The instance is protected from deletion.") if is_protected else _("The protection is switched off."))
    return redirect(instance)


def _ask(
    request: OrganisationRequest,
    instance: Instance,
    act: Act,
    form: Form,
    do: Callable[[], Operation],
    *,
    obstacle: str = "",
    asks: Promise | None = None,
    **context: object,
) -> HttpResponse:
    """The page of one act: GET explains it, or says why not; POST does it and leads to its operation."""
    if request.method == "POST":
        if why_not(act, instance):
            return reject(request)
        if not form.is_valid():
            return reject(request, form)
        return _done(request, instance, do)
    title = str(asks or TITLES[act]) % {"name": instance.name}
    context |= {"instance": instance, "form": form, "reason": why_not(act, instance) or obstacle, "title": title}
    context["crumbs"] = instance_crumbs(instance, title)
    return render(request, f"cells/instances/instance_{act.value}.html", context)


def _done(request: OrganisationRequest, instance: Instance, do: Callable[[], Operation]) -> HttpResponse:
    """Somebody may have acted since this page looked: the action looks again, and what it says is shown beside the instance."""
    try:
        return redirect(do())
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    except LostRace:
        messages.warning(request, _("Somebody else acted on this instance first. This is how it stands now."))
    return redirect(instance)
