"""What an approver is shown and decides about: one document, drawn at one moment, good for five minutes and for this person alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core import signing
from django.utils import timezone

from accounts.models import User
from accounts.sign_in import STEP_UP_MAX_AGE
from accounts.support.clouds import policy_text
from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.proof.documents import Document, Terms, build, parse, parse_moment, sha256_of, text_of
from accounts.support.rules import scopes
from accounts.support.rules.scopes import Scope
from accounts.support.states import PROFILE_ORDER, AccessState, Profile

SALT = "accounts.support.rules.offers"


class OfferOver(Exception):
    """Drawn too long ago, for somebody else, or not by this portal."""


class OfferChanged(Exception):
    """What was shown is no longer what would be granted. `shown` is the document that the person saw."""

    def __init__(self, shown: Document) -> None:
        super().__init__()
        self.shown = shown


@dataclass(frozen=True)
class Offer:
    """The text that is decided about. `joins` says that another approver has approved this very text."""

    text: str
    terms: Terms
    drawn_at: datetime
    joins: bool = False

    @property
    def document(self) -> Document:
        return parse(self.text)

    @property
    def begins(self) -> datetime:
        return parse_moment(self.document["from"])

    @property
    def ends(self) -> datetime:
        return parse_moment(self.document["until"])

    @property
    def sha256(self) -> str:
        return sha256_of(self.text)

    def token_for(self, request: AccessRequest, user: User) -> str:
        terms = [self.terms.scope.key, str(self.terms.profile), self.terms.minutes, self.terms.is_direct]
        content = {"at": self.drawn_at.isoformat(), "joins": self.joins, "of": str(request.pk), "terms": terms, "text": self.text}
        return signing.dumps(content | {"user": str(user.pk)}, salt=SALT, compress=True)


def scope_of(request: AccessRequest) -> Scope | None:
    """What is asked for, as it is now. None when it is gone."""
    return scopes.find(request.organisation, f"{request.scope_kind}:{request.scope_id}")


def asked_terms(request: AccessRequest, scope: Scope) -> Terms:
    return Terms(scope, request.profile, request.minutes, request.is_direct)


def draw(request: AccessRequest, terms: Terms, policy: AccessPolicy, now: datetime | None = None) -> Offer:
    """The offer on these terms. It joins an approval that stands where it is about the same. Raises NoTimeLeft."""
    now = (now or timezone.now()).replace(microsecond=0)
    if request.state == AccessState.APPROVED and stands(request, policy) and _is_about(parse(request.document), terms):
        return Offer(request.document, terms, now, joins=True)
    return Offer(text_of(build(request, terms, policy, now, policy_text=policy_text)), terms, now)


def stands(request: AccessRequest, policy: AccessPolicy) -> bool:
    """Whether the document that a first approver approved is still one that the organisation's rules would allow, and in time."""
    if not request.document:
        return False
    document = parse(request.document)
    is_allowed = document["approvals"] >= policy.approvals_for(document["profile"]) and document["minutes"] <= policy.longest_minutes
    return is_allowed and document["edition"] == request.edition and (document["delivery"] != "direct" or policy.allows_direct)


def _is_about(document: Mapping[str, Any], terms: Terms) -> bool:
    scope = document["scope"]
    same = (f"{scope['kind']}:{scope['id']}", document["profile"], document["delivery"] == "direct")
    return same == (terms.scope.key, str(terms.profile), terms.is_direct) and document["minutes"] <= terms.minutes


def reopen(token: str, request: AccessRequest, user: User) -> Offer:
    """The offer that was shown. Raises OfferOver."""
    try:
        content = signing.loads(token, salt=SALT, max_age=STEP_UP_MAX_AGE)
    except signing.BadSignature as error:
        raise OfferOver from error
    if content["user"] != str(user.pk) or content["of"] != str(request.pk):
        raise OfferOver
    key, profile, minutes, is_direct = content["terms"]
    scope = scopes.find(request.organisation, key)
    if scope is None:
        raise OfferChanged(parse(content["text"]))
    drawn_at = datetime.fromisoformat(content["at"]).astimezone(UTC)
    return Offer(content["text"], Terms(scope, profile, minutes, is_direct), drawn_at, content["joins"])


def require_unchanged(offer: Offer, request: AccessRequest, policy: AccessPolicy) -> None:
    """The same terms, drawn at the same moment from the rows as they are now, give the same text. Raises OfferChanged."""
    scope = scope_of(request)
    if scope is None or not is_no_wider(offer.terms, asked_terms(request, scope)):
        raise OfferChanged(offer.document)
    if draw(request, offer.terms, policy, offer.drawn_at).text != offer.text:
        raise OfferChanged(offer.document)


def is_no_wider(terms: Terms, asked: Terms) -> bool:
    """Approving may only narrow and shorten."""
    rank = {profile: number for number, profile in enumerate(PROFILE_ORDER)}
    return (
        scopes.is_within(terms.scope, asked.scope.key)
        and rank[Profile(terms.profile)] <= rank[Profile(asked.profile)]
        and 0 < terms.minutes <= asked.minutes
        and (asked.is_direct or not terms.is_direct)
    )
