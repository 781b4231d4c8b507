"""What a release of the local cluster keeps, as one file outside of the cluster: it stays when release, cluster and machine are gone."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

from cells.agent.backups import forms
from cells.agent.commands import CommandError
from cells.agent.runtime import Document


def take(data: Path, kept: Path) -> Document:
    """Whole or not there: a process that was killed over it begins anew, one that comes after it finds it. Raises CommandError."""
    if not data.is_dir() and not kept.exists():
        raise CommandError("nothing_to_back_up", "The release has kept nothing here.")
    try:
        if not kept.exists():
            _put(data, kept)
        told = {"location": kept.resolve().as_uri(), "bytes": kept.stat().st_size, "sha256": _sha256(kept)}
        return forms.taken(told, kept.stat().st_mtime)
    except (OSError, tarfile.TarError) as problem:
        raise CommandError("backup_not_written", str(problem)) from problem


def _put(data: Path, kept: Path) -> None:
    """Under its name only once it is on the disk, also if the power goes."""
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = kept.with_name(f"{kept.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.add(data, arcname="data")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(kept)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()
