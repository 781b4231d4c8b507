"""Which orders there are, and the exact form of each: what differs in anything is refused, not guessed at."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_LINES = 500
ALWAYS = {"id", "name", "grant", "not_after", "instance", "lines", "wanted"}
READING = frozenset({"rollout_status", "list_instance_events", "tail_log", "collect_bundle"})
CHANGING = frozenset({"restart", "scale", "rollback"})
NAMES = READING | CHANGING | {"resync"}


class OrderRefused(Exception):
    """This agent does not do that. `code` goes into the result."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Deadline:
    """An order's own end: by the portal's clock as this agent knows it, and by one that nobody can set."""

    def __init__(self, not_after: float, now: Callable[[], float]) -> None:
        self.not_after = not_after
        self._now = now
        self._until = time.monotonic() + not_after - now()

    def left(self) -> float:
        return min(self.not_after - self._now(), self._until - time.monotonic())

    def check(self) -> None:
        """Raises OrderRefused once it is over."""
        if self.left() <= 0:
            raise OrderRefused("order_expired")


def is_order(document: Any) -> bool:
    """Enough of one to answer to: an id that is a safe name of a file, and an end time."""
    if not isinstance(document, dict):
        return False
    not_after = document.get("not_after")
    return isinstance(document.get("id"), str) and bool(ID.fullmatch(document["id"])) and isinstance(not_after, (int, float))


def check(order: Document, known: dict[str, Document]) -> None:
    """Raises OrderRefused for anything but an order of the described form, about an instance of this cell."""
    name = order.get("name")
    if name not in NAMES:
        raise OrderRefused("unknown_order")
    if set(order) - ALWAYS or not isinstance(order.get("grant"), str):
        raise OrderRefused("malformed_order")
    instance, lines, wanted = order.get("instance"), order.get("lines"), order.get("wanted")
    if instance is None and name != "collect_bundle":
        raise OrderRefused("malformed_order")
    if instance is not None and instance not in known:
        raise OrderRefused("unknown_instance")
    if (lines is not None) != (name == "tail_log") or (wanted is not None) != (name in CHANGING):
        raise OrderRefused("malformed_order")
    if lines is not None and not (type(lines) is int and 1 <= lines <= MOST_LINES):
        raise OrderRefused("malformed_order")
    if wanted is not None:
        _check_wanted(wanted, known[str(instance)])


def _check_wanted(wanted: Any, now: Document) -> None:
    """Of the same form as what is wanted now, of the same instance, and newer; an order never takes one away."""
    if not isinstance(wanted, dict) or wanted.keys() != now.keys() or wanted["id"] != now["id"]:
        raise OrderRefused("malformed_order")
    if not wanted["is_present"] or not now["is_present"]:
        raise OrderRefused("malformed_order")
    if not (type(wanted["revision"]) is int and wanted["revision"] > now["revision"]):
        raise OrderRefused("changed_meanwhile")
