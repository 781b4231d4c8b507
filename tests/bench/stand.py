"""Servers of a run: PostgreSQL as durable as in production, Valkey, web processes; and the CPU that each has used."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from portal.embedded.postgres import OWNER, Postgres, find_binaries
from portal.embedded.process import spawn, wait_until
from portal.embedded.valkey import Valkey, find_server
from tests.conftest import environment
from tests.local_cloud import ROOT

TICKS = os.sysconf("SC_CLK_TCK")
# The embedded server is set up small; a table of a million rows wants a little more, and so do all peers here.
LARGER = ("-cshared_buffers=512MB", "-cmax_connections=300", "-cmax_wal_size=2GB")


class Stand:
    def __init__(self, *, is_first: bool = False) -> None:
        self.is_first = is_first
        self.folder = Path(tempfile.mkdtemp(prefix="byoc-bench-", dir="/tmp"))
        self.postgres = Postgres(self.folder / "pg", self.folder / "run", find_binaries())
        self.valkey = Valkey(self.folder / "valkey", self.folder / "run", find_server())

    def start(self) -> None:
        self.postgres.prepare()
        self.valkey.prepare()
        with (self.folder / "servers.log").open("wb") as log:
            command = [*self.postgres.command(), *LARGER]
            self.postgres.process = spawn(command, output=log, as_user=True, env=self.postgres._environment())
            self.valkey.spawn(log)
        if not wait_until(lambda: self.postgres.is_ready() and self.valkey.is_ready(), 60):
            raise SystemExit((self.folder / "servers.log").read_text())
        for name in [name for name in os.environ if name.startswith(("PORTAL_", "PG", "AWS_"))]:
            del os.environ[name]
        os.environ |= environment(self.postgres.url(OWNER), self.valkey)
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        static = self.folder / "static"
        static.mkdir()
        os.environ["PORTAL_STATIC_ROOT"] = str(static)

    def stop(self) -> None:
        for process in (self.postgres.process, self.valkey.process):
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """An empty database for a peer, and its conninfo."""
        with psycopg.connect(host=str(self.postgres.runtime), user="postgres", dbname="postgres", autocommit=True) as session:
            session.execute(f"DROP DATABASE IF EXISTS {name}")
            session.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.postgres.runtime}"

    def postgres_cpu(self) -> float:
        return cpu_of(self.postgres.process.pid)

    def come_first(self, *servers: int) -> None:
        """Before other work of this machine, which would otherwise take the cores: each session of processes has a priority of its own."""
        if self.is_first:
            for pid in family(os.getpid(), self.postgres.process.pid, *servers):
                with suppress(OSError):
                    Path(f"/proc/{pid}/autogroup").write_text("-15")

    @contextmanager
    def served(self, command: Sequence[str], port: int, *, cwd: Path = ROOT, **env: str) -> Iterator[subprocess.Popen]:
        """A web process that answers on the port, and is gone afterwards."""
        if is_open(port):
            raise SystemExit(f"Port {port} is taken: somebody else would answer.")
        log_path = self.folder / f"{port}.log"
        with log_path.open("ab") as log:
            process = spawn(command, env={**os.environ, "PORTAL_DATABASE_POOL": "true", **env}, cwd=cwd, output=log)
        try:
            if not wait_until(lambda: is_open(port) or process.poll() is not None, 60) or process.poll() is not None:
                raise SystemExit(f"{command} did not start:\n{log_path.read_text()[-3000:]}")
            time.sleep(3)  # workers load after the port is open
            yield process
        except OSError as problem:
            raise SystemExit(f"{problem}\n{log_path.read_text()[-3000:]}") from problem
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            wait_until(lambda: not is_open(port), 10)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_of(pid: int) -> float:
    """Seconds of a process and of all it started, the dead ones included."""
    total = 0
    for number in family(pid):
        with suppress(OSError):
            words = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(word) for word in words[11:15])
    return total / TICKS


def family(*pids: int) -> list[int]:
    """Processes and all they started."""
    found = list(pids)
    for pid in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def gunicorn(application: str, port: int, *, workers: int = 2, threads: int = 4, python: str = sys.executable) -> list[str]:
    """Loaded before it listens: otherwise the start of the second worker is counted too."""
    words = [
        "--preload",
        "--workers",
        str(workers),
        "--threads",
        str(threads),
        "--worker-class",
        "gthread",
        "--keep-alive",
        "30",
        "--log-level",
        "warning",
    ]
    return [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *words, application]


def uvicorn(application: str, port: int) -> list[str]:
    words = [
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--no-server-header",
        "--no-proxy-headers",
        "--log-level",
        "warning",
    ]
    return [sys.executable, "-m", "uvicorn", application, "--port", str(port), *words]
