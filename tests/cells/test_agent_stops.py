"""A signal reaches the agent at any moment, also while its main thread holds what `stop` needs."""

import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, threading
from cells.agent.__main__ import stop_at_signals

is_done, stopped = threading.Event(), threading.Event()

def stop():
    is_done.set()
    stopped.set()

stop_at_signals(stop)
with is_done._cond:  # as wait() and clear() hold it for a moment
    signal.raise_signal(getattr(signal, sys.argv[1]))
sys.exit(0 if stopped.wait(10) else 1)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_agent_that_is_told_to_stop_in_the_midst_of_a_wait_stops(name):
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], timeout=30, check=False)
    assert done.returncode == 0
