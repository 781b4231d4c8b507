"""The runtime of real cells against the real `helm` and `kubectl`, as far as they go without a cluster: their options, and their words.

Skipped where the two are not on PATH. What they do in a cluster is played in `test_helm.py`, and nowhere shown for real.
"""

import hashlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import tarfile
import threading
from functools import partial

import pytest

from cells.agent.commands import CommandError, run
from cells.agent.helm import HelmRuntime
from cells.agent.runtime import RuntimeAwayError
from tests.cells.test_helm import FakeCluster, wanted

HELM, KUBECTL = (shutil.which(name) or "" for name in ("helm", "kubectl"))
pytestmark = pytest.mark.skipif(
    not (HELM and KUBECTL), reason="helm and kubectl are not on PATH: their real options and words are not looked at"
)

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: orders\nversion: 1.0.0\n",
    "values.schema.json": json.dumps({"type": "object", "properties": {"colour": {"enum": ["blue", "green"]}}, "required": ["byoc"]}),
    "templates/deployment.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: orders\ndata:\n  colour: {{ .Values.colour }}\n"
        "  cpu: {{ .Values.byoc.resources.cpu }}\n"
    ),
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A cluster that nobody answers for, and a home of their own for the two programs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "x"}}],
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield address


@pytest.fixture
def package(tmp_path):
    """The chart as `helm package` makes it."""
    folder = tmp_path / "orders"
    for name, text in CHART.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run(HELM, "package", str(folder), "--destination", str(tmp_path))
    return tmp_path / "orders-1.0.0.tgz"


@pytest.fixture
def shop(tmp_path, package):
    """Hands out what lies in the folder; its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_words):
            """Nothing on the screen of the tests."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Every command that the runtime gives in the life of an instance and a component, as the played programs took it."""
    cluster = FakeCluster(tmp_path / "bin")
    monkeypatch.setenv("FAKE_CLUSTER", str(cluster.folder))
    runtime = HelmRuntime(tmp_path / "played", helm=str(cluster.folder / "helm"), kubectl=str(cluster.folder / "kubectl"))
    digest = wanted()["instances"][0]["release"]["digest"]
    component = {"name": "ingress", "is_present": True, "chart": "oci://c.example/ingress", "chart_version": "4.1.0", "digest": digest}
    for wish in (
        {**wanted(), "components": [component]},
        wanted(revision=2, is_running=False),
        wanted(revision=3, restarts=1),
        {**wanted(is_present=False), "components": [{**component, "is_present": False}]},
    ):
        runtime.apply(wish)
        runtime.observe()
    return [[word for word in call if isinstance(word, str)] for call in cluster.calls]


def test_real_programs_know_every_option_that_the_runtime_uses(calls):
    assert {" ".join(call[:2]) for call in calls} >= {
        *(
            "helm pull",
            "helm upgrade",
            "helm uninstall",
            "kubectl apply",
            "kubectl get",
            "kubectl scale",
            "kubectl rollout",
            "kubectl delete",
        ),
        "kubectl version",
    }
    for call in {tuple(call) for call in calls}:
        program = HELM if call[0] == "helm" else KUBECTL
        told = subprocess.run([program, *call[1:], "--help"], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, ""), call
        wrong = subprocess.run([program, *call[1:], "--no-such-option", "--help"], capture_output=True, text=True, check=False)
        assert "unknown flag" in wrong.stderr  # the question above is one that can be answered with no


def test_real_helm_fetches_the_package_of_that_hash(tmp_path, shop, package):
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    runtime = HelmRuntime(tmp_path / "state", helm=HELM, kubectl=KUBECTL)

    kept = runtime._chart(f"{shop}/{package.name}", "1.0.0", digest)

    assert kept.read_bytes() == package.read_bytes()
    with tarfile.open(kept) as archive:
        assert "orders/Chart.yaml" in archive.getnames()
    with pytest.raises(CommandError) as other:
        runtime._chart(f"{shop}/{package.name}", "1.0.0", "0" * 64)
    assert other.value.code == "chart_digest_mismatch"
    with pytest.raises(CommandError) as missing:
        runtime._chart(f"{shop}/gone-1.0.0.tgz", "1.0.0", "0" * 64)
    assert missing.value.code == "chart_not_found"


def test_real_helm_takes_values_as_the_runtime_writes_them(tmp_path, package):
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"colour": "blue", "byoc": {"instance": "i", "resources": {"cpu": "500m"}}}))

    made = run(HELM, "template", "app", str(package), "--namespace", "byoc-x", "--values", str(values))

    assert re.search(r"colour: blue\s+cpu: 500m", made)
    run(HELM, "lint", str(package), "--values", str(values))


def test_real_helm_refuses_values_in_words_that_are_known(tmp_path, package):
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"colour": "red", "byoc": {"resources": {"cpu": "500m"}}}))

    with pytest.raises(CommandError) as refused:
        run(HELM, "template", "app", str(package), "--values", str(values))

    assert refused.value.code == "values_refused"


def test_real_programs_without_a_cluster_are_told_from_those_that_refuse(tmp_path, package, shop):
    runtime = HelmRuntime(tmp_path / "state", helm=HELM, kubectl=KUBECTL)
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"byoc": {}}))
    helm = (
        "upgrade",
        "app",
        str(package),
        "--install",
        "--namespace",
        "byoc-x",
        "--values",
        str(values),
        "--history-max",
        "5",
        "--timeout",
        "3m",
    )

    for ask in (
        runtime.observe,
        lambda: runtime.apply(wanted()),
        lambda: run(HELM, *helm, seconds=60),
        lambda: run(HELM, "uninstall", "app", "--namespace", "byoc-x", "--ignore-not-found", seconds=60),
        lambda: run(KUBECTL, "delete", "namespace", "byoc-x", "--ignore-not-found", "--wait=false"),
    ):
        with pytest.raises(RuntimeAwayError) as away:
            ask()
        assert away.value.code == "cluster_unreachable"
