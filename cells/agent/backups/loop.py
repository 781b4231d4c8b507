"""The sixth loop: take the backups that are asked for, and tell what came of each. Killed at any point, it takes none twice."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.agent import files
from cells.agent.backups import forms
from cells.agent.commands import CommandError
from cells.agent.identity import Config, Identity
from cells.agent.runtime import Document, RuntimeAwayError
from cells.agent.wire import Portal, PortalAwayError, RefusedError

if TYPE_CHECKING:
    from cells.agent.runtime import Runtime

logger = logging.getLogger("byoc-agent")
# What the portal says of a result that it will never take; the other refusals may go away.
NEVER = {"malformed", "unknown_field", "too_large", "backup_unknown", "wrong_cell"}
# A new desired state wakes the loop; this is for what was missed.
NOTHING_SECONDS = 60.0


class Backups:
    """Of one agent. One file a backup: its result before it is told, and again once the portal has it."""

    def __init__(self, config: Config, state: Path, runtime: Runtime, identity: Identity, look_every: float) -> None:
        self.config = config
        self.state = state
        self.runtime = runtime
        self.identity = identity
        self.look_every = look_every
        self.has_some = threading.Event()
        self.folder = state / "backups"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def serve(self, stopping: threading.Event, patience: Callable[[Any, int], float]) -> None:
        tries = 0
        with closing(Portal(self.config.portal_url)) as portal:
            while not stopping.is_set():
                self.has_some.clear()
                try:
                    pause, tries = self._turn(portal), 0
                except (PortalAwayError, RefusedError) as problem:
                    pause = patience(problem, tries)
                    tries += 1
                    logger.warning("backups_failed seconds=%.1f problem=%s", pause, problem)
                    stopping.wait(pause)
                    continue
                self.has_some.wait(pause)

    def _turn(self, portal: Portal) -> float:
        """Seconds until the next one. Raises PortalAwayError, RefusedError."""
        wanted = list(self._wanted())
        for entry in self._entries():
            if not entry["is_told"]:
                self._tell(portal, entry["result"])
            elif entry["result"]["backup"] not in {one["id"] for one in wanted}:
                self._file(entry["result"]["backup"]).unlink(missing_ok=True)
        is_under_way = False
        for one in wanted:
            if self._file(one["id"]).exists():
                continue
            result = self._take(one)
            if result is None:
                is_under_way = True
                continue
            files.write(self._file(one["id"]), {"result": result, "is_told": False})
            logger.info("backup_ended backup=%s outcome=%s code=%s", one["id"], result["outcome"], result["code"])
            self._tell(portal, result)
        return self.look_every if is_under_way else NOTHING_SECONDS

    def _wanted(self) -> Iterator[Document]:
        """Of instances that are to stay until then: one that is being removed has nothing left to be saved."""
        desired = (files.read(self.state / "desired.json") or {}).get("desired", {})
        present = {one["id"] for one in desired.get("instances", []) if one["is_present"]}
        for one in desired.get("final_backups") or []:
            if forms.is_wanted(one) and one["instance"] in present:
                yield one

    def _take(self, wanted: Document) -> Document | None:
        """Its result; None while it is under way, or as long as the cluster does not answer."""
        try:
            taken = self.runtime.final_backup(wanted["instance"], wanted["id"])
        except RuntimeAwayError as away:
            logger.warning("backup_waits backup=%s problem=%s", wanted["id"], away)
            return None
        except CommandError as refused:
            logger.warning("backup_refused backup=%s code=%s words=%s", wanted["id"], refused.code, refused)
            return self._result(wanted, "failed", code=refused.code)
        if taken is None:
            return None
        at = min(taken["taken_at"], self.identity.now())
        return self._result(wanted, "done", taken={**taken, "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))})

    def _result(self, wanted: Document, outcome: str, *, code: str = "", taken: Document | None = None) -> Document:
        return {"backup": wanted["id"], "outcome": outcome, "code": code, "taken": taken}

    def _tell(self, portal: Portal, result: Document) -> None:
        body = json.dumps({"cell": self.config.cell, **result}, separators=(",", ":")).encode()
        try:
            self.identity.call(portal, "POST", "/agent/v1/backups", body)
        except RefusedError as refused:
            if refused.code not in NEVER:
                raise
            logger.warning("backup_result_refused backup=%s problem=%s", result["backup"], refused)
        files.write(self._file(result["backup"]), {"result": result, "is_told": True})

    def _entries(self) -> list[Document]:
        found = [files.read(path) for path in sorted(self.folder.glob("*.json"))]
        return [entry for entry in found if entry is not None]

    def _file(self, backup: str) -> Path:
        return self.folder / f"{backup}.json"
