"""Files that are whole at any moment, whenever the process is killed, and the lock that keeps a second agent out."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any


class AlreadyRunningError(Exception):
    """Another process holds this state directory."""


def write(path: Path, value: Any) -> None:
    """As JSON: the old content or the new one, never a part, also after the power has gone."""
    beside = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> Any:
    """What `write` wrote, or None."""
    with suppress(FileNotFoundError):
        return json.loads(path.read_text())
    return None


def lock(folder: Path) -> IO[str]:
    """Held until the process ends, however it does. Raises AlreadyRunningError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        file.close()
        raise AlreadyRunningError(f"Another agent works in {folder}.") from problem
    return file
