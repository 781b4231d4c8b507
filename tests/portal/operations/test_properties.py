"""Whatever steps answer, an operation parks or ends, moves only forward, and its rows agree with each other."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Retry, Wait
from portal.operations.states import OPERATION_MOVES, OperationState, Party, StepState
from tests.portal.operations.operation_kinds import ScriptedKind, advance, begin, scripted

LINES = st.one_of(
    st.builds(Done, st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2)),
    st.builds(Wait, st.floats(0, 3600), on=st.sampled_from(Party), why=st.sampled_from(["x", "y"])),
    st.builds(Retry, st.sampled_from(["throttled", "internal_error"])),
    st.builds(Fail, st.sampled_from(["denied", "quota"])),
    st.builds(ValueError, st.just("broken")),
)
SCRIPTS = st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=SCRIPTS)
def test_operation_always_parks_or_ends(script: list[list[Any]]) -> None:
    kind = scripted(**{f"step{number}": lines for number, lines in enumerate(script)})
    operation = begin(kind)
    before: dict[str, Any] = {"fence": 0, "version": 0, "done": 0, "state": OperationState.QUEUED}

    # Each line is heard at most once a look; then a month passes at every look, which no budget and no patience survives.
    for look in range(sum(map(len, script)) + 3 * len(script)):
        if look >= sum(map(len, script)):
            pass_a_month(operation)
        advance(operation)
        before = assert_sound(operation, kind, before)
        if operation.has_ended:
            break

    assert operation.has_ended
    assert len([hook for hook, _state in kind.hooks]) == 1


def assert_sound(operation: Operation, kind: ScriptedKind, before: dict[str, Any]) -> dict[str, Any]:
    """The invariants after one look; answers what to compare the next one with."""
    steps = list(operation.steps.in_order())
    done = sum(step.state == StepState.DONE for step in steps)
    assert operation.state in {OperationState.WAITING, OperationState.FAILED, OperationState.SUCCEEDED}
    assert operation.state in reachable(before["state"])
    assert operation.lease_until is None
    assert operation.fence > before["fence"]
    assert operation.version >= before["version"]
    assert done >= before["done"]
    # Done, then at most one that is not, then untouched ones.
    assert [step.state for step in steps[:done]] == [StepState.DONE] * done
    assert all(step.state == StepState.PENDING for step in steps[done + 1 :])
    if operation.state == OperationState.WAITING:
        current = steps[done]
        assert (current.state, current.waiting_on, current.waiting_why) == ("waiting", operation.waiting_on, operation.waiting_why)
        assert operation.next_run_at > current.last_run_at
    if operation.state == OperationState.FAILED:
        assert (steps[done].state, steps[done].failure_code) == ("failed", operation.failure_code)
    if operation.state == OperationState.SUCCEEDED:
        assert done == len(steps)
    assert kind.calls == sorted(kind.calls)
    return {"fence": operation.fence, "version": operation.version, "done": done, "state": OperationState(operation.state)}


def reachable(state: OperationState) -> set[OperationState]:
    """By any number of moves: one look may make several."""
    found, edge = set(), {state}
    while edge:
        found |= edge
        edge = set().union(*(OPERATION_MOVES[one] for one in edge)) - found
    return found


def pass_a_month(operation: Operation) -> None:
    for step in operation.steps.all():
        for name in ("started_at", "deadline", "patience_until", "waiting_since"):
            if value := getattr(step, name):
                setattr(step, name, value - timedelta(days=31))
        step.save()
