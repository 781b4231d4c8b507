"""A worker that kills itself with SIGKILL at a named point of a named step: nothing is flushed, closed or rolled back by hand.

    run_until_killed(operation.pk, point="after_effect", step="create", kinds=["tests.portal.operations.killed_kind"])

Points: before_effect (the step has been claimed and not called), after_effect (it has answered, nothing is recorded),
at_commit (its outcome is recorded, nothing that follows the commit has been done), after_commit (that too; the message is not
acknowledged).

The same for a step that is called again and again until the cloud is done: after_done (it has answered that it is done, nothing of
that is recorded), done_recorded (that is recorded, nothing that follows has been done).

And within a step: call_1, call_2, ... (the cloud has answered the step's first, second, ... call, and the step has not heard it).
"""

import importlib
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

POINTS = ("before_effect", "after_effect", "at_commit", "after_commit")
ENDS = ("after_done", "done_recorded")
CALL = "call_"
ROOT = Path(__file__).resolve().parent.parent
LONGEST_SECONDS = 60
MOST_TURNS = 20  # waits before the named step are over at once


def run_until_killed(operation_id: UUID, *, point: str, step: str, env: Mapping[str, str] | None = None, kinds: Sequence[str] = ()) -> None:
    """Advance the operation in a process of its own, on this test's database, until it dies there. Fails when it lives.

    `env` replaces the environment (default: this process's, with this test's database and broker); `kinds` are modules to import.
    """
    assert point in {*POINTS, *ENDS}
    command = [sys.executable, "-m", "tests.kill", str(operation_id), point, step, *kinds]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(env or environment()), capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    assert done.returncode == -signal.SIGKILL, f"It was not killed {point} of {step}:\n{done.stdout}\n{done.stderr}"


def environment() -> dict[str, str]:
    """This process's environment, pointing at the test's own database, broker and cache."""
    from django.conf import settings
    from django.db import connection

    name = connection.settings_dict["NAME"]
    number = settings.CACHES["default"].get("OPTIONS", {}).get("db", 0)
    return {
        **os.environ,
        "DATABASE_URL": re.sub(r"/[^/@?]*(?=\?)", f"/{name}", os.environ["DATABASE_URL"], count=1),
        "BROKER_URL": settings.CELERY_BROKER_URL,
        "CACHE_URL": re.sub(r"db=\d+$", f"db={number}", os.environ["CACHE_URL"]),
    }


def lose_lease(operation_id: UUID) -> None:
    """As if the seconds had passed in which a dead worker's lease runs out."""
    from django.db.models.functions import Now

    from portal.operations.models import Operation

    Operation.objects.live().filter(pk=operation_id).update(lease_until=None, next_run_at=Now(), rung_at=None)


def ring_until_ended(operation: Any, *, rounds: int = 50) -> None:
    """The schedule goes on after a kill: rounds of ringing, each with the waits of the operation over, until it ends."""
    from portal.celery import app
    from portal.operations.models import Operation
    from portal.operations.tasks import ring_due_operations

    app.conf.task_always_eager = True
    try:
        for _round in range(rounds):
            operation.refresh_from_db()
            if not operation.is_live:
                return
            lose_lease(operation.pk)
            assert ring_due_operations() >= 1
    finally:
        app.conf.task_always_eager = False
    message = f"{operation.reference} is still {Operation.objects.get(pk=operation.pk).state}"
    raise AssertionError(message)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, at: str) -> None:
    """Put the death where it is wanted: around the driver's two doors to a step, its call and its record."""
    from django.db import connection

    from portal.operations import driver
    from portal.operations.outcomes import Done

    run, record = driver._run, driver.record

    def run_and_die(ctx: driver.StepContext) -> Any:
        if point == "before_effect" and ctx.step.name == at:
            die()
        if ctx.step.name == at and point.startswith(CALL):
            _die_at_call(int(point.removeprefix(CALL)))
        outcome = run(ctx)
        if ctx.step.name == at and (point == "after_effect" or (point == "after_done" and isinstance(outcome, Done))):
            die()
        return outcome

    def record_and_die(operation: Any, step: Any, outcome: Any, **given: Any) -> bool:
        if point == "at_commit" and step.name == at:
            connection.run_and_clear_commit_hooks = die
        goes_on = record(operation, step, outcome, **given)
        if point in {"at_commit", "after_commit"} and step.name == at:  # what commits by itself has no hooks
            die()
        if point == "done_recorded" and step.name == at and isinstance(outcome, Done):
            die()
        return goes_on

    driver._run, driver.record = run_and_die, record_and_die


def _die_at_call(number: int) -> None:
    """Of all calls that this process still makes: the SDKs of the three clouds make theirs through this one door."""
    from urllib3.connectionpool import HTTPConnectionPool

    ask, answers = HTTPConnectionPool.urlopen, itertools.count(1)

    def ask_and_die(*args: Any, **given: Any) -> Any:
        answer = ask(*args, **given)
        if next(answers) == number:
            die()
        return answer

    HTTPConnectionPool.urlopen = ask_and_die  # type: ignore[method-assign]


def main(operation_id: str, point: str, step: str, *kinds: str) -> None:
    import django

    django.setup()
    for kind in kinds:
        importlib.import_module(kind)
    from portal.operations.tasks import advance

    arm(point, step)
    for _turn in range(MOST_TURNS):
        advance(operation_id)
        lose_lease(UUID(operation_id))


if __name__ == "__main__":
    main(*sys.argv[1:])
