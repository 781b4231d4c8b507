"""What Terraform does to one resource: makes it, changes it, takes it away, or tells how it differs; with whatever refuses that."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from portal.sandbox.gcp.access import Target, is_allowed
from portal.sandbox.gcp.apis.accounts import account_target
from portal.sandbox.gcp.manager.kinds import COMPUTE, KINDS, Kind, computed, short, unknown_argument
from portal.sandbox.gcp.manager.plan import Declared, Plan
from portal.sandbox.gcp.world import Project, Resource, Token, World

if TYPE_CHECKING:
    from portal.sandbox.gcp.manager.engine import Machines

Record = dict[str, Any]
IN_USE = "resourceInUseByAnotherResource"


def weight(kind: str) -> float:
    return KINDS[kind].weight if kind in KINDS else 1.0


class StepError(Exception):
    """One resource failed."""

    def __init__(self, address: str, status: int, text: str) -> None:
        super().__init__(address, text)
        self.address = address
        self.status = status
        self.text = text

    def said(self) -> Record:
        """As Infrastructure Manager tells it."""
        return {"resourceAddress": self.address, "httpResponseCode": self.status, "errorDescription": self.text}


class Terraform:
    """Of one deployment. Without a plan it can only take away."""

    def __init__(
        self,
        world: World,
        *,
        project: Project,
        builder: Token,
        plan: Plan | None,
        machines: "Machines | None",
        violate: Callable[[str, str], None],
    ) -> None:
        self.world = world
        self.project = project
        self.builder = builder
        self.plan = plan
        self.machines = machines
        self.violate = violate

    # --- what shall happen ---

    def planned(self, record: Record) -> list[Record]:
        """Every resource of the plan, and what stands without standing in it any more, the last made first."""
        assert self.plan is not None
        state, declared = record["terraform"], self.plan.resources
        entries = []
        for found in declared:
            made = state.get(found.address)
            there = made is not None and self._stands(made)
            entries.append(self._entry(found.address, found.type, "UPDATE" if there else "CREATE", made))
        wanted = {found.address for found in declared}
        gone = [address for address in reversed(list(state)) if address not in wanted]
        return entries + [self._entry(address, state[address]["type"], "DELETE", state[address]) for address in gone]

    def _entry(self, address: str, kind: str, intent: str, made: Record | None) -> Record:
        return {"address": address, "type": kind, "id": made["attributes"]["id"] if made else "", "intent": intent}

    def _stands(self, made: Record) -> bool:
        return self._name(made["path"]) in self.world.resources

    def _name(self, path: str) -> str:
        return f"projects/{self.project.number}/{path}"

    # --- one resource ---

    def step(self, record: Record, entry: Record, kind: str) -> None:
        """Raises StepError."""
        address = entry["address"]
        if kind == "destroy" or entry["intent"] == "DELETE":
            self._delete(record, address)
            return
        assert self.plan is not None
        declared = next(found for found in self.plan.resources if found.address == address)
        attributes = self.plan.attributes(declared, record["terraform"])
        known = self._kind(declared, attributes)
        made = record["terraform"].get(address)
        path = known.path(attributes)
        if made is not None and self._stands(made) and (made["path"] != path or self._is_forced(declared, known, attributes, made)):
            entry["intent"] = "RECREATE"
            self._delete(record, address)
            made = None
        if made is not None and self._stands(made):
            entry["intent"] = self._update(record, declared, known, attributes, made)
        else:
            self._create(record, declared, known, attributes)
        entry["id"] = record["terraform"][address]["attributes"]["id"]

    @staticmethod
    def _is_forced(declared: Declared, known: Kind, attributes: Record, made: Record) -> bool:
        """Machines keep the account that they were made with."""
        is_pool = declared.type == "google_container_node_pool"
        return is_pool and known.accounts(attributes) != known.accounts(made["attributes"])

    def _kind(self, declared: Declared, attributes: Record) -> Kind:
        known = KINDS.get(declared.type)
        if known is None:
            self.violate("resource type", declared.type)
            raise StepError(declared.address, 0, f'Invalid resource type: "{declared.type}" is not played here.')
        if unknown := unknown_argument(known, attributes):
            self.violate("argument", f"{declared.address}.{unknown}")
            raise StepError(declared.address, 0, f'Unsupported argument: An argument named "{unknown}" is not expected here.')
        if len(attributes["name"]) > known.longest or not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", attributes["name"]):
            raise StepError(declared.address, 400, f"Invalid value for field 'resource.name': '{attributes['name']}'.")
        return known

    def _create(self, record: Record, declared: Declared, known: Kind, attributes: Record) -> None:
        address, path = declared.address, known.path(attributes)
        self._ordered_failure(address, declared.type, "create")
        self._check_service(address, known)
        self._check_rights(address, known.create, path)
        for email in known.accounts(attributes):
            self._check_account(address, email)
        self._check_quota(address, declared.type, known, attributes)
        if self._name(path) in self.world.resources:
            text = f"googleapi: Error 409: The resource 'projects/{self.project.id}/{path}' already exists, alreadyExists"
            raise StepError(address, 409, text)
        body = known.body(attributes)
        if "subnetwork" in body and "network" not in body:
            body["network"] = self._network_of(attributes, body["subnetwork"])
        self.world.resources[self._name(path)] = Resource(body, self.world.now())
        self._remember(record, declared, known, attributes, path)
        self._switch(declared.type, attributes, is_on=True)

    def _network_of(self, attributes: Record, subnetwork: str) -> str:
        region = str(attributes["zone"]).rpartition("-")[0]
        found = self.world.resources.get(self._name(f"regions/{region}/subnetworks/{subnetwork}"))
        return str(found.body["network"]) if found else ""

    def _remember(self, record: Record, declared: Declared, known: Kind, attributes: Record, path: str) -> None:
        body = dict(self.world.resources[self._name(path)].body)
        ignored = [name for name in attributes if name in declared.ignored]
        record["terraform"][declared.address] = {
            "type": declared.type, "path": path, "body": body, "ignored": ignored,
            "attributes": computed(declared.type, attributes, self.project.id, path),
        }  # fmt: skip

    def _update(self, record: Record, declared: Declared, known: Kind, attributes: Record, made: Record) -> str:
        path = made["path"]
        self._check_rights(declared.address, known.read, path)
        found, wanted = self.world.resources[self._name(path)], known.body(attributes)
        if all(found.body.get(name) == value for name, value in wanted.items()):
            return "UNCHANGED"
        self._ordered_failure(declared.address, declared.type, "update")
        self._check_rights(declared.address, known.update, path)
        found.body |= wanted
        self._remember(record, declared, known, attributes, path)
        return "UPDATE"

    def _delete(self, record: Record, address: str) -> None:
        made = record["terraform"][address]
        known, path = KINDS[made["type"]], made["path"]
        self._ordered_failure(address, made["type"], "delete")
        if self._stands(made):
            self._check_service(address, known)
            self._check_rights(address, (*known.read, *known.delete), path)
            self._check_users(address, made["type"], path)
            self.world.resources.pop(self._name(path))
            self._switch(made["type"], made["attributes"], is_on=False)
        del record["terraform"][address]

    def _switch(self, kind: str, attributes: Record, *, is_on: bool) -> None:
        """A machine really starts, where there are machines; one whose user data says nothing good stands there and does nothing."""
        if kind != "google_compute_instance" or self.machines is None:
            return
        if not is_on:
            self.machines.halt(attributes["name"])
            return
        try:
            self.machines.boot(attributes["name"], str(attributes["metadata"].get("user-data", "")))
        except ValueError as problem:
            self.violate("user-data", str(problem))

    # --- what refuses ---

    def _check_rights(self, address: str, rights: tuple[str, ...], path: str) -> None:
        for right in rights:
            permission, is_projects = right.removesuffix("@"), right.endswith("@")
            name = f"projects/{self.project.id}" + ("" if is_projects else f"/{path}")
            if permission.startswith("compute.disks.") and not is_projects:
                name = name.replace("/instances/", "/disks/")
            chain = (self.project.policy_name, *((f"organizations/{self.project.organization}",) if self.project.organization else ()))
            if not is_allowed(self.world, self.builder, permission, Target(self.project, chain, name)):
                raise StepError(address, 403, f"googleapi: Error 403: Required '{permission}' permission for '{name}', forbidden")

    def _check_account(self, address: str, email: str) -> None:
        target = account_target(self.world, {"project": self.project.id, "account": email})
        if self.world.account(email) is None or not is_allowed(self.world, self.builder, "iam.serviceAccounts.actAs", target):
            text = f'The user does not have access to service account "{email}". Ask a project owner to grant you the'
            raise StepError(address, 403, f"googleapi: Error 403: {text} iam.serviceAccountUser role on the service account., forbidden")

    def _check_service(self, address: str, known: Kind) -> None:
        if self.project.services.get(known.host, float("inf")) > self.world.now():
            title = "Compute Engine API" if known.host == COMPUTE else "Kubernetes Engine API"
            text = f"{title} has not been used in project {self.project.number} before or it is disabled."
            raise StepError(address, 403, f"googleapi: Error 403: {text}, SERVICE_DISABLED")

    def _check_quota(self, address: str, kind: str, known: Kind, attributes: Record) -> None:
        if kind == "google_compute_network":
            made = sum("/global/networks/" in name for name in self.world.resources if name.startswith(self._name("")))
            self._hold(address, "NETWORKS", "", made, 1)
        if needed := known.cpus(attributes):
            region = attributes.get("location") or str(attributes["zone"]).rpartition("-")[0]
            self._hold(address, "CPUS", str(region), 0, needed)

    def _hold(self, address: str, metric: str, region: str, used: float, needed: float) -> None:
        quota = self.project.quotas.get(region, {}).get(metric)
        if quota is not None and max(used, quota["usage"]) + needed > quota["limit"]:
            where = f" in region {region}" if region else " globally"
            text = f"googleapi: Error 403: Quota '{metric}' exceeded.  Limit: {quota['limit']}{where}., quotaExceeded"
            raise StepError(address, 403, text)

    def _check_users(self, address: str, kind: str, path: str) -> None:
        field = {"google_compute_network": "network", "google_compute_subnetwork": "subnetwork"}.get(kind)
        if field is None:
            return
        own = self._name("")
        for name, found in self.world.resources.items():
            if name.startswith(own) and found.body.get(field) == short(path):
                user = f"projects/{self.project.id}/{name.removeprefix(own)}"
                text = f"The {field} resource 'projects/{self.project.id}/{path}' is already being used by '{user}'"
                raise StepError(address, 400, f"googleapi: Error 400: {text}, {IN_USE}")

    def _ordered_failure(self, address: str, kind: str, action: str) -> None:
        for failure in self.world.failures:
            if failure["action"] == action and failure["type"] in {kind, "*"} and failure.get("address", address) == address:
                if failure.get("count") is not None:
                    failure["count"] -= 1
                    if failure["count"] <= 0:
                        self.world.failures.remove(failure)
                raise StepError(address, int(failure.get("status", 400)), str(failure["reason"]))

    # --- how it differs ---

    def drifts(self, record: Record) -> list[Record]:
        """What stands against what was built. Raises StepError where the builder may not read."""
        found = []
        for address, made in record["terraform"].items():
            self._check_rights(address, KINDS[made["type"]].read, made["path"])
            there = self.world.resources.get(self._name(made["path"]))
            properties = [] if there is None else list(_changes(made, there.body))
            if there is None or properties:
                type_, _, name = address.partition(".")
                info = {"address": address, "type": type_, "resourceName": name, "provider": "registry.terraform.io/hashicorp/google"}
                found.append({"terraformInfo": info, "propertyDrifts": properties})
        return found


def _changes(made: Record, body: Record) -> Any:
    for name in sorted({*made["body"], *body}):
        before, after = made["body"].get(name), body.get(name)
        if before != after:
            yield {"path": _snake(name), "before": before, "after": after}


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)
