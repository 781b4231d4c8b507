"""The receipt of a grant that has ended, for both sides: to read, to print, as JSON, as evidence that is checked without this portal."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.receipts import compare_again
from accounts.support.models import AccessRequest, Receipt
from accounts.support.proof.evidence import VERIFIER, archive_of, verifier
from accounts.support.proof.receipts import receipt_of
from accounts.support.rules.acts import act_title
from accounts.support.rules.availability import why_not_compare
from accounts.support.rules.policy import policy_of
from accounts.support.views.answers import do_and_return
from accounts.support.views.cases import case_or_404, desk_tabs
from accounts.support.views.customer import crumbs, request_or_404
from accounts.support.wording.page import page_of
from accounts.targets import cloud_names


def _page(asked: AccessRequest) -> dict[str, Any]:
    """What both sides read."""
    receipt = receipt_of(asked)
    return {
        "asked": asked,
        "page": page_of(asked, policy_of(asked.organisation)),
        "receipt": receipt,
        "acts": [(act, act_title(act)) for act in receipt.acts],
        "changes": [(act, act_title(act)) for act in receipt.changes],
        "missing": [(one, act_title(one.act)) for one in receipt.missing],
        "cloud": cloud_names(asked.account.cloud)["cloud"],
        "why_not_compare": why_not_compare(asked),
    }


def _written_or_404(asked: AccessRequest) -> Receipt:
    """The newest. It is there seconds after the end."""
    return get_object_or_404(asked.receipts.select_related("request").order_by("-number")[:1])


def _file(data: str | bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _as_json(receipt: Receipt) -> HttpResponse:
    """The canonical text itself: its SHA-256 is the one on the page."""
    return _file(receipt.text, "application/json; charset=utf-8", f"access-receipt-{receipt.request_id}.json")


# --- The customer ----------------------------------------------------------------------------------------------------


def ended_or_404(request: OrganisationRequest, pk: UUID) -> AccessRequest:
    asked = request_or_404(request, pk)
    if not asked.has_receipt:
        raise Http404
    return asked


@requires(Permission.VIEW)
@require_GET
def access_receipt(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = ended_or_404(request, pk)
    way = [request.organisation.slug, asked.pk]
    context = _page(asked)
    receipt = context["receipt"]
    can_compare = request.membership.can(Permission.DECIDE_SUPPORT_ACCESS) and bool(receipt.doors or receipt.was_tried)
    context["links"] = {
        "results": reverse("support:access_transcript", args=way),
        "json": reverse("support:access_receipt_json", args=way),
        "evidence": reverse("support:access_evidence", args=way),
        "verifier": reverse("support:access_verifier", args=[request.organisation.slug]),
        "compare": reverse("support:access_receipt_compare", args=way) if can_compare and not context["why_not_compare"] else "",
    }
    if written := receipt.written:
        context["command"] = f"python3 {VERIFIER} access-evidence-{asked.pk}.zip --known {written.event}"
    return render(request, "support/access_receipt.html", context | {"crumbs": crumbs(request, asked, _("Access receipt"))})


@requires(Permission.VIEW)
@require_GET
def access_receipt_json(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    return _as_json(_written_or_404(ended_or_404(request, pk)))


@requires(Permission.VIEW)
@require_GET
def access_evidence(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """Receipt, events, results and the verifier, as one archive."""
    receipt = _written_or_404(ended_or_404(request, pk))
    return _file(archive_of(receipt), "application/zip", f"access-evidence-{receipt.request_id}.zip")


@requires(Permission.VIEW)
@require_GET
def access_verifier(_request: OrganisationRequest) -> HttpResponse:
    return _file(verifier(), "text/x-python; charset=utf-8", VERIFIER)


@requires(Permission.DECIDE_SUPPORT_ACCESS)
@require_POST
def access_receipt_compare(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = ended_or_404(request, pk)
    done = _("The log of your cloud is being read. This page shows what is found.")
    to = f"{asked.get_absolute_url()}receipt/"
    return do_and_return(request, lambda: compare_again(asked, by=request.user), done=done, to=to)


# --- The desk --------------------------------------------------------------------------------------------------------


def own_ended_or_404(request: EngineerRequest, pk: UUID) -> AccessRequest:
    """A receipt is for the engineer and for whoever checked the request, for no other engineer."""
    asked = case_or_404(pk)
    if not asked.has_receipt or request.user.pk not in {asked.engineer_id, asked.checked_by_id}:
        raise Http404
    return asked


@engineers_only
@require_GET
def case_receipt(request: EngineerRequest, pk: UUID) -> HttpResponse:
    asked = own_ended_or_404(request, pk)
    is_own = asked.engineer_id == request.user.pk
    links = {
        "results": reverse("support:session", args=[pk]) if is_own else "",
        "json": reverse("support:case_receipt_json", args=[pk]),
    }
    title = pgettext("support request", "Access receipt of %(case)s") % {"case": asked.case}
    context = _page(asked) | {"links": links, "title": title, "tabs": desk_tabs(request)}
    return render(request, "support/desk/case_receipt.html", context | {"page": context["page"].at_desk()})


@engineers_only
@require_GET
def case_receipt_json(request: EngineerRequest, pk: UUID) -> HttpResponse:
    return _as_json(_written_or_404(own_ended_or_404(request, pk)))
