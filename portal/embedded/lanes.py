"""Run management commands side by side: Django is loaded once, then each lane goes on in a fork of its own.

    python -m portal.embedded.lanes '[{"role": "portal_owner", "steps": [["wait", "/f/up"], ["run", "migrate"], ["done", "/f/schema"]]}, …]'

Loading Django costs more than most commands. A lane waits for files and leaves files for others to wait for; its role is the
database user when DATABASE_URL names none. The first lane that fails ends all with its exit code.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict


class Lane(TypedDict):
    """Steps are `["wait", FILE]`, `["run", COMMAND, ARGUMENT…]` or `["done", FILE]`."""

    role: str
    steps: list[list[str]]


def main(lanes: Sequence[Lane]) -> int:
    """Exit code of the first lane that fails, else 0."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django  # noqa: PLC0415  after the environment is complete

    django.setup()
    running = {_fork(lane) for lane in lanes}
    while running:
        pid, status = os.wait()
        running.discard(pid)
        if code := os.waitstatus_to_exitcode(status):
            for other in running:
                os.kill(other, signal.SIGTERM)
            return code if code > 0 else 1
    return 0


def _fork(lane: Lane) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _drive(lane)
            code = 0
        except BaseException:  # noqa: BLE001  whatever it was, this fork must not return into the parent's loop
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return pid


def _drive(lane: Lane) -> None:
    from django.core.management import call_command  # noqa: PLC0415  after Django is set up

    if lane["role"]:
        os.environ["PGUSER"] = lane["role"]  # libpq reads it when it connects, and nothing has connected yet
    for kind, *words in lane["steps"]:
        if kind == "wait":
            wait_for(Path(words[0]))
        elif kind == "done":
            Path(words[0]).touch()
        else:
            call_command(*words)  # without the system checks, which would load every view


def wait_for(gate: Path) -> None:
    """Return when the file exists. It is never long: whoever should make it ends this process when that fails."""
    while not gate.exists():
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
