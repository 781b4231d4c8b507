"""What an approver of the customer says: approve (as asked or less), decline, ask for more."""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Membership
from accounts.support import hooks
from accounts.support.actions.requests import lock
from accounts.support.models import AccessPolicy, AccessRequest, Decision, RequestNote
from accounts.support.models.decisions import Verb
from accounts.support.proof.documents import Document, NoTimeLeft, granted_span
from accounts.support.proof.proofs import Proof
from accounts.support.proof.seals import seal_decision
from accounts.support.rules.availability import why_not_approve, why_not_ask_more, why_not_decline
from accounts.support.rules.offers import Offer, require_unchanged
from accounts.support.rules.people import approvers_of
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from accounts.support.transitions import move_request, record_on
from accounts.support.wording import notices
from portal.audit import Actor
from portal.operations.availability import NotAllowed, refuse_if
from portal.operations.transitions import LostRace


def approve(request: AccessRequest, *, offer: Offer, proof: Proof, by: Membership) -> None:
    """One approval of the offered text. With enough of them the request becomes a grant, else it waits for the second approver.

    Raises NotAllowed, LostRace, OfferChanged.
    """
    try:
        with transaction.atomic():
            row = lock(request)
            policy = policy_of(row.organisation)
            refuse_if(why_not_approve(row, by, policy))
            require_unchanged(offer, row, policy)
            if not offer.joins:
                Decision.objects.standing().filter(request=row).update(set_aside_at=timezone.now())
            decision = _decision(row, offer, proof, by)
            able = approvers_of(row.organisation_id).values("user")  # who approved and may not decide any more does not count
            given = Decision.objects.standing().filter(request=row, sha256=decision.sha256, approver__in=able).count()
            if given >= offer.document["approvals"]:
                _grant(row, offer, decision, policy, by)
            else:
                _wait_for_second(row, offer, decision, by)
            notices.tell(row)
    except IntegrityError as error:  # the same person, twice at once
        raise LostRace(request.pk) from error
    request.refresh_from_db()


def _decision(row: AccessRequest, offer: Offer, proof: Proof, by: Membership) -> Decision:
    decision = Decision(
        request=row,
        approver=by.user,
        verb=Verb.APPROVE,
        document=offer.text,
        sha256=offer.sha256,
        method=proof.method,
        assertion=dict(proof.assertion),
    )
    decision.seal = seal_decision(decision)
    decision.save(force_insert=True)
    return decision


def _said(document: Document, decision: Decision) -> dict[str, Any]:
    return {
        "sha256": decision.sha256,
        "method": str(decision.method),
        "profile": document["profile"],
        "minutes": document["minutes"],
        "scope": document["scope"]["label"],
        "approvals": document["approvals"],
    }


def _wait_for_second(row: AccessRequest, offer: Offer, decision: Decision, by: Membership) -> None:
    actor, details = Actor.user(by.user), _said(offer.document, decision)
    if row.state == AccessState.REQUESTED:
        move_request(row, AccessState.APPROVED, by=actor, details=details, document=offer.text, sha256=offer.sha256)
        return
    # Somebody has approved before, about something else: that approval is set aside, and this one is the first.
    AccessRequest.objects.filter(pk=row.pk).update(document=offer.text, sha256=offer.sha256)
    record_on(row, "support.approved_anew", by=actor, details=details)


def _grant(row: AccessRequest, offer: Offer, decision: Decision, policy: AccessPolicy, by: Membership) -> None:
    document = offer.document
    now = timezone.now()
    try:
        span = granted_span(document, policy, now)
    except NoTimeLeft as error:
        raise NotAllowed(_("The time for this access is over. Nothing was opened. Ask for a new request.")) from error
    scope = document["scope"]
    details = {**_said(document, decision), "from": span.begins, "until": span.ends}
    asked = {"profile": row.profile, "minutes": row.minutes, "scope": row.scope_label}
    granted = {"profile": document["profile"], "minutes": document["minutes"], "scope": scope["label"]}
    move_request(
        row,
        AccessState.SCHEDULED,
        by=Actor.user(by.user),
        details=details,
        asked=asked if asked != granted else {},
        document=offer.text,
        sha256=offer.sha256,
        policy_version=document["policy_version"],
        profile=document["profile"],
        length=timedelta(minutes=document["minutes"]),
        is_direct=document["delivery"] == "direct",
        scope_kind=scope["kind"],
        scope_id=scope["id"],
        scope_label=scope["label"],
        region=scope["region"],
        stack=scope["stack"],
        granted_at=now,
        granted_from=span.begins,
        granted_until=span.ends,
    )
    hooks.granted(row)


def decline(request: AccessRequest, *, reason: str, by: Membership) -> None:
    """One approver's no is enough. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_decline(row, by))
        Decision.objects.create(request=row, approver=by.user, verb=Verb.DECLINE, reason=reason)
        move_request(row, AccessState.DECLINED, by=Actor.user(by.user), details={"reason": reason} if reason else {})
        notices.tell(row)
    request.refresh_from_db()


def ask_for_more(request: AccessRequest, *, question: str, by: Membership) -> None:
    """Back to the engineer, whose answer is checked by a second person once more. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_ask_more(row, by))
        Decision.objects.create(request=row, approver=by.user, verb=Verb.ASK, reason=question)
        Decision.objects.standing().filter(request=row).update(set_aside_at=timezone.now())
        RequestNote.objects.create(request=row, by=by.user, text=question)
        move_request(row, AccessState.MORE_INFO, by=Actor.user(by.user), document="", sha256="")
        notices.tell(row)
    request.refresh_from_db()
