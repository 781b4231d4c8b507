"""Starts children, starts them again when they die, and ends them in order. One thread, asleep unless a child or a signal wakes it."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from portal.embedded.data import DemoError, disk_full, is_disk_full
from portal.embedded.process import spawn

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a dead child starts again
HEALTHY_AFTER = 30.0  # seconds; a child that lived so long begins again with the first pause
TRIES_WHILE_STARTING = 3
SAY_EACH = 10  # deaths in a row; after these only each tenth is told
LARGEST_LOG = 5 << 20
LOOK_AT_LOGS = 600.0  # seconds


class Stopped(Exception):
    """Ctrl-C or a signal to end arrived."""


@dataclass
class Child:
    """One process: how to start it, how to see that it is ready, how to end it."""

    name: str
    command: Sequence[str | Path] | Callable[[], Sequence[str | Path]]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = lambda: True
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 4.0
    as_user: bool = False
    is_server: bool = False  # others need it to end well: it ends after them
    is_once: bool = False  # ends by itself; its end is success or the end of the start
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    due_at: float | None = None  # when to start it again


@dataclass
class Supervisor:
    """Children in the order of their start; they end in the opposite order."""

    root: Path
    logs: Path
    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)
    is_starting: bool = True
    _wake: tuple[int, int] = (-1, -1)
    _stops: int = 0
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> "Supervisor":
        self._wake = os.pipe()
        for end in self._wake:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        # A child's end only has to wake the loop.
        self._before = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask_to_stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all()
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for end in self._wake:
            os.close(end)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    # --- Starting ---

    def start(self, child: Child) -> Child:
        """Start a child and keep it running. Raises OSError."""
        self.children.append(child)
        self._spawn(child)
        return child

    def _spawn(self, child: Child) -> None:
        child.due_at = None
        child.started_at = time.monotonic()
        command = child.command() if callable(child.command) else child.command
        with self._log(child) as log:
            child.process = spawn(
                command,
                env=child.environment,
                cwd=self.root,
                output=log,
                stop_signal=child.stop_signal,
                as_user=child.as_user,
            )

    def _log(self, child: Child) -> IO[bytes]:
        return self.log_path(child).open("ab")

    def _trim_logs(self) -> None:
        """Keep one earlier part of a log that grew large. It is emptied in place: the child goes on writing at its end."""
        for child in self.children:
            path = self.log_path(child)
            if path.exists() and path.stat().st_size > LARGEST_LOG:
                shutil.copyfile(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)

    def log_path(self, child: Child) -> Path:
        return self.logs / f"{child.name.lower().replace(' ', '-')}.log"

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Keep the children running until the condition holds. Raises Stopped, DemoError."""
        end = time.monotonic() + seconds
        while not condition():
            self._turn(0.02)
            if time.monotonic() > end:
                message = f"{what} did not get ready within {seconds:.0f} seconds. Its log is in {self.logs}."
                raise DemoError(message)

    def run(self) -> None:
        """Keep the children running until somebody asks to stop: then raises Stopped."""
        self.is_starting = False
        while True:
            self._trim_logs()
            due = [child.due_at - time.monotonic() for child in self.children if child.due_at is not None]
            self._turn(max(0.0, min([*due, LOOK_AT_LOGS])))

    def _turn(self, timeout: float) -> None:
        if not self._stops:
            select.select([self._wake[0]], [], [], timeout)
        with suppress(BlockingIOError):
            os.read(self._wake[0], 4096)
        if self._stops:
            raise Stopped
        for child in list(self.children):
            if child.due_at is not None and time.monotonic() >= child.due_at:
                self._spawn(child)
            elif child.process and child.process.poll() is not None and child.due_at is None:
                self._buried(child, child.process.returncode)

    def _buried(self, child: Child, code: int) -> None:
        _signal_group(child, signal.SIGKILL)
        if child.is_once and code == 0:
            self.children.remove(child)
            return
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        lived = time.monotonic() - child.started_at
        child.deaths = 1 if lived > HEALTHY_AFTER else child.deaths + 1
        if child.is_once or (self.is_starting and child.deaths >= TRIES_WHILE_STARTING):
            raise DemoError(self._failure(child, ended))
        pause = min(FIRST_PAUSE * 2 ** (child.deaths - 1), LONGEST_PAUSE)
        child.due_at = time.monotonic() + pause
        if child.deaths <= SAY_EACH or child.deaths % SAY_EACH == 0:
            self.say(f"{child.name} {ended}; starting it again. Log: {self.log_path(child)}")

    def _failure(self, child: Child, ended: str) -> str:
        lines = self.log_path(child).read_text(errors="replace").splitlines()[-15:]
        if is_disk_full("\n".join(lines)):
            return disk_full(self.logs.parent)
        return "\n".join([*lines, "", f"{child.name} {ended}. The lines above are the end of {self.log_path(child)}."])

    # --- Ending ---

    def _end_all(self) -> None:
        """First those that use the servers, then the servers; whoever does not end in time is killed."""
        for is_server in (False, True):
            ending = [child for child in self.children if child.is_server == is_server and child.process and child.process.poll() is None]
            for child in ending:
                _signal(child, child.stop_signal)
            end = time.monotonic() + max((child.stop_seconds for child in ending), default=0.0)
            stops = self._stops
            # One more Ctrl-C means: at once.
            while any(_lives(child) for child in ending) and time.monotonic() < end and self._stops == stops:
                time.sleep(0.01)
            for child in ending:
                _signal_group(child, signal.SIGKILL)
                if child.process:
                    child.process.wait()
        self.children.clear()


def _lives(child: Child) -> bool:
    return child.process is not None and child.process.poll() is None


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process:
        child.process.send_signal(number)


def _signal_group(child: Child, number: signal.Signals) -> None:
    """Also what the child had forked: a group outlives its first process."""
    with suppress(ProcessLookupError, PermissionError):
        if child.process:
            os.killpg(child.process.pid, number)
