"""Kills at the price of a fork: one process loads Django, each worker that has to die is a fork of it (see `tests.kill`).

Loading Django takes seconds, connecting an account a tenth of one. The server is asked line by line:

    [operation id, point, step]  ->  the exit code of the worker, negative for a signal
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from tests.kill import CALL, ROOT, main

AWS_SERVICES = ("sts", "iam", "cloudformation", "ec2", "eks", "cloudtrail", "kms", "resourcegroupstaggingapi", "service-quotas")


class KillServer:
    """Of one test database: `run_until_killed` as in `tests.kill`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run_until_killed(
        self, operation_id: UUID, *, point: str, step: str, seconds: float = 0, meanwhile: Callable[[], object] = bool
    ) -> None:
        """Advance the operation in a fork until it dies there. Fails when it lives, or lives on for so many seconds.

        `meanwhile` is what it waits for, done between two tries.
        """
        until = time.monotonic() + seconds
        while (code := self._advance(operation_id, point, step)) != str(-signal.SIGKILL):
            may_go_on = code == "0" and time.monotonic() < until
            assert may_go_on, f"It was not killed {point} of {step}, but ended with {code or 'the server'}."
            meanwhile()
            time.sleep(0.2)

    def dies_at_call(self, operation_id: UUID, *, step: str, number: int) -> bool:
        """Advance the operation in a fork that dies when the cloud has answered the step's call of this number. False: there were fewer."""
        code = self._advance(operation_id, f"{CALL}{number}", step)
        assert code in {"0", str(-signal.SIGKILL)}, f"A worker ended with {code or 'the server'}."
        return code != "0"

    def _advance(self, operation_id: UUID, point: str, step: str) -> str:
        print(json.dumps([str(operation_id), point, step]), file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


@contextmanager
def running(env: Mapping[str, str]) -> Iterator[KillServer]:
    command = [sys.executable, "-m", "tests.kill_server"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield KillServer(process)
        process.stdin.close()


def serve() -> None:
    """Single-threaded and without a connection of its own, so that forks share nothing."""
    import django

    # Standard output carries the answers; whatever is logged goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    django.setup()
    _load_what_steps_use()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _work(json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(code, file=answers, flush=True)


def _load_what_steps_use() -> None:
    """SDKs, kits and descriptions of APIs load with their first use: here once, and not anew in each fork. Nothing is asked of a cloud."""
    from importlib import import_module

    from accounts import clouds, kits
    from accounts.clouds.aws.clients import open_client
    from cells import stacks

    for cloud in clouds.ADAPTERS:
        for table in (clouds.ADAPTERS, clouds.STACKS, clouds.SUPPORT):
            import_module(table[cloud].partition(":")[0])
        stacks.load(cloud)
        assert kits.load(cloud).version
    for service in AWS_SERVICES:
        open_client(service, region="us-east-1", credentials={"AccessKeyId": "none", "SecretAccessKey": "none"})


def _work(order: list[Any]) -> None:
    try:
        main(*order)
        os._exit(0)
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve()
