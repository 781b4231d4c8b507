"""Keeps the whole state in one file, replaced atomically, so that even kill -9 costs a second at most.

ministack saves on a clean stop only, a file per service, and never its STS sessions. S3 objects are files by themselves.
"""

import asyncio
import json
import os
from typing import Any

from ministack import app as ministack
from ministack.core import persistence
from ministack.services import sts as ministack_sts

from portal.sandbox.aws.resume import resume_operations, running_stacks
from portal.sandbox.sandbox import Sandbox

TICK_SECONDS = 0.5
FORMAT = 1


class Snapshots:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.file = sandbox.options.state_dir / "aws.json" if sandbox.options.state_dir is not None else None
        self._was_running = False

    def load(self) -> None:
        """Restores the last snapshot; operations that were under way go on. An unreadable file starts empty, and is kept aside."""
        if self.file is None or not self.file.exists():
            return
        try:
            saved = json.loads(self.file.read_text(), object_hook=persistence._json_object_hook)
            if saved["format"] != FORMAT:
                raise ValueError(f"format {saved['format']}")
        except (ValueError, KeyError, TypeError):
            self.file.replace(self.file.with_suffix(".unreadable"))
            return
        for name, state in saved["services"].items():
            ministack._get_module(ministack._state_map[name]).load_persisted_state(state)
        ministack_sts._sessions.update(saved["sessions"])
        self.sandbox.knobs.change({"scps": saved["scps"], "quotas": saved["quotas"], "places": saved.get("places", {})})
        resume_operations()

    def save(self) -> None:
        if self.file is None:
            return
        self.sandbox.is_dirty = False
        text = json.dumps(self._state(), default=persistence._json_default)
        fresh = self.file.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        fresh.replace(self.file)

    async def keep(self) -> None:
        """Saves soon after each change, and on while CloudFormation works."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            is_running = bool(running_stacks())
            if self.sandbox.is_dirty or is_running or self._was_running:
                self.save()
            self._was_running = is_running

    def _state(self) -> dict[str, Any]:
        services = {}
        for name, read in ministack._build_persistence_save_dict().items():
            state = read()
            if state is not None:
                services[name] = state
        knobs = self.sandbox.knobs
        kept = {"scps": knobs.scps, "quotas": knobs.quotas, "places": knobs.places}
        return {"format": FORMAT, "services": services, "sessions": ministack_sts._sessions, **kept}
