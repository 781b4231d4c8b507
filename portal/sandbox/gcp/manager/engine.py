"""Builds and takes away what deployments order, step by step on the virtual clock, with the builder's rights and no others."""

import base64
from collections.abc import Callable
from typing import Any, Protocol

from portal.sandbox.gcp.access import Target, is_allowed
from portal.sandbox.gcp.manager import terraform
from portal.sandbox.gcp.manager.hcl import PlanError
from portal.sandbox.gcp.manager.plan import Plan
from portal.sandbox.gcp.manager.terraform import StepError, Terraform
from portal.sandbox.gcp.world import Project, Token, World

Record = dict[str, Any]
PREPARING = ""  # the step before the first resource: the plan is fetched and read
# What Infrastructure Manager itself needs of the account that it builds as.
OWN_RIGHTS = (
    "config.artifacts.import", "config.deployments.getLock", "config.deployments.getState", "config.deployments.updateState",
    "logging.logEntries.create",
)  # fmt: skip
STORE_RIGHTS = ("storage.buckets.get", "storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.update")
PREVIEW_RIGHTS = ("config.previews.upload", "config.deployments.getLock", "config.deployments.getState", "logging.logEntries.create")


class Machines(Protocol):
    """Where virtual machines really run."""

    def boot(self, machine: str, user_data: str) -> None: ...
    def halt(self, machine: str) -> None: ...


class Refused(Exception):
    """Infrastructure Manager could not even begin: no resource is to blame."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Engine:
    """Works on one world. `advance` does all that is due; nothing happens in between."""

    def __init__(self, world: World, machines: Machines | None, violate: Callable[[str, str], None]) -> None:
        self.world = world
        self.machines = machines
        self.violate = violate

    def advance(self) -> None:
        now = self.world.now()
        for name, record in list(self.world.builds.items()):
            while record.get("job") and record["job"]["due"] <= now:
                self._do_next(name, record)
        for preview in self.world.previews.values():
            if preview["state"] == "CREATING" and preview["due"] <= now:
                self._finish_preview(preview)

    # --- start ---

    def start(self, record: Record, kind: str, action: str, operation: str) -> None:
        """`kind` is apply or destroy."""
        now = self.world.now()
        number = len(record["revisions"])
        record["revisions"].append({
            "number": number, "action": action, "state": "APPLYING", "created_at": now, "updated_at": now, "error_code": "",
            "detail": "", "tf_errors": [], "outputs": {}, "blueprint": record["body"]["terraformBlueprint"], "resources": [],
        })  # fmt: skip
        record |= {"error_code": "", "detail": "", "tf_errors": [], "updated_at": now}
        record["job"] = {"kind": kind, "queue": [PREPARING], "due": now + self.world.knobs.operation_seconds, "operation": operation}

    # --- one step ---

    def _do_next(self, name: str, record: Record) -> None:
        job, revision = record["job"], record["revisions"][-1]
        address = job["queue"].pop(0)
        try:
            if address == PREPARING:
                self._prepare(record)
            else:
                entry = _entry(revision, address)
                self._terraform(record).step(record, entry, job["kind"])
                entry["state"] = "RECONCILED"
        except StepError as problem:
            _entry(revision, problem.address)["state"] = "FAILED"
            self._fail(record, "RUN", problem.said())
        except Refused as problem:
            self._fail(record, problem.code, None, problem.detail)
        except PlanError as problem:
            self.violate("plan", str(problem))
            self._fail(record, "RUN", None, f"Error: {problem}")
        else:
            self._go_on(name, record)

    def _go_on(self, name: str, record: Record) -> None:
        job, revision = record["job"], record["revisions"][-1]
        if not job["queue"]:
            self._succeed(name, record)
            return
        entry = _entry(revision, job["queue"][0])
        entry["state"] = "IN_PROGRESS"
        job["due"] += self.world.knobs.operation_seconds * (0 if entry["intent"] == "UNCHANGED" else terraform.weight(entry["type"]))

    def _prepare(self, record: Record) -> None:
        """Rights first, then the plan, then what shall happen to which resource."""
        project, builder = self._project(record), self._builder(record)
        if missing := [right for right in OWN_RIGHTS if not is_allowed(self.world, builder, right, _of(project))]:
            raise Refused("CLOUD_BUILD_PERMISSION_DENIED", f"Permission {missing[0]} denied for {builder.email}.")
        self._check_store(record, project, builder)
        job, revision = record["job"], record["revisions"][-1]
        if job["kind"] == "destroy":
            entries = [
                {"address": address, "type": found["type"], "id": found["attributes"]["id"], "intent": "DELETE"}
                for address, found in reversed(list(record["terraform"].items()))
            ]
        else:
            entries = self._terraform(record).planned(record)
        revision["resources"] = [{**entry, "state": "PLANNED"} for entry in entries]
        job["queue"] = [entry["address"] for entry in entries]

    def _check_store(self, record: Record, project: Project, builder: Token) -> None:
        store = f"projects/_/buckets/{project.number}-{record['place']}-blueprint-config"
        target = Target(project, _of(project).chain, store, "storage.googleapis.com/Bucket")
        if not is_allowed(self.world, builder, "storage.buckets.create", target):
            raise Refused("BUCKET_CREATION_PERMISSION_DENIED", f"{builder.email} does not have storage.buckets.create access to {store}.")
        if missing := [right for right in STORE_RIGHTS if not is_allowed(self.world, builder, right, target)]:
            raise Refused("CLOUD_BUILD_PERMISSION_DENIED", f"{builder.email} does not have {missing[0]} access to {store}.")

    def _plan(self, record: Record) -> Plan:
        blueprint = record["body"]["terraformBlueprint"]
        source = blueprint.get("gcsSource", "")
        bucket, _, key = source.removeprefix("gs://").partition("/")
        found = self.world.buckets.get(bucket)
        is_readable = found is not None and any("allUsers" in binding["members"] for binding in found["bindings"])
        if found is None or not is_readable or key not in found["objects"]:
            raise Refused("", f"Failed to download the blueprint {source}: it does not exist, or the service account may not read it.")
        inputs = {name: entry.get("inputValue") for name, entry in blueprint.get("inputValues", {}).items()}
        return Plan(base64.b64decode(found["objects"][key]), inputs)

    def _terraform(self, record: Record) -> Terraform:
        plan = self._plan(record) if record["job"] is None or record["job"]["kind"] == "apply" else None
        return Terraform(
            self.world,
            project=self._project(record),
            builder=self._builder(record),
            plan=plan,
            machines=self.machines,
            violate=self.violate,
        )

    # --- the end ---

    def _succeed(self, name: str, record: Record) -> None:
        revision, job = record["revisions"][-1], record["job"]
        record["job"], record["updated_at"], revision["updated_at"] = None, self.world.now(), self.world.now()
        revision["state"] = "APPLIED"
        if job["kind"] == "destroy":
            record["state"] = "DELETED"
            self._end(job, {"@type": "type.googleapis.com/google.cloud.config.v1.Deployment", **record["shown"], "state": "DELETED"})
            del self.world.builds[name]
            return
        revision["outputs"] = self._plan(record).results(record["terraform"])
        record["state"], record["latest"] = "ACTIVE", revision["number"]
        self._end(job, {"@type": "type.googleapis.com/google.cloud.config.v1.Deployment", **record["shown"], "state": "ACTIVE"})

    def _fail(self, record: Record, code: str, said: Record | None, detail: str = "") -> None:
        revision, job = record["revisions"][-1], record["job"]
        record["job"], record["updated_at"], revision["updated_at"] = None, self.world.now(), self.world.now()
        revision["state"], record["state"] = "FAILED", "FAILED"
        revision["detail"] = record["detail"] = detail or "Terraform failed: see the errors of its resources."
        revision["tf_errors"] = [said] if said else []
        is_own = code not in {"RUN", ""}
        if job["kind"] == "destroy":
            record["error_code"], record["tf_errors"] = "DELETE_BUILD_RUN_FAILED", revision["tf_errors"]
        else:
            record["error_code"] = code if code.startswith("BUCKET") or code == "CLOUD_BUILD_PERMISSION_DENIED" else "REVISION_FAILED"
            record["latest"] = revision["number"]
        revision["error_code"] = code if is_own and not code.startswith("BUCKET") else "APPLY_BUILD_RUN_FAILED"
        self._end(job, {"error": {"code": 9, "message": record["detail"]}})

    def _end(self, job: Record, response: Record) -> None:
        operation = self.world.operations.get(job["operation"])
        if operation is not None:
            operation.done_at, operation.response = self.world.now(), response

    # --- a preview ---

    def _finish_preview(self, preview: Record) -> None:
        record = self.world.builds.get(preview["deployment"])
        if record is None or record["job"]:
            preview |= {"state": "FAILED", "error_code": "DEPLOYMENT_LOCK_ACQUIRE_FAILED", "tf_errors": []}
            return
        builder, project = self._builder(record), self._project(record)
        if missing := [right for right in PREVIEW_RIGHTS if not is_allowed(self.world, builder, right, _of(project))]:
            said = {"errorDescription": f"Permission {missing[0]} denied.", "httpResponseCode": 403}
            preview |= {"state": "FAILED", "error_code": "CLOUD_BUILD_PERMISSION_DENIED", "tf_errors": [said]}
            return
        try:
            preview |= {"state": "SUCCEEDED", "drifts": self._terraform(record).drifts(record)}
        except StepError as problem:
            preview |= {"state": "FAILED", "error_code": "PREVIEW_BUILD_RUN_FAILED", "tf_errors": [problem.said()]}

    # --- who ---

    def _project(self, record: Record) -> Project:
        return self.world.projects[record["project"]]

    def _builder(self, record: Record) -> Token:
        """As whom it is built. An account that is gone may do nothing."""
        email = record["body"]["serviceAccount"].rpartition("/")[2]
        account = self.world.account(email)
        unique_id = account.body["uniqueId"] if account is not None else "gone"
        member = f"serviceAccount:{email}"
        return Token("account", member, [member] if account is not None else [], float("inf"), email, unique_id, record["project"])


def _of(project: Project) -> Target:
    return Target(
        project,
        (project.policy_name, *([f"organizations/{project.organization}"] if project.organization else [])),
        f"projects/{project.id}",
    )


def _entry(revision: Record, address: str) -> Record:
    found: Record = next(entry for entry in revision["resources"] if entry["address"] == address)
    return found
