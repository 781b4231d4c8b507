"""What both sides read about one request: the very same words, so that an engineer's preview is what the customer sees."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.support.clouds import policy_text
from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.models.requests import ReasonType
from accounts.support.proof.documents import Document, NoTimeLeft, Span, Terms, build, parse_moment
from accounts.support.rules import acts, scopes
from accounts.support.rules.offers import asked_terms, scope_of
from accounts.support.rules.redactions import RULES
from accounts.support.rules.scopes import Scope
from accounts.support.states import Profile
from accounts.support.wording.words import PART_WORDS, PROFILES, ProfileWords, Words, length_words


@dataclass(frozen=True)
class RequestPage:
    """One request in words, on the terms as asked or as granted."""

    request: AccessRequest
    scope: Scope
    words: ProfileWords
    profile: str
    kind: str
    length: str
    reason_type: str
    cloud_policy: str
    acts: list[acts.ActKind]
    begins: datetime | None
    ends: datetime | None
    approvals: int

    @property
    def sentence(self) -> str:
        """Who asks for what and for how long; of a grant, who may, and in the end who was allowed to."""
        names = {
            "engineer": self.request.engineer,
            "provider": settings.PROVIDER_NAME,
            "place": self.request.engineer_place,
            "asks": self.words.asks,
            "kind": self.kind.lower(),
            "scope": self.scope.label,
            "length": self.length,
        }
        person = (
            _("%(engineer)s (support engineer, %(provider)s, %(place)s)")
            if self.request.engineer_place
            else _("%(engineer)s (support engineer, %(provider)s)")
        )
        return self._said % {**names, "person": person % names}

    @property
    def _said(self) -> str:
        if not self.request.granted_from:
            return _("%(person)s asks to %(asks)s %(kind)s %(scope)s for %(length)s.")
        if self.request.is_over:
            return _("%(person)s was allowed to %(asks)s %(kind)s %(scope)s for %(length)s.")
        return _("%(person)s may %(asks)s %(kind)s %(scope)s for %(length)s.")

    @property
    def data(self) -> str:
        """What of the customer's own is read, and whether anything is taken out of it."""
        removed = "" if self.words is PROFILES[Profile.DIAGNOSE] else _("Known kinds of secrets are removed first.")
        if self.request.is_direct:
            removed = _("Nothing is removed from what is read with credentials.")
        return " ".join(str(sentence) for sentence in (self.words.data, removed, self.words.effect) if sentence)

    @property
    def removed(self) -> list[Words]:
        return [] if self.request.is_direct else removed_words()

    def at_desk(self) -> "RequestPage":
        """For an engineer, who cannot open the customer's pages."""
        return replace(self, scope=replace(self.scope, url=""))

    @property
    def if_declined(self) -> str:
        return _("Nothing changes in your cloud. %(provider)s goes on without access, which can take longer.") % {
            "provider": settings.PROVIDER_NAME
        }


def page_of(request: AccessRequest, policy: AccessPolicy) -> RequestPage:
    scope = scope_of(request) or _as_it_was(request)
    return page_on(request, asked_terms(request, scope), policy)


def page_on(request: AccessRequest, terms: Terms, policy: AccessPolicy) -> RequestPage:
    """On these terms, which may be narrower than the request's own."""
    span = _span(request, terms, policy)
    return RequestPage(
        request=request,
        scope=terms.scope,
        words=PROFILES[Profile(terms.profile)],
        profile=str(Profile(terms.profile).label),
        kind=scopes.kind_words(terms.scope.kind),
        length=length_words(terms.minutes),
        reason_type=str(ReasonType(request.reason_type).label),
        cloud_policy=policy_text(request, terms, span or _from_now(terms)),
        acts=acts.allowed(terms.profile, terms.scope.kind),
        begins=span.begins if span else None,
        ends=span.ends if span else None,
        approvals=policy.approvals_for(terms.profile),
    )


def _as_it_was(request: AccessRequest) -> Scope:
    """What was asked about is gone since: as the request remembers it."""
    return Scope(request.scope_kind, request.scope_id, request.scope_label, request.account_id, request.region, request.stack)


def _span(request: AccessRequest, terms: Terms, policy: AccessPolicy) -> Span | None:
    if request.granted_from and request.granted_until:
        return Span(request.granted_from, request.granted_until)
    try:
        document = build(request, terms, policy, timezone.now(), policy_text=lambda *_: "")
    except NoTimeLeft:
        return None
    return Span(parse_moment(document["from"]), parse_moment(document["until"]))


def _from_now(terms: Terms) -> Span:
    return Span(timezone.now(), timezone.now() + timedelta(minutes=terms.minutes))


# --- What is removed, and what a bundle holds -------------------------------------------------------------------------


def removed_words() -> list[Words]:
    """Kinds of secrets that the cell's agent knows. The portal's own rules have one name for all."""
    return [words for name, words in RULES.items() if name != "secrets"]


def bundle_contents() -> dict[str, Any]:
    """What is collected into a diagnostic bundle, as both sides read it beforehand."""
    return {"parts": list(PART_WORDS.values()), "removed": removed_words()}


# --- Two documents side by side --------------------------------------------------------------------------------------


def differences(shown: Document, now: Document) -> list[tuple[str, str, str]]:
    """What changed between the document that was shown and the one that would be granted now: name, before, after."""
    return [(_name(key), _value(shown.get(key)), _value(now.get(key))) for key in sorted(now) if shown.get(key) != now.get(key)]


def _name(key: str) -> str:
    names = {
        "approvals": _("Approvers needed"),
        "from": _("From"),
        "until": _("Until"),
        "minutes": _("Minutes"),
        "profile": _("Profile"),
        "scope": _("Scope"),
        "reason": _("Reason"),
        "edition": _("Edition of the request"),
        "policy_version": _("Version of your policy"),
    }
    return names.get(key, key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("label") or value.get("name") or value.get("external_id") or "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
