"""Access tokens: who the agent is, for ten minutes, checked without a query. A small set of those thrown out meanwhile is kept beside."""

import struct
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from cells.models import AgentKey
from cells.protocol.problems import Problem
from cells.protocol.secrets import sign, unsign
from cells.states import SERVED_CELLS, CellState

LIFETIME_S = 600
REFRESH_S = 5.0
# Of one process; half a kilobyte each. Every cell has one token or, for moments, two.
MOST_CHECKED = 200_000
UNSERVED = sorted(set(CellState) - SERVED_CELLS)
_FORM = struct.Struct(">B16s16sI")
_VERSION = 1


@dataclass(frozen=True)
class Grant:
    """What a valid token says."""

    cell: UUID
    key: UUID


def issue(grant: Grant, now: float) -> str:
    return sign("access", _FORM.pack(_VERSION, grant.cell.bytes, grant.key.bytes, int(now) + LIFETIME_S))


def verify(token: str, now: float) -> Grant:
    """Raises Problem. No query, but one every few seconds for all; a signature is checked once a token."""
    grant, until = _checked.find(token) or _check(token, now)
    if now >= until:
        raise Problem("token_expired", "Ask for another one at /agent/v1/token.")
    if grant.key in denied:
        raise Problem("agent_revoked", "This agent's access was ended in the portal. What it has deployed goes on.")
    return grant


def _check(token: str, now: float) -> "Checked":
    """Raises Problem."""
    payload = unsign("access", token)
    if payload is None or len(payload) != _FORM.size:
        raise Problem("token_invalid", "Ask for another one at /agent/v1/token.")
    version, cell, key, until = _FORM.unpack(payload)
    if version != _VERSION:
        raise Problem("token_invalid", "Ask for another one at /agent/v1/token.")
    found = Grant(UUID(bytes=cell), UUID(bytes=key)), until
    _checked.add(token, found, now)
    return found


def bearer(header: str) -> str:
    """The token of an Authorization header. Raises Problem."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("token_missing", "Send `Authorization: Bearer` with a token of /agent/v1/token.")
    return token.strip()


Checked = tuple[Grant, int]


class CheckedTokens:
    """Tokens whose signature is right, with their end; nobody adds to it without one. Half are forgotten after a lifetime, or when full."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._since = float("-inf")
        self._young: dict[str, Checked] = {}
        self._old: dict[str, Checked] = {}

    def find(self, token: str) -> Checked | None:
        return self._young.get(token) or self._old.get(token)

    def add(self, token: str, checked: Checked, now: float) -> None:
        if len(self._young) >= self._half or now >= self._since + LIFETIME_S:
            self._old, self._young, self._since = self._young, {}, now
        self._young[token] = checked

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


class Denied:
    """Keys that lost their right while a token of theirs may still be about. Read anew every few seconds, by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: frozenset[UUID] = frozenset()
        self._read_at = float("-inf")
        self.is_read_aside = False  # somebody calls `renew` now and then: questions then never read

    def __contains__(self, key: UUID) -> bool:
        return key in self._current()

    def _current(self) -> frozenset[UUID]:
        if not self.is_read_aside and time.monotonic() >= self._read_at + REFRESH_S and self._lock.acquire(blocking=False):
            try:
                self.renew()
            finally:
                self._lock.release()
        return self._keys

    def renew(self) -> None:
        self._keys, self._read_at = self._read(), time.monotonic()

    def forget(self) -> None:
        """Read anew at the next question."""
        self._read_at = float("-inf")

    def _read(self) -> frozenset[UUID]:
        since = timezone.now() - timedelta(seconds=2 * LIFETIME_S)
        keys = AgentKey.objects.order_by().values_list("pk", flat=True)
        disabled = keys.filter(revoked_at=None, cell__is_agent_disabled=True)
        left = keys.filter(cell__state__in=UNSERVED, cell__state_at__gte=since)
        # Each by its own index: one condition with OR reads every key and every cell.
        return frozenset(keys.filter(revoked_at__gte=since).union(disabled, left))


denied = Denied()
_checked = CheckedTokens(MOST_CHECKED)
