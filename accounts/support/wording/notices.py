"""Mails about support access: what happened in one sentence, and a link to the page. Nothing can be decided in a mail."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.mail import absolute_url, queue_mail
from accounts.support.models import AccessRequest, Bundle
from accounts.support.rules.people import told_of_access
from accounts.support.states import AccessState, BundleState, Profile
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


BUNDLE_TO_CUSTOMER: Mapping[str, tuple[str | Promise, str | Promise]] = {
    BundleState.REQUESTED: (
        _("%(person)s of %(provider)s asks for a diagnostic bundle of %(scope)s"),
        _("Nothing is collected yet. Somebody of you agrees or declines on the page."),
    ),
    BundleState.COLLECTED: (
        _("A diagnostic bundle of %(scope)s waits for you"),
        _("Look it through, leave out what you like, then release or discard it. Until then nobody of %(provider)s sees any of it."),
    ),
    BundleState.FAILED: (
        _("The diagnostic bundle of %(scope)s could not be collected"),
        _("Nothing has left the cell. The page says why."),
    ),
}
BUNDLE_TO_ENGINEER: Mapping[str, tuple[str | Promise, str | Promise]] = {
    BundleState.RELEASED: (
        _("%(organisation)s released the diagnostic bundle of %(scope)s"),
        _("The page shows what was released. It goes by itself after 30 days."),
    ),
    BundleState.DECLINED: (_("%(organisation)s declined the diagnostic bundle of %(scope)s"), _("Nothing of it was released.")),
    BundleState.DELETED: (_("%(organisation)s deleted the diagnostic bundle of %(scope)s"), _("Nothing of it can be read any more.")),
    BundleState.EXPIRED: (_("The diagnostic bundle of %(scope)s has expired"), _("Nothing of it can be read any more.")),
}


def tell_bundle(bundle: Bundle) -> None:
    """Mails of the state that a bundle has just come to, in the same transaction."""
    names = {
        "person": bundle.asked_by,
        "provider": settings.PROVIDER_NAME,
        "scope": bundle.scope_label,
        "organisation": bundle.organisation,
    }
    if bundle.state in BUNDLE_TO_CUSTOMER:
        url = absolute_url("support:bundle", bundle.organisation.slug, bundle.pk)
        for address in told_of_access(bundle.organisation):
            _tell_of_bundle(address, bundle, BUNDLE_TO_CUSTOMER[BundleState(bundle.state)], names, url)
    if bundle.state in BUNDLE_TO_ENGINEER and not bundle.is_by_customer:
        url = absolute_url("support:case_bundle", bundle.pk)
        _tell_of_bundle(bundle.asked_by.email, bundle, BUNDLE_TO_ENGINEER[BundleState(bundle.state)], names, url)


def _tell_of_bundle(
    address: str, bundle: Bundle, words: tuple[str | Promise, str | Promise], names: Mapping[str, object], url: str
) -> None:
    subject, sentence = (str(one) % names for one in words)
    queue_mail(to=address, template="support_bundle", context={"bundle": bundle, "subject": subject, "sentence": sentence, "url": url})


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
