"""The agent's loops: fetch what is wanted, make it so, look, send what was seen, do orders, back up. Each goes on when another cannot."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells.agent import VERSION, changes, files
from cells.agent.backups.loop import Backups
from cells.agent.buffer import BATCH, Buffer
from cells.agent.identity import Config, Identity
from cells.agent.orders.loop import Orders
from cells.agent.runtime import Document, Runtime, RuntimeAwayError
from cells.agent.wire import Portal, PortalAwayError, RefusedError, seconds_of

logger = logging.getLogger("byoc-agent")
HOLD_SECONDS = 30
AFTER_REFUSAL_SECONDS = 60.0
APPLY_AGAIN_SECONDS = 60.0
MOST_EVENTS = 20
# A loop that ran for so long did not fail for the same reason again and again.
LONG_SECONDS = 600.0
OLDEST_EVENT_SECONDS = 29 * 86400.0
# The portal takes no such report, today or tomorrow: to send it again would only keep back those behind it.
NEVER = {"malformed", "unknown_field", "too_large"}


@dataclass(frozen=True)
class Pace:
    """How often, in seconds."""

    look_every: float = 1.0
    report_every: float = 30.0
    longest_wait: float = 120.0
    rotate_every: float = 30 * 86400.0


class Agent:
    """One agent of one cell."""

    def __init__(self, config: Config, state: Path, runtime: Runtime, pace: Pace) -> None:
        self.config = config
        self.runtime = runtime
        self.pace = pace
        self.state = state
        self.identity = Identity(config, state, rotate_every=pace.rotate_every)
        self.buffer = Buffer(state / "reports")
        self.stopping = threading.Event()
        self.is_wanted = threading.Event()  # something new is wanted
        self.orders = Orders(config, state, runtime, self.identity, self.is_wanted.set)
        self.backups = Backups(config, state, runtime, self.identity, pace.look_every)
        self.is_done = threading.Event()  # and was made so: worth a look
        self.is_enrolled = threading.Event()  # and knows from which number to count
        self.has_report = threading.Event()
        self.news: list[Document] = []  # what has happened since the last report
        self.last_seq = 0  # what the portal has of this cell
        self.away = ""  # why the cluster could not be looked at the last time

    def run(self) -> None:
        """Until `stop`."""
        for loop in (self.fetch, self.work, self.send, self.serve, self.back_up):
            threading.Thread(target=self.keep, args=(loop,), name=loop.__name__, daemon=True).start()
        self.keep(self.look)

    def keep(self, loop: Callable[[], None]) -> None:
        """Whatever ends a loop before its time, it begins again: the others would not notice that it is gone."""
        tries = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                loop()
            except Exception:
                tries = tries + 1 if time.monotonic() < began + LONG_SECONDS else 0
                pause = self._patience(None, tries)
                logger.exception("loop_failed loop=%s seconds=%.1f", loop.__name__, pause)
                self.stopping.wait(pause)

    def stop(self) -> None:
        self.stopping.set()
        self.is_wanted.set()
        self.is_done.set()
        self.has_report.set()
        self.orders.has_some.set()
        self.backups.has_some.set()

    # --- What is wanted ---

    def fetch(self) -> None:
        with closing(Portal(self.config.portal_url)) as portal:
            self._fetch(portal)

    def _fetch(self, portal: Portal) -> None:
        tries = 0
        while not self.stopping.is_set():
            try:
                pause = self._fetch_once(portal)
                tries = 0
            except (PortalAwayError, RefusedError) as problem:
                pause = self._patience(problem, tries)
                tries += 1
                logger.warning("fetch_failed seconds=%.1f problem=%s", pause, problem)
            self.stopping.wait(pause)

    def _fetch_once(self, portal: Portal) -> float:
        """Hold the line until something new is wanted; the seconds until the next call."""
        known = files.read(self.state / "desired.json") or {}
        headers = {"If-None-Match": known["etag"]} if known else {}
        self.identity.access_token(portal)
        self.is_enrolled.set()
        answer = self.identity.call(portal, "GET", f"/agent/v1/desired?wait={HOLD_SECONDS}", headers=headers, timeout=HOLD_SECONDS + 15)
        if answer.status == 200:  # noqa: PLR2004
            if "etag" not in answer.headers or not _is_desired(answer.body):
                raise PortalAwayError("HTTP 200: this is no desired state")
            files.write(self.state / "desired.json", {"etag": answer.headers["etag"], "desired": answer.body})
            logger.info("desired_state_fetched version=%s instances=%d", answer.body["version"], len(answer.body["instances"]))
            self.is_wanted.set()
            # An order that waits is told as a change of what is wanted.
            self.orders.has_some.set()
            self.backups.has_some.set()
        # A portal that has no line free to hold answers at once, and says when to come again.
        return seconds_of(answer.headers.get("retry-after", ""))

    # --- Making it so ---

    def work(self) -> None:
        """What was wanted last, known also while the portal is away; again from time to time, in case somebody has changed it by hand."""
        while not self.stopping.is_set():
            self.is_wanted.clear()
            known = files.read(self.state / "desired.json")
            if known is not None:
                try:
                    with self.orders.apply_lock:
                        self.runtime.apply(self.orders.over(known["desired"]))
                except RuntimeAwayError as problem:
                    logger.warning("apply_failed problem=%s", problem)
                self.is_done.set()
            self.is_wanted.wait(APPLY_AGAIN_SECONDS)

    # --- Orders ---

    def serve(self) -> None:
        self.orders.serve(self.stopping, self._patience)

    # --- Last backups ---

    def back_up(self) -> None:
        self.backups.serve(self.stopping, self._patience)

    # --- Looking ---

    def look(self) -> None:
        last: Document | None = None
        told: Any = None
        reported_at = -1e9
        self.news = self.news or [self._event("agent_started")]
        while not self.stopping.is_set():
            self.is_done.clear()
            seen, problems = self._observe(last)
            self.news = (self.news + problems + changes.events(last, seen, self._at()))[-MOST_EVENTS:]
            is_due = time.monotonic() >= reported_at + self.pace.report_every
            if self.is_enrolled.is_set() and (is_due or changes.signature(seen) != told):
                self.buffer.start_at(max(self.identity.first_seq, self.last_seq + 1))
                self.buffer.add({"at": self._at(), "agent": {"version": VERSION}, **seen, "events": self._dated(self.news)})
                self.has_report.set()
                told, self.news, reported_at = changes.signature(seen), [], time.monotonic()
            last = seen
            self.is_done.wait(self.pace.look_every)

    def _observe(self, last: Document | None) -> tuple[Document, list[Document]]:
        try:
            seen, self.away = self.runtime.observe(), ""
        except RuntimeAwayError as problem:
            is_new, self.away = problem.code != self.away, problem.code
            if is_new:
                logger.warning("observe_failed problem=%s", problem)
            return _unseen(last), [self._event(problem.code)] if is_new else []
        return seen, []

    def _event(self, code: str) -> Document:
        return {"at": self._at(), "code": code}

    def _dated(self, news: list[Document]) -> list[Document]:
        """What was noted before the portal had told the time may be of any age: the portal takes none from another one."""
        oldest, now = self._at(-OLDEST_EVENT_SECONDS), self._at()
        return [{**event, "at": event["at"] if oldest <= event["at"] <= now else now} for event in news]

    def _at(self, later: float = 0.0) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.identity.now() + later))

    # --- Telling ---

    def send(self) -> None:
        with closing(Portal(self.config.portal_url)) as portal:
            self._send(portal)

    def _send(self, portal: Portal) -> None:
        tries, most = 0, BATCH
        while not self.stopping.is_set():
            self.has_report.wait(self.pace.report_every)
            self.has_report.clear()
            try:
                while not self.stopping.is_set() and self._send_once(portal, most):
                    tries, most = 0, BATCH
                continue
            except RefusedError as refused:
                # One bad report must not keep back the others: ever smaller batches find it.
                if refused.code in NEVER:
                    most = self._narrow(most, refused)
                    self.has_report.set()
                    continue
                pause = self._patience(refused, tries)
            except PortalAwayError as problem:
                pause = self._patience(problem, tries)
                logger.warning("send_failed seconds=%.1f waiting=%d problem=%s", pause, len(self.buffer), problem)
            tries += 1
            self.stopping.wait(pause)
            self.has_report.set()

    def _send_once(self, portal: Portal, most: int) -> bool:
        """False once the portal has everything."""
        batch = self.buffer.batch(most)
        if not batch:
            return False
        body = json.dumps({"cell": self.config.cell, "reports": batch}, separators=(",", ":")).encode()
        # Further than these: another agent has spoken for this cell, and what is numbered below would not be taken.
        self.last_seq = int(self.identity.call(portal, "POST", "/agent/v1/reports", body).body["last_seq"])
        self.buffer.done(batch[-1]["seq"])
        return True

    def _narrow(self, most: int, refused: RefusedError) -> int:
        batch = self.buffer.batch(most)
        if len(batch) > 1:
            return max(1, len(batch) // 4)
        if batch:
            logger.error("report_dropped seq=%d problem=%s", batch[0]["seq"], refused)
            self.buffer.drop(batch[0]["seq"])
        return BATCH

    def _patience(self, problem: Exception | None, tries: int) -> float:
        """Ever longer, up to a limit, and never all agents at the same moment. A refusal does not go away by itself soon."""
        if isinstance(problem, PortalAwayError) and problem.retry_after:
            return problem.retry_after * random.uniform(1.0, 1.5)  # noqa: S311
        longest = self.pace.longest_wait
        base = min(longest, AFTER_REFUSAL_SECONDS) if _is_final(problem) else min(longest, 2.0 ** min(tries, 16))
        return base * random.uniform(0.5, 1.0)  # noqa: S311


def _is_desired(document: Any) -> bool:
    """What is kept on disk and worked towards has at least this form."""
    parts = [document.get(name) for name in ("components", "instances")]
    return "version" in document and all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in parts)


def _is_final(problem: Exception | None) -> bool:
    return isinstance(problem, RefusedError) and problem.code not in {"clock_skew", "token_expired", "replay"}


def _unseen(last: Document | None) -> Document:
    """Nothing can be said while the cluster does not answer, but for what was there."""
    if last is None:
        cluster = {"version": "", "nodes_ready": 0, "nodes": 0, "cpu_used": 0, "cpu": 0, "memory_used": 0, "memory": 0}
        return {"cluster": cluster, "components": [], "instances": []}
    instances = [{**instance, "health": "unknown"} for instance in last["instances"]]
    return {**last, "cluster": {**last["cluster"], "nodes_ready": 0}, "instances": instances}
