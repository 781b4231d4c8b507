"""What the database itself refuses."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.operations.models import Operation, Step, new_reference
from portal.operations.outcomes import Wait
from portal.operations.states import Party
from tests.factories import make_organisation
from tests.portal.operations.operation_kinds import advance, begin, scripted

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.mark.parametrize(
    ("constraint", "columns"),
    [
        ("operation_state_known", {"state": "lost", "ended_at": NOW, "next_run_at": None}),
        ("operation_waiting_names_a_party", {"state": "waiting"}),
        ("operation_waiting_names_a_party", {"state": "waiting", "waiting_on": "cloud"}),
        ("operation_waiting_names_a_party", {"state": "waiting", "waiting_on": "nobody", "waiting_why": "x"}),
        ("operation_waiting_names_a_party", {"waiting_on": Party.YOU, "waiting_why": "x"}),
        ("operation_failed_has_a_code", {"state": "failed", "ended_at": NOW, "next_run_at": None}),
        ("operation_failed_has_a_code", {"failure_code": "x"}),
        ("operation_live_is_due_some_day", {"next_run_at": None}),
        ("operation_live_is_due_some_day", {"state": "succeeded", "ended_at": NOW}),
        ("operation_live_is_due_some_day", {"state": "succeeded", "next_run_at": None}),
    ],
)
def test_operation_constraint_refuses(constraint: str, columns: dict[str, Any]) -> None:
    operation = begin()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Operation.objects.filter(pk=operation.pk).update(**columns)


def test_operation_cancelled_by_somebody_names_the_time() -> None:
    from tests.factories import make_user

    operation = begin()
    with pytest.raises(IntegrityError, match="operation_cancel_who_and_when"), transaction.atomic():
        Operation.objects.filter(pk=operation.pk).update(cancel_requested_by=make_user())


@pytest.mark.parametrize(
    ("constraint", "columns"),
    [
        ("step_state_known", {"state": "lost"}),
        ("step_waiting_names_a_party", {"state": "waiting", "waiting_on": "cloud", "waiting_why": "x"}),
        ("step_waiting_names_a_party", {"state": "waiting", "waiting_since": NOW}),
        ("step_waiting_names_a_party", {"waiting_on": "cloud"}),
        ("step_failed_has_a_code", {"state": "failed", "ended_at": NOW}),
        ("step_failed_has_a_code", {"failure_code": "x"}),
        ("step_ended_has_a_time", {"state": "done"}),
        ("step_ended_has_a_time", {"ended_at": NOW}),
    ],
)
def test_step_constraint_refuses(constraint: str, columns: dict[str, Any]) -> None:
    step = begin().steps.get()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Step.objects.filter(pk=step.pk).update(**columns)


def test_step_attempt_stands_once() -> None:
    operation = begin()
    with pytest.raises(IntegrityError, match="step_attempt_once"), transaction.atomic():
        Step.objects.create(operation=operation, position=1, name="only", attempt=1)


def copy_of(operation: Operation, **columns: Any) -> Operation:
    fields = {name: getattr(operation, name) for name in ("kind", "subject_kind", "subject_id", "subject_label", "organisation_id")}
    return Operation(**fields | {"idempotency_key": "other"} | columns)


def test_one_live_operation_per_subject() -> None:
    operation = begin()
    with pytest.raises(IntegrityError, match="operation_one_live_per_subject"), transaction.atomic():
        copy_of(operation).save()
    advance(operation)
    copy_of(operation).save()


def test_idempotency_key_once_per_organisation() -> None:
    operation = begin(idempotency_key="click")
    with pytest.raises(IntegrityError, match="operation_idempotency_key_once"), transaction.atomic():
        copy_of(operation, subject_id="b", idempotency_key="click").save()
    copy_of(operation, subject_id="b", idempotency_key="click", organisation_id=make_organisation().pk).save()


def test_reference_is_unique_and_readable() -> None:
    drawn = {new_reference() for _ in range(2000)}
    assert len(drawn) > 1990
    assert not set("ILOU") & set("".join(reference[3:] for reference in drawn))


def test_start_draws_another_reference_when_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = begin().reference
    drawn = iter([taken, taken, "OP-000001"])
    monkeypatch.setattr("portal.operations.engine.new_reference", lambda: next(drawn))
    assert begin().reference == "OP-000001"


def test_due_knows_time_lease_and_end() -> None:
    past, later = timezone.now() - timedelta(minutes=1), timezone.now() + timedelta(minutes=1)
    due = begin()
    abandoned, planned, held, ended = begin(), begin(), begin(), begin(scripted())
    advance(ended)
    Operation.objects.live().update(next_run_at=past)
    Operation.objects.filter(pk=abandoned.pk).update(lease_until=past)
    Operation.objects.filter(pk=planned.pk).update(next_run_at=later)
    Operation.objects.filter(pk=held.pk).update(lease_until=later)

    assert set(Operation.objects.due()) == {due, abandoned}


def test_due_scan_uses_its_index(django_assert_num_queries: Any) -> None:
    from django.db import connection

    for _ in range(3):
        begin()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with django_assert_num_queries(1):
        plan = Operation.objects.due().order_by("next_run_at").explain()
    assert "operation_due" in plan
    assert "Index Cond: (next_run_at <= statement_timestamp())" in plan


def test_querysets_read_as_sentences() -> None:
    waiting, ended = begin(scripted(only=Wait(9, on=Party.YOU, why="x"))), begin()
    advance(waiting)
    advance(ended)
    assert list(Operation.objects.ended()) == [ended]
    assert list(Operation.objects.for_subject("thing", waiting.subject_id).live()) == [waiting]
    assert list(Operation.objects.newest_first()) == [ended, waiting]
