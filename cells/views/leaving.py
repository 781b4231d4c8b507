"""What an account that leaves needs of the fleet: all its instances deleted at once, and leftovers kept on purpose."""

import uuid
from collections import Counter

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.access import OrganisationRequest
from accounts.models import CloudAccount
from accounts.sign_in import step_up
from accounts.views.cloud_accounts import account_crumbs, find_account
from cells.actions.instances import deletable_instances, delete_all_instances, leaving_instances, mark_of_instances
from cells.actions.resources import keep_leftovers
from cells.availability import why_no_backup
from cells.forms.instances import DeleteAllForm
from cells.forms.resources import KeepForm
from cells.models import CellResource
from cells.views.cells import manage
from portal.operations.availability import NotAllowed
from portal.operations.transitions import LostRace
from portal.rejected_forms import reject, sent_data


@manage
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def account_instances_delete(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Counted by plan, with what cannot be brought back; the account's name typed."""
    account = find_account(request, pk)
    instances = list(deletable_instances(account).order_by("name"))
    rows = [(instance, why_no_backup(instance)) for instance in instances]
    backups = sum(not why_none for _instance, why_none in rows)
    form = DeleteAllForm(sent_data(request), expected=str(account), backups=backups, initial={"listed": mark_of_instances(instances)})
    if request.method == "POST":
        return _delete(request, account, form) if form.is_valid() else reject(request, form)
    title = _("Delete all instances in %(name)s") % {"name": account}
    context = {
        "account": account,
        "instances": instances,
        "by_plan": sorted(Counter(str(instance.plan) for instance in instances).items()),
        "endpoints": sum(len(instance.endpoints) for instance in instances),
        "rows": rows,
        "backups": backups,
        "leaving": 0 if instances else leaving_instances(account).count(),
        "without": len(rows) - backups,
        "protected": [instance for instance in instances if instance.is_protected],
        "form": form,
        "title": title,
        "crumbs": account_crumbs(account, title),
    }
    return render(request, "cells/leaving/account_instances_delete.html", context)


def _delete(request: OrganisationRequest, account: CloudAccount, form: DeleteAllForm) -> HttpResponse:
    try:
        listed, is_backed_up = form.cleaned_data["listed"], form.is_backed_up
        count = delete_all_instances(account, listed=listed, by=request.user, final_backup=is_backed_up)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
        return redirect("cells:account_instances_delete", request.organisation.slug, account.pk)
    except LostRace:
        messages.warning(request, _("Another operation was quicker. Look at the list as it is now, then try again."))
        return redirect("cells:account_instances_delete", request.organisation.slug, account.pk)
    said = ngettext("%(count)s instance is being deleted.", "%(count)s instances are being deleted.", count) % {"count": count}
    if is_backed_up:
        said += " " + _("Those with a final backup are removed once it stands. If one fails, that instance stays and says so.")
    messages.success(request, said)
    return redirect("offboarding:offboarding_plan", request.organisation.slug, account.pk)


@manage
@step_up
@require_http_methods(["GET", "HEAD", "POST"])
def account_leftovers_keep(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """What the sweep has found and no cell knows of: kept on purpose, with who and why on record."""
    account = find_account(request, pk)
    remaining = list(CellResource.objects.remaining().filter(account=account))
    form = KeepForm(sent_data(request), expected=str(account), resources=remaining)
    if request.method == "POST":
        return _keep(request, account, form) if form.is_valid() else reject(request, form)
    title = _("Keep leftovers of %(name)s") % {"name": account}
    reason = "" if remaining else _("Nothing is left that could be kept.")
    context = {"account": account, "form": form, "reason": reason, "title": title, "crumbs": account_crumbs(account, title)}
    return render(request, "cells/leaving/account_leftovers_keep.html", context)


def _keep(request: OrganisationRequest, account: CloudAccount, form: KeepForm) -> HttpResponse:
    try:
        kept = keep_leftovers(account, ids=form.cleaned_data["resource"], why=form.cleaned_data["why"], by=request.user)
    except NotAllowed as refused:
        messages.warning(request, refused.reason)
    else:
        said = ngettext("%(number)s resource is kept.", "%(number)s resources are kept.", len(kept)) % {"number": len(kept)}
        messages.success(request, said + " " + _("The offboarding goes on without it."))
    return redirect("offboarding:offboarding_plan", request.organisation.slug, account.pk)
