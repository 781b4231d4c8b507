"""The agent's side of the local cluster: two files, one written, one read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from cells.agent import files
from cells.agent.backups import archive
from cells.agent.runtime import Document, RuntimeAwayError

# The cluster writes every two seconds: after this long it does not run.
SILENT_SECONDS = 10.0
# Of a log, its end: as many lines as anybody may ask for, if they are of a usual length.
MOST_LOG_BYTES = 256 * 1024


class LocalRuntime:
    """`Runtime` over the directory of a `cells.agent.local.cluster`."""

    def __init__(self, folder: Path, backups: Path) -> None:
        self.folder = folder
        self.backups = backups
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._absent: set[str] = set()
        self._cpu: dict[str, tuple[float, float]] = {}

    def apply(self, desired: Document) -> None:
        present = {instance["id"]: instance for instance in desired["instances"] if instance["is_present"]}
        self._absent = {instance["id"] for instance in desired["instances"] if not instance["is_present"]}
        components = [
            {"name": c["name"], "version": c["chart_version"], "state": "ready"} for c in desired["components"] if c["is_present"]
        ]
        wanted = {"version": desired["version"], "releases": present, "components": components}
        if wanted != files.read(self.folder / "wanted.json"):
            files.write(self.folder / "wanted.json", wanted)

    # --- Orders ---

    def bring(self, instance: Document, seconds: float) -> str:
        wanted = files.read(self.folder / "wanted.json")
        if wanted is None or seconds <= 0:
            raise RuntimeAwayError("cluster_unreachable", "Nothing was wanted here yet.")
        if wanted["releases"].get(instance["id"]) != instance:
            files.write(self.folder / "wanted.json", {**wanted, "releases": {**wanted["releases"], instance["id"]: instance}})
        return ""

    def resync(self, instance: Document, seconds: float) -> str:
        """What stands in the file is replaced, whoever has changed it."""
        problem = self.bring({**instance, "is_present": True}, seconds)
        (self.folder / "wanted.json").touch()
        return problem

    def rollout(self, instance: str, seconds: float) -> list[str]:
        release = self._release(instance)
        up = "up" if release["pid"] else "down"
        words = f"version {release['version']}, revision {release['revision']}, restarts {release['restarts']}"
        return [f"process app: {release['state']}, {release['health']}, {up}", words]

    def events(self, instance: str, seconds: float) -> list[str]:
        return [f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))} {what}" for at, what in self._release(instance)["events"]]

    def log(self, instance: str, lines: int, seconds: float) -> list[str]:
        self._release(instance)
        path = self.folder / "logs" / f"{instance}.log"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]

    def final_backup(self, instance: str, backup: str) -> Document | None:
        return archive.take(self.folder / "data" / instance, self.backups / instance / f"{backup}.tar.gz")

    def _release(self, instance: str) -> Document:
        release: Document | None = self._status()["releases"].get(instance)
        if release is None:
            raise RuntimeAwayError("not_running_here", "Nothing of this instance is in the cluster.")
        return release

    # --- Looking ---

    def _status(self) -> Document:
        status: Document | None = files.read(self.folder / "status.json")
        if status is None or time.time() - status["at"] > SILENT_SECONDS:
            raise RuntimeAwayError("cluster_unreachable", "The local cluster does not run.")
        return status

    def observe(self) -> Document:
        status = self._status()
        instances = [self._instance(release, status["at"]) for release in status["releases"].values()]
        gone = [_gone(name) for name in sorted(self._absent - status["releases"].keys())]
        return {
            "cluster": {
                "version": "local", "nodes_ready": 1, "nodes": 1,
                "cpu_used": sum(instance["cpu"] for instance in instances), "cpu": (os.cpu_count() or 1) * 1000,
                "memory_used": sum(instance["memory"] for instance in instances),
                "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
            },
            "components": status["components"],
            "instances": instances + gone,
        }  # fmt: skip

    def _instance(self, release: dict[str, Any], at: float) -> Document:
        is_up = release["state"] == "running"
        return {
            "id": release["id"], "revision": release["revision"], "state": release["state"], "health": release["health"],
            "ready": int(is_up), "desired": int(release["is_running"]), "restarts": release["restarts"],
            "cpu": self._thousandths(release, at), "memory": release["memory"],
            "requests": release["requests"], "errors": release["errors"],
            "endpoints": [{"name": "web", "url": release["url"]}] if release["is_running"] else [],
            "components": [{"name": "app", "version": release["version"], "state": release["state"]}],
        }  # fmt: skip

    def _thousandths(self, release: dict[str, Any], at: float) -> int:
        """Of a core, since the last look."""
        used, before = float(release["cpu_seconds"]), self._cpu.get(release["id"])
        if before is None or at > before[1]:
            self._cpu[release["id"]] = (used, at)
        if before is None or at <= before[1] or used < before[0]:
            return 0
        return round(1000 * (used - before[0]) / (at - before[1]))


def _component(wanted: Document) -> Document:
    return {"name": wanted["name"], "version": wanted["chart_version"], "state": "ready"}


def _gone(name: str) -> Document:
    return {
        "id": name, "revision": 0, "state": "absent", "health": "unknown", "ready": 0, "desired": 0, "restarts": 0,
        "cpu": 0, "memory": 0, "requests": 0, "errors": 0, "endpoints": [], "components": [],
    }  # fmt: skip
