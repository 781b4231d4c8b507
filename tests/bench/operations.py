"""Part c: ten persisted steps of 200 ms in many operations at once, beside procrastinate and DBOS doing the same.

One worker process each, twenty connections each, everything durable when it is acknowledged, all work queued before the clock starts (DBOS
starts its workflows as its threads get to them, which it does fastest). A peer counts at the better of the numbers at once that are tried.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from tests.bench.stand import ROOT, Stand, cpu_of, spawn
from tests.bench.table import Report, micros
from tests.bench.ten_steps import KIND, STEP_SECONDS, STEPS

OURS_AT_ONCE = (100, 1_000)
PEERS_AT_ONCE = (100, 200)
PEERS = {"procrastinate": ("peer_procrastinate.py", "peer_p"), "DBOS": ("peer_dbos.py", "peer_d")}
CUSTOMERS = 20
LONGEST_SECONDS = 180
ROUNDS = 3
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]


@dataclass
class Result:
    """What one run did, and what was wrong with it."""

    at_once: int
    rate: float = 0.0
    cpu: float = 0.0
    problem: str = ""

    @property
    def words(self) -> str:
        ideal = self.at_once / STEP_SECONDS
        return f"{self.rate:,.0f} steps/s, {micros(self.cpu)} a step, {self.at_once:,} at once ({100 * self.rate / ideal:.0f} % of ideal)"


@dataclass
class Round:
    """One turn of everybody: ours at each number at once, and each peer at each of its own."""

    runs: list[Result]
    peers: dict[str, list[Result]]

    @property
    def ours(self) -> Result:
        return _better(self.runs)


def run(stand: Stand, report: Report, options) -> None:
    """Ours and the peers in turn by turn: on a shared machine what one can do changes from minute to minute, for all alike."""
    number = options.operations
    stand.come_first()
    rounds = []
    for _ in range(ROUNDS):
        runs = [_ours(stand, number, at_once, has_bell_each=False) for at_once in OURS_AT_ONCE]
        rounds.append(Round(runs, {name: _peer(stand, name, options) for name in PEERS}))
    middle = sorted(rounds, key=lambda one: one.ours.cpu)[ROUNDS // 2].ours
    report.add(
        "c. CPU of one persisted step, worker and PostgreSQL",
        ours=micros(middle.cpu),
        ratio=f"{middle.cpu * 1e3:.2f} ms",
        goal="≤ 1.2 ms",
        problem=middle.problem,
    )
    what = f"c. {number:,} operations of {STEPS} steps of {STEP_SECONDS * 1e3:.0f} ms"
    for name in PEERS:
        _beside(report, f"{what}, beside {name}", rounds, name)
    for result in rounds[-1].runs:
        report.add(f"{what}, at most {result.at_once:,} at once", ours=result.words, problem=result.problem)
    each = _ours(stand, number, OURS_AT_ONCE[-1], has_bell_each=True)
    report.add(f"{what}, a message each instead of one for many", ours=each.words, problem=each.problem)


def _beside(report: Report, what: str, rounds: list["Round"], name: str) -> None:
    """The round in the middle, with the ratios of all."""
    if not rounds[0].peers[name]:
        report.add(what, ours=rounds[0].ours.words, problem="it was not run: --peers-python was not given")
        return
    pairs = sorted(((one.ours, _better(one.peers[name])) for one in rounds), key=_times_faster)
    ratios = ", ".join(f"{_times_faster(pair):.1f}x" for pair in pairs)
    ours, best = pairs[ROUNDS // 2]
    report.add(
        what,
        ours=ours.words,
        beside=best.words,
        ratio=f"{_times_faster((ours, best)):.1f}x ({ratios}); CPU of a step 1/{best.cpu / max(1e-9, ours.cpu):.1f}",
        goal="≥ 5x",
        problem=next((result.problem for pair in pairs for result in pair if result.problem), ""),
    )


def _better(results: list[Result]) -> Result:
    return max(results, key=lambda result: result.rate)


def _times_faster(pair: tuple[Result, Result]) -> float:
    return pair[0].rate / max(1.0, pair[1].rate)


def _peer(stand: Stand, name: str, options) -> list[Result]:
    script, database = PEERS[name]
    return [_peer_at(stand, script, database, options, at_once) for at_once in PEERS_AT_ONCE if options.peers_python]


def _peer_at(stand: Stand, script: str, database: str, options, at_once: int) -> Result:
    number = options.operations
    url, before = stand.database(database), stand.postgres_cpu()
    command = [options.peers_python, str(ROOT / "tests/bench" / script), url, str(number), str(at_once)]
    # A session of its own, as our worker has: the kernel shares the cores out by session.
    peer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    stand.come_first(peer.pid)
    answer, errors = peer.communicate()
    if peer.returncode:
        return Result(at_once, problem=f"{script} failed: {errors.strip().splitlines()[-1][:120]}")
    seconds, used, steps = map(float, answer.split()[-3:])
    # Told, not refused: its rate is what it did until it was stopped.
    problem = "" if steps == number * STEPS or seconds >= LONGEST_SECONDS else f"{script} did {steps:.0f} steps"
    return Result(at_once, steps / seconds, (used + stand.postgres_cpu() - before) / max(1.0, steps), problem)


def _ours(stand: Stand, number: int, at_once: int, *, has_bell_each: bool) -> Result:
    from portal.celery import app
    from portal.operations.models import Operation, Step
    from portal.operations.states import StepState
    from portal.operations.tasks import BELL_SIZE, ring_due_operations

    run = uuid4().hex[:8]
    mine = Operation.objects.filter(subject_kind=run)
    with _worker(stand, at_once if has_bell_each else at_once // BELL_SIZE) as worker:
        _queue(number, run)
        if not has_bell_each:  # an empty queue: the worker may listen already
            app.control.purge()
            app.control.add_consumer("celery", reply=True, timeout=5)
        ours, postgres, begun = cpu_of(worker.pid), stand.postgres_cpu(), time.perf_counter()
        if has_bell_each:
            app.control.add_consumer("celery")
        rounds = 0
        while mine.filter(state="succeeded").count() < number and (passed := time.perf_counter() - begun) < LONGEST_SECONDS:
            if not has_bell_each and passed >= 2 * rounds:  # the schedule's own round
                ring_due_operations.delay()
                rounds += 1
            time.sleep(0.1)
        seconds = time.perf_counter() - begun
        used = cpu_of(worker.pid) - ours + stand.postgres_cpu() - postgres
    done = Step.objects.filter(operation__in=mine, state=StepState.DONE).count()
    problem = "" if done == number * STEPS else f"{done} of {number * STEPS} steps succeeded"
    return Result(at_once, done / seconds, used / max(1, done), problem)


def _queue(number: int, run: str) -> None:
    from django.db import transaction

    from portal.audit import Subject
    from portal.operations.engine import start
    from tests.factories import make_organisation

    customers = [make_organisation(name=f"{run} {at}", slug=f"{run}-{at}") for at in range(CUSTOMERS)]
    for at in range(number):
        with transaction.atomic():
            organisation = customers[at % CUSTOMERS]
            start(kind=KIND, subject=Subject(run, str(at), "b"), organisation_id=organisation.pk, by=None, is_recorded=False)


@contextmanager
def _worker(stand: Stand, concurrency: int) -> Iterator[subprocess.Popen]:
    """A worker that is up, but hears no bell before it is told to."""
    command = [sys.executable, "-m", "celery", "--app=tests.bench.worker", "worker", "--pool=threads", f"--concurrency={concurrency}"]
    env = {**os.environ, "PORTAL_DATABASE_POOL": "true", "PORTAL_DATABASE_POOL_SIZE": "20"}
    with (stand.folder / "worker.log").open("wb") as log:
        worker = spawn([*command, "--queues=none", *QUIET], env=env, cwd=ROOT, output=log)
    time.sleep(8)
    stand.come_first(worker.pid)
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(60)
