"""A worker that is killed before any of its statements or commits: a child of this process, on a database connection of its own."""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connection

_parents: list[Any] = []  # kept, so that no child ever closes what is its parent's


def run_until(point: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that kills itself at its `point`-th statement or commit. True when it came to its end before."""
    child = os.fork()
    if child == 0:
        _live_and_die(point, act)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the worker failed instead of dying"
    return True


def _live_and_die(point: int, act: Callable[[], object]) -> None:
    try:
        _parents.append(connection.connection)
        connection.connection = None
        left = point

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def counted(execute: Any, *args: Any) -> Any:
            count()
            return execute(*args)

        commit = connection._commit

        def counted_commit() -> None:
            count()
            commit()

        connection._commit = counted_commit
        with connection.execute_wrapper(counted):
            act()
        os._exit(0)
    finally:
        os._exit(1)
