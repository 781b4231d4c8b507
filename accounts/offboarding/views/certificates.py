"""The certificate: to read, to print, as the file whose hash is in the activity log; and the program that checks it."""

import json
import uuid
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import OrganisationRequest, Permission, requires
from accounts.offboarding import leftovers
from accounts.offboarding.models import Offboarding
from accounts.offboarding.plan import plan_of
from accounts.offboarding.states import OffboardingState
from accounts.targets import cloud_names
from accounts.views.cloud_accounts import account_crumbs, find_account
from portal.audit import verify_certificate

gate = requires(Permission.VIEW)


def _complete(request: OrganisationRequest, pk: uuid.UUID) -> Offboarding | None:
    rows = Offboarding.objects.filter(organisation=request.organisation, account=find_account(request, pk))
    return rows.filter(state=OffboardingState.COMPLETE).select_related("account__organisation", "closed_by", "consent_by").first()


@gate
@require_GET
def certificate_detail(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """Shown from the stored text, so that page and file cannot differ. Before there is one, the way to it."""
    row = _complete(request, pk)
    if row is None:
        return redirect("offboarding:offboarding_plan", request.organisation.slug, pk)
    context = {
        "row": row,
        "plan": plan_of(row.account),
        "account": row.account,
        "document": json.loads(row.certificate),
        "look": leftovers.look_of(row.account),
        "command": f"python3 verify_certificate.py {_file_name(row)} --sha256 {row.sha256}",
        "cloud": cloud_names(row.account.cloud)["cloud"],
        "crumbs": account_crumbs(row.account, _("Offboarding certificate")),
    }
    return render(request, "offboarding/certificate_detail.html", context)


@gate
@require_GET
def certificate_file(request: OrganisationRequest, pk: uuid.UUID) -> HttpResponse:
    """The canonical text itself: its SHA-256 is the one on the page and in the log."""
    row = _complete(request, pk)
    if row is None:
        return redirect("offboarding:offboarding_plan", request.organisation.slug, pk)
    response = HttpResponse(row.certificate, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(row)}"'
    response["Cache-Control"] = "no-store"
    return response


def _file_name(row: Offboarding) -> str:
    return f"offboarding-certificate-{row.pk}.json"


@gate
@require_GET
def certificate_verifier(_request: OrganisationRequest) -> HttpResponse:
    """The offline verifier, the very file whose functions the portal itself uses."""
    headers = {"Content-Disposition": 'attachment; filename="verify_certificate.py"'}
    source = Path(str(verify_certificate.__file__)).read_bytes()
    return HttpResponse(source, content_type="text/x-python; charset=utf-8", headers=headers)


@login_not_required  # the same for everybody, and holds no secret; the command on the page checks its hash
@require_GET
def leftovers_script(_request: HttpRequest) -> HttpResponse:
    """The read-only look for what is left, which a customer's shell fetches."""
    headers = {"Content-Disposition": f'attachment; filename="{leftovers.SCRIPT.name}"'}
    return HttpResponse(leftovers.script(), content_type="text/x-shellscript; charset=utf-8", headers=headers)
