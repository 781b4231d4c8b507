"""Operations that wait for what an agent reports are woken by it, instead of looking again and again."""

from collections.abc import Iterable
from uuid import UUID

from django.utils import timezone

from portal.operations.models import Operation
from portal.operations.states import OperationState
from portal.operations.tasks import ring


def ring_cells(cells: Iterable[UUID]) -> None:
    _ring("cell", cells)


def ring_instances(instances: Iterable[UUID]) -> None:
    _ring("instance", instances)


def _ring(kind: str, subjects: Iterable[UUID]) -> None:
    """In the transaction of what they wait for."""
    names = sorted(str(subject) for subject in subjects)
    if not names:
        return
    waiting = Operation.objects.filter(subject_kind=kind, subject_id__in=names, state=OperationState.WAITING)
    for pk in list(waiting.values_list("pk", flat=True)):
        Operation.objects.filter(pk=pk, state=OperationState.WAITING).update(next_run_at=timezone.now())
        ring(pk)
