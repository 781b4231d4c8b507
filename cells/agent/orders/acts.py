"""Doing one order: a table of typed functions, no shell, each held to the order's end time. What they answer is redacted and cut here."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cells.agent.commands import CommandError
from cells.agent.orders.forms import CHANGING, Deadline, OrderRefused
from cells.agent.orders.redaction import redact
from cells.agent.runtime import Document, RuntimeAwayError

if TYPE_CHECKING:
    from cells.agent.runtime import Runtime

# As JSON, which is how it travels.
MOST_TEXT_BYTES, MOST_PART_BYTES = 48_000, 32_000
MOST_LINE = 2_000
PART_LINES = 200
MOST_INSTANCES = 20
LOOK_EVERY_SECONDS = 0.5
GOOD = {True: "running", False: "stopped"}


def carry_out(order: Document, runtime: Runtime, deadline: Deadline, known: dict[str, Document]) -> Document:
    """The result, whatever happens: what could not be done says why by a code. Never runs past the order's end."""
    try:
        deadline.check()
        if order["name"] == "collect_bundle":
            parts = _bundle(order, runtime, deadline, known)
            return result_of(order, "done", parts=parts)
        lines = _DO[order["name"]](order, runtime, deadline)
        text, is_cut, redactions = _cleaned(lines, MOST_TEXT_BYTES, newest=order["name"] == "tail_log")
        deadline.check()
    except OrderRefused as refused:
        return result_of(order, "failed", code=refused.code)
    except CommandError as refused:
        return result_of(order, "failed", code=refused.code)
    except RuntimeAwayError as away:
        # A command that was cut off by the end time took "too long" for that reason alone.
        return result_of(order, "failed", code="order_expired" if deadline.left() <= 0 else away.code)
    return result_of(order, "done", text=text, is_cut=is_cut, redactions=redactions)


def result_of(order: Document, outcome: str, **values: Any) -> Document:
    empty: Document = {"code": "", "text": "", "is_cut": False, "redactions": {}, "parts": []}
    return {"order": order["id"], "outcome": outcome, **empty, **values}


# --- Reading ---------------------------------------------------------------------------------------------------------


def _rollout(order: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    return runtime.rollout(order["instance"], deadline.left())


def _events(order: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    return runtime.events(order["instance"], deadline.left())


def _log(order: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    return runtime.log(order["instance"], order["lines"], deadline.left())


# --- Changing --------------------------------------------------------------------------------------------------------


def _bring(order: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    """To what the order wants, until it is seen to run there. Whoever keeps the journal takes a failed one back."""
    wanted = order["wanted"]
    if problem := runtime.bring(wanted, deadline.left()):
        raise OrderRefused(problem)
    return _until_seen(wanted, runtime, deadline)


def _resync(order: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    """Everything of the instance once more, as it is wanted anyway."""
    wanted = order["now"]
    if problem := runtime.resync(wanted, deadline.left()):
        raise OrderRefused(problem)
    return _until_seen(wanted, runtime, deadline)


def _until_seen(wanted: Document, runtime: Runtime, deadline: Deadline) -> list[str]:
    while True:
        found = next((one for one in runtime.observe()["instances"] if one["id"] == wanted["id"]), None)
        if found and found["revision"] == wanted["revision"] and found["state"] == GOOD[wanted["is_running"]]:
            return runtime.rollout(wanted["id"], deadline.left())
        deadline.check()
        time.sleep(LOOK_EVERY_SECONDS)


_DO: dict[str, Callable[[Document, Any, Deadline], list[str]]] = {
    "rollout_status": _rollout,
    "list_instance_events": _events,
    "tail_log": _log,
    "resync": _resync,
    **dict.fromkeys(CHANGING, _bring),
}


# --- A diagnostic bundle ---------------------------------------------------------------------------------------------


def _bundle(order: Document, runtime: Runtime, deadline: Deadline, known: dict[str, Document]) -> list[Document]:
    """Of one instance, or of all of the cell. A part that could not be read says so in its own place; the others are there."""
    chosen = [order["instance"]] if order["instance"] else sorted(known)[:MOST_INSTANCES]
    parts = []
    for name, read in (
        ("versions", lambda: _versions(runtime, chosen)),
        ("resources", lambda: _resources(runtime, chosen)),
        ("rollout", lambda: _each(chosen, lambda one: runtime.rollout(one, deadline.left()))),
        ("events", lambda: _each(chosen, lambda one: runtime.events(one, deadline.left()))),
        ("log", lambda: _each(chosen, lambda one: runtime.log(one, PART_LINES, deadline.left()))),
    ):
        deadline.check()
        parts.append(_part(name, read))
    return parts


def _part(name: str, read: Callable[[], list[str]]) -> Document:
    try:
        lines, code = read(), ""
    except (CommandError, RuntimeAwayError) as problem:
        lines, code = [], problem.code
    text, is_cut, redactions = _cleaned(lines, MOST_PART_BYTES, newest=False)
    return {"name": name, "text": text, "is_cut": is_cut, "redactions": redactions, "code": code}


def _each(chosen: list[str], read: Callable[[str], list[str]]) -> list[str]:
    """One after the other, each with its name where there are several."""
    if len(chosen) == 1:
        return read(chosen[0])
    return [line for one in chosen for line in [f"# {one}", *read(one)[-max(5, PART_LINES // len(chosen)) :]]]


def _versions(runtime: Runtime, chosen: list[str]) -> list[str]:
    seen = runtime.observe()
    lines = [f"cluster {seen['cluster']['version']}"]
    lines += [f"component {one['name']} {one['version']} {one['state']}" for one in seen["components"]]
    for instance in _of(seen, chosen):
        lines.append(f"instance {instance['id']} revision {instance['revision']} {instance['state']} {instance['health']}")
        lines += [f"  {one['name']} {one['version']} {one['state']}" for one in instance["components"]]
    return lines


def _resources(runtime: Runtime, chosen: list[str]) -> list[str]:
    seen = runtime.observe()
    whole = seen["cluster"]
    lines = [
        f"nodes {whole['nodes_ready']} of {whole['nodes']} ready",
        f"cpu {whole['cpu_used']}m of {whole['cpu']}m, memory {whole['memory_used']} MiB of {whole['memory']} MiB",
    ]
    for one in _of(seen, chosen):
        counts = "".join(f", {name} {one[name]}" for name in ("requests", "errors") if one.get(name) is not None)
        used = f"cpu {one['cpu']}m, memory {one['memory']} MiB"
        lines.append(f"instance {one['id']} {one['ready']} of {one['desired']} ready, restarts {one['restarts']}, {used}{counts}")
    return lines


def _of(seen: Document, chosen: list[str]) -> Iterable[Document]:
    return (one for one in seen["instances"] if one["id"] in chosen)


# --- Cleaning --------------------------------------------------------------------------------------------------------


def _cleaned(lines: list[str], most: int, *, newest: bool) -> tuple[str, bool, dict[str, int]]:
    """Redacted as a whole, as a secret may go over several lines; then cut at lines: the newest stay of a log, the first of a list."""
    is_cut = any(len(line) > MOST_LINE for line in lines)
    text, struck = redact("\n".join(line[:MOST_LINE] for line in lines))
    kept: list[str] = []
    size = 0
    for line in reversed(text.split("\n")) if newest else text.split("\n"):
        size += len(json.dumps(line))
        if size > most:
            is_cut = True
            break
        kept.append(line)
    return "\n".join(reversed(kept) if newest else kept), is_cut, dict(Counter(struck))
