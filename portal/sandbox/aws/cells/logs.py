"""The log that EKS keeps of a cluster whose logging is switched on: made with the cluster, and kept when it is gone, as AWS does."""

import json
import time
from collections.abc import Mapping
from typing import Any

from ministack.services import cloudwatch_logs as logs


def write_beginning(cluster: str, props: Mapping[str, Any]) -> None:
    """The first lines of each kind of log that the cluster was made with."""
    kinds = [one["Type"] for one in props.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])]
    group = f"/aws/eks/{cluster}/cluster"
    if kinds:
        logs._create_log_group({"logGroupName": group})
    for kind in kinds:
        stream = f"kube-apiserver-{kind}-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
        logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
        event = {"timestamp": int(time.time() * 1000), "message": _line(kind, cluster)}
        logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": [event]})


def _line(kind: str, cluster: str) -> str:
    if kind == "audit":
        who = {"username": "eks:node-manager", "groups": ["system:authenticated"]}
        said = {"kind": "Event", "stage": "ResponseComplete", "verb": "get", "user": who, "responseStatus": {"code": 200}}
        return json.dumps({**said, "requestURI": f"/api/v1/namespaces/kube-system?cluster={cluster}"})
    return f'time="{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}" level=info msg="{kind} of {cluster} started"'
