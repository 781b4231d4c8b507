"""The exact form of what is asked for and of what is told: metadata alone, as the portal's description has it."""

from __future__ import annotations

import re
from typing import Any

from cells.agent.commands import CommandError
from cells.agent.orders.forms import ID
from cells.agent.runtime import Document

# An address without credentials, query or fragment.
LOCATION = re.compile(r"[a-z][a-z0-9+.-]{0,19}://[A-Za-z0-9._-]{0,255}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%=+,:-]*)*")
MOST_LOCATION, MOST_BYTES = 500, 2**53 - 1
SHA256 = re.compile("[0-9a-f]{64}")
TOLD = {"location", "bytes", "sha256"}


def is_wanted(document: Any) -> bool:
    """One that the portal asks for: its number, a safe name of a file, and whose backup it is."""
    if not isinstance(document, dict):
        return False
    return all(isinstance(document.get(name), str) and ID.fullmatch(document[name]) for name in ("id", "instance"))


def taken(told: Any, at: float) -> Document:
    """Of a backup that was taken at that time. Raises CommandError where something is missing, or is more than that."""
    if not isinstance(told, dict) or set(told) != TOLD or not _is_in_form(told["location"], told["bytes"], told["sha256"]):
        raise CommandError("backup_report_unreadable", "What was told of the backup is not its place, size and hash.")
    return {**told, "taken_at": at}


def _is_in_form(location: Any, size: Any, sha256: Any) -> bool:
    is_place = isinstance(location, str) and len(location) <= MOST_LOCATION and bool(LOCATION.fullmatch(location))
    is_hash = isinstance(sha256, str) and bool(SHA256.fullmatch(sha256))
    return is_place and type(size) is int and 0 <= size <= MOST_BYTES and is_hash
