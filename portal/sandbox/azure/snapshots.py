"""Keeps the whole Azure in one file, replaced atomically, as the local AWS does it."""

import asyncio
import json
import os
from pathlib import Path

from portal.sandbox.azure import seed
from portal.sandbox.azure.world import World

FORMAT = 1
TICK_SECONDS = 0.5


class AzureSnapshots:
    def __init__(self, world: World, state_dir: Path | None) -> None:
        self.world = world
        self.file = state_dir / "azure.json" if state_dir is not None else None

    def load(self) -> None:
        """The last snapshot, or the demo's tenants. An unreadable file is kept aside."""
        if self.file is not None and self.file.exists():
            try:
                saved = json.loads(self.file.read_text())
                if saved["format"] != FORMAT:
                    raise ValueError(f"format {saved['format']}")
                self.world.restore(saved["world"])
            except (ValueError, KeyError, TypeError):
                self.file.replace(self.file.with_suffix(".unreadable"))
            else:
                return
        self.world.clear()
        seed.fill(self.world)

    def save(self) -> None:
        self.world.is_dirty = False
        if self.file is None:
            return
        fresh = self.file.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            json.dump({"format": FORMAT, "world": self.world.as_json()}, stream)
        fresh.replace(self.file)

    async def keep(self) -> None:
        """Saves soon after each change."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.world.is_dirty:
                self.save()
