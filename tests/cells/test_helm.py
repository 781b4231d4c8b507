"""The runtime of real cells, against programs that answer as `helm` and `kubectl` do: what it calls, with which words, and what it reports.

These programs are played (`fake_cluster.py`). `test_helm_real.py` holds their options and words against the real ones, where those are
installed; that a real cluster does the same is shown nowhere.
"""

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import pytest

from cells.agent import kubernetes
from cells.agent.helm import HelmRuntime
from cells.agent.runtime import RuntimeAwayError
from cells.protocol.documents import Cluster, Component, InstanceReport

CHART = "oci://registry.fernhill.example/charts/orders"
CONTENT = "the chart's package"
DIGEST = hashlib.sha256(CONTENT.encode()).hexdigest()
ID = "0a1b2c3d-0000-4000-8000-00000000000a"
SPACE = f"byoc-{ID}"


class FakeCluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.set(
            charts={f"{CHART}:1.0.0": CONTENT, "oci://c.example/ingress:4.1.0": CONTENT}, namespaces=["default"], releases={}, broken={},
            measures=True, first_node="True", ready=2, restarts=0, reason="ContainerCreating",
        )  # fmt: skip
        for name in ("helm", "kubectl"):
            program = folder / name
            program.write_text(f"#!{sys.executable}\n{Path(__file__).with_name('fake_cluster.py').read_text()}")
            program.chmod(0o755)

    @property
    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    def set(self, **values):
        file = self.folder / "state.json"
        file.write_text(json.dumps({**(self.state if file.exists() else {}), **values}))

    @property
    def calls(self):
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def forget(self):
        (self.folder / "calls").unlink(missing_ok=True)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = FakeCluster(tmp_path / "bin")
    monkeypatch.setenv("FAKE_CLUSTER", str(made.folder))
    return made


@pytest.fixture
def runtime(cluster, tmp_path):
    return HelmRuntime(tmp_path / "state", helm=str(cluster.folder / "helm"), kubectl=str(cluster.folder / "kubectl"))


def wanted(*, is_present=True, revision=1, is_running=True, restarts=0, **values):
    instance = {
        "id": ID, "is_present": is_present, "revision": revision, "is_running": is_running, "restarts": restarts,
        "release": {"chart": CHART, "chart_version": "1.0.0", "digest": DIGEST},
        "values": {"parameters": {"colour": "blue"}, "resources": {"cpu": 500, "memory": 512, "storage": 10}},
    }  # fmt: skip
    return {"version": revision, "components": [], "instances": [{**instance, **values}]}


def seen(runtime):
    return runtime.observe()["instances"][0]


def verbs(cluster):
    return [" ".join(call[:2]) for call in cluster.calls]


def test_instance_is_installed_from_the_chart_of_that_hash(runtime, cluster):
    runtime.apply(wanted())

    assert verbs(cluster) == ["kubectl apply", "helm pull", "helm upgrade", "kubectl get"]
    apply, pull, upgrade, _ = cluster.calls
    assert apply[-1]["items"][0]["metadata"] == {
        "name": SPACE,
        "labels": {
            "app.kubernetes.io/managed-by": "byoc-agent",
            "byoc/of": ID,
            "pod-security.kubernetes.io/enforce": "baseline",
            "pod-security.kubernetes.io/audit": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        },
    }
    assert pull[:5] == ["helm", "pull", CHART, "--version", "1.0.0"]
    assert upgrade[2] == "app"
    assert upgrade[4:7] == ["--install", "--namespace", SPACE]
    release = cluster.state["releases"][f"{SPACE}/app"]
    assert release["chart"] == DIGEST
    resources = {"cpu": "500m", "memory": "512Mi", "storage": "10Gi"}
    assert release["values"] == {"colour": "blue", "byoc": {"instance": ID, "resources": resources}}


def test_values_stand_in_no_command_line_and_no_file_that_stays(runtime, cluster):
    runtime.apply(wanted())

    assert "blue" not in json.dumps(cluster.calls)
    assert sorted(path.name for path in runtime.charts.iterdir()) == [f"{DIGEST}.tgz"]


def test_same_wish_is_carried_out_once(runtime, cluster, tmp_path):
    runtime.apply(wanted())
    cluster.forget()

    runtime.apply(wanted())
    again = HelmRuntime(tmp_path / "state", helm=runtime.helm, kubectl=runtime.kubectl)
    again.apply(wanted())

    assert cluster.calls == []


def test_chart_of_another_hash_is_not_installed(runtime, cluster):
    release = {"chart": CHART, "chart_version": "1.0.0", "digest": "0" * 64}
    runtime.apply(wanted(release=release))

    assert "helm upgrade" not in verbs(cluster)
    assert (seen(runtime)["problem"], seen(runtime)["state"]) == ("chart_digest_mismatch", "failed")
    assert list(runtime.charts.iterdir()) == []


def test_refused_wish_is_tried_again_and_then_told_as_done(runtime, cluster):
    cluster.set(broken={"helm upgrade": "Error: values don't meet the specifications of the schema(s) in the following chart(s)"})
    runtime.apply(wanted())
    assert (seen(runtime)["problem"], seen(runtime)["revision"]) == ("values_refused", 1)

    cluster.set(broken={})
    runtime.apply(wanted())
    assert (seen(runtime)["problem"], seen(runtime)["state"]) == ("", "running")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('Error: namespaces "x" is forbidden: User "agent" cannot create resource', "not_permitted"),
        ("Error: admission webhook denied: exceeded quota: compute", "quota_exceeded"),
        ("Error: something else went wrong for ann@b.example", "apply_failed"),
    ],
)
def test_refusal_is_told_as_a_code(runtime, cluster, words, code):
    cluster.set(broken={"helm upgrade": words})

    runtime.apply(wanted())

    assert seen(runtime)["problem"] == code
    assert "ann@b.example" not in json.dumps(runtime.observe())


@pytest.mark.parametrize(
    "words",
    [
        "The connection to the server 10.0.0.1:443 was refused - did you specify the right host or port?",
        "error: error validating data: failed to download openapi: Get: dial tcp 10.0.0.1:443: connect: connection refused",
        "Unable to connect to the server: dial tcp: lookup x.eks.example: no such host",
    ],
)
def test_cluster_that_does_not_answer_is_no_refusal(runtime, cluster, words):
    cluster.set(broken={"kubectl apply": words})

    with pytest.raises(RuntimeAwayError) as away:
        runtime.apply(wanted())

    assert away.value.code == "cluster_unreachable"
    assert runtime.observe()["instances"] == []


def test_missing_program_is_told(tmp_path, cluster):
    with pytest.raises(RuntimeAwayError) as away:
        HelmRuntime(tmp_path / "state", helm="no-such-helm", kubectl="no-such-kubectl").observe()

    assert away.value.code == "program_missing"


def test_stopped_instance_has_no_processes_and_starts_again(runtime, cluster):
    runtime.apply(wanted())
    runtime.apply(wanted(revision=2, is_running=False))
    assert cluster.calls[-1][1:] == ["scale", "--replicas=0", "--namespace", SPACE, "deployment/orders"]
    stopped = seen(runtime)
    runtime.apply(wanted(revision=3))

    assert (stopped["state"], stopped["health"], stopped["ready"], stopped["desired"]) == ("stopped", "unknown", 0, 0)
    assert (seen(runtime)["state"], seen(runtime)["ready"]) == ("running", 2)


def test_restart_replaces_the_processes(runtime, cluster):
    runtime.apply(wanted())
    runtime.apply(wanted(revision=2, restarts=1))

    assert cluster.calls[-1][1:] == ["rollout", "restart", "--namespace", SPACE, "deployment/orders"]
    assert verbs(cluster).count("kubectl rollout") == 1


def test_absent_instance_is_removed_and_told_so(runtime, cluster):
    runtime.apply(wanted())
    runtime.apply(wanted(is_present=False))

    assert seen(runtime)["state"] == "absent"
    assert (cluster.state["releases"], cluster.state["namespaces"]) == ({}, ["default"])


def test_instance_that_the_portal_speaks_of_no_more_goes_too(runtime, cluster):
    runtime.apply(wanted())
    runtime.apply({"version": 2, "components": [], "instances": []})
    cluster.forget()
    runtime.apply({"version": 2, "components": [], "instances": []})

    assert cluster.state["releases"] == {}
    assert cluster.calls == []
    assert runtime.observe()["instances"] == []


def test_components_come_first_and_leave_last(runtime, cluster):
    component = {"name": "ingress", "is_present": True, "chart": "oci://c.example/ingress", "chart_version": "4.1.0", "digest": DIGEST}
    runtime.apply({**wanted(), "components": [component]})
    installed = [call[2] for call in cluster.calls if call[:2] == ["helm", "upgrade"]]
    assert runtime.observe()["components"] == [{"name": "ingress", "version": "4.1.0", "state": "ready"}]
    runtime.apply({**wanted(is_present=False), "components": [{**component, "is_present": False}]})

    assert installed == ["ingress", "app"]
    assert [call[2] for call in cluster.calls if call[:2] == ["helm", "uninstall"]] == ["app", "ingress"]
    assert runtime.observe()["components"] == []


def test_what_is_seen_is_what_the_protocol_takes(runtime, cluster):
    runtime.apply(wanted())
    found = runtime.observe()

    cluster_seen = msgspec.convert(found["cluster"], Cluster)
    instance = msgspec.convert(found["instances"][0], InstanceReport)
    assert (cluster_seen.version, cluster_seen.nodes_ready, cluster_seen.nodes, cluster_seen.cpu) == ("v1.35.0-eks-1", 2, 2, 3860)
    assert (cluster_seen.cpu_used, cluster_seen.memory_used, cluster_seen.memory) == (250, 1024, 14102)
    assert (instance.state, instance.health, instance.ready, instance.desired, instance.cpu, instance.memory) == (
        *("running", "healthy", 2, 2, 12, 64),
    )
    assert [endpoint.url for endpoint in instance.endpoints] == ["https://orders.example/"]
    assert instance.components == [Component(name="orders", version="1.4.2", state="running")]
    assert (instance.requests, instance.errors) == (None, None)


def test_cluster_without_measurements_says_none(runtime, cluster):
    cluster.set(measures=False, first_node="False")
    runtime.apply(wanted())

    found = runtime.observe()

    assert (found["cluster"]["cpu_used"], found["cluster"]["nodes_ready"], found["instances"][0]["cpu"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("ready", "reason", "was_up", "words"),
    [
        (2, "", False, ("running", "healthy")),
        (1, "ContainerCreating", False, ("deploying", "degraded")),
        (1, "CrashLoopBackOff", True, ("restarting", "degraded")),
        (0, "ContainerCreating", False, ("deploying", "degraded")),
        (0, "ContainerCreating", True, ("restarting", "unhealthy")),
        (0, "CrashLoopBackOff", True, ("failed", "unhealthy")),
        (0, "ImagePullBackOff", False, ("failed", "unhealthy")),
    ],
)
def test_words_follow_from_processes(runtime, cluster, ready, reason, was_up, words):
    runtime.apply(wanted())
    if was_up:
        assert seen(runtime)["health"] == "healthy"
    cluster.set(ready=ready, reason=reason)

    assert (seen(runtime)["state"], seen(runtime)["health"]) == words


@pytest.mark.parametrize(("text", "value"), [("250m", 250), ("2", 2000), ("1500000n", 2), ("0.5", 500), ("", 0), ("x", 0)])
def test_cpu_is_read_in_thousandths(text, value):
    assert kubernetes.thousandths(text) == value


@pytest.mark.parametrize(("text", "value"), [("512Mi", 512), ("1Gi", 1024), ("1048576Ki", 1024), ("1048576", 1), ("1e9", 954), ("x", 0)])
def test_memory_is_read_in_mebibytes(text, value):
    assert kubernetes.mebibytes(text) == value
