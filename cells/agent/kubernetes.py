"""From Kubernetes' own objects to what a report says. Pure functions."""

from __future__ import annotations

import re
from typing import Any

from cells.agent.runtime import Document

# Reasons of a waiting container that do not go away by waiting.
STUCK = {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "InvalidImageName"}
CPU = {"n": 1e-6, "u": 1e-3, "m": 1.0, "": 1e3}
MEMORY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e-3, "": 1.0}
QUANTITY = re.compile(r"([0-9.]+(?:e[0-9]+)?)([A-Za-z]*)")


def thousandths(quantity: str) -> int:
    """CPU of a Kubernetes quantity: "250m", "1", "12345n"."""
    number, unit = _split(quantity)
    return round(number * CPU.get(unit, 0.0))


def mebibytes(quantity: str) -> int:
    number, unit = _split(quantity)
    return round(number * MEMORY.get(unit, 0.0) / 2**20)


def cluster(version: str, nodes: list[Document], usage: list[Document]) -> Document:
    return {
        "version": safe_version(version),
        "nodes_ready": sum(is_ready(node) for node in nodes),
        "nodes": len(nodes),
        "cpu_used": sum(thousandths(node["usage"]["cpu"]) for node in usage),
        "cpu": sum(thousandths(node["status"]["allocatable"]["cpu"]) for node in nodes),
        "memory_used": sum(mebibytes(node["usage"]["memory"]) for node in usage),
        "memory": sum(mebibytes(node["status"]["allocatable"]["memory"]) for node in nodes),
    }


def is_ready(thing: Document) -> bool:
    return any(state["type"] == "Ready" and state["status"] == "True" for state in thing["status"].get("conditions", []))


def counts(controllers: list[Document]) -> tuple[int, int]:
    """Processes that are ready, and that are wanted."""
    ready = sum(controller["status"].get("readyReplicas", 0) for controller in controllers)
    return ready, sum(controller["spec"].get("replicas", 1) for controller in controllers)


def is_rolled_out(controllers: list[Document]) -> bool:
    """Whether the cluster has taken up the last change everywhere."""
    return all(
        controller["status"].get("observedGeneration", 0) >= controller["metadata"].get("generation", 0)
        and controller["status"].get("updatedReplicas", 0) >= controller["spec"].get("replicas", 1)
        for controller in controllers
    )


def is_stuck(pods: list[Document]) -> bool:
    return any(container.get("state", {}).get("waiting", {}).get("reason") in STUCK for container in _containers(pods))


def restarts(pods: list[Document]) -> int:
    return sum(container.get("restartCount", 0) for container in _containers(pods))


def words(controllers: list[Document], pods: list[Document], *, is_running: bool, was_up: bool) -> tuple[str, str]:
    """State and health."""
    ready, wanted = counts(controllers)
    if not is_running:
        return ("stopping" if pods else "stopped"), "unknown"
    if ready >= wanted > 0 and is_rolled_out(controllers):
        return "running", "healthy"
    if ready == 0 and is_stuck(pods):
        return "failed", "unhealthy"
    return ("restarting" if was_up else "deploying"), ("unhealthy" if was_up and ready == 0 else "degraded")


def endpoints(ingresses: list[Document]) -> list[Document]:
    found = []
    for ingress in ingresses:
        secure = {host for entry in ingress["spec"].get("tls", []) for host in entry.get("hosts", [])}
        for rule in ingress["spec"].get("rules", []):
            if host := rule.get("host"):
                scheme = "https" if host in secure else "http"
                found.append({"name": safe_name(ingress["metadata"]["name"]), "url": f"{scheme}://{host}/"})
    return found[:20]


def components(pods: list[Document]) -> list[Document]:
    """The images that run, by their tags."""
    seen = {}
    for pod in pods:
        for container in pod["spec"].get("containers", []):
            tag = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[2]
            seen[container["name"]] = {"name": safe_name(container["name"]), "version": safe_version(tag), "state": "running"}
    return [seen[name] for name in sorted(seen)][:50]


def usage(metrics: list[Document]) -> tuple[int, int]:
    """CPU in thousandths of a core and memory in MiB of these pods."""
    containers = [container["usage"] for pod in metrics for container in pod["containers"]]
    return sum(thousandths(used["cpu"]) for used in containers), sum(mebibytes(used["memory"]) for used in containers)


def safe_name(text: str) -> str:
    return re.sub(r"[^a-z0-9.-]", "-", text.lower()).strip("-.")[:63] or "x"


def safe_version(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z.+_-]", "-", text)[:60]


def _containers(pods: list[Document]) -> list[Any]:
    return [container for pod in pods for container in pod["status"].get("containerStatuses", [])]


def _split(quantity: str) -> tuple[float, str]:
    found = QUANTITY.fullmatch(quantity)
    return (float(found.group(1)), found.group(2)) if found else (0.0, "")
