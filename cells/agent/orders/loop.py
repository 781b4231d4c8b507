"""The fifth loop: fetch orders, do each once, tell what came of it. Killed at any point, it goes on without doing anything twice."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.agent import files
from cells.agent.identity import Config, Identity
from cells.agent.orders import forms
from cells.agent.orders.acts import carry_out, result_of
from cells.agent.orders.forms import Deadline, OrderRefused
from cells.agent.orders.journal import Journal
from cells.agent.runtime import Document
from cells.agent.wire import Portal, PortalAwayError, RefusedError

if TYPE_CHECKING:
    from cells.agent.runtime import Runtime

logger = logging.getLogger("byoc-agent")
# What the portal says of a result that it will never take; the other refusals may go away.
NEVER = {"malformed", "unknown_field", "too_large", "order_unknown", "wrong_cell"}


class Orders:
    """Of one agent. `apply_lock` is held by whoever changes the cluster; `wanted_again` wakes the loop that keeps it as it is wanted."""

    def __init__(self, config: Config, state: Path, runtime: Runtime, identity: Identity, wanted_again: Callable[[], None]) -> None:
        self.config = config
        self.state = state
        self.runtime = runtime
        self.identity = identity
        self.wanted_again = wanted_again
        self.apply_lock = threading.Lock()
        self.journal = Journal(state / "orders")
        self.has_some = threading.Event()
        self.has_some.set()  # at the start: what came while nobody looked
        # Before anything is applied: how far they got is not known, so they count no more and are not done again.
        for order in self.journal.interrupted():
            self.journal.finish(result_of(order, "failed", code="agent_interrupted"))

    def over(self, desired: Document) -> Document:
        """What is wanted, with what orders have made of it since: until the portal says the same, or says that it does not count."""
        wishes = self.journal.wishes()
        instances = [_newer(instance, wishes.get(instance["id"])) for instance in desired["instances"]]
        return {**desired, "instances": instances}

    def serve(self, stopping: threading.Event, patience: Callable[[Any, int], float]) -> None:
        tries = 0
        with closing(Portal(self.config.portal_url)) as portal:
            while not stopping.is_set():
                self.has_some.wait()
                self.has_some.clear()
                try:
                    while not stopping.is_set() and self._turn(portal):
                        tries = 0
                except (PortalAwayError, RefusedError) as problem:
                    pause = patience(problem, tries)
                    tries += 1
                    logger.warning("orders_failed seconds=%.1f problem=%s", pause, problem)
                    stopping.wait(pause)
                    self.has_some.set()

    def _turn(self, portal: Portal) -> bool:
        """Tell what is untold, then do what waits. False once nothing does."""
        for result in self.journal.untold():
            self._tell(portal, result)
        self.journal.forget_old(self.identity.now())
        body = json.dumps({"cell": self.config.cell}).encode()
        answer = self.identity.call(portal, "POST", "/agent/v1/orders", body).body
        if answer.get("cell") != self.config.cell or not isinstance(answer.get("orders"), list):
            raise PortalAwayError("HTTP 200: these are no orders for this cell")
        self.identity.set_clock(float(answer["server_time"]))
        done = [self._do(portal, order) for order in answer["orders"] if forms.is_order(order)]
        return any(done)

    def _do(self, portal: Portal, order: Document) -> bool:
        """False for one that was begun before: its result is on the way, or was told."""
        deadline, known = Deadline(float(order["not_after"]), self.identity.now), self._known()
        result = _refusal(order, deadline, known)
        if not self.journal.begin(order, result):
            return False
        logger.info("order_begun order=%s name=%s seconds_left=%.0f", order["id"], order.get("name"), deadline.left())
        if result is None:
            result = self._result(order, deadline, known)
            self.journal.finish(result)
        logger.info("order_ended order=%s outcome=%s code=%s", order["id"], result["outcome"], result["code"])
        if result["outcome"] != "done":
            self.wanted_again()
        self._tell(portal, result)
        return True

    def _result(self, order: Document, deadline: Deadline, known: dict[str, Document]) -> Document:
        """What changes the cluster waits for its turn, no longer than until the order's end."""
        if order["name"] in forms.READING:
            return carry_out(order, self.runtime, deadline, known)
        if not self.apply_lock.acquire(timeout=max(0.0, deadline.left())):
            return result_of(order, "failed", code="agent_busy")
        try:
            now = _newer(known[order["instance"]], self.journal.wishes().get(order["instance"]))
            return carry_out({**order, "now": now}, self.runtime, deadline, known)
        finally:
            self.apply_lock.release()

    def _known(self) -> dict[str, Document]:
        """The instances of this cell, as they were wanted last."""
        desired = (files.read(self.state / "desired.json") or {}).get("desired", {})
        return {one["id"]: one for one in desired.get("instances", []) if one["is_present"]}

    def _tell(self, portal: Portal, result: Document) -> None:
        """Until the portal has it. What it drops does not stay in the cluster either. Raises PortalAwayError, RefusedError."""
        body = json.dumps({"cell": self.config.cell, **result}, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            outcome = self.identity.call(portal, "POST", "/agent/v1/orders/results", body).body["outcome"]
        except RefusedError as refused:
            if refused.code not in NEVER:
                raise
            logger.warning("result_refused order=%s problem=%s", result["order"], refused)
            outcome = "dropped"
        self.journal.settle(result, outcome)
        if outcome == "dropped":
            self.wanted_again()


def _refusal(order: Document, deadline: Deadline, known: dict[str, Document]) -> Document | None:
    try:
        deadline.check()
        forms.check(order, known)
    except OrderRefused as refused:
        return result_of(order, "failed", code=refused.code)
    return None


def _newer(instance: Document, wish: Document | None) -> Document:
    is_newer = wish is not None and instance["is_present"] and wish["revision"] > instance["revision"]
    return wish if wish is not None and is_newer else instance
