"""The machine itself: every pair of states, and who may write one."""

import itertools

import pytest
from django.utils import timezone

from portal.operations.models import Operation
from portal.operations.states import ENDED_STATES, LIVE_STATES, OPERATION_MOVES, OperationState, Party
from portal.operations.transitions import IllegalMove, LostRace, move
from tests.portal.operations.operation_kinds import begin

ALLOWED = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "running"),
    ("running", "waiting"),
    ("running", "failed"),
    ("running", "succeeded"),
    ("running", "cancelled"),
    ("waiting", "running"),
    ("waiting", "waiting"),
    ("waiting", "failed"),
    ("waiting", "succeeded"),
    ("waiting", "cancelled"),
    ("failed", "queued"),
}


def columns_of(state: OperationState) -> dict[str, object]:
    """What the constraints want beside a state."""
    is_ended = state in ENDED_STATES
    return {
        "ended_at": timezone.now() if is_ended else None,
        "next_run_at": None if is_ended else timezone.now(),
        "failure_code": "broken" if state == OperationState.FAILED else "",
        "waiting_on": Party.CLOUD if state == OperationState.WAITING else "",
        "waiting_why": "stack" if state == OperationState.WAITING else "",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("was", "to"), list(itertools.product(OperationState, repeat=2)))
def test_every_pair_of_states(was: OperationState, to: OperationState) -> None:
    operation = begin()
    Operation.objects.filter(pk=operation.pk).update(state=was, state_at=operation.created_at, **columns_of(was))
    operation.refresh_from_db()

    if (was, to) in ALLOWED:
        move(operation, to, **columns_of(to))
    else:
        with pytest.raises(IllegalMove):
            move(operation, to, **columns_of(to))

    stored = Operation.objects.get(pk=operation.pk)
    is_moved = (was, to) in ALLOWED
    assert stored.state == operation.state == (to if is_moved else was)
    assert stored.version == (2 if is_moved else 1)
    assert (stored.state_at > operation.created_at) == (is_moved and was != to)


def test_moves_table_knows_every_state() -> None:
    assert set(OPERATION_MOVES) == set(OperationState)
    assert set(OperationState) == LIVE_STATES | ENDED_STATES
    assert not LIVE_STATES & ENDED_STATES


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"fence": 7}, {"state": OperationState.RUNNING}])
def test_move_of_a_row_that_changed_loses_the_race(change: dict[str, object]) -> None:
    operation = begin()
    Operation.objects.filter(pk=operation.pk).update(**change)

    with pytest.raises(LostRace):
        move(operation, OperationState.RUNNING)

    assert Operation.objects.get(pk=operation.pk).version == 1
    assert operation.state == OperationState.QUEUED
