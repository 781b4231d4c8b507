"""What support reads of Google Cloud, act by act. Infrastructure Manager by Google's own library, clusters and the log as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from accounts.clouds.base import CloudError
from accounts.clouds.gcp.clients import Session
from accounts.clouds.gcp.leases import WITH_LOGS
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.support import ActResult, SupportGrant

if TYPE_CHECKING:
    from google.cloud.config_v1 import Deployment, Revision

EVERY = ("diagnose", "logs", "operate", "repair")
EVENTS, LINES, MOST_LINES = 50, 200, 500
CHARACTERS = 60_000
# As Cloud Audit Logs name the calls. Reading a cluster is not among them: having it written down would write down every look that
# anything takes at Kubernetes too.
GET_DEPLOYMENT, LIST_REVISIONS, LIST_RESOURCES = (
    f"google.cloud.config.v1.Config.{name}" for name in ("GetDeployment", "ListRevisions", "ListResources")
)
LIST_ENTRIES = "google.logging.v2.LoggingServiceV2.ListLogEntries"


@dataclass(frozen=True)
class Opened:
    """A session of a grant, and where it may look."""

    session: Session
    shipped: ShippedKit
    place: str  # of Infrastructure Manager: projects/<id>/locations/<region>
    grant: SupportGrant

    def deployment(self, name: str) -> str:
        return f"{self.place}/deployments/{name}"


@dataclass(frozen=True)
class Act:
    profiles: Sequence[str]
    run: Callable[[Opened, Mapping[str, str]], ActResult]


def describe_cell(opened: Opened, _arguments: Mapping[str, str]) -> ActResult:
    """The cluster first: Google holds that to the grant's cell, so a session for another cell sees nothing of this one."""
    cluster, found = _cluster(opened), _found(opened)
    revision = opened.session.deployments.newest_revision(found.name)
    resources = opened.session.deployments.resources(revision.name) if revision else []
    lines = [f"deployment {opened.grant.stack}: {type(found).State(found.state).name} {found.state_detail}".strip()]
    lines += [f"cluster {cluster.get('name')}: {cluster.get('status')}, Kubernetes {cluster.get('currentMasterVersion')}"]
    lines += [f"{one.terraform_info.type_} {one.terraform_info.address}: {type(one).State(one.state).name}" for one in resources]
    return _result(lines, GET_DEPLOYMENT, LIST_REVISIONS, *([LIST_RESOURCES] if revision else []))


def list_events(opened: Opened, _arguments: Mapping[str, str]) -> ActResult:
    """A revision is one change of the cell, with what went wrong."""
    _cluster(opened)
    told = sorted(
        opened.session.deployments.revisions(opened.deployment(opened.grant.stack)), key=lambda one: one.create_time, reverse=True
    )
    lines = [line for revision in told[:EVENTS] for line in _of_revision(revision)]
    return _result(lines, LIST_REVISIONS, is_cut=len(told) > EVENTS)


def read_cluster_log(opened: Opened, arguments: Mapping[str, str]) -> ActResult:
    """The newest lines, the oldest of them first."""
    most = min(int(arguments.get("lines") or LINES), MOST_LINES)
    asked = {
        "resourceNames": opened.shipped.cluster_views,
        "filter": f'resource.labels.cluster_name="{opened.grant.stack}"',
        "orderBy": "timestamp desc",
        "pageSize": most,
    }
    told = opened.session.post("logging", "/v2/entries:list", "entries", asked)
    lines = [_line(entry) for entry in reversed(told.get("entries", []))]
    return _result(lines, LIST_ENTRIES, is_cut=bool(told.get("nextPageToken")))


def _cluster(opened: Opened) -> dict[str, Any]:
    """A cell that failed before its cluster, or is being taken away, has none: Google says so to whoever may look."""
    path = f"/v1/projects/{opened.shipped.project}/locations/{opened.grant.region}/clusters/{opened.grant.stack}"
    try:
        return opened.session.get("container", path, "cluster")
    except CloudError as error:
        if "NOT_FOUND" not in error.raw:
            raise
        return {"name": opened.grant.stack, "status": "not there", "currentMasterVersion": "unknown"}


def _found(opened: Opened) -> "Deployment":
    found = opened.session.deployments.find(opened.deployment(opened.grant.stack))
    if found is None:
        raise CloudError("unknown_cloud_error", raw=f"{opened.deployment(opened.grant.stack)} is not there")
    return found


def _of_revision(revision: "Revision") -> list[str]:
    kind = type(revision)
    first = f"{_second(revision.create_time)} {revision.name.rpartition('/')[2]} {kind.Action(revision.action).name}"
    lines = [f"{first} {kind.State(revision.state).name} {revision.state_detail}".rstrip()]
    return lines + [f"  {error.resource_address}: {error.error_description}" for error in revision.tf_errors]


def _line(entry: Mapping[str, Any]) -> str:
    payload = entry.get("textPayload") or entry.get("jsonPayload") or entry.get("protoPayload") or ""
    return f"{str(entry.get('timestamp', ''))[:19]}Z {entry.get('resource', {}).get('type', '')} {payload}"


def _second(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _result(lines: list[str], *traces: str, is_cut: bool = False) -> ActResult:
    text = "\n".join(lines)
    return ActResult(text[:CHARACTERS], traces, is_cut or len(text) > CHARACTERS)


ACTS: Mapping[str, Act] = {
    "describe_cell": Act(EVERY, describe_cell),
    "list_events": Act(EVERY, list_events),
    "read_cluster_log": Act(WITH_LOGS, read_cluster_log),
}
