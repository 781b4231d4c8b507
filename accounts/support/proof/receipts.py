"""The receipt of a grant that has ended: who, why, what was done, what changed, the proof of the end, and hashes to check it by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.support.brokering import correlation
from accounts.support.models import AccessRequest, Act, Decision, Door, EndProof, Receipt, TraceMatch
from accounts.support.models.sessions import ActState
from accounts.support.proof.documents import moment, sha256_of
from accounts.support.proof.verify_grant import RECEIPT_EVENT, RECEIPT_FORMAT, canonical
from accounts.support.rules import acts
from accounts.support.transitions import record_on
from portal.audit import Actor
from portal.audit.models import Event, EventQuerySet

WRITER = Actor.worker("support access")


@dataclass(frozen=True)
class ReceiptPage:
    """What the page shows of a grant that has ended; `written` holds the same as JSON, in the canonical form that its SHA-256 is of."""

    request: AccessRequest
    decisions: list[Decision]
    acts: list[Act]
    changes: list[Act]
    doors: list[Door]
    was_tried: bool  # no session is known, though the cloud was asked to open one: it was closed without one to ask with
    proofs: list[EndProof]  # refusals only
    compared_at: datetime | None
    strange: list[TraceMatch]
    missing: list[correlation.Missing]
    direct: list[TraceMatch]  # done with credentials that were handed out, as far as the cloud's log tells
    written: Receipt | None  # none: it is being written


def receipt_of(request: AccessRequest) -> ReceiptPage:
    return ReceiptPage(request=request, written=request.receipts.order_by("-number").first(), **_found(request))


def write_receipt(request: AccessRequest) -> None:
    """For a grant that is locked in this transaction: what is known now, and its hash in the activity log. What is written stays."""
    if not request.has_receipt:
        return
    text = canonical(_document(request, _found(request)))
    number, sha256 = request.receipts.count() + 1, sha256_of(text)
    event = record_on(request, RECEIPT_EVENT, by=WRITER, details={"sha256": sha256, "number": number})
    Receipt.objects.create(request=request, number=number, text=text, sha256=sha256, event_number=event.sequence, event_hash=event.hash)


def events_of(request: AccessRequest) -> EventQuerySet:
    """What the customer's own activity log says of it."""
    return Event.objects.for_chain(request.organisation_id).for_subject("support_request", request.pk)


def _found(request: AccessRequest) -> dict[str, Any]:
    done, doors = list(request.acts.select_related("by")), list(request.doors.all())
    return {
        "decisions": list(request.decisions.filter(set_aside_at=None).select_related("approver").order_by("at")),
        "acts": done,
        "changes": [act for act in done if act.state == ActState.DONE and _is_writing(act)],
        "doors": doors,
        "was_tried": not doors and request.openings.that_may_stand().exists(),
        "proofs": list(request.proofs.filter(is_refused=True)),
        "compared_at": request.compared_at,
        "strange": correlation.strange(request),
        "direct": list(request.traces.filter(explained=correlation.DIRECT)),
        "missing": correlation.missing(request) if request.compared_at else [],
    }


def _is_writing(act: Act) -> bool:
    return act.name in acts.ACTS and acts.ACTS[act.name].is_writing


def _document(request: AccessRequest, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": RECEIPT_FORMAT,
        "provider": str(settings.PROVIDER_NAME),
        "request": str(request.pk),
        "organisation": {"id": str(request.organisation_id), "name": request.organisation.name},
        "engineer": {"id": str(request.engineer_id), "name": request.engineer.name, "email": request.engineer.email},
        "case": request.case,
        "reason": {"kind": request.reason_type, "text": request.reason},
        "scope": {"kind": request.scope_kind, "id": request.scope_id, "label": request.scope_label},
        "profile": str(request.profile),
        "grant": {
            "document": request.document,
            "sha256": request.sha256,
            "from": _time(request.granted_from),
            "until": _time(request.granted_until),
        },
        "decisions": [_decision(one) for one in found["decisions"]],
        "sessions": [{"handle": door.handle, "opened_at": moment(door.opened_at)} for door in found["doors"]],
        "acts": [_act(act) for act in found["acts"]],
        "changes": [str(act.pk) for act in found["changes"]],
        "end": {
            "as": str(request.state),
            "asked_at": _time(request.ending_at),
            "by": request.ended_by.email if request.ended_by else "",
            "reason": request.end_reason,
            "proven_at": _time(request.ended_at),
            "proofs": [_proof(proof) for proof in found["proofs"]],
        },
        "events": [
            {"number": number, "hash": its_hash} for number, its_hash in events_of(request).oldest_first().values_list("sequence", "hash")
        ],
        "cloud_log": {
            "compared_at": _time(found["compared_at"]),
            "unexplained": [{"id": one.trace, "at": moment(one.at), "call": one.call} for one in found["strange"]],
            "with_credentials": [{"id": one.trace, "at": moment(one.at), "call": one.call} for one in found["direct"]],
            "not_shown": [{"act": str(one.act.pk), "calls": list(one.calls)} for one in found["missing"]],
        },
    }


def _decision(one: Decision) -> dict[str, Any]:
    who = {"id": str(one.approver_id), "name": one.approver.name, "email": one.approver.email}
    said = {"approver": who, "verb": str(one.verb), "at": moment(one.at), "method": str(one.method), "document_sha256": one.sha256}
    return {**said, "assertion": one.assertion, "reason": one.reason}


def _act(act: Act) -> dict[str, Any]:
    return {
        "id": str(act.pk),
        "name": act.name,
        "arguments": act.arguments,
        "via": str(act.via),
        "asked_at": moment(act.asked_at),
        "finished_at": _time(act.finished_at),
        "state": str(act.state),
        "code": act.code,
        "sha256": act.sha256,
        "bytes": act.bytes,
        "redactions": act.redactions,
    }


def _proof(proof: EndProof) -> dict[str, Any]:
    return {"asked_at": moment(proof.asked_at), "evidence": proof.evidence, "cloud_request": proof.cloud_request}


def _time(at: datetime | None) -> str:
    return moment(at) if at else ""
