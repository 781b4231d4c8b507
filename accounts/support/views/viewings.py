"""Starting and ending “view as customer”."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Organisation
from accounts.sign_in import ask_for_second_factor, step_up
from accounts.support.brokering import viewing
from accounts.support.forms.requests import ViewingForm
from portal.operations.availability import NotAllowed

MINUTES = int(viewing.LONGEST.total_seconds() // 60)


def staff_only(request: HttpRequest) -> None:
    """To everybody else this does not exist."""
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff):
        raise Http404


@require_http_methods(["GET", "POST"])
def viewing_start(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    staff_only(request)
    refusal = _("Viewing what a customer sees needs a second factor. Set one up, then open it again.")
    return ask_for_second_factor(request, refusal=refusal) or _start(request, pk)


@step_up
def _start(request: HttpRequest, pk: UUID) -> HttpResponse:
    organisation = get_object_or_404(Organisation, pk=pk)
    form, why_not = ViewingForm(request.POST or None), viewing.why_not_begin(organisation)
    if request.method == "POST" and form.is_valid():
        assert request.user.is_authenticated
        try:
            begun = viewing.begin(organisation, case=form.cleaned_data["case"], reason=form.cleaned_data["reason"], by=request.user)
        except NotAllowed as refused:
            why_not = refused.reason
        else:
            request.session[viewing.KEY] = str(begun.pk)
            return redirect("accounts:home", slug=organisation.slug)
    told = {"form": form, "customer": organisation, "minutes": MINUTES, "why_not": why_not}
    return render(request, "support/viewing_start.html", told)


@require_POST
def viewing_end(request: HttpRequest) -> HttpResponse:
    staff_only(request)
    if running := viewing.running(request):
        viewing.end(running)
    request.session.pop(viewing.KEY, None)
    return redirect("admin:index")
