"""The moves that nearly every operation makes, for as many operations as make one at this moment: one statement, and so one commit.

The ORM would need several statements and a transaction around them for each operation. In every statement `mine` is the compare-and-set
of `transitions.move`, and the rest happens only if it did. A group passes over rows that somebody holds, so that it waits for nobody and
nobody for it; who was passed over writes alone, and waits.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit import Actor, record_all
from portal.operations.models import Operation, Step
from portal.operations.states import OPERATION_MOVES, OperationState, StepState
from portal.operations.transitions import NOT_WAITING, STEP_NOT_WAITING, WORKER, event_of, remember, remember_plain

_DONE = """
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(given)s) AS given(
        operation uuid, state text, fence bigint, data jsonb, now timestamptz,
        finished bigint, deadline timestamptz, opened bigint, next_deadline timestamptz)
    LIMIT %(number)s  -- tells the planner how few they are
), mine AS (
    SELECT given.* FROM given JOIN operations_operation AS operation ON operation.id = given.operation
    WHERE operation.state = given.state AND operation.fence = given.fence AND operation.cancel_requested_at IS NULL
    FOR NO KEY UPDATE OF operation {skip_locked}
), moved AS (
    UPDATE operations_operation AS operation
    SET version = version + 1, waiting_on = '', waiting_why = '', waiting_params = '{{}}', lost_leases = 0,
        data = COALESCE(mine.data, operation.data), {move}
    FROM mine WHERE operation.id = mine.operation
), finished AS (
    UPDATE operations_step AS step
    SET state = 'done', ended_at = mine.now, last_run_at = mine.now, deadline = mine.deadline, tries = 0,
        waiting_on = '', waiting_why = '', waiting_params = '{{}}', waiting_since = NULL
    FROM mine WHERE step.id = mine.finished
), opened AS (
    UPDATE operations_step AS step SET state = 'running', started_at = mine.now, deadline = mine.next_deadline
    FROM mine WHERE step.id = mine.opened
)
SELECT operation FROM mine
"""
_GOES_ON = """
    state = 'running', state_at = CASE mine.state WHEN 'running' THEN state_at ELSE mine.now END,
    lease_until = statement_timestamp() + %(lease)s
"""
# The fence too: no result from before counts any more.
_SUCCEEDS = """
    state = 'succeeded', state_at = mine.now, ended_at = mine.now, fence = operation.fence + 1,
    next_run_at = NULL, lease_until = NULL, rung_at = NULL
"""
_TAKE = """
UPDATE operations_operation
SET state = CASE state WHEN 'queued' THEN 'running' ELSE state END, state_at = CASE state WHEN 'queued' THEN %(now)s ELSE state_at END,
    version = version + CASE state WHEN 'queued' THEN 1 ELSE 0 END, fence = fence + 1, rung_at = NULL,
    lease_until = statement_timestamp() + %(lease)s, started_at = COALESCE(started_at, %(now)s),
    lost_leases = lost_leases + CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END
WHERE id = ANY(%(taken)s)
"""
_OPEN = """
UPDATE operations_step AS step SET state = 'running', started_at = %(now)s, deadline = opened.deadline
FROM unnest(%(steps)s::bigint[], %(deadlines)s::timestamptz[]) AS opened(id, deadline) WHERE step.id = opened.id
"""
_RENEW = """
WITH held AS (
    SELECT operation.id FROM unnest(%(operations)s::uuid[], %(fences)s::bigint[]) AS given(id, fence)
    JOIN operations_operation AS operation USING (id, fence)
    WHERE operation.ended_at IS NULL AND operation.lease_until IS NOT NULL FOR NO KEY UPDATE OF operation SKIP LOCKED
)
UPDATE operations_operation AS operation SET lease_until = statement_timestamp() + %(lease)s FROM held WHERE operation.id = held.id
"""


class StepDone:
    """A step is done: the next one opens, or it was the last and the operation has succeeded.

    `data` is what the operation remembers from here on, None when that is as before; `budget` is the opened step's.
    """

    def __init__(
        self,
        operation: Operation,
        finished: Step,
        *,
        data: dict[str, Any] | None,
        deadline: datetime | None,
        opened: Step | None = None,
        budget: timedelta = timedelta(),
    ) -> None:
        assert OperationState.RUNNING in OPERATION_MOVES[OperationState(operation.state)]
        self.operation, self.finished, self.opened = operation, finished, opened
        self.data, self.deadline = data, deadline
        self.now = timezone.now()
        self.next_deadline = self.now + budget
        # Here, so that data which is no JSON is its own step's fault; and the event's origin is the task that ran the step.
        self.row = json.dumps(self._values())
        self.event = None if opened else event_of(operation, "operation.succeeded", actor=Actor.worker(WORKER))

    def _values(self) -> dict[str, Any]:
        return {
            "operation": str(self.operation.pk),
            "state": str(self.operation.state),
            "fence": self.operation.fence,
            "data": self.data,
            "now": self.now.isoformat(),
            "finished": self.finished.pk,
            "deadline": self.deadline and self.deadline.isoformat(),
            "opened": self.opened and self.opened.pk,
            "next_deadline": self.next_deadline.isoformat(),
        }

    def remember(self) -> None:
        """It is written: the objects at hand say so too."""
        data = self.operation.data if self.data is None else self.data
        remember_plain(self.operation, {"data": data, "lost_leases": 0, **NOT_WAITING, **self._moved()})
        done = {"state": StepState.DONE, "ended_at": self.now, "last_run_at": self.now, "deadline": self.deadline, "tries": 0}
        remember_plain(self.finished, {**done, **STEP_NOT_WAITING})
        if self.opened:
            remember_plain(self.opened, {"state": StepState.RUNNING, "started_at": self.now, "deadline": self.next_deadline})

    def _moved(self) -> dict[str, Any]:
        if self.opened:
            since = self.operation.state_at if self.operation.state == OperationState.RUNNING else self.now
            return {"state": OperationState.RUNNING, "state_at": since}
        ended = {"ended_at": self.now, "next_run_at": None, "lease_until": None, "rung_at": None}
        return {"state": OperationState.SUCCEEDED, "state_at": self.now, "fence": self.operation.fence + 1, **ended}


def go_on(group: Sequence[StepDone], *, lease: timedelta, waits: bool = False) -> list[bool]:
    """Each goes on to its next step unless somebody asked to cancel or took the operation over; the answers say which did.

    `waits`: for rows that somebody holds. Who leads a group must not, even if it is a group of one: others are behind it.
    """
    return _write_done(group, _GOES_ON, waits=waits, lease=lease)


def succeed(group: Sequence[StepDone], *, waits: bool = False) -> list[bool]:
    """The same for last steps of kinds without a hook, with the event of each."""
    with transaction.atomic():
        answers = _write_done(group, _SUCCEEDS, waits=waits)
        events = [one.event for one, has_ended in zip(group, answers, strict=True) if has_ended and one.event]
        if events:
            record_all(events)
    return answers


def _write_done(group: Sequence[StepDone], move: str, *, waits: bool, **values: Any) -> list[bool]:
    statement = _DONE.format(move=move, skip_locked="" if waits else "SKIP LOCKED")
    given = f"[{','.join(one.row for one in group)}]"
    with connection.cursor() as cursor:
        cursor.execute(statement, {"given": given, "number": len(group), **values})
        moved = {pk for (pk,) in cursor.fetchall()}
    return [one.operation.pk in moved for one in group]


def take(operations: Sequence[Operation], opened: Mapping[int, tuple[Step, timedelta]], *, lease: timedelta) -> None:
    """Write the lease of operations whose rows are locked by the caller's transaction, and open the steps that they begin with.

    A lease that is still written down was never given back: its worker is gone.
    """
    values: dict[str, Any] = {"now": timezone.now(), "lease": lease, "taken": [operation.pk for operation in operations]}
    deadlines = {pk: values["now"] + budget for pk, (_step, budget) in opened.items()}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        if opened:
            cursor.execute(_OPEN, {"now": values["now"], "steps": list(deadlines), "deadlines": list(deadlines.values())})
    for operation in operations:
        _remember_taken(operation, now=values["now"])
    for pk, (step, _budget) in opened.items():
        remember(step, {"state": StepState.RUNNING, "started_at": values["now"], "deadline": deadlines[pk]})


def _remember_taken(operation: Operation, *, now: datetime) -> None:
    lost = operation.lost_leases + (operation.lease_until is not None)
    moved: dict[str, Any] = {"fence": operation.fence + 1, "rung_at": None, "lost_leases": lost, "started_at": operation.started_at or now}
    if operation.state == OperationState.QUEUED:
        moved |= {"state": OperationState.RUNNING, "state_at": now, "version": F("version") + 1}
    remember(operation, {**moved, "lease_until": Now()})


def renew(held: Mapping[UUID, int], *, lease: timedelta) -> int:
    """Keep leases for another while, by fence; answers how many. The others are no longer ours, or were given back since.

    A row that is being written at this moment is passed over: it has time until the next round.
    """
    values: dict[str, Any] = {"operations": list(held), "fences": list(held.values()), "lease": lease}
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, values)
        return int(cursor.rowcount)
