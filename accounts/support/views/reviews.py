"""The provider's own check by a second person, and the history that all engineers see."""

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.sign_in import step_up
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.requests import return_to_engineer, send_to_customer
from accounts.support.forms.decisions import HistoryFilter
from accounts.support.forms.requests import NoteForm
from accounts.support.models import AccessRequest
from accounts.support.proof.exports import FORMATS, answer, record_export
from accounts.support.rules.availability import why_not_check
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from accounts.support.views.answers import do_and_return, refused
from accounts.support.views.cases import case_or_404, desk_tabs
from accounts.support.wording.page import page_of

SHOWN = 100
SIMILAR = 5


@engineers_only
@require_GET
def review_queue(request: EngineerRequest) -> HttpResponse:
    """Oldest first. One's own are listed, too, and wait for somebody else."""
    waiting = AccessRequest.objects.filter(state=AccessState.CHECKING).with_people().order_by("state_at")[:SHOWN]
    rows = [{"asked": asked, "why_not": why_not_check(asked, request.user)} for asked in waiting]
    return render(request, "support/desk/review_queue.html", {"rows": rows, "tabs": desk_tabs(request)})


@engineers_only
@step_up
@require_http_methods(["GET", "POST"])
def case_check(request: EngineerRequest, pk: UUID) -> HttpResponse:
    """Send to the customer, or return with a question."""
    asked = case_or_404(pk)
    if reason := why_not_check(asked, request.user):
        return refused(request, reason, asked.get_engineer_url())
    is_return = "return" in request.POST
    form = NoteForm(request.POST if is_return else None)
    if request.method == "POST" and not is_return:
        names = {"organisation": asked.organisation}
        done = _("%(organisation)s decides now. Its approvers and contacts got a mail.") % names
        return do_and_return(request, lambda: send_to_customer(asked, by=request.user), done=done, to="support:review_queue")
    if request.method == "POST" and form.is_valid():
        question = form.cleaned_data["text"]
        done = _("The request is back with %(engineer)s.") % {"engineer": asked.engineer}
        back = lambda: return_to_engineer(asked, question=question, by=request.user)  # noqa: E731  an act, as `do_and_return` takes it
        return do_and_return(request, back, done=done, to="support:review_queue")
    context = {
        "asked": asked,
        "page": page_of(asked, policy_of(asked.organisation)).at_desk(),
        "form": form,
        "notes": asked.notes.select_related("by"),
        "similar": AccessRequest.objects.filter(organisation=asked.organisation).over().with_people().newest_first()[:SIMILAR],
        "tabs": desk_tabs(request),
    }
    return render(request, "support/desk/case_check.html", context)


@engineers_only
@require_GET
def case_history(request: EngineerRequest) -> HttpResponse:
    form = HistoryFilter(request.GET.dict())
    found = form.apply(AccessRequest.objects.with_people()).newest_first() if form.is_valid() else AccessRequest.objects.none()
    context = {
        "form": form,
        "requests": found[:SHOWN],
        "count": found.count(),
        "limit": SHOWN,
        "query": form.query if form.is_valid() else "",
        "tabs": desk_tabs(request),
    }
    return render(request, "support/desk/case_history.html", context)


@engineers_only
@require_POST
def case_export(request: EngineerRequest, kind: str) -> HttpResponseBase:
    form = HistoryFilter(request.GET.dict())
    if kind not in FORMATS or not form.is_valid():
        raise Http404
    record_export(kind, form.query, by=request.user, organisation=None)
    return answer(kind, form.apply(AccessRequest.objects.with_people()).newest_first(), "support-access")
