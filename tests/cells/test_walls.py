"""What keeps instances of one cluster apart: what the agent asks the cluster for, and that its rights in each cloud cover the asking."""

import pytest

from accounts.kits.azure.inside import AGENT as AZURE_RIGHTS
from accounts.kits.gcp.manifest_agent import AGENT as GCP_GRANTS
from cells.agent import walls
from cells.agent.helm import HelmRuntime
from tests.cells.test_helm import DIGEST, ID, SPACE, FakeCluster, verbs, wanted


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = FakeCluster(tmp_path / "bin")
    monkeypatch.setenv("FAKE_CLUSTER", str(made.folder))
    return made


@pytest.fixture
def runtime(cluster, tmp_path):
    return HelmRuntime(tmp_path / "state", helm=str(cluster.folder / "helm"), kubectl=str(cluster.folder / "kubectl"))


def walls_of(cluster):
    return cluster.state["applied"][SPACE]


def test_helm_instance_stands_behind_its_walls_before_anything_is_installed(runtime, cluster):
    runtime.apply(wanted())

    assert verbs(cluster)[:3] == ["kubectl apply", "helm pull", "helm upgrade"]
    assert list(walls_of(cluster)) == ["Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange"]


def test_helm_instance_talks_within_its_namespace_and_to_names_alone(runtime, cluster):
    runtime.apply(wanted())
    rules = walls_of(cluster)["NetworkPolicy"]["spec"]

    assert (rules["podSelector"], rules["policyTypes"]) == ({}, ["Ingress", "Egress"])  # every pod, both ways: what is not named is denied
    within, platform = {"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "byoc-platform"}}}
    assert rules["ingress"] == [{"from": [within, platform]}]
    inside, names = rules["egress"]
    assert inside == {"to": [within]}
    assert names["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    assert names["to"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]


def test_helm_instance_gets_the_size_that_was_ordered_and_opens_nothing_to_the_outside(runtime, cluster):
    runtime.apply(wanted())
    hard = walls_of(cluster)["ResourceQuota"]["spec"]["hard"]
    (limit,) = walls_of(cluster)["LimitRange"]["spec"]["limits"]

    assert (hard["requests.cpu"], hard["requests.memory"], hard["requests.storage"]) == ("1000m", "1024Mi", "10Gi")
    assert (hard["services.loadbalancers"], hard["services.nodeports"]) == ("0", "0")
    assert limit["max"] == limit["default"] == {"cpu": "500m", "memory": "512Mi"}
    assert set(limit["defaultRequest"]) == {"cpu", "memory"}  # a quota refuses what asks for nothing


def test_helm_walls_move_with_the_size(runtime, cluster):
    runtime.apply(wanted())
    larger = {"parameters": {}, "resources": {"cpu": 2000, "memory": 4096, "storage": 40}}
    runtime.apply(wanted(revision=2, values=larger))

    assert walls_of(cluster)["ResourceQuota"]["spec"]["hard"]["requests.cpu"] == "4000m"
    assert walls_of(cluster)["LimitRange"]["spec"]["limits"][0]["max"] == {"cpu": "2000m", "memory": "4096Mi"}


def test_helm_installs_nothing_where_the_walls_are_refused(runtime, cluster):
    cluster.set(broken={"kubectl apply": 'Error: networkpolicies "byoc" is forbidden: User "agent" cannot create resource'})
    runtime.apply(wanted())

    assert verbs(cluster) == ["kubectl apply"]
    assert runtime.done["instances"][ID]["problem"] == "not_permitted"


def test_helm_platforms_own_space_is_told_and_not_enforced(runtime, cluster):
    component = {"name": "ingress", "is_present": True, "chart": "oci://c.example/ingress", "chart_version": "4.1.0", "digest": DIGEST}
    runtime.apply({"version": 1, "components": [component], "instances": []})

    (kind,) = cluster.state["applied"]["byoc-platform"].items()
    assert kind[0] == "Namespace"
    assert "pod-security.kubernetes.io/enforce" not in kind[1]["metadata"]["labels"]


# A server-side apply reads, and makes or changes. Google Cloud says update where Kubernetes says patch, Azure says write for both.
OWN_KINDS = {
    "Namespace": ("namespaces", "namespaces"),
    "NetworkPolicy": ("networkPolicies", "networking.k8s.io/networkpolicies"),
    "ResourceQuota": ("resourceQuotas", "resourcequotas"),
    "LimitRange": ("limitRanges", "limitranges"),
}


def test_helm_walls_are_within_the_agents_rights_in_each_cloud():
    """On AWS, the agent administers its cluster."""
    kinds = {document["kind"] for document in walls.instance(SPACE, ID, {"cpu": 1, "memory": 1, "storage": 1})}
    gcp = {action for grant in GCP_GRANTS for action in grant.actions}
    names = [OWN_KINDS[kind] for kind in sorted(kinds)]

    assert {f"container.{name}.{verb}" for name, _ in names for verb in ("get", "create", "update")} <= gcp
    asked = {f"Microsoft.ContainerService/managedClusters/{name}/{verb}" for _, name in names for verb in ("read", "write")}
    assert asked <= set(AZURE_RIGHTS)


def test_helm_agent_has_no_right_to_give_rights_away_where_the_cloud_can_refuse_it():
    everything = {action for grant in GCP_GRANTS for action in grant.actions} | set(AZURE_RIGHTS)

    given = ("roleBindings", "clusterRole", ".roles.", "rbac.authorization", "escalate", "bind", "/exec", "pods.exec", "createToken")
    assert [action for action in everything if any(word in action for word in given)] == []
    # Of configuration that may hold secrets, Helm finds its own record alone by looking through all.
    assert [action for action in everything if action.endswith(("configMaps.list", "serviceAccounts.list"))] == []
