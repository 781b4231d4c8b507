"""The history of support access as a file, streamed: CSV for people, JSON for programs. Times are UTC."""

from typing import Any

from django.db import transaction
from django.http import StreamingHttpResponse

from accounts.models import Organisation, User
from accounts.support.models import AccessRequest
from accounts.support.models.requests import AccessRequestQuerySet
from accounts.support.proof.documents import moment
from portal.audit import Actor, Subject, record
from portal.exports import stream_rows

FORMATS = ("csv", "json")
COLUMNS = (
    *("id", "organisation", "state", "case", "engineer", "engineer_email", "scope_kind", "scope", "region", "profile", "minutes", "reason"),
    *("asked_at", "shown_at", "granted_from", "granted_until", "ended_at", "ended_by", "sha256"),
)


def record_export(kind: str, filters: str, *, by: User, organisation: Organisation | None) -> None:
    """In the customer's own log; of the desk, which exports what many customers were asked, in the platform's."""
    subject = Subject(kind="organisation", id=str(organisation.pk), label=str(organisation)) if organisation else None
    details = {"format": kind, "filters": filters}
    whose = organisation.pk if organisation else None
    with transaction.atomic():
        record(organisation_id=whose, action="support.history_exported", actor=Actor.user(by), subject=subject, details=details)


def answer(kind: str, requests: AccessRequestQuerySet, name: str) -> StreamingHttpResponse:
    rows = (_row(asked) for asked in requests.iterator(chunk_size=500))
    return stream_rows(([row[column] for column in COLUMNS] for row in rows), COLUMNS, kind=kind, name=name)


def _row(asked: AccessRequest) -> dict[str, Any]:
    times = {name: getattr(asked, name) for name in ("shown_at", "granted_from", "granted_until", "ended_at")}
    return {
        "id": str(asked.pk),
        "organisation": asked.organisation.name,
        "state": asked.state,
        "case": asked.case,
        "engineer": asked.engineer.name,
        "engineer_email": asked.engineer.email,
        "scope_kind": asked.scope_kind,
        "scope": asked.scope_label,
        "region": asked.region,
        "profile": asked.profile,
        "minutes": asked.minutes,
        "reason": asked.reason,
        "asked_at": moment(asked.created_at),
        **{name: moment(at) if at else "" for name, at in times.items()},
        "ended_by": asked.ended_by.email if asked.ended_by else "",
        "sha256": asked.sha256,
    }
