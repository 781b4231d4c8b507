"""What support reads of Azure, act by act.

Azure's Activity Log has no line for a reading, so no act here names calls by which that log would know it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.mgmt.resource.deployments.models import DeploymentExtended

from accounts.clouds.azure.clients import Session, every, kind_and_name, word
from accounts.clouds.azure.errors import arm_code
from accounts.clouds.support import ActResult

EVERY = ("diagnose", "logs", "operate", "repair")
WITH_LOGS = ("logs", "operate", "repair")
# Profile -> keys of the kit's roles that it takes.
ROLES = {"diagnose": ("support",), **dict.fromkeys(WITH_LOGS, ("support", "support-logs"))}
EVENTS, LINES = 50, 200
LOOK_BACK = timedelta(days=2)
CHARACTERS = 60_000
PARTS = ("natGateways", "networkSecurityGroups", "publicIPAddresses", "virtualNetworks")


@dataclass(frozen=True)
class Place:
    """The group of the cell, which is all that support's roles are given in."""

    subscription: str
    group: str

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"


@dataclass(frozen=True)
class Act:
    profiles: Sequence[str]
    run: Callable[[Session, Place, Mapping[str, str]], ActResult]


def describe_cell(session: Session, place: Place, _arguments: Mapping[str, str]) -> ActResult:
    group = session.resources(place.subscription).resource_groups.get(place.group)
    state = group.properties.provisioning_state if group.properties else ""
    lines = [f"resource group {group.name}: {state} in {group.location}"]
    for cluster in session.list(f"{place.scope}/providers/Microsoft.ContainerService/managedClusters", "clusters"):
        lines += _cluster(cluster)
    for kind in PARTS:
        for part in session.list(f"{place.scope}/providers/Microsoft.Network/{kind}", "network"):
            lines.append(f"{kind} {part.get('name')}: {_state(part)}")
    newest = _deployments(session, place)[:1]
    lines += [f"deployment {found.name}: {word(found.properties.provisioning_state)}" for found in newest if found.properties]
    return _result(lines)


def _cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    properties = cluster.get("properties") or {}
    power = (properties.get("powerState") or {}).get("code", "")
    version = properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion", "")
    yield f"cluster {cluster.get('name')}: {_state(cluster)}, {power}, Kubernetes {version}"
    for pool in properties.get("agentPoolProfiles") or ():
        yield f"pool {pool.get('name')}: {pool.get('count')} of {pool.get('vmSize')}, {pool.get('mode')}"


def _state(found: Mapping[str, Any]) -> str:
    return str((found.get("properties") or {}).get("provisioningState", "unknown"))


def list_events(session: Session, place: Place, _arguments: Mapping[str, str]) -> ActResult:
    """What the newest deployments of the cell did, resource by resource."""
    lines: list[str] = []
    for found in _deployments(session, place)[:5]:
        client = session.deployments(place.subscription).deployment_operations
        for told in every(client.list(place.group, str(found.name))):
            properties = told.as_dict().get("properties") or {}
            target = (properties.get("targetResource") or {}).get("id", "")
            code, text = arm_code(properties.get("statusMessage") or {}) if properties.get("statusMessage") else ("", "")
            what = " ".join(kind_and_name(target)) if target else str(found.name)
            why = f"{code}: {text}" if code else ""
            lines.append(f"{str(properties.get('timestamp', ''))[:19]}Z {what} {properties.get('provisioningState', '')} {why}".rstrip())
    lines.sort(reverse=True)
    return _result(lines[:EVENTS], is_cut=len(lines) > EVENTS)


def _deployments(session: Session, place: Place) -> list[DeploymentExtended]:
    """The newest first."""
    found = every(session.deployments(place.subscription).deployments.list_by_resource_group(place.group))
    long_ago = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda entry: (entry.properties and entry.properties.timestamp) or long_ago, reverse=True)


def read_cluster_log(session: Session, place: Place, arguments: Mapping[str, str]) -> ActResult:
    """What Azure itself wrote down of the cell. The cluster's own log would need a workspace, which a cell does not have."""
    wanted, words = int(arguments.get("lines") or LINES), arguments.get("words", "")
    now = datetime.now(UTC)
    since = now - (timedelta(minutes=int(arguments["minutes"])) if arguments.get("minutes") else LOOK_BACK)
    lines = [line for line in map(_line, activity(session, place, since, now + timedelta(minutes=5))) if words.lower() in line.lower()]
    head = [f"# Azure's Activity Log of {place.group}, the newest first. A cell on Azure keeps no log of the cluster itself."]
    return _result(head + lines[:wanted], is_cut=len(lines) > wanted)


def activity(session: Session, place: Place, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Lines of Azure's own log about the group, the newest first."""
    span = f"eventTimestamp ge '{stamp(since)}' and eventTimestamp le '{stamp(until)}'"
    path = f"/subscriptions/{place.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    return session.list(path, "activity", {"$filter": f"{span} and resourceGroupName eq '{place.group}'"})


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def told(entry: Mapping[str, Any], name: str) -> str:
    """A word of the log: Azure writes some as `{"value", "localizedValue"}`."""
    found = entry.get(name)
    return str(found.get("value") or "" if isinstance(found, Mapping) else found or "")


def _line(entry: Mapping[str, Any]) -> str:
    about = " ".join(kind_and_name(told(entry, "resourceId")))
    how = " ".join(filter(None, (told(entry, "status"), told(entry, "subStatus"))))
    return f"{told(entry, 'eventTimestamp')[:19]}Z {told(entry, 'operationName')} {how}: {about} by {told(entry, 'caller')}"


def _result(lines: list[str], *, is_cut: bool = False) -> ActResult:
    text = "\n".join(lines)
    return ActResult(text[:CHARACTERS], (), is_cut or len(text) > CHARACTERS)


ACTS: Mapping[str, Act] = {
    "describe_cell": Act(EVERY, describe_cell),
    "list_events": Act(EVERY, list_events),
    "read_cluster_log": Act(WITH_LOGS, read_cluster_log),
}
