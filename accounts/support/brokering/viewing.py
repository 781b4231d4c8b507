"""“View as customer”: provider staff see a customer's pages, for a reason, for half an hour, and can change nothing by it.

While it runs, this middleware refuses every unsafe method on every page, whatever else the person may do; the customer's activity says who
looks on and why, and a bar stands on every page.
"""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Role
from accounts.holds import hold_open
from accounts.models import Membership, Organisation, User
from accounts.support.models import Viewing
from portal.audit import Actor, Subject, record
from portal.operations.availability import refuse_if

LONGEST = timedelta(minutes=30)
KEY = "viewing"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What may be posted all the same: ending it, and what touches nobody's data.
STILL_ALLOWED = frozenset({"support:viewing_end", "account_logout", "portal:theme"})
# What was read under a grant is for its engineer and the customer; so is what the customer has not released.
CLOSED = ("support:access_transcript", "support:access_evidence", "support:bundle", "support:viewing_start")


def why_not_begin(organisation: Organisation) -> str:
    """What is left of a closed one is for its own people."""
    return _("%(name)s is closed. Nobody works there, and nobody looks on.") % {"name": organisation} if organisation.closed_at else ""


def begin(organisation: Organisation, *, case: str, reason: str, by: User) -> Viewing:
    """Raises NotAllowed for an organisation that is closed, or closes at this moment."""
    refuse_if(why_not_begin(organisation))
    now = timezone.now()
    with transaction.atomic():
        hold_open(organisation.pk)
        viewing = Viewing.objects.create(organisation=organisation, staff=by, case=case, reason=reason, started_at=now, until=now + LONGEST)
        details = {"case": case, "reason": reason, "until": viewing.until}
        record(
            organisation_id=organisation.pk, action="viewing.started", actor=Actor.user(by), subject=_subject(organisation), details=details
        )
    return viewing


def end(viewing: Viewing) -> None:
    with transaction.atomic():
        if Viewing.objects.filter(pk=viewing.pk, ended_at=None).update(ended_at=timezone.now()):
            subject = _subject(viewing.organisation)
            record(organisation_id=viewing.organisation_id, action="viewing.ended", actor=Actor.user(viewing.staff), subject=subject)


def _subject(organisation: Organisation) -> Subject:
    return Subject(kind="organisation", id=str(organisation.pk), label=str(organisation))


def running(request: HttpRequest) -> Viewing | None:
    """What this session looks at, read anew with each request: the person, the role and the time must still hold."""
    key, user = request.session.get(KEY), cast(Any, request).user
    if not key or not (user.is_authenticated and user.is_active and user.is_staff):
        return None
    found = Viewing.objects.running(timezone.now()).select_related("organisation", "staff")
    return found.filter(pk=key, staff=user).first()


def guest_of(viewing: Viewing) -> Membership | None:
    """A membership that was never stored: of this organisation alone, with the right to read and no other."""
    somebody = Membership.objects.filter(organisation=viewing.organisation).select_related("user").first()
    if somebody is None:
        return None
    found = somebody.user.memberships_with_organisations()
    pattern = next(one for one in found if one.organisation.pk == viewing.organisation_id)
    pattern.pk, pattern.user, pattern.role, pattern.is_guest = None, viewing.staff, Role.AUDITOR, True
    return pattern


class ViewingMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Whoever brings no cookie has no session: what machines and strangers fetch stays the same for all.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or KEY not in request.session:
            return self.get_response(request)
        viewing = running(request)
        if viewing is None:
            del request.session[KEY]
            return self.get_response(request)
        frame = cast(Any, request)
        frame.viewing, frame.guest = viewing, guest_of(viewing)
        response = self.get_response(request)
        if response.headers.get("Content-Disposition", "").startswith("attachment"):
            return _refused(request)
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        if getattr(request, "viewing", None) is None or request.resolver_match is None:
            return None
        name = request.resolver_match.view_name
        is_unsafe = request.method not in SAFE and name not in STILL_ALLOWED
        return _refused(request) if is_unsafe or name.startswith(CLOSED) else None


def _refused(request: HttpRequest) -> HttpResponse:
    return render(request, "support/viewing_refused.html", status=HTTPStatus.FORBIDDEN)
