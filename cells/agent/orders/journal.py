"""Orders on this machine's disk. One that was begun is never begun again: not after a kill, not if the portal hands it out twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cells.agent import files

Document = dict[str, Any]
# An order is not handed out any more long before its entry goes.
KEPT_SECONDS = 86400.0


class Journal:
    """One file an order: written before anything of it is done, again with its result, and again when the portal has that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def begin(self, order: Document, refusal: Document | None = None) -> bool:
        """False where it is known already. One that is refused has its result from the start, and was never anybody's wish."""
        if self._file(order["id"]).exists():
            return False
        files.write(self._file(order["id"]), {"order": order, "result": refusal, "outcome": ""})
        return True

    def finish(self, result: Document) -> None:
        self._change(result["order"], result=result)

    def settle(self, result: Document, outcome: str) -> None:
        """The portal has kept the result, or dropped it."""
        self._change(result["order"], outcome=outcome)

    def interrupted(self) -> list[Document]:
        """Orders that this machine was killed over: nobody knows how far they got."""
        return [entry["order"] for entry in self._entries() if entry["result"] is None]

    def untold(self) -> list[Document]:
        return [entry["result"] for entry in self._entries() if entry["result"] is not None and not entry["outcome"]]

    def wishes(self) -> dict[str, Document]:
        """What orders that are under way or done make of instances. What failed, or what the portal dropped, counts no more."""
        found: dict[str, Document] = {}
        for entry in self._entries():
            wanted, result = entry["order"].get("wanted"), entry["result"]
            is_off = entry["outcome"] == "dropped" or (result is not None and result["outcome"] != "done")
            if wanted and not is_off and wanted["revision"] > found.get(wanted["id"], wanted | {"revision": 0})["revision"]:
                found[wanted["id"]] = wanted
        return found

    def forget_old(self, now: float) -> None:
        for entry in self._entries():
            if entry["outcome"] and now > entry["order"]["not_after"] + KEPT_SECONDS:
                self._file(entry["order"]["id"]).unlink(missing_ok=True)

    def _change(self, order_id: str, **values: Any) -> None:
        entry = files.read(self._file(order_id))
        if entry is not None:
            files.write(self._file(order_id), {**entry, **values})

    def _entries(self) -> list[Document]:
        found = [files.read(path) for path in sorted(self.folder.glob("*.json"))]
        return [entry for entry in found if entry is not None]

    def _file(self, order_id: str) -> Path:
        return self.folder / f"{order_id}.json"
