"""Orders in the runtime of real cells: the words for `helm` and `kubectl`, what is made of their answers, when they are stopped."""

import pytest

from cells.agent.orders.acts import carry_out
from cells.agent.orders.forms import Deadline
from tests.cells.test_helm import CHART, DIGEST, ID, SPACE, cluster, runtime, seen, verbs, wanted

__all__ = ["cluster", "runtime"]
NOW = 1_000_000.0


@pytest.fixture
def installed(runtime, cluster):
    runtime.apply(wanted())
    cluster.forget()
    return runtime


def one(**values):
    return wanted(**values)["instances"][0]


def do(runtime, name, *, seconds=30.0, now=None, **values):
    """One order, with so much time left."""
    order = {"id": ID, "name": name, "instance": ID, "lines": None, "wanted": None, "now": now, **values}
    return carry_out(order, runtime, Deadline(NOW + seconds, lambda: NOW), {ID: one()})


def test_rollout_status_is_told_line_by_line(installed, cluster):
    told = do(installed, "rollout_status")

    assert cluster.calls == [["kubectl", "get", "deployments,statefulsets,pods", "--namespace", SPACE, "-o", "json"]]
    assert told["outcome"] == "done"
    assert told["text"].splitlines()[0] == "deployment orders: 2 of 2 ready, 2 of the newest version"
    assert told["text"].splitlines()[1] == "pod orders-0: unknown, 0 restarts"


def test_events_come_in_the_order_of_time(installed, cluster):
    def event(at, message):
        about = {"kind": "Pod", "name": "orders-0"}
        return {"metadata": {}, "lastTimestamp": at, "type": "Warning", "reason": "BackOff", "message": message, "involvedObject": about}

    cluster.set(events=[event("2026-11-22T02:00:00Z", "later"), event("2026-11-22T01:00:00Z", "token: abcdef")])

    told = do(installed, "list_instance_events")

    assert told["text"].splitlines() == [
        "2026-11-22T01:00:00Z Warning BackOff Pod/orders-0: token: [removed]",
        "2026-11-22T02:00:00Z Warning BackOff Pod/orders-0: later",
    ]
    assert told["redactions"] == {"named_secret": 1}


def test_log_is_read_of_each_process_with_limits_and_redacted(installed, cluster):
    cluster.set(silent=["orders-1"])

    told = do(installed, "tail_log", lines=20)

    words = ["--namespace", SPACE, "--all-containers", "--prefix", "--timestamps", "--tail=20", "--limit-bytes=200000"]
    assert cluster.calls[1] == ["kubectl", "logs", "orders-0", *words]
    assert told["text"].splitlines() == [
        "[pod/orders-0/orders] 2026-11-22T01:00:00Z ready, password=[removed]",
        "[pod/orders-1] no log: apply_failed",
    ]


def test_name_that_is_an_option_is_never_put_on_a_command_line(installed, cluster):
    cluster.set(pod="--kubeconfig=elsewhere")

    assert do(installed, "tail_log", lines=20)["text"] == ""
    assert verbs(cluster) == ["kubectl get"]


def test_log_that_the_cluster_forbids_says_so(installed, cluster):
    cluster.set(broken={"kubectl logs": 'Error from server (Forbidden): pods "orders-0" is forbidden'})

    told = do(installed, "tail_log", lines=20)

    assert (told["outcome"], told["code"], told["text"]) == ("failed", "not_permitted", "")


def test_restart_is_a_rollout_and_the_same_wish_later_does_nothing_more(installed, cluster):
    told = do(installed, "restart", wanted=one(revision=2, restarts=1))

    assert (told["outcome"], seen(installed)["revision"]) == ("done", 2)
    assert verbs(cluster).count("kubectl rollout") == 1
    cluster.forget()
    installed.apply(wanted(revision=2, restarts=1))
    assert cluster.calls == []


def test_scale_installs_with_the_other_size(installed, cluster):
    large = {"parameters": {"colour": "blue"}, "resources": {"cpu": 1000, "memory": 1024, "storage": 10}}

    assert do(installed, "scale", wanted=one(revision=2, values=large))["outcome"] == "done"

    release = cluster.state["releases"][f"{SPACE}/app"]
    assert release["values"]["byoc"]["resources"] == {"cpu": "1000m", "memory": "1024Mi", "storage": "10Gi"}


def test_roll_back_whose_chart_is_not_there_fails_and_what_was_wanted_comes_back(installed, cluster):
    release = {"chart": CHART, "chart_version": "0.9.0", "digest": "1" * 64}

    told = do(installed, "rollback", wanted=one(revision=2, release=release))

    assert (told["outcome"], told["code"]) == ("failed", "chart_not_found")
    installed.apply(wanted())
    assert (seen(installed)["revision"], seen(installed)["problem"]) == (1, "")
    assert cluster.state["releases"][f"{SPACE}/app"]["chart"] == DIGEST


def test_resync_installs_once_more_what_is_wanted_anyway(installed, cluster):
    told = do(installed, "resync", now=one())

    assert told["outcome"] == "done"
    assert verbs(cluster)[:2] == ["kubectl apply", "helm upgrade"]
    assert "kubectl rollout" not in verbs(cluster)


def test_order_that_is_over_calls_nothing(installed, cluster):
    told = do(installed, "restart", seconds=0, wanted=one(revision=2, restarts=1))

    assert (told["outcome"], told["code"], cluster.calls) == ("failed", "order_expired", [])


def test_order_that_ends_while_a_command_runs_stops_it(installed, cluster):
    """The rollout never comes up: the agent looks until the order's own end, and no longer."""
    cluster.set(ready=0)

    told = do(installed, "restart", seconds=1.5, wanted=one(revision=2, restarts=1))

    assert (told["outcome"], told["code"], told["text"]) == ("failed", "order_expired", "")


def test_bundle_has_each_part_with_its_own_counts_and_reasons(installed, cluster):
    cluster.set(broken={"kubectl logs": "Error from server (Forbidden): pods is forbidden"})

    told = do(installed, "collect_bundle")

    parts = {part["name"]: part for part in told["parts"]}
    assert list(parts) == ["versions", "resources", "rollout", "events", "log"]
    assert parts["log"]["code"] == "not_permitted"
    assert parts["versions"]["text"].splitlines()[0] == "cluster v1.35.0-eks-1"
    assert "2 of 2 ready" in parts["resources"]["text"]
