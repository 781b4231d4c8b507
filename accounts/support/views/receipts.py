"""The receipt of a grant that has ended: to read, to print, as JSON; and the cloud's own log asked once more."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.support.actions.receipts import compare_again
from accounts.support.acts import act_words
from accounts.support.models import AccessRequest
from accounts.support.page import page_of
from accounts.support.policy import policy_of
from accounts.support.receipts import receipt_of
from accounts.support.views.answers import do_and_return
from accounts.support.views.customer import crumbs, request_or_404
from accounts.targets import cloud_names


def ended_or_404(request: OrganisationRequest, pk: UUID) -> AccessRequest:
    asked = request_or_404(request, pk)
    if not asked.has_receipt:
        raise Http404
    return asked


@requires(Permission.VIEW)
@require_GET
def access_receipt(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = ended_or_404(request, pk)
    receipt = receipt_of(asked)
    context = {
        "asked": asked,
        "page": page_of(asked, policy_of(request.organisation)),
        "receipt": receipt,
        "acts": [(act, act_words(act.name)) for act in receipt.acts],
        "missing": [(one, act_words(one.act.name)) for one in receipt.missing],
        "cloud": cloud_names(asked.account.cloud)["cloud"],
        "can_compare": request.membership.can(Permission.DECIDE_SUPPORT_ACCESS) and bool(receipt.doors),
        "crumbs": crumbs(request, asked, _("Access receipt")),
    }
    return render(request, "support/access_receipt.html", context)


@requires(Permission.VIEW)
@require_GET
def access_receipt_json(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """The canonical text itself: its SHA-256 is the one on the page."""
    asked = ended_or_404(request, pk)
    response = HttpResponse(receipt_of(asked).text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="access-receipt-{asked.pk}.json"'
    response["Cache-Control"] = "no-store"
    return response


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_POST
def access_receipt_compare(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = ended_or_404(request, pk)
    done = _("The log of your cloud is being read. This page shows what is found.")
    to = f"{asked.get_absolute_url()}receipt/"
    return do_and_return(request, lambda: compare_again(asked, by=request.user), done=done, to=to)
