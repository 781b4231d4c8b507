"""The one gate: may anything be done, or any credential be made, under this grant at this moment?

Asked before a token for the support subject is signed, before each act of the broker, before credentials are handed out. It believes
no state by itself: it reads the row and its decisions anew and holds them against the very text that was decided about.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.states import Use
from accounts.support.models import AccessPolicy, AccessRequest, Decision
from accounts.support.models.decisions import Method, Verb
from accounts.support.models.policies import Mode
from accounts.support.proof.documents import parse, parse_moment, sha256_of
from accounts.support.proof.seals import is_sealed
from accounts.support.proof.verify_grant import why_not_signed
from accounts.support.rules.people import approvers_of
from accounts.support.states import AccessState

ALLOWING = frozenset({AccessState.ACTIVATING, AccessState.ACTIVE})


class Closed(StrEnum):
    """Why the gate is closed."""

    GONE = "gone"
    NOT_ACTIVE = "not_active"  # no grant yet, or it is ending or over
    DOCUMENT = "document_changed"  # the text is not the one that was hashed, or the row says more than the text
    DECISIONS = "too_few_decisions"
    NOT_YET = "not_yet"
    OVER = "grant_is_over"
    SWITCHED_OFF = "policy_off"
    CHECKER = "checker_gone"  # the same, before it was open
    ENGINEER = "engineer_gone"  # deactivated, or no support engineer any more
    ACCOUNT = "account_closed"  # disconnected, or leaving


def why_closed(request: AccessRequest, now: datetime) -> str:
    """Empty when the gate is open, else one of Closed. Reads everything anew; asks no cloud."""
    row = AccessRequest.objects.select_related("engineer", "account", "checked_by").filter(pk=request.pk).first()
    if row is None:
        return Closed.GONE
    decisions = Decision.objects.filter(request=row).select_related("approver")
    if row.state == AccessState.ACTIVATING:  # what is open does not end because somebody left: its page says so, and anybody may end it
        decisions = decisions.filter(approver__in=approvers_of(row.organisation_id).values("user"))
    is_off = AccessPolicy.objects.filter(organisation_id=row.organisation_id, mode=Mode.OFF).exists()
    return reason_for(row, decisions, now, is_off=is_off)


def reason_for(row: AccessRequest, decisions: Iterable[Decision], now: datetime, *, is_off: bool) -> str:
    """The rule itself, over rows at hand."""
    if reason := _why_not_now(row, now, is_off=is_off):
        return reason
    if not row.document or sha256_of(row.document) != row.sha256:
        return Closed.DOCUMENT
    try:
        needed = approvals_needed(row)
    except (KeyError, TypeError, ValueError, AttributeError):  # a text that is no grant at all
        return Closed.DOCUMENT
    if not needed:
        return Closed.DOCUMENT
    return "" if len(approvers(row, decisions)) >= needed else Closed.DECISIONS


def _why_not_now(row: AccessRequest, now: datetime, *, is_off: bool) -> str:
    if row.state not in ALLOWING:
        return Closed.NOT_ACTIVE
    if is_off:
        return Closed.SWITCHED_OFF
    if not _is_engineer(row.engineer):
        return Closed.ENGINEER
    if row.state == AccessState.ACTIVATING and not _is_engineer(row.checked_by):
        return Closed.CHECKER
    if row.account.obstacle_to(Use.SUPPORT):
        return Closed.ACCOUNT
    return why_not_in_time(row, now)


def _is_engineer(user: User | None) -> bool:
    return user is not None and user.is_active and user.is_support_engineer


def why_not_in_time(row: AccessRequest, now: datetime) -> str:
    if row.granted_from is None or row.granted_until is None or now < row.granted_from:
        return Closed.NOT_YET
    return Closed.OVER if now >= row.granted_until else ""


def approvals_needed(row: AccessRequest) -> int:
    """As many as the document says; none, where the row claims anything that its document does not say."""
    document = parse(row.document)
    return int(document["approvals"]) if fits(row, document) else 0


def fits(row: AccessRequest, document: Mapping[str, Any]) -> bool:
    """Whether the row claims nothing that its document does not say."""
    assert row.granted_from is not None
    assert row.granted_until is not None
    scope = document["scope"]
    said = {
        "request": str(row.pk),
        "organisation": str(row.organisation_id),
        "engineer": str(row.engineer_id),
        "checker": str(row.checked_by_id),
        "account": (str(row.account_id), row.account.cloud, row.account.external_id),
        "scope": (row.scope_kind, row.scope_id, row.region, row.stack),
        "profile": str(row.profile),
        "case": row.case,
        "is_direct": row.is_direct,
    }
    account = document["account"]
    written = {
        "request": document["request"],
        "organisation": document["organisation"]["id"],
        "engineer": document["engineer"]["id"],
        "checker": (document["checked_by"] or {}).get("id"),
        "account": (account["id"], account["cloud"], account["external_id"]),
        "scope": (scope["kind"], scope["id"], scope["region"], scope["stack"]),
        "profile": document["profile"],
        "case": document["case"],
        "is_direct": document["delivery"] == "direct",
    }
    is_in_time = parse_moment(document["from"]) <= row.granted_from and row.granted_until <= parse_moment(document["until"])
    return said == written and is_in_time and row.granted_until - row.granted_from <= timedelta(minutes=document["minutes"])


def approvers(row: AccessRequest, decisions: Iterable[Decision]) -> set[UUID]:
    """The different people whose approval of this very document is valid."""
    return {one.approver_id for one in decisions if is_valid(row, one)}


def is_valid(row: AccessRequest, decision: Decision) -> bool:
    """An approval of the very text, by somebody who may decide, proven by what they hold, and written by the portal."""
    if decision.verb != Verb.APPROVE or decision.set_aside_at or decision.request_id != row.pk:
        return False
    if decision.document != row.document or decision.sha256 != row.sha256:
        return False
    if decision.approver_id in {row.engineer_id, row.checked_by_id} or is_provider(decision.approver):
        return False
    return is_sealed(decision) and is_proven(decision)


def is_provider(user: User) -> bool:
    """Provider's people never decide for a customer, even as members."""
    return user.is_provider


def is_proven(decision: Decision) -> bool:
    if decision.method == Method.PASSKEY:
        return why_not_signed(decision.document, decision.assertion, origin=own_origin()) == ""
    return decision.method == Method.TOTP


def own_origin() -> str:
    """Where passkeys of this portal are used."""
    return str(settings.PORTAL_URL).rstrip("/")
