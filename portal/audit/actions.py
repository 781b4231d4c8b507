"""What a person asks of the log itself."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from portal.audit.models import Event
from portal.audit.parties import Actor, Subject
from portal.audit.recording import record
from portal.audit.verify import EXPORT_ACTION


def request_export(*, organisation_id: UUID, name: str, filters: Mapping[str, str], by: Any) -> Event:
    """Write down who exported what. The export then reaches up to this event: a whole one ends with it."""
    with transaction.atomic():
        subject = Subject("activity", str(organisation_id), name)
        return record(
            organisation_id=organisation_id, action=EXPORT_ACTION, actor=Actor.user(by), subject=subject, details={"filters": dict(filters)}
        )
