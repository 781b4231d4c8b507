"""`python -m cells.agent.local.cluster --state DIR`: keeps what `wanted.json` names running, and writes `status.json`.

It knows nothing of the agent or the portal: what runs goes on when they are away, as in a real cluster.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from cells.agent import files
from cells.agent.local.release import Release

LOOK_EVERY = 0.25
WRITE_EVERY = 2.0


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_stopping = False
        self.releases: dict[str, Release] = {}
        self.wanted: dict[str, Any] = {"releases": {}, "components": []}
        self.read_at = self.cleared_at = -1
        self.written: Any = None
        self.written_at = 0.0
        before = (files.read(folder / "status.json") or {}).get("releases", {})
        # An address stays the same when the machine starts again.
        self.ports = {name: release["port"] for name, release in before.items()}

    def run(self) -> None:
        while not self.is_stopping:
            self.tend()
            time.sleep(LOOK_EVERY)
        for release in self.releases.values():
            release.end()
        self._write()

    def tend(self) -> None:
        self._read()
        for name in [name for name in self.releases if name not in self.wanted["releases"]]:
            self.releases.pop(name).end()
        for name, wanted in self.wanted["releases"].items():
            release = self.releases.setdefault(name, Release(name, self.ports.get(name, 0)))
            release.tend(wanted)
        self._clear()
        telling = [self.wanted.get("version"), [(r.process and r.process.pid, *r._words(), r.running) for r in self.releases.values()]]
        if telling != self.written or time.monotonic() >= self.written_at + WRITE_EVERY:
            self._write()
            self.written, self.written_at = telling, time.monotonic()

    def _read(self) -> None:
        path = self.folder / "wanted.json"
        changed_at = path.stat().st_mtime_ns if path.exists() else -1
        if changed_at != self.read_at:
            self.wanted = files.read(path) or self.wanted
            self.read_at = changed_at

    def _clear(self) -> None:
        """What a release that is gone has kept goes with it. Before anything was ever wanted here, nothing is known to be gone."""
        if self.read_at < 0 or self.cleared_at == self.read_at:
            return
        for kept in (self.folder / "data").glob("*"):
            if kept.name not in self.wanted["releases"]:
                shutil.rmtree(kept, ignore_errors=True)
        self.cleared_at = self.read_at

    def _write(self) -> None:
        status = {
            "at": time.time(),
            "version": self.wanted.get("version", 0),
            "releases": {name: release.status() for name, release in self.releases.items()},
            "components": self.wanted["components"],
        }
        files.write(self.folder / "status.json", status)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cells.agent.local.cluster")
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args()
    try:
        held = files.lock(given.state)
    except files.AlreadyRunningError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    cluster = Cluster(given.state)

    def stop(*_: object) -> None:
        cluster.is_stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    os.chdir(given.state)
    with held:
        cluster.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
