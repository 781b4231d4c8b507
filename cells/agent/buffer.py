"""Reports on disk until the portal has them: numbered, bounded, in order. What is dropped first is the oldest detail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cells.agent import files

# Of a report every half minute: detail of some hours, one line each of more than a day.
MOST_FULL = 400
MOST = 3000
BATCH = 50
BATCH_BYTES = 192 * 1024
# What stays of a report whose detail was dropped.
BRIEF = ("seq", "at", "agent", "cluster")


class Buffer:
    """Not for several threads at once, but for one that adds and one that takes."""

    def __init__(self, folder: Path, *, most_full: int = MOST_FULL, most: int = MOST) -> None:
        self.folder = folder
        self.most_full = most_full
        self.most = most
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._last = max([int((files.read(folder / "last") or {}).get("seq", 0)), *self._numbers()])

    def start_at(self, first: int) -> None:
        """Count on from `first` where that is further: another agent has reported for this cell before."""
        self._last = max(self._last, first - 1)

    def add(self, report: dict[str, Any]) -> int:
        """Number and keep it. The number is written first: none is ever given twice."""
        self._last += 1
        files.write(self.folder / "last", {"seq": self._last})
        files.write(self._file(self._last), {"seq": self._last, **report})
        self._drop()
        return self._last

    def batch(self, most: int = BATCH) -> list[dict[str, Any]]:
        """The oldest ones, as many as may be sent at once."""
        taken: list[dict[str, Any]] = []
        size = 0
        for number in self._numbers()[:most]:
            report = files.read(self._file(number))
            size += len(json.dumps(report))
            if taken and size > BATCH_BYTES:
                break
            if report is not None:
                taken.append(report)
        return taken

    def done(self, up_to: int) -> None:
        """The portal has these."""
        for number in self._numbers():
            if number <= up_to:
                self._file(number).unlink(missing_ok=True)

    def drop(self, number: int) -> None:
        """The portal will never take this one."""
        self._file(number).unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._numbers())

    def _drop(self) -> None:
        numbers = self._numbers()
        for number in numbers[: max(0, len(numbers) - self.most)]:
            self._file(number).unlink(missing_ok=True)
        # One new report makes one older one brief; a few more, in case a kill has come between.
        too_full = numbers[max(0, len(numbers) - self.most_full - 3) : max(0, len(numbers) - self.most_full)]
        for number in too_full:
            report = files.read(self._file(number))
            if report is not None and report.keys() - set(BRIEF):
                files.write(self._file(number), {name: report[name] for name in BRIEF if name in report})

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.json"))

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:012}.json"
