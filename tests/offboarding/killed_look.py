"""A watcher over the trust that kills itself with SIGKILL at a named point of one look.

Points: asked (the cloud has answered its first call, and the look has not heard it), looked (it knows what it found, and nothing of that
is written), written (it is committed, and nothing that follows has been done).
"""

import os
import signal
import subprocess
import sys
from typing import Any

from tests.kill import LONGEST_SECONDS, ROOT, _die_at_call, environment

LOOKS = ("asked", "looked", "written")


def die_over_a_look(watch_id: Any, point: str) -> None:
    """In a process of its own, on this test's database. Fails when it lives."""
    assert point in LOOKS
    command = [sys.executable, "-m", "tests.offboarding.killed_look", str(watch_id), point]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    assert done.returncode == -signal.SIGKILL, f"It was not killed when it had {point}:\n{done.stdout}\n{done.stderr}"


def main(watch_id: str, point: str) -> None:
    import django

    django.setup()
    from accounts.steps import watch

    write = watch._write

    def write_and_die(*args: Any, **given: Any) -> None:
        if point == "written":
            write(*args, **given)
        os.kill(os.getpid(), signal.SIGKILL)

    watch._write = write_and_die
    if point == "asked":
        _die_at_call(1)
    watch.watch_once(watch_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
