"""Turns what a step answered into rows: one transaction an outcome, guarded by the fence."""

import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit import Actor
from portal.operations.group import GroupCommit
from portal.operations.models import Columns, Operation, Step, StepLog, latest_attempts
from portal.operations.moves import StepDone, go_on, renew, succeed, take
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.registry import KINDS, Kind, StepSpec
from portal.operations.states import OperationState, Party, StepState
from portal.operations.transitions import STEP_NOT_WAITING, WORKER, LostRace, cancel, end, has_hook, move, update_step
from portal.redaction import without_secrets

# Short, because a worker renews it every few seconds (see driver.Lease): after kill -9 this is the longest pause.
LEASE = timedelta(seconds=6)
# A bell may be lost with the broker: an operation that stays due is rung again.
RING_AGAIN_AFTER = timedelta(seconds=10)
MAX_INTERNAL_ERRORS = 5
# Each loss is a worker that died, or its database, in the middle of a step: past this many in a row the step is to blame.
MAX_LOST_LEASES = 10
FIRST_BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 60.0
SHORTEST_WAIT_SECONDS = 1.0
MAX_EVIDENCE = 10_000
KEPT_LOG_LINES = 1_000

# How long the next group of claims, or of steps that are done, waits for more while there is much to do.
GATHER_CLAIMS_SECONDS, GATHER_STEPS_SECONDS = 0.02, 0.008
Claim = tuple[Operation, list[Step]]

UNKNOWN_STEP = StepSpec(name="", title="", run=lambda _ctx: Fail("step_unknown"))
_NO_CANCEL = Q(cancel_requested_at=None)


def claim(operation_id: UUID) -> Claim | None:
    """Take the lease if the operation is due: the operation and the newest attempt of each step, or None for everybody else."""
    return _claims.submit(operation_id)


def _claim_group(operation_ids: Sequence[UUID]) -> list[Claim | None]:
    with transaction.atomic():
        due = Operation.objects.due().select_for_update(skip_locked=True).filter(pk__in=operation_ids)
        operations = {operation.pk: operation for operation in due}
        if not operations:
            return [None] * len(operation_ids)
        steps: dict[UUID, list[Step]] = {pk: [] for pk in operations}
        for step in Step.objects.filter(operation__in=operations).in_order():
            steps[step.operation_id].append(step)
        claims = {pk: (operation, latest_attempts(steps[pk])) for pk, operation in operations.items()}
        take(list(operations.values()), dict(filter(None, (_to_open(*claim) for claim in claims.values()))), lease=LEASE)
    # Two bells of one operation in a group: the first has it.
    return [claims.pop(pk, None) for pk in operation_ids]


def _to_open(operation: Operation, steps: list[Step]) -> tuple[int, tuple[Step, timedelta]] | None:
    current = next((step for step in steps if not step.is_done), None)
    if current is None or current.state != StepState.PENDING:
        return None
    return current.pk, (current, spec_of(operation, current).budget)


def renew_leases(held: Mapping[UUID, int]) -> int:
    """Keep the leases of these operations, by fence, for another while; answers how many are still ours."""
    return renew(held, lease=LEASE)


def hand_back(operation: Operation) -> None:
    """Give the lease back unfinished: the operation is due at once for anybody."""
    Operation.objects.live().filter(pk=operation.pk, fence=operation.fence).update(lease_until=None, next_run_at=Now())


def spec_of(operation: Operation, step: Step) -> StepSpec:
    """How to run this step. A step written by an older release may be unknown: it fails by its own code instead of hanging."""
    kind: Kind | None = KINDS.get(operation.kind)
    return kind.steps_by_name.get(step.name, UNKNOWN_STEP) if kind else UNKNOWN_STEP


def record(
    operation: Operation, step: Step, outcome: Outcome, *, following: Step | None, lines: list[StepLog], with_hook: bool = True
) -> bool:
    """Write one outcome. True: the following step is open and may run now. Raises LostRace when the result does not count."""
    read = (OperationState(operation.state), operation.fence)
    try:
        if isinstance(outcome, Done) and (following is not None or not (with_hook and has_hook(operation, OperationState.SUCCEEDED))):
            _write_done(operation, step, outcome, following, lines)
            return following is not None
        with transaction.atomic():
            _record(operation, step, outcome, lines=lines, with_hook=with_hook)
    except LostRace:
        _cancel_if_asked(operation, step, outcome, read=read, lines=lines, with_hook=with_hook)
    return False


def _write_done(operation: Operation, step: Step, done: Done, following: Step | None, lines: list[StepLog]) -> None:
    data = {**operation.data, **done.data} if done.data else None
    budget = spec_of(operation, following).budget if following else timedelta()
    one = StepDone(operation, step, data=data, deadline=_deadline(step, timezone.now()), opened=following, budget=budget)
    group, alone = (_steps_done, _go_on) if following else (_ends, succeed)
    with transaction.atomic() if lines else nullcontext():
        # The group passes over a row that somebody holds; alone, we wait for it and see what became of it.
        if not group.submit(one) and not alone([one], waits=True)[0]:
            raise LostRace(operation.reference)
        one.remember()
        write_log(step, lines)


def _go_on(group: Sequence[StepDone], *, waits: bool = False) -> list[bool]:
    return go_on(group, lease=LEASE, waits=waits)


def _record(operation: Operation, step: Step, outcome: Outcome, *, lines: list[StepLog], with_hook: bool) -> None:
    spec = spec_of(operation, step)
    now = timezone.now()
    looked: Columns = {"last_run_at": now, "deadline": _deadline(step, now)}
    match within_limits(step, spec, outcome, now=now, deadline=looked["deadline"]):
        case Done() as done:
            _succeed(operation, step, done, with_hook=with_hook, **looked)
        case Wait() as wait:
            looked["patience_until"] = step.patience_until or (now + spec.patience if wait.on == Party.YOU else None)
            limit = looked["patience_until"] if wait.on == Party.YOU else looked["deadline"]
            _park(operation, step, wait, until=_no_later(now + _pause(wait.seconds), limit), tries=0, has_news=bool(lines), **looked)
        case Retry() as retry:
            lines.append(StepLog(step=step, line=_log_line(f"{retry.code}: {retry.evidence}" if retry.evidence else retry.code)))
            party = Party.CLOUD if spec.actor == Party.CLOUD else Party.PROVIDER
            wait = Wait(seconds=0, on=party, why="retrying", params={**retry.params, "code": retry.code})
            until = _no_later(now + timedelta(seconds=backoff_seconds(step.tries)), looked["deadline"])
            _park(operation, step, wait, until=until, tries=step.tries + 1, has_news=True, **looked)
        case Fail() as fail:
            _fail(operation, step, fail, with_hook=with_hook, **looked)
        case unreachable:
            assert_never(unreachable)
    write_log(step, lines)


def _succeed(operation: Operation, step: Step, done: Done, *, with_hook: bool, **looked: Any) -> None:
    data = {**operation.data, **done.data}
    succeeded = OperationState.SUCCEEDED
    end(operation, succeeded, actor=Actor.worker(WORKER), with_hook=with_hook, only_if=_NO_CANCEL, data=data, lost_leases=0)
    update_step(step, state=StepState.DONE, ended_at=looked["last_run_at"], tries=0, **STEP_NOT_WAITING, **looked)


def _park(operation: Operation, step: Step, wait: Wait, *, until: datetime, tries: int, has_news: bool, **looked: Any) -> None:
    waiting: Columns = {"waiting_on": wait.on, "waiting_why": wait.why, "waiting_params": {k: str(v) for k, v in wait.params.items()}}
    goes_on = (step.waiting_on, step.waiting_why) == (wait.on, wait.why)
    is_visible = has_news or not goes_on or step.waiting_params != waiting["waiting_params"]
    since = step.waiting_since if goes_on else looked["last_run_at"]
    move(
        operation,
        OperationState.WAITING,
        only_if=_NO_CANCEL,
        is_visible=is_visible,
        next_run_at=until,
        lease_until=None,
        lost_leases=0,
        data={**operation.data, **wait.data} if wait.data else operation.data,
        **waiting,
    )
    update_step(step, state=StepState.WAITING, waiting_since=since, tries=tries, **waiting, **looked)


def _fail(operation: Operation, step: Step, fail: Fail, *, with_hook: bool, **looked: Any) -> None:
    failure: Columns = {
        "failure_code": fail.code,
        "failure_params": {name: str(value) for name, value in fail.params.items()},
        "failure_evidence": without_secrets(fail.evidence)[:MAX_EVIDENCE],
    }
    failed = OperationState.FAILED
    end(operation, failed, actor=Actor.worker(WORKER), with_hook=with_hook, only_if=_NO_CANCEL, lost_leases=0, **failure)
    update_step(step, state=StepState.FAILED, ended_at=looked["last_run_at"], **failure, **STEP_NOT_WAITING, **looked)


def _cancel_if_asked(
    operation: Operation, step: Step, outcome: Outcome, *, read: tuple[OperationState, int], lines: list[StepLog], with_hook: bool
) -> None:
    """The way out when an outcome could not be written: a person asked to cancel (honour it), or the operation is no longer ours."""
    state, fence = read
    ours = Operation.objects.filter(pk=operation.pk, state=state, fence=fence).exclude(cancel_requested_at=None).first()
    if ours is None:
        raise LostRace(operation.reference)
    with transaction.atomic():
        cancel(ours, actor=Actor.worker(WORKER), with_hook=with_hook)
        if isinstance(outcome, Done):
            # The effect stands in the cloud, and the page says so.
            update_step(step, state=StepState.DONE, **STEP_NOT_WAITING)
        write_log(step, lines)


def within_limits(step: Step, spec: StepSpec, outcome: Outcome, *, now: datetime, deadline: datetime | None) -> Outcome:
    """The outcome itself, or the failure it becomes when budget, patience or tries are used up: nothing loops for ever."""
    is_over_budget = deadline is not None and now >= deadline
    match outcome:
        case Wait(on=Party.YOU) if step.patience_until is not None and now >= step.patience_until:
            return Fail("waited_too_long", outcome.params)
        case Wait(on=party) if party != Party.YOU and is_over_budget:
            return Fail(spec.late_code, outcome.params)
        case Retry() if is_over_budget or (outcome.code == "internal_error" and step.tries >= MAX_INTERNAL_ERRORS):
            return Fail(outcome.code, outcome.params, outcome.evidence)
        case _:
            return outcome


def backoff_seconds(tries: int) -> float:
    """Exponential with jitter: after the first fault 1-2 s, then twice as long, at most a minute."""
    longest: float = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(tries, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, protects nothing


def _deadline(step: Step, now: datetime) -> datetime | None:
    """The step's deadline, later by the time the ball was with the customer since the last look."""
    if step.deadline is None or step.last_run_at is None or step.waiting_on != Party.YOU:
        return step.deadline
    return step.deadline + (now - step.last_run_at)


def _pause(seconds: float) -> timedelta:
    return timedelta(seconds=max(seconds, SHORTEST_WAIT_SECONDS))


def _no_later(when: datetime, limit: datetime | None) -> datetime:
    """The last look falls on the limit itself, not up to a pause after it."""
    return when if limit is None else max(min(when, limit), timezone.now() + timedelta(seconds=SHORTEST_WAIT_SECONDS))


def _log_line(text: str) -> str:
    return without_secrets(text)[:1000]


def new_lines(step: Step, text: str) -> list[StepLog]:
    """What a step said as rows to write, redacted before it is cut into lines."""
    now = timezone.now()
    return [StepLog(step=step, at=now, line=line[:1000]) for line in without_secrets(text).splitlines() if line.strip()]


def write_log(step: Step, lines: list[StepLog]) -> None:
    """Append lines; only the newest `KEPT_LOG_LINES` of a step are kept."""
    if not lines:
        return
    StepLog.objects.bulk_create(lines)
    before, step.log_count = step.log_count, step.log_count + len(lines)
    Step.objects.filter(pk=step.pk).update(log_count=F("log_count") + len(lines))
    if before // KEPT_LOG_LINES != step.log_count // KEPT_LOG_LINES:
        oldest_kept = StepLog.objects.filter(step=step).order_by("-id").values("id")[KEPT_LOG_LINES - 1 : KEPT_LOG_LINES]
        StepLog.objects.filter(step=step, id__lt=oldest_kept).delete()
    lines.clear()


_claims: GroupCommit[UUID, Claim | None] = GroupCommit(_claim_group, gather_seconds=GATHER_CLAIMS_SECONDS)
_steps_done: GroupCommit[StepDone, bool] = GroupCommit(_go_on, gather_seconds=GATHER_STEPS_SECONDS)
_ends: GroupCommit[StepDone, bool] = GroupCommit(succeed, gather_seconds=GATHER_STEPS_SECONDS)
