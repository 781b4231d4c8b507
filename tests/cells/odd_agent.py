"""The agent's own program on a machine with bad luck: killed right after its Nth effect, or with a clock that is wrong.

    python -m tests.cells.odd_agent DIE_AFTER CLOCK ...the agent's own words

An effect is whatever outlives the process: a file written or removed, a request that was answered. DIE_AFTER 0 never dies.
"""

import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path

from cells.agent import files, wire
from cells.agent.__main__ import main
from cells.agent.backups import archive


def after(effect, die_after: int, numbers, lock):
    def counted(*args, **kwargs):
        done = effect(*args, **kwargs)
        with lock:
            if next(numbers) == die_after:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    return counted


def be_odd(die_after: int, clock: float) -> None:
    numbers, lock = itertools.count(1), threading.Lock()
    for owner, name in ((files, "write"), (wire.Portal, "call"), (Path, "unlink"), (archive, "_put")):
        setattr(owner, name, after(getattr(owner, name), die_after, numbers, lock))
    if clock:
        right = time.time
        time.time = lambda: right() + clock


if __name__ == "__main__":
    be_odd(int(sys.argv[1]), float(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
