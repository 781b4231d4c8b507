"""Part c: ten persisted steps of 200 ms in many operations at once, beside procrastinate and DBOS doing the same."""

import subprocess
import sys
import time

from tests.bench.stand import ROOT, Stand, cpu_of, spawn
from tests.bench.table import Report, micros
from tests.bench.ten_steps import KIND, STEP_SECONDS, STEPS

AT_ONCE = 100


def run(stand: Stand, report: Report, options) -> None:
    number = options.operations
    ours, cpu, problem = _ours(stand, number)
    ideal = AT_ONCE / STEP_SECONDS
    said = f"{ours:,.0f} steps/s ({100 * ours / ideal:.0f} % of what {AT_ONCE} at once can do)"
    report.add(
        "c. CPU of one persisted step, worker and PostgreSQL",
        ours=micros(cpu),
        ratio=f"{cpu * 1e3:.2f} ms",
        goal="≤ 1.2 ms",
        problem=problem,
    )
    for name, script, url in (("procrastinate", "peer_procrastinate.py", "peer_p"), ("DBOS", "peer_dbos.py", "peer_d")):
        what = f"c. {number} operations of {STEPS} steps of {STEP_SECONDS * 1e3:.0f} ms, {AT_ONCE} at once, beside {name}"
        if not options.peers_python:
            report.add(what, ours=said, problem=f"{name} was not run: --peers-python was not given")
            continue
        before = stand.postgres_cpu()
        command = [options.peers_python, str(ROOT / "tests/bench" / script), stand.database(url), str(number), str(AT_ONCE)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            report.add(what, ours=said, problem=f"{name} failed: {answer.stderr.strip().splitlines()[-1][:120]}")
            continue
        seconds, used, steps = map(float, answer.stdout.split()[-3:])
        theirs = (used + stand.postgres_cpu() - before) / steps
        wrong = problem or (f"{name} did {steps:.0f} steps" if steps != number * STEPS else "")
        report.add(
            what,
            ours=said,
            beside=f"{steps / seconds:,.0f} steps/s, {micros(theirs)} a step",
            ratio=f"{ours * seconds / steps:.1f}x",
            goal="≥ 5x",
            problem=wrong,
        )


def _ours(stand: Stand, number: int) -> tuple[float, float, str]:
    """Steps a second, CPU a step, and what was wrong."""
    from django.db import transaction

    from portal.audit import Subject
    from portal.operations.engine import start
    from portal.operations.models import Operation, Step
    from portal.operations.states import StepState
    from tests.factories import make_organisation

    organisation = make_organisation(name="Steps", slug="steps")
    command = [sys.executable, "-m", "celery", "--app=tests.bench.worker", "worker", "--pool=threads", f"--concurrency={AT_ONCE}"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    import os

    env = {**os.environ, "PORTAL_DATABASE_POOL": "true", "PORTAL_DATABASE_POOL_SIZE": "20"}
    with (stand.folder / "worker.log").open("wb") as log:
        worker = spawn([*command, *quiet], env=env, cwd=ROOT, output=log)
    time.sleep(8)
    try:
        web, postgres = cpu_of(worker.pid), stand.postgres_cpu()
        begun = time.perf_counter()
        for at in range(number):
            with transaction.atomic():
                start(kind=KIND, subject=Subject("bench", str(at), "b"), organisation_id=organisation.pk, by=None, is_recorded=False)
        until = begun + 180
        while Operation.objects.filter(kind=KIND, state="succeeded").count() < number and time.perf_counter() < until:
            time.sleep(0.2)
        seconds = time.perf_counter() - begun
        used = cpu_of(worker.pid) - web + stand.postgres_cpu() - postgres
    finally:
        worker.terminate()
        worker.wait(30)
    done = Step.objects.filter(operation__kind=KIND, state=StepState.DONE).count()
    problem = "" if done == number * STEPS else f"{done} of {number * STEPS} steps succeeded"
    return done / seconds, used / max(1, done), problem
