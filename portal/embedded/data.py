"""The data directory of a demo: who may use it, its secrets, ports and what was already prepared in it."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from portal.embedded.ports import free_port, is_free

LAYOUT = 1  # raise it when an older directory can no longer be read
MARKER = "PORTAL_DEMO"
MARKER_TEXT = "Data of the portal's demo, layout "
NEEDED_BYTES = {"new": 200 << 20, "kept": 50 << 20}
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another


class DemoError(Exception):
    """The demo cannot start. The text says what happened, what it means and what to do."""


class DataDirectory:
    """A directory that carries our marker, locked for this process as long as it lives."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._lock: IO[str] | None = None

    # --- Opening ---

    @contextmanager
    def opened(self, *, reset: bool = False, end_leftovers: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Make or take the directory; ours until the end of the block.

        `end_leftovers` is called once it is ours and before anything in it is touched. Raises DemoError when it is another's,
        in use, too old, not writable or the disk is full.
        """
        try:
            self._open(end_leftovers, reset=reset)
            yield
        finally:
            if self._lock:
                self._lock.close()

    def _open(self, end_leftovers: Callable[[], None], *, reset: bool) -> None:
        try:
            self._check_owner()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            end_leftovers()
            if reset:
                self._empty()
            self._check_layout()
            self._check_space()
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self.logs.chmod(0o700)  # also where an earlier version made it
        except PermissionError as error:
            message = (
                f"The data directory {self.path} cannot be written ({error.strerror}: {error.filename}). Run the demo as the user who "
                "owns it, or choose another with --data-dir."
            )
            raise DemoError(message) from error
        except OSError as error:
            raise DemoError(explain_os_error(error, self.path)) from error

    def _check_owner(self) -> None:
        """Never put files into, and above all never delete, a directory that is not ours."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            message = f"{self.path} is a file. Choose a directory with --data-dir."
            raise DemoError(message)
        if not (self.path / MARKER).exists() and any(name.name != "lock" for name in self.path.iterdir()):
            message = (
                f"{self.path} holds files that are not of a demo (the file {MARKER} is missing), so it was left alone. "
                "Choose another directory with --data-dir, or remove it yourself."
            )
            raise DemoError(message)

    def _take_lock(self) -> None:
        self._lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip()
            message = (
                f"A demo already runs on {self.path}{f' ({holder})' if holder else ''}. Stop it with Ctrl-C first, or start a second one "
                "with its own --data-dir and --port."
            )
            raise DemoError(message) from None

    def sign_lock(self, text: str) -> None:
        """What a second start is told about this one."""
        assert self._lock
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(text)
        self._lock.flush()

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.name == "lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _check_layout(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            self.write(MARKER, f"{MARKER_TEXT}{LAYOUT}\n")
            return
        found = marker.read_text().strip().removeprefix(MARKER_TEXT)
        if found != str(LAYOUT):
            message = (
                f"{self.path} was written by another version of the portal (layout {found}; this version reads {LAYOUT}). "
                f"Add --reset to delete it and start afresh, or keep it and choose another with --data-dir."
            )
            raise DemoError(message)

    def _check_space(self) -> None:
        needed = NEEDED_BYTES["kept" if (self.path / "pg").exists() else "new"]
        free = shutil.disk_usage(self.path).free
        if free < needed:
            message = (
                f"The disk of {self.path} is nearly full: {free >> 20} MB are free, the demo needs {needed >> 20} MB. "
                "Free some space, or choose a directory on another disk with --data-dir."
            )
            raise DemoError(message)

    # --- Small files ---

    def write(self, name: str, text: str) -> None:
        """Whole or not at all, readable by the owner alone."""
        scratch = self.path / f"{name}.new"
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        scratch.rename(self.path / name)

    def read(self, name: str) -> dict[str, str]:
        try:
            content: dict[str, str] = json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return {}
        return content

    def secrets(self) -> dict[str, str]:
        """The keys and the demo users' password and second factor, by variable, made at the first start. Raises DemoError."""
        if kept := self.read("secrets.json"):
            return kept
        if (self.path / "pg").exists():
            message = (
                f"{self.path / 'secrets.json'} is missing or damaged. Without it the signing keys in the database cannot be opened. "
                "Put the file back, or add --reset to start afresh."
            )
            raise DemoError(message)
        made = {
            "PORTAL_SECRET_KEY": secrets.token_urlsafe(48),
            "PORTAL_SEAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "PORTAL_DEMO_TOTP_SECRET": base64.b32encode(secrets.token_bytes(20)).decode(),
            "PORTAL_DEMO_PASSWORD": "-".join(["demo", *("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(2))]),
        }
        self.write("secrets.json", json.dumps(made, indent=1))
        return made

    def ports(self, names: Iterable[str], first: int) -> dict[str, int]:
        """A port for each name: the one of the last start, else the next after `first`, else any free one."""
        kept = self.read("ports.json")
        chosen: dict[str, int] = {}
        for offset, name in enumerate(names):
            wanted = (int(kept.get(name, 0)), first + offset)
            chosen[name] = next((port for port in wanted if port and port not in chosen.values() and is_free(port)), 0) or free_port()
        self.write("ports.json", json.dumps(chosen))
        return chosen

    # --- What was already prepared ---

    def is_prepared(self, task: str, fingerprint: str) -> bool:
        return self.read("prepared.json").get(task) == fingerprint

    def mark_prepared(self, fingerprints: Mapping[str, str]) -> None:
        self.write("prepared.json", json.dumps(self.read("prepared.json") | dict(fingerprints), indent=1))


def fingerprint(paths: Iterable[Path], *more: str) -> str:
    """Changes when a file below `paths` is added, removed or edited. Names, sizes and times are enough and take no reading."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if "__pycache__" in file.parts or not file.is_file():
                continue
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    for text in more:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()


def explain_os_error(error: OSError, path: Path) -> str:
    """A full disk, a read-only file system or anything else of the operating system, in words."""
    if is_disk_full(str(error)):
        return disk_full(path)
    return f"The data directory {path} cannot be used: {error}. Choose another with --data-dir."


def is_disk_full(text: str) -> bool:
    return "No space left on device" in text or "Disk quota exceeded" in text


def disk_full(path: Path) -> str:
    return (
        f"The disk of {path} is full. Nothing that was saved is lost. Free some space (the demo needs about "
        f"{NEEDED_BYTES['new'] >> 20} MB) and start it again, or choose a directory on another disk with --data-dir."
    )
