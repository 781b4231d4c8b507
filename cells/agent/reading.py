"""What an order may read of one instance in a real cluster: `kubectl` with fixed words, and lines made of what it answers."""

from __future__ import annotations

import re
import time
from typing import Any

from cells.agent.commands import CommandError, run, run_json
from cells.agent.runtime import Document

KINDS = "deployments,statefulsets,pods"
MOST_EVENTS, MOST_PODS, MOST_LOG_BYTES = 100, 5, 200_000
# A name that comes from the cluster, before it stands on a command line.
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def rollout(kubectl: str, space: str, seconds: float) -> list[str]:
    items: list[Document] = run_json(kubectl, "get", KINDS, "--namespace", space, "-o", "json", seconds=seconds)["items"]
    return [_pod(item) if item["kind"] == "Pod" else _controller(item) for item in items]


def events(kubectl: str, space: str, seconds: float) -> list[str]:
    items: list[Document] = run_json(kubectl, "get", "events", "--namespace", space, "-o", "json", seconds=seconds)["items"]
    return [_event(item) for item in sorted(items, key=_when)[-MOST_EVENTS:]]


def log(kubectl: str, space: str, lines: int, seconds: float) -> list[str]:
    """Of its newest processes; one that has not begun to write yet has no log, which is no failure of the others."""
    end = time.monotonic() + seconds
    items: list[Document] = run_json(kubectl, "get", "pods", "--namespace", space, "-o", "json", seconds=seconds)["items"]
    names = [str(item["metadata"]["name"]) for item in items if NAME.fullmatch(str(item["metadata"]["name"]))][:MOST_PODS]
    words = ("--all-containers", "--prefix", "--timestamps", f"--tail={lines}", f"--limit-bytes={MOST_LOG_BYTES}")
    found: list[str] = []
    for name in names:
        try:
            found += run(kubectl, "logs", name, "--namespace", space, *words, seconds=max(0.1, end - time.monotonic())).splitlines()
        except CommandError as refused:
            if refused.code == "not_permitted":
                raise
            found.append(f"[pod/{name}] no log: {refused.code}")
    return found[-lines:]


def _controller(item: Document) -> str:
    wanted, status = item["spec"].get("replicas", 1), item["status"]
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    return f"{item['kind'].lower()} {item['metadata']['name']}: {ready} of {wanted} ready, {updated} of the newest version"


def _pod(item: Document) -> str:
    containers = item["status"].get("containerStatuses", [])
    restarts = sum(one.get("restartCount", 0) for one in containers)
    reasons = {one.get("state", {}).get("waiting", {}).get("reason", "") for one in containers} - {""}
    phase = item["status"].get("phase", "unknown").lower()
    return f"pod {item['metadata']['name']}: {phase}, {restarts} restarts" + "".join(f", {reason}" for reason in sorted(reasons))


def _event(item: Document) -> str:
    about = item.get("involvedObject", {})
    what = f"{about.get('kind', '')}/{about.get('name', '')}: {item.get('message', '')}"
    return f"{_when(item)} {item.get('type', '')} {item.get('reason', '')} {what}"


def _when(item: Document) -> Any:
    return str(item.get("lastTimestamp") or item.get("eventTime") or item["metadata"].get("creationTimestamp") or "")
