"""What the rest of the portal uses of the engine: start an operation, and what its steps are given."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.operations.driver import StepContext
from portal.operations.models import Operation, Step, new_reference
from portal.operations.registry import kind_of
from portal.operations.tasks import ring
from portal.operations.transitions import actor_of, assert_in_transaction, write_event

__all__ = ["OperationInProgress", "StepContext", "start"]

REFERENCE_TRIES = 5


class SubjectLike(Protocol):
    """What is worked on, as `portal.audit.Subject` has it: `kind` is a code, `id` its key as text, `label` its name."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...


class OperationInProgress(Exception):
    """The subject already has a live operation: `operation`. One at a time."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation.reference)
        self.operation = operation


def start(
    *,
    kind: str,
    subject: SubjectLike,
    organisation_id: UUID,
    by: AbstractBaseUser | None,
    idempotency_key: str = "",
    data: Mapping[str, Any] = MappingProxyType({}),
    is_recorded: bool = True,
) -> Operation:
    """Write an operation with all its steps, in the caller's transaction, and ring after it commits.

    The same `idempotency_key` in the same organisation returns the operation already there, ended or not. `is_recorded=False` when the
    caller writes the act's one event itself. Raises OperationInProgress while another one is live on the subject.
    """
    assert_in_transaction()
    steps = kind_of(kind).steps
    row = {
        "kind": kind,
        "subject_kind": subject.kind,
        "subject_id": str(subject.id),
        "subject_label": str(subject.label)[:200],
        "organisation_id": organisation_id,
        "requested_by_id": by.pk if by else None,
        "idempotency_key": idempotency_key or str(uuid4()),
        "data": dict(data),
    }
    inserted = next((found for _try in range(REFERENCE_TRIES) if (found := _insert(row))), None)
    if inserted is None:
        message = "no free reference found"
        raise RuntimeError(message)
    operation, is_new = inserted
    if not is_new:
        return operation
    Step.objects.bulk_create(Step(operation=operation, position=at, name=spec.name) for at, spec in enumerate(steps, start=1))
    if is_recorded:
        write_event(operation, "operation.started", actor=actor_of(by))
    ring(operation.pk)
    return operation


def _insert(row: dict[str, Any]) -> tuple[Operation, bool] | None:
    """A new operation, or the one that already has the key, and whether it is new; None when only the reference was taken."""
    now = timezone.now()
    operation = Operation(**row, reference=new_reference(), created_at=now, state_at=now, next_run_at=now)
    try:
        # Insert first, ask afterwards: of two requests at once the second waits here for the first, then finds its row.
        with transaction.atomic():
            operation.save(force_insert=True)
    except IntegrityError:
        same_key = Operation.objects.filter(organisation_id=row["organisation_id"], idempotency_key=row["idempotency_key"]).first()
        if same_key is not None:
            return same_key, False
        live = Operation.objects.live().for_subject(row["subject_kind"], row["subject_id"]).first()
        if live is not None:
            raise OperationInProgress(live) from None
        if not Operation.objects.filter(reference=operation.reference).exists():
            raise
        return None
    return operation, True
