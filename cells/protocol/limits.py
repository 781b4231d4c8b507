"""How much one agent, and all together, may ask of one process: what is over is told when to come again."""

import random
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from math import ceil

from cells.protocol.problems import Problem


class Buckets:
    """One bucket for each caller: `burst` at once, then `each_second`. Those unheard for longest are forgotten: theirs are full again."""

    def __init__(self, burst: float, each_second: float, most: int = 20_000) -> None:
        self.burst = burst
        self.each_second = each_second
        self.most = most
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: Hashable, now: float) -> None:
        """Raises Problem."""
        with self._lock:
            level, at = self._levels.pop(who, (self.burst, now))
            level = min(self.burst, level + (now - at) * self.each_second)
            is_over = level < 1
            self._levels[who] = (level if is_over else level - 1, now)
            if len(self._levels) > self.most:
                self._levels.popitem(last=False)
        if is_over:
            raise too_many(ceil((1 - level) / self.each_second))

    def clear(self) -> None:
        with self._lock:
            self._levels.clear()


class Gate:
    """So many at once and no more, and of each caller who is named one alone: whoever comes then shall come again, not wait in line."""

    def __init__(self, most: int) -> None:
        self.inside = 0
        self._most = most
        self._named: set[Hashable] = set()
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, who: Hashable = None) -> Iterator[bool]:
        """Whether there was room."""
        with self._lock:
            has_room = self.inside < self._most and who not in self._named
            self.inside += has_room
            if has_room and who is not None:
                self._named.add(who)
        try:
            yield has_room
        finally:
            with self._lock:
                self.inside -= has_room
                if has_room:
                    self._named.discard(who)


def too_many(seconds: int) -> Problem:
    """Never all at the same moment."""
    wait = max(1, seconds) + random.randint(0, max(1, seconds // 2))  # noqa: S311
    return Problem("too_many_requests", f"Come again in {wait} seconds. Reports that wait on disk are not lost.", retry_after=wait)
