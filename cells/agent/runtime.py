"""What the agent asks of whatever keeps the workload running. Documents are those of the portal's OpenAPI description."""

from __future__ import annotations

from typing import Any, Protocol

Document = dict[str, Any]


class RuntimeAwayError(Exception):
    """The cluster does not answer. `code` goes into the report."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(message or code)


class Runtime(Protocol):
    """Every call may come any number of times. `apply`, `bring` and `resync` never come at the same time; all others may."""

    def apply(self, desired: Document) -> None:
        """Work towards this, as long as it takes. What cannot be done is told by `observe`, as a `problem`. Raises RuntimeAwayError."""
        ...

    def bring(self, instance: Document, seconds: float) -> str:
        """One instance to this wish, now and alone, while nobody else applies: empty, or the code of a refusal. Raises RuntimeAwayError."""
        ...

    def resync(self, instance: Document, seconds: float) -> str:
        """The same once more for what it is at already, as if nothing of it were known. Raises RuntimeAwayError."""
        ...

    def rollout(self, instance: str, seconds: float) -> list[str]:
        """How far its processes are, line by line. As the two below: within these seconds, or it raises RuntimeAwayError."""
        ...

    def events(self, instance: str, seconds: float) -> list[str]:
        """What has happened to it lately, oldest first."""
        ...

    def log(self, instance: str, lines: int, seconds: float) -> list[str]:
        """The newest lines that its processes have written, oldest first. Not redacted yet."""
        ...

    def final_backup(self, instance: str, backup: str) -> Document | None:
        """What it keeps, put away outside of the cell: None while it is under way; then its place, size and hash, and when it was taken.

        `backup` is its number: the same once more is the same backup. Raises CommandError for one that will not come, RuntimeAwayError.
        """
        ...

    def observe(self) -> Document:
        """Within a minute: `cluster`, `components` and `instances` of a report, as they are now. Raises RuntimeAwayError."""
        ...
