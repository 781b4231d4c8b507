"""One release of the local cluster: its process, its address, how it does."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]  # also inside the agent's zip
PR_SET_PDEATHSIG = 1
FIRST_BACKOFF, LAST_BACKOFF = 3.0, 30.0
# So many ends in so many seconds are no accident.
CRASHES, WITHIN = 3, 60.0
ASK_EVERY = 2.0
STOP_SECONDS = 3.0
MOST_LOG_BYTES = 4 * 1024 * 1024
_libc = ctypes.CDLL(None)


class Release:
    """What is wanted of it, and the process that serves it."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self.port = port
        self.wanted: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.running: tuple[Any, ...] = ()  # what the process was started for
        self.exits: list[float] = []
        self.restarts = 0
        self.not_before = 0.0
        self.is_answering = False
        self.asked_at = 0.0
        self.counts = {"requests": 0, "errors": 0}
        self.events: list[tuple[float, str]] = []

    def tend(self, wanted: dict[str, Any]) -> None:
        """Bring the process nearer to what is wanted. Never waits for it to come up."""
        self.wanted = wanted
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self._ended(now)
        if self.process is not None and (not wanted["is_running"] or self.running != self._key()):
            self.end()
        if self.process is None and wanted["is_running"] and (now >= self.not_before or self.running != self._key()):
            self._start()
        if self.process is not None and (not self.is_answering or now >= self.asked_at + ASK_EVERY):
            self._ask(now)

    def end(self) -> None:
        if self.process is not None:
            self._note("stopped")
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process, self.is_answering = None, False

    def status(self) -> dict[str, Any]:
        state, health = self._words()
        cpu, memory = _usage(self.process.pid) if self.process else (0.0, 0)
        url = f"http://127.0.0.1:{self.port}/"
        return {
            "id": self.name, "revision": self.wanted["revision"], "state": state, "health": health, "restarts": self.restarts,
            "pid": self.process.pid if self.process else None, "cpu_seconds": cpu, "memory": memory, "url": url, "port": self.port,
            "version": self.wanted["release"]["chart_version"], "is_running": self.wanted["is_running"], **self.counts,
            "events": self.events,
        }  # fmt: skip

    def _words(self) -> tuple[str, str]:
        recent = [at for at in self.exits if time.monotonic() - at < WITHIN]
        if not self.wanted["is_running"]:
            return "stopped", "unknown"
        if self.is_answering:
            return "running", "healthy"
        if len(recent) >= CRASHES:
            return "failed", "unhealthy"
        return ("restarting", "degraded") if recent else ("deploying", "degraded")

    def _key(self) -> tuple[Any, ...]:
        """What a running process cannot change about itself."""
        return (self.wanted["revision"], self.wanted["restarts"], json.dumps(self.wanted["release"], sort_keys=True))

    def _ended(self, now: float) -> None:
        code = self.process.poll() if self.process else None
        self._note(f"ended by itself with code {code}")
        self.process, self.is_answering = None, False
        self.restarts += 1
        self.exits = [*self.exits[-9:], now]
        recent = sum(now - at < WITHIN for at in self.exits)
        self.not_before = now + min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** (recent - 1))

    def _start(self) -> None:
        self.port = self.port if self.port and _is_free(self.port) else _free_port()
        release = self.wanted["release"]
        words = ["--name", self.name, "--chart", release["chart"], "--version", release["chart_version"]]
        words += ["--revision", str(self.wanted["revision"]), "--port", str(self.port), "--data", str(data_of(self.name))]
        with _log_of(self.name).open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "cells.agent.local.workload", *words],
                cwd=Path.cwd(),
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  the cluster has one thread
            )
        self._note(f"started with revision {self.wanted['revision']}")
        self.running, self.is_answering, self.asked_at = self._key(), False, 0.0
        self.counts = {"requests": 0, "errors": 0}

    def _note(self, what: str) -> None:
        self.events = [*self.events[-49:], (time.time(), what)]

    def _ask(self, now: float) -> None:
        self.asked_at = now
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1.0)
        try:
            connection.request("GET", "/stats")
            self.counts = json.loads(connection.getresponse().read())
            self.is_answering = True
        except (OSError, http.client.HTTPException, ValueError):
            self.is_answering = False
        finally:
            connection.close()


def data_of(name: str) -> Path:
    """What it keeps, and loses with its deletion."""
    path = Path.cwd() / "data" / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _log_of(name: str) -> Path:
    """What its processes write. One that has grown too long begins anew."""
    path = Path.cwd() / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path


def _die_with(parent: int) -> Callable[[], None]:
    """In the child: end when the cluster's process ends, however that happens (Linux)."""

    def in_child() -> None:
        if sys.platform == "linux":
            _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return in_child


def _usage(pid: int) -> tuple[float, int]:
    """CPU seconds so far and MiB now; nothing where the system has no /proc."""
    with suppress(OSError, IndexError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    return 0.0, 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
