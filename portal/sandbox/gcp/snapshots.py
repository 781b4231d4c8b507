"""Keeps the world in one file, replaced atomically, as the local AWS keeps its own."""

import asyncio
import json
import os
from pathlib import Path

from portal.sandbox.gcp.front import GoogleCloud
from portal.sandbox.gcp.world import World

TICK_SECONDS = 0.5
FORMAT = 3


class Snapshots:
    def __init__(self, cloud: GoogleCloud, folder: Path | None) -> None:
        self.cloud = cloud
        self.file = folder / "gcp.json" if folder is not None else None

    def load(self) -> None:
        """Restores the last snapshot. An unreadable file starts afresh, and is kept aside."""
        if self.file is None or not self.file.exists():
            return
        try:
            saved = json.loads(self.file.read_text())
            if saved["format"] != FORMAT:
                raise ValueError(f"format {saved['format']}")
            self.cloud.world = World.from_json(saved["world"])
        except (ValueError, KeyError, TypeError):
            self.file.replace(self.file.with_suffix(".unreadable"))

    def save(self) -> None:
        self.cloud.is_dirty = False
        if self.file is None:
            return
        self.cloud.world.purge()
        fresh = self.file.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            json.dump({"format": FORMAT, "world": self.cloud.world.as_json()}, stream)
        fresh.replace(self.file)

    async def keep(self) -> None:
        """Saves soon after each change."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.cloud.is_dirty:
                self.save()
