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
    """Both calls may come any number of times, and at the same time from two threads."""

    def apply(self, desired: Document) -> None:
        """Work towards this, as long as it takes. What cannot be done is told by `observe`, as a `problem`. Raises RuntimeAwayError."""
        ...

    def observe(self) -> Document:
        """Within a minute: `cluster`, `components` and `instances` of a report, as they are now. Raises RuntimeAwayError."""
        ...
