"""What differs between two looks: whether it is worth a report of its own, and the events to tell."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
# Figures move all the time; these say something.
TELLING = ("id", "revision", "state", "health", "ready", "desired", "restarts", "endpoints", "problem")


def signature(seen: Document) -> Any:
    """Equal for two looks that tell the same."""
    cluster = seen["cluster"]
    instances = [[instance.get(name) for name in TELLING] for instance in seen["instances"]]
    return [cluster["nodes_ready"], cluster["nodes"], seen["components"], sorted(instances, key=lambda row: str(row[0]))]


def events(before: Document | None, now: Document, at: str) -> list[Document]:
    """Short codes for what has happened from one look to the next."""
    known = {instance["id"]: instance for instance in (before or {}).get("instances", ())}
    told: list[Document] = []
    for instance in now["instances"]:
        told += [{"at": at, "code": code, "instance": instance["id"]} for code in _codes(known.get(instance["id"]), instance)]
    return told


def _codes(was: Document | None, now: Document) -> list[str]:
    codes = []
    if was is None or was["revision"] != now["revision"]:
        codes.append("revision_refused" if now.get("problem") else "revision_applied")
    if was is not None and now["restarts"] > was["restarts"]:
        codes.append("process_restarted")
    if was is not None and was["health"] != now["health"]:
        codes.append(f"health_{now['health']}")
    if was is not None and was["state"] != now["state"]:
        codes.append(f"state_{now['state']}")
    return codes
