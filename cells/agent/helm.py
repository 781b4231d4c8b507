"""The runtime of real cells: `helm` installs, `kubectl` looks. Charts of one version and one hash, values from a file."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from cells.agent import files, kubernetes, reading, sources, walls
from cells.agent.backups import job
from cells.agent.commands import TIMEOUT_SECONDS, CommandError, run, run_json
from cells.agent.runtime import Document, RuntimeAwayError
from cells.agent.walls import PLATFORM

logger = logging.getLogger("byoc-agent")
HELM_SECONDS = 240.0
DIGEST = re.compile("[0-9a-f]{64}")
KINDS = "deployments,statefulsets,pods,ingresses"
METRICS = "/apis/metrics.k8s.io/v1beta1"


class HelmRuntime:
    """`Runtime` over the two programs. `helm.json` remembers what was done, so that nothing is done twice for the same wish."""

    def __init__(self, folder: Path, *, helm: str = "helm", kubectl: str = "kubectl", allowed_charts: tuple[str, ...] = ()) -> None:
        self.charts = folder / "charts"
        self.done_file = folder / "helm.json"
        self.jobs = folder / "jobs"
        self.helm = helm
        self.kubectl = kubectl
        self.allowed_charts = allowed_charts
        self.version = ""
        self.was_up: set[str] = set()
        self.until = math.inf  # what an order has to be done by; held under the lock of whoever applies
        self.charts.mkdir(parents=True, exist_ok=True, mode=0o700)
        # {"components": {name: {...}}, "instances": {id: {...}}}: what each was brought to, or why not.
        self.done: dict[str, dict[str, Any]] = files.read(self.done_file) or {"components": {}, "instances": {}}

    # --- Doing ---

    def apply(self, desired: Document) -> None:
        for component in desired["components"]:
            if component["is_present"]:
                self._bring("components", component["name"], component, self._install_component)
        for instance in desired["instances"]:
            if instance["is_present"]:
                self._bring("instances", instance["id"], instance, self._install_instance)
        present = {instance["id"]: instance["is_present"] for instance in desired["instances"]}
        for name in [name for name, is_present in present.items() if not is_present]:
            self._remove_instance(name)
        for name in self.done["instances"].keys() - present.keys():
            self._forget_instance(name)
        for name in [c["name"] for c in desired["components"] if not c["is_present"] and c["name"] in self.done["components"]]:
            self._run(self.helm, "uninstall", name, "--namespace", PLATFORM, "--ignore-not-found", most=HELM_SECONDS)
            self._note("components", name, None)

    def _bring(self, kind: str, name: str, wanted: Document, install: Any, *, is_again: bool = False) -> None:
        """Unless it was brought there before. A wish that was refused is tried again with every round, in case the reason has gone."""
        known = self.done[kind].get(name)
        if known and known["wanted"] == wanted and not known["problem"] and not is_again:
            return
        problem = ""
        try:
            install(wanted)
        except CommandError as refused:
            logger.warning("refused kind=%s name=%s code=%s words=%s", kind, name, refused.code, refused)
            problem = refused.code
        self._note(kind, name, {"wanted": wanted, "problem": problem})

    def _install_component(self, wanted: Document) -> None:
        self._namespace(walls.platform(wanted["name"]))
        self._install(wanted["name"], PLATFORM, wanted, {})

    def _install_instance(self, wanted: Document) -> None:
        name, known = wanted["id"], self.done["instances"].get(wanted["id"])
        space = _space(name)
        sizes = wanted["values"]["resources"]
        self._namespace(walls.instance(space, name, sizes))
        resources = {"cpu": f"{sizes['cpu']}m", "memory": f"{sizes['memory']}Mi", "storage": f"{sizes['storage']}Gi"}
        values = {**wanted["values"]["parameters"], "byoc": {"instance": name, "resources": resources}}
        self._install("app", space, wanted["release"], values)
        controllers = [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in self._controllers(space)]
        if not wanted["is_running"] and controllers:
            self._run(self.kubectl, "scale", "--replicas=0", "--namespace", space, *controllers)
        elif known and known["wanted"]["restarts"] != wanted["restarts"] and controllers:
            self._run(self.kubectl, "rollout", "restart", "--namespace", space, *controllers)

    def _install(self, release: str, space: str, wanted: Document, values: Document) -> None:
        chart = self._chart(wanted["chart"], wanted["chart_version"], wanted["digest"])
        handle, path = tempfile.mkstemp(suffix=".json", dir=self.charts)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(values, file)
            options = ("--install", "--namespace", space, "--values", path, "--history-max", "5", "--timeout", "3m")
            self._run(self.helm, "upgrade", release, str(chart), *options, most=HELM_SECONDS)
        finally:
            Path(path).unlink()

    def _chart(self, name: str, version: str, digest: str) -> Path:
        """The chart's package, once its hash is the one that was asked for. Raises CommandError."""
        if not DIGEST.fullmatch(digest):
            raise CommandError("chart_digest_mismatch", f"{digest!r} is no SHA-256.")
        if not sources.is_allowed(name, self.allowed_charts):
            raise CommandError("chart_not_allowed", f"{name} is no source that this agent takes charts from.")
        kept = self.charts / f"{digest}.tgz"
        if kept.exists() and _sha256(kept) == digest:
            return kept
        folder = Path(tempfile.mkdtemp(dir=self.charts))
        try:
            self._run(self.helm, "pull", name, "--version", version, "--destination", str(folder), most=HELM_SECONDS)
            pulled = sorted(folder.glob("*.tgz"))
            if len(pulled) != 1:
                raise CommandError("chart_not_found", f"{name} {version} is no package.")
            if _sha256(pulled[0]) != digest:
                raise CommandError("chart_digest_mismatch", f"{name} {version} is not the package that was released.")
            pulled[0].replace(kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return kept

    def _namespace(self, documents: list[Document]) -> None:
        """The namespace comes first, then what holds it: before anything is installed there, and again with every change."""
        items = {"apiVersion": "v1", "kind": "List", "items": documents}
        self._run(self.kubectl, "apply", "--server-side", "--field-manager=byoc-agent", "-f", "-", stdin=json.dumps(items))

    def _remove_instance(self, name: str) -> None:
        space = _space(name)
        self._run(self.helm, "uninstall", "app", "--namespace", space, "--ignore-not-found", most=HELM_SECONDS)
        self._run(self.kubectl, "delete", "namespace", space, "--ignore-not-found", "--wait=false")
        self._note("instances", name, {"wanted": None, "problem": ""})

    def _forget_instance(self, name: str) -> None:
        """The portal speaks of it no more: whatever is left of it goes too."""
        if self.done["instances"][name]["wanted"] is not None:
            self._remove_instance(name)
        self._note("instances", name, None)

    def _note(self, kind: str, name: str, what: Document | None) -> None:
        entries = {key: value for key, value in self.done[kind].items() if key != name}
        self.done = {**self.done, kind: {**entries, name: what} if what else entries}
        files.write(self.done_file, self.done)

    def _run(self, *words: str, stdin: str = "", most: float = TIMEOUT_SECONDS) -> None:
        """No longer than an order has. Raises CommandError, RuntimeAwayError."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise RuntimeAwayError("cluster_slow", "The time of the order is over.")
        run(*words, stdin=stdin, seconds=min(most, left))

    # --- Orders ---

    def bring(self, instance: Document, seconds: float) -> str:
        return self._order(instance, seconds, is_again=False)

    def resync(self, instance: Document, seconds: float) -> str:
        """All of it is installed once more; processes stay where nothing differs."""
        return self._order(instance, seconds, is_again=True)

    def _order(self, instance: Document, seconds: float, *, is_again: bool) -> str:
        self.until = time.monotonic() + seconds
        try:
            self._bring("instances", instance["id"], instance, self._install_instance, is_again=is_again)
        finally:
            self.until = math.inf
        return str(self.done["instances"][instance["id"]]["problem"])

    def rollout(self, instance: str, seconds: float) -> list[str]:
        return reading.rollout(self.kubectl, _space(instance), seconds)

    def events(self, instance: str, seconds: float) -> list[str]:
        return reading.events(self.kubectl, _space(instance), seconds)

    def log(self, instance: str, lines: int, seconds: float) -> list[str]:
        return reading.log(self.kubectl, _space(instance), lines, seconds)

    def final_backup(self, instance: str, backup: str) -> Document | None:
        return job.take(self.kubectl, _space(instance), backup, self.jobs)

    # --- Looking ---

    def observe(self) -> Document:
        try:
            return self._observe()
        except CommandError as refused:
            raise RuntimeAwayError(refused.code, str(refused)) from refused

    def _observe(self) -> Document:
        self.version = self.version or run_json(self.kubectl, "version", "-o", "json")["serverVersion"]["gitVersion"]
        nodes = run_json(self.kubectl, "get", "nodes", "-o", "json")["items"]
        found = _by_space(run_json(self.kubectl, "get", KINDS, "--all-namespaces", "-o", "json")["items"])
        spaces = {item["metadata"]["name"] for item in run_json(self.kubectl, "get", "namespaces", "-o", "json")["items"]}
        usage = _by_space(self._metrics("pods"))
        done = self.done
        return {
            "cluster": kubernetes.cluster(self.version, nodes, self._metrics("nodes")),
            "components": [self._component(name, entry) for name, entry in sorted(done["components"].items())],
            "instances": [
                self._gone(name) if entry["wanted"] is None and _space(name) not in spaces
                else self._instance(name, entry, found[_space(name)], usage[_space(name)])
                for name, entry in sorted(done["instances"].items())
            ],
        }  # fmt: skip

    def _metrics(self, kind: str) -> list[Document]:
        """Nothing where the cluster measures nothing."""
        try:
            items: list[Document] = run_json(self.kubectl, "get", "--raw", f"{METRICS}/{kind}")["items"]
        except CommandError:
            return []
        return items

    def _controllers(self, space: str) -> list[Document]:
        items: list[Document] = run_json(self.kubectl, "get", "deployments,statefulsets", "--namespace", space, "-o", "json")["items"]
        return items

    def _component(self, name: str, entry: Document) -> Document:
        return {"name": name, "version": entry["wanted"]["chart_version"], "state": "failed" if entry["problem"] else "ready"}

    def _instance(self, name: str, entry: Document, items: list[Document], metrics: list[Document]) -> Document:
        wanted = entry["wanted"] or {"revision": 0, "is_running": False}
        controllers = [item for item in items if item["kind"] in {"Deployment", "StatefulSet"}]
        pods = [item for item in items if item["kind"] == "Pod"]
        state, health = kubernetes.words(controllers, pods, is_running=wanted["is_running"], was_up=name in self.was_up)
        if state == "running":
            self.was_up.add(name)
        ready, desired = kubernetes.counts(controllers)
        cpu, memory = kubernetes.usage(metrics)
        return {
            "id": name, "revision": wanted["revision"], "problem": entry["problem"],
            "state": "failed" if entry["problem"] and not controllers else state, "health": health,
            "ready": ready, "desired": desired, "restarts": kubernetes.restarts(pods), "cpu": cpu, "memory": memory,
            "endpoints": kubernetes.endpoints([item for item in items if item["kind"] == "Ingress"]),
            "components": kubernetes.components(pods),
        }  # fmt: skip

    def _gone(self, name: str) -> Document:
        self.was_up.discard(name)
        return {
            "id": name, "revision": 0, "state": "absent", "health": "unknown", "ready": 0, "desired": 0, "restarts": 0,
            "cpu": 0, "memory": 0, "endpoints": [], "components": [],
        }  # fmt: skip


def _space(instance: str) -> str:
    return f"byoc-{instance}"


def _by_space(items: list[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    for item in items:
        found[item["metadata"].get("namespace", "")].append(item)
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
