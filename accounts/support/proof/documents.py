"""The canonical grant document: the one text that approvers decide about, passkeys sign, the gate holds everything against.

Its times are absolute: `from` is when access can begin at the earliest, `until` when it ends at the latest; within them it lasts `minutes`
at most. Where a second approver is still to come, `until` leaves time for that; otherwise it is `from` and the minutes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.proof.verify_grant import FORMAT, canonical, fingerprint
from accounts.support.rules import acts
from accounts.support.rules.policy import opening_for
from accounts.support.rules.scopes import Scope

Document = dict[str, Any]
BROKERED, DIRECT = "brokered", "direct"


class NoTimeLeft(Exception):
    """The organisation's rules, or the clock, leave no time for this access."""


@dataclass(frozen=True)
class Terms:
    """What an approver may make smaller: how far, how much, how long."""

    scope: Scope
    profile: str
    minutes: int
    is_direct: bool = False


@dataclass(frozen=True)
class Span:
    begins: datetime
    ends: datetime


PolicyText = Callable[[AccessRequest, Terms, Span], str]


def build(request: AccessRequest, terms: Terms, policy: AccessPolicy, now: datetime, *, policy_text: PolicyText) -> Document:
    """The document of this request on these terms, as of now: the same of the same. `policy_text` gives the cloud's. Raises NoTimeLeft."""
    approvals = policy.approvals_for(terms.profile)
    minutes = min(terms.minutes, policy.longest_minutes)
    span = _span(request, minutes, policy, now, approvals)
    account = request.account
    return {
        "account": {"cloud": account.cloud, "external_id": account.external_id, "id": str(account.pk), "name": str(account)},
        "acts": [act.name for act in acts.allowed(terms.profile, terms.scope.kind)],
        "approvals": approvals,
        "case": request.case,
        "checked_by": _person(request.checked_by),
        "cloud_policy_sha256": fingerprint(policy_text(request, terms, span)),
        "decide_by": moment(request.decide_by),
        "delivery": DIRECT if terms.is_direct else BROKERED,
        "edition": request.edition,
        "engineer": _person(request.engineer),
        "format": FORMAT,
        "from": moment(span.begins),
        "minutes": minutes,
        "organisation": {"id": str(request.organisation_id), "name": str(request.organisation)},
        "policy_version": policy.version,
        "profile": terms.profile,
        "reason": request.reason,
        "reason_type": request.reason_type,
        "request": str(request.pk),
        "scope": {
            "id": terms.scope.id,
            "inside": list(terms.scope.inside),
            "kind": terms.scope.kind,
            "label": terms.scope.label,
            "region": terms.scope.region,
            "stack": terms.scope.stack,
        },
        "until": moment(span.ends),
    }


def _person(user: Any) -> dict[str, str] | None:
    return {"email": user.email, "id": str(user.pk), "name": str(user)} if user else None


def _span(request: AccessRequest, minutes: int, policy: AccessPolicy, now: datetime, approvals: int) -> Span:
    wished = max(request.starts_at or now, now)
    opening = opening_for(policy, wished)
    if opening is None:
        raise NoTimeLeft
    begins, closes = opening
    length = timedelta(minutes=minutes)
    if approvals > 1 and request.starts_at is None:
        return Span(begins, max(request.decide_by, begins) + length)
    return Span(begins, min(begins + length, closes) if closes else begins + length)


def granted_span(document: Mapping[str, Any], policy: AccessPolicy, now: datetime) -> Span:
    """When a grant of this document, complete as of now, really begins and ends. Raises NoTimeLeft."""
    opening = opening_for(policy, max(parse_moment(document["from"]), now.replace(microsecond=0)))
    if opening is None:
        raise NoTimeLeft
    begins, closes = opening
    ends = min(begins + timedelta(minutes=document["minutes"]), parse_moment(document["until"]))
    ends = min(ends, closes) if closes else ends
    if begins >= ends:
        raise NoTimeLeft
    return Span(begins, ends)


# --- Text ------------------------------------------------------------------------------------------------------------


def text_of(document: Mapping[str, Any]) -> str:
    return canonical(document)


def sha256_of(text: str) -> str:
    return fingerprint(text)


def parse(text: str) -> Document:
    document: Document = json.loads(text)
    return document


def moment(value: datetime) -> str:
    """UTC to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
