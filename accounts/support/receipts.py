"""The receipt of a grant that has ended: who, why, what was done, what changed, the proof of the end, and hashes to check it by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.support import acts, correlation
from accounts.support.documents import moment, sha256_of
from accounts.support.models import AccessRequest, Act, Decision, Door, EndProof, TraceMatch
from accounts.support.models.sessions import ActState
from accounts.support.steps.reviewing import COMPARE
from accounts.support.verify_grant import canonical
from portal.operations.models import Operation
from portal.operations.states import OperationState

FORMAT = "byoc-receipt/1"


@dataclass(frozen=True)
class Receipt:
    """What the page shows; `text` is the same as JSON, in the canonical form that `sha256` is of."""

    request: AccessRequest
    decisions: list[Decision]
    acts: list[Act]
    changes: list[Act]
    doors: list[Door]
    proofs: list[EndProof]  # refusals only
    compared_at: datetime | None
    strange: list[TraceMatch]
    missing: list[correlation.Missing]
    text: str
    sha256: str


def receipt_of(request: AccessRequest) -> Receipt:
    done = list(request.acts.select_related("by"))
    compared_at = _compared_at(request)
    found: dict[str, Any] = {
        "decisions": list(request.decisions.filter(set_aside_at=None).select_related("approver").order_by("at")),
        "acts": done,
        "changes": [act for act in done if act.state == ActState.DONE and _is_writing(act)],
        "doors": list(request.doors.all()),
        "proofs": list(request.proofs.filter(is_refused=True)),
        "compared_at": compared_at,
        "strange": correlation.strange(request),
        "missing": correlation.missing(request) if compared_at else [],
    }
    text = canonical(_document(request, found))
    return Receipt(request=request, text=text, sha256=sha256_of(text), **found)


def _is_writing(act: Act) -> bool:
    return act.name in acts.ACTS and acts.ACTS[act.name].is_writing


def _compared_at(request: AccessRequest) -> datetime | None:
    done = Operation.objects.filter(kind=COMPARE, subject_kind="support_request", subject_id=str(request.pk))
    return done.filter(state=OperationState.SUCCEEDED).order_by("-ended_at").values_list("ended_at", flat=True).first()


def _document(request: AccessRequest, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "provider": str(settings.PROVIDER_NAME),
        "request": str(request.pk),
        "organisation": {"id": str(request.organisation_id), "name": request.organisation.name},
        "engineer": {"id": str(request.engineer_id), "name": request.engineer.name, "email": request.engineer.email},
        "case": request.case,
        "reason": {"kind": request.reason_type, "text": request.reason},
        "scope": {"kind": request.scope_kind, "id": request.scope_id, "label": request.scope_label},
        "profile": str(request.profile),
        "grant": {"sha256": request.sha256, "from": _time(request.granted_from), "until": _time(request.granted_until)},
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
        "cloud_log": {
            "compared_at": _time(found["compared_at"]),
            "unexplained": [{"id": one.trace, "at": moment(one.at), "call": one.call} for one in found["strange"]],
            "not_shown": [{"act": str(one.act.pk), "calls": list(one.calls)} for one in found["missing"]],
        },
    }


def _decision(one: Decision) -> dict[str, Any]:
    who = {"id": str(one.approver_id), "name": one.approver.name, "email": one.approver.email}
    return {"approver": who, "verb": str(one.verb), "at": moment(one.at), "method": str(one.method), "document_sha256": one.sha256}


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
