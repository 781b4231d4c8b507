#!/usr/bin/env python3
"""`helm` and `kubectl` as far as the agent uses them, over one JSON file that plays the cluster. Every call is written down.

Played, not real: what they answer is written after the real programs' documentation and source. No test here has seen a real cluster.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

HOME = Path(os.environ["FAKE_CLUSTER"])
FORMS = {
    ("helm", "pull"): {"--version", "--destination"},
    ("helm", "upgrade"): {"--install", "--namespace", "--values", "--history-max", "--timeout"},
    ("helm", "uninstall"): {"--namespace", "--ignore-not-found"},
    ("kubectl", "apply"): {"--server-side", "--field-manager=byoc-agent", "-f"},
    ("kubectl", "create"): {"--from=cronjob/app-backup", "--namespace"},
    ("kubectl", "get"): {"-o", "--all-namespaces", "--namespace", "--raw", "--ignore-not-found", "--selector"},
    ("kubectl", "version"): {"-o"},
    ("kubectl", "scale"): {"--replicas=0", "--namespace"},
    ("kubectl", "rollout"): {"--namespace"},
    ("kubectl", "logs"): {"--namespace", "--all-containers", "--prefix", "--timestamps", "--tail=20", "--tail=200", "--limit-bytes=200000"},
    ("kubectl", "delete"): {"--ignore-not-found", "--wait=false"},
}


def main() -> int:
    program, words = Path(sys.argv[0]).name, sys.argv[1:]
    state = json.loads((HOME / "state.json").read_text())
    said = sys.stdin.read() if "-f" in words else ""
    with (HOME / "calls").open("a") as calls:
        calls.write(json.dumps([program, *words, *([json.loads(said)] if said else [])]) + "\n")
    plain = [word.partition("=")[0] if word.startswith("--selector=") else word for word in words]
    unknown = {word for word in plain if word.startswith("-") and word != "-"} - FORMS.get((program, words[0]), set())
    if unknown:
        return fail(f"Error: unknown flag: {sorted(unknown)[0]}")
    if message := state["broken"].get(f"{program} {words[0]}"):
        return fail(message)
    code = globals()[f"{program}_{words[0]}"](state, words)
    (HOME / "state.json").write_text(json.dumps(state))
    return code


def fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


def option(words, name):
    return words[words.index(name) + 1]


def helm_pull(state, words):
    content = state["charts"].get(f"{words[1]}:{option(words, '--version')}")
    if content is None:
        return fail(f"Error: failed to resolve {words[1]}: not found")
    (Path(option(words, "--destination")) / "chart-1.tgz").write_text(content)
    return 0


def helm_upgrade(state, words):
    space = option(words, "--namespace")
    if space not in state["namespaces"]:
        return fail(f'Error: create: failed to create: namespaces "{space}" not found')
    state["releases"][f"{space}/{words[1]}"] = {
        "chart": hashlib.sha256(Path(words[2]).read_bytes()).hexdigest(),
        "values": json.loads(Path(option(words, "--values")).read_text()),
        "replicas": 2,
        "restarted": 0,
    }
    return 0


def helm_uninstall(state, words):
    state["releases"].pop(f"{option(words, '--namespace')}/{words[1]}", None)
    return 0


def kubectl_apply(state, words):
    """A list, one by one in its order, each by the rights of who asks."""
    applied = state.setdefault("applied", {})
    for item in json.loads((HOME / "calls").read_text().splitlines()[-1])[-1]["items"]:
        kind, named = item["kind"], item["metadata"]
        if kind == "Namespace":
            state["namespaces"] = sorted({*state["namespaces"], named["name"]})
        elif named["namespace"] not in state["namespaces"]:
            return fail(f'Error from server (NotFound): namespaces "{named["namespace"]}" not found')
        applied.setdefault(named.get("namespace", named["name"]), {})[kind] = item
    return 0


def kubectl_delete(state, words):
    state["namespaces"] = [space for space in state["namespaces"] if space != words[2]]
    state.get("applied", {}).pop(words[2], None)
    return 0


def kubectl_scale(state, words):
    state["releases"][f"{option(words, '--namespace')}/app"]["replicas"] = 0
    return 0


def kubectl_rollout(state, words):
    state["releases"][f"{option(words, '--namespace')}/app"]["restarted"] += 1
    return 0


def kubectl_logs(state, words):
    if words[1] in state.get("silent", []):
        return fail(f'Error from server (BadRequest): container "orders" in pod "{words[1]}" is waiting to start: ContainerCreating')
    sys.stdout.write(f"[pod/{words[1]}/orders] 2026-11-22T01:00:00Z ready, password=hunter2\n")
    return 0


def kubectl_version(state, words):
    return answer({"clientVersion": {}, "serverVersion": {"gitVersion": "v1.35.0-eks-1"}})


def kubectl_create(state, words):
    """A job out of a CronJob, which a chart may have brought or not."""
    name = words[2]
    if not state.get("cron_jobs", True):
        return fail('Error from server (NotFound): cronjobs.batch "app-backup" not found')
    if name in state.setdefault("jobs", {}):
        return fail(f'Error from server (AlreadyExists): jobs.batch "{name}" already exists')
    state["jobs"][name] = {"conditions": []}
    state["made"] = [*state.get("made", []), name]
    return 0


def job(state, words):
    found = state.get("jobs", {}).get(words[2])
    if found is None:
        return 0 if "--ignore-not-found" in words else fail(f'Error from server (NotFound): jobs.batch "{words[2]}" not found')
    status = {"conditions": found["conditions"], "completionTime": "2026-11-22T02:00:00Z"}
    return answer({"kind": "Job", "metadata": {"name": words[2]}, "status": status})


def job_pods(state, name):
    """Each try of the job is a pod of its own."""
    ends = state["jobs"][name].get("ends", [])
    return {"items": [{"status": {"containerStatuses": [{"state": {"terminated": end}} for end in pod]}} for pod in ends]}


def kubectl_get(state, words):
    selectors = [word.partition("=job-name=")[2] for word in words if word.startswith("--selector=")]
    if selectors:
        return answer(job_pods(state, selectors[0]))
    return job(state, words) if words[1] == "job" else seen(state, words)


def seen(state, words):
    if "--raw" in words:
        if not state["measures"]:
            return fail("Error from server (NotFound): the server could not find the requested resource")
        return answer({"items": usage(state, option(words, "--raw").rpartition("/")[2])})
    kind = words[1]
    if kind == "events":
        return answer({"items": state.get("events", [])})
    if kind == "nodes":
        ready = [{"type": "Ready", "status": "True" if number else state["first_node"]} for number in range(2)]
        return answer(
            {"items": [{"status": {"conditions": [one], "allocatable": {"cpu": "1930m", "memory": "7220184Ki"}}} for one in ready]}
        )
    if kind == "namespaces":
        return answer({"items": [{"metadata": {"name": space}} for space in state["namespaces"]]})
    spaces = [option(words, "--namespace")] if "--namespace" in words else state["namespaces"]
    items = [
        item for space in spaces for item in objects(state, space) if item["kind"].lower() + "s" in kind.replace("ingresses", "ingresss")
    ]
    return answer({"items": items})


def objects(state, space):
    release = state["releases"].get(f"{space}/app")
    if release is None:
        return
    ready = min(release["replicas"], state["ready"])
    named = {"name": "orders", "namespace": space, "generation": 1}
    status = {"readyReplicas": ready, "updatedReplicas": release["replicas"], "observedGeneration": 1}
    yield {"kind": "Deployment", "metadata": named, "spec": {"replicas": release["replicas"]}, "status": status}
    for number in range(release["replicas"]):
        waiting = {} if number < ready else {"waiting": {"reason": state["reason"]}}
        container = {"restartCount": state["restarts"], "state": waiting}
        spec = {"containers": [{"name": "orders", "image": "registry.example/orders:1.4.2@sha256:0"}]}
        yield {
            "kind": "Pod",
            "metadata": {"name": f"{state.get('pod', 'orders')}-{number}", "namespace": space},
            "spec": spec,
            "status": {"containerStatuses": [container]},
        }
    hosts = {"tls": [{"hosts": ["orders.example"]}], "rules": [{"host": "orders.example"}]}
    yield {"kind": "Ingress", "metadata": {"name": "web", "namespace": space}, "spec": hosts, "status": {}}


def usage(state, kind):
    if kind == "nodes":
        return [{"usage": {"cpu": "250123456n", "memory": "1048576Ki"}}]
    used = {"usage": {"cpu": "12m", "memory": "64Mi"}}
    return [{"metadata": {"namespace": name.partition("/")[0]}, "containers": [used]} for name in state["releases"]]


def answer(document) -> int:
    sys.stdout.write(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
