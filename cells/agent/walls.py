"""What keeps instances of one cluster apart: documents of Kubernetes for the namespace of each. Pure functions.

A chart that needs more traffic than this says so by network policies of its own, which Kubernetes adds to these.
"""

from __future__ import annotations

from collections.abc import Mapping

from cells.agent.runtime import Document

PLATFORM = "byoc-platform"
MANAGED_BY = {"app.kubernetes.io/managed-by": "byoc-agent"}
MOST_PODS = 50
# What a container asks for that says nothing itself: without it, a quota refuses the pod.
LEAST = {"cpu": "10m", "memory": "32Mi"}
DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
# Where a cluster asks for names on the machine itself first.
LOCAL_DNS = "169.254.20.10/32"


def platform(owner: str) -> list[Document]:
    """The space of what the cell itself needs. Some of that works on machines, so the rules for pods are told and not enforced."""
    return [_namespace(PLATFORM, owner, {"audit": "baseline", "warn": "baseline"})]


def instance(space: str, owner: str, sizes: Mapping[str, int]) -> list[Document]:
    """The space of one instance: no privileged pods, traffic within and from the cell's own entrances alone, and the size ordered."""
    return [
        _namespace(space, owner, {"enforce": "baseline", "audit": "restricted", "warn": "restricted"}),
        _traffic(space),
        _quota(space, sizes),
        _limits(space, sizes),
    ]


def _namespace(space: str, owner: str, pods: Mapping[str, str]) -> Document:
    rules = {f"pod-security.kubernetes.io/{mode}": level for mode, level in pods.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": {**MANAGED_BY, "byoc/of": owner, **rules}}}


def _traffic(space: str) -> Document:
    within: Document = {"podSelector": {}}
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [within, _space_called(PLATFORM)]}],
        "egress": [{"to": [within]}, {"to": [_space_called("kube-system"), {"ipBlock": {"cidr": LOCAL_DNS}}], "ports": DNS}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _named(space), "spec": spec}


def _quota(space: str, sizes: Mapping[str, int]) -> Document:
    """Twice the processor and memory, as a new version starts before the old one ends. Outside of the cluster it opens nothing itself."""
    hard = {
        "requests.cpu": f"{sizes['cpu'] * 2}m",
        "requests.memory": f"{sizes['memory'] * 2}Mi",
        "requests.storage": f"{sizes['storage']}Gi",
        "pods": str(MOST_PODS),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": _named(space), "spec": {"hard": hard}}


def _limits(space: str, sizes: Mapping[str, int]) -> Document:
    """No container is larger than the whole instance."""
    whole = {"cpu": f"{sizes['cpu']}m", "memory": f"{sizes['memory']}Mi"}
    limit = {"type": "Container", "max": whole, "default": whole, "defaultRequest": LEAST}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": _named(space), "spec": {"limits": [limit]}}


def _named(space: str) -> Document:
    return {"name": "byoc", "namespace": space, "labels": MANAGED_BY}


def _space_called(name: str) -> Document:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
