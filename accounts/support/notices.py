"""Mails about support access: what happened in one sentence, and a link to the page. Nothing can be decided in a mail."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.mail import absolute_url, queue_mail
from accounts.support.models import AccessRequest
from accounts.support.people import told_of_access
from accounts.support.states import AccessState, Profile
from portal.templatetags.components import exact

_S = AccessState
# Subjects and first sentences; %(names)s are filled in.
TO_CUSTOMER: Mapping[str, tuple[str | Promise, str | Promise]] = {
    _S.REQUESTED: (
        _("%(engineer)s of %(provider)s asks for access to %(scope)s"),
        _("Nothing is open yet. Without a decision by %(decide_by)s the request lapses, and access stays refused."),
    ),
    _S.MORE_INFO: (_("More information is asked about access to %(scope)s"), _("%(provider)s answers first. Nothing is open.")),
    _S.APPROVED: (
        _("One of two approvals is given for access to %(scope)s"),
        _("A second approver has to decide by %(decide_by)s. Nothing is open yet."),
    ),
    _S.SCHEDULED: (
        _("Access to %(scope)s is approved"),
        _("%(engineer)s of %(provider)s has access from %(from)s until %(until)s. You can end it at any time."),
    ),
    _S.ACTIVE: (
        _("%(engineer)s of %(provider)s has access to %(scope)s now"),
        _("It ends at %(until)s by itself. The page shows what is done, and ends it at any time."),
    ),
    _S.DECLINED: (_("Access to %(scope)s is declined"), _("Nothing was opened.")),
    _S.WITHDRAWN: (_("%(provider)s took back its request for access to %(scope)s"), _("Nothing was opened.")),
    _S.LAPSED: (_("The request for access to %(scope)s has lapsed"), _("Nobody decided in time. Nothing was opened.")),
    _S.ENDING: (
        _("Access to %(scope)s is being ended"),
        _("Nothing is done any more. You get a mail when your cloud refuses the session."),
    ),
    _S.EXPIRED: (_("Access to %(scope)s has ended: its time was over"), _("The page shows what was done.")),
    _S.REVOKED: (_("Access to %(scope)s was ended early"), _("The page shows what was done.")),
    _S.COMPLETED: (_("Access to %(scope)s was given back"), _("The page shows what was done.")),
    _S.ACTIVATION_FAILED: (_("Access to %(scope)s could not be opened"), _("The page says why.")),
    _S.CLOSE_FAILED: (
        _("The end of access to %(scope)s is not confirmed"),
        _("Your cloud has not refused the old session yet. The page says how you can shut it yourself."),
    ),
}
TO_ENGINEER: Mapping[str, tuple[str | Promise, str | Promise]] = {
    _S.RETURNED: (_("Your request for %(scope)s came back with a question"), _("Answer it, and it is checked again.")),
    _S.MORE_INFO: (_("%(organisation)s asks for more information about your request"), _("Answer it, and it is checked again.")),
    _S.SCHEDULED: (_("%(organisation)s approved your access to %(scope)s"), _("From %(from)s until %(until)s.")),
    _S.DECLINED: (_("%(organisation)s declined your request for %(scope)s"), _("A diagnostic bundle may do.")),
    _S.LAPSED: (_("Your request for %(scope)s has lapsed"), _("Nobody decided in time.")),
    _S.REVOKED: (_("%(organisation)s ended your access to %(scope)s"), _("Nothing can be done under it any more.")),
    _S.ACTIVATION_FAILED: (_("Your access to %(scope)s could not be opened"), _("The page says why.")),
    _S.CLOSE_FAILED: (_("The end of your access to %(scope)s is not confirmed"), _("The page says what the cloud answered.")),
}


def tell(request: AccessRequest) -> None:
    """Mails of the state that a request has just come to, in the same transaction."""
    tell_customer(request)
    tell_engineer(request)


def tell_customer(request: AccessRequest) -> None:
    """To approvers and contacts, once the customer may know of the request at all."""
    if request.state in TO_CUSTOMER and request.shown_at is not None:
        url = absolute_url("support:access_request", request.organisation.slug, request.pk)
        context = _context(request, *TO_CUSTOMER[request.state], url)
        for address in told_of_access(request.organisation):
            queue_mail(to=address, template="support_news", context=context)


def tell_engineer(request: AccessRequest) -> None:
    if request.state in TO_ENGINEER:
        context = _context(request, *TO_ENGINEER[request.state], absolute_url("support:case_detail", request.pk))
        queue_mail(to=request.engineer.email, template="support_news", context=context)


def _context(request: AccessRequest, subject: str | Promise, sentence: str | Promise, url: str) -> dict[str, object]:
    """Times in UTC: readers are in many zones, and a mail does not know theirs."""
    names = {
        "engineer": request.engineer,
        "provider": settings.PROVIDER_NAME,
        "scope": request.scope_label,
        "organisation": request.organisation,
        "decide_by": _time(request.decide_by),
        "from": _time(request.granted_from),
        "until": _time(request.granted_until),
    }
    profile = Profile(request.profile).label
    return {"request": request, "subject": str(subject) % names, "sentence": str(sentence) % names, "profile": profile, "url": url}


def _time(moment: datetime | None) -> str:
    return exact(moment.astimezone(UTC)) if moment else ""
