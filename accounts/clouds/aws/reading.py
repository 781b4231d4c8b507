"""What support reads of AWS, act by act, and the statements that let a session read it."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.clouds.support import ActResult, SupportGrant

EVERY = ("diagnose", "logs", "operate", "repair")
WITH_LOGS = ("logs", "operate", "repair")
EVENTS, LINES = 50, 200
PAGES = 20
CHARACTERS = 60_000
Open = Callable[[str], Any]


@dataclass(frozen=True)
class Act:
    profiles: Sequence[str]
    run: Callable[[Open, SupportGrant, Mapping[str, str]], ActResult]


def statements(grant: SupportGrant, account: str, short: str) -> list[dict[str, Any]]:
    """Of the session policy: the kit's own rights, cut down to the grant's cell and profile."""
    name = grant.stack or f"byoc-{short}-cell-*"
    place = f"{grant.region if grant.stack else '*'}:{account}"
    found: list[dict[str, Any]] = [
        {"Action": "cloudformation:DescribeStack*", "Resource": f"arn:aws:cloudformation:{place}:stack/{name}/*"},
        {"Action": ["eks:Describe*", "eks:List*"], "Resource": f"arn:aws:eks:{place}:*/{name}*"},
        {"Action": ["ec2:DescribeNatGateways", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"], "Resource": "*"},
    ]
    if grant.profile in WITH_LOGS:
        found.append({"Action": ["logs:FilterLogEvents"], "Resource": f"arn:aws:logs:{place}:log-group:/aws/eks/{name}/*"})
    return found


def describe_cell(opened: Open, grant: SupportGrant, _arguments: Mapping[str, str]) -> ActResult:
    (stack,) = opened("cloudformation").describe_stacks(StackName=grant.stack)["Stacks"]
    parts = opened("cloudformation").describe_stack_resources(StackName=grant.stack)["StackResources"]
    cluster = opened("eks").describe_cluster(name=grant.stack)["cluster"]
    lines = [f"stack {stack['StackName']}: {stack['StackStatus']} {stack.get('StackStatusReason', '')}".strip()]
    lines += [f"cluster {cluster['name']}: {cluster['status']}, Kubernetes {cluster['version']}"]
    lines += [f"{part['ResourceType']} {part['LogicalResourceId']}: {part['ResourceStatus']}" for part in parts]
    return _result(lines, "DescribeStacks", "DescribeStackResources", "DescribeCluster")


def list_events(opened: Open, grant: SupportGrant, _arguments: Mapping[str, str]) -> ActResult:
    told = opened("cloudformation").describe_stack_events(StackName=grant.stack)["StackEvents"]
    lines = [
        f"{event['Timestamp'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {event['LogicalResourceId']} {event['ResourceStatus']} "
        f"{event.get('ResourceStatusReason', '')}".rstrip()
        for event in told[:EVENTS]
    ]
    return _result(lines, "DescribeStackEvents", is_cut=len(told) > EVENTS)


def read_cluster_log(opened: Open, grant: SupportGrant, arguments: Mapping[str, str]) -> ActResult:
    """The newest lines. AWS gives the oldest first, so all of the span is read, as far as it is not endless."""
    since = datetime.now(UTC) - timedelta(minutes=int(arguments.get("minutes", "30")))
    pages = (
        opened("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=f"/aws/eks/{grant.stack}/cluster",
            startTime=int(since.timestamp() * 1000),
            **({"filterPattern": json.dumps(arguments["words"])} if arguments.get("words") else {}),
        )
    )
    newest: deque[str] = deque(maxlen=int(arguments.get("lines", LINES)))
    seen, is_cut = 0, False
    for number, page in enumerate(pages, 1):
        seen += len(page["events"])
        newest.extend(f"{datetime.fromtimestamp(event['timestamp'] / 1000, UTC):%H:%M:%S} {event['message']}" for event in page["events"])
        if number == PAGES:
            is_cut = bool(page.get("nextToken"))
            break
    return _result(list(newest), "FilterLogEvents", is_cut=is_cut or seen > len(newest))


def _result(lines: list[str], *traces: str, is_cut: bool = False) -> ActResult:
    text = "\n".join(lines)
    return ActResult(text[:CHARACTERS], traces, is_cut or len(text) > CHARACTERS)


ACTS: Mapping[str, Act] = {
    "describe_cell": Act(EVERY, describe_cell),
    "list_events": Act(EVERY, list_events),
    "read_cluster_log": Act(WITH_LOGS, read_cluster_log),
}
