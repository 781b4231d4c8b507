"""`/_sandbox/gcp/`, JSON, on the customer port: the API stands in the package's docstring."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from portal.sandbox import wire
from portal.sandbox.gcp import seed
from portal.sandbox.gcp.access import newest
from portal.sandbox.gcp.apis.compute import REGIONS
from portal.sandbox.gcp.front import GoogleCloud
from portal.sandbox.gcp.org_policies import CONSTRAINTS
from portal.sandbox.gcp.world import Project, Resource, World, fresh_etag
from portal.sandbox.request import Request

Values = dict[str, Any]
Handler = Callable[[Request, Values], object]


class GoogleControl:
    def __init__(self, cloud: GoogleCloud) -> None:
        self.cloud = cloud
        self.routes: dict[tuple[str, str], Handler] = {
            ("GET", ""): self._overview,
            ("POST", "knobs"): self._knobs,
            ("POST", "clock"): self._clock,
            ("POST", "owner-token"): self._owner_token,
            ("GET", "projects"): lambda _request, _values: [asdict(project) for project in self.world.projects.values()],
            ("POST", "projects"): self._create_project,
            ("DELETE", "projects"): lambda request, _values: asdict(seed.delete_project(self.world, _one(request, "id"))),
            ("POST", "projects/recreate"): lambda _request, values: asdict(seed.recreate_project(self.world, values["id"])),
            ("POST", "grants"): self._grant,
            ("POST", "org-policies"): self._org_policies,
            ("POST", "quotas"): self._quotas,
            ("POST", "networks"): self._networks,
            ("DELETE", "networks"): self._drop_network,
            ("POST", "resources"): self._resource,
            ("POST", "failures"): lambda _request, values: self.world.failures.append(_failure(values)),
            ("GET", "builds"): lambda _request, _values: {name: found["state"] for name, found in self.world.builds.items()},
            ("POST", "objects"): self._object,
            ("GET", "state"): self._state,
            ("GET", "faults"): lambda _request, _values: cloud.faults.as_json(),
            ("POST", "faults"): lambda _request, values: asdict(cloud.faults.order(values)),
            ("DELETE", "faults"): lambda request, _values: cloud.faults.drop(int(_one(request, "id")) if _one(request, "id") else None),
            ("GET", "journal"): self._journal,
            ("DELETE", "journal"): lambda _request, _values: cloud.journal.clear(),
            ("POST", "reset"): lambda _request, _values: self.reset(),
        }

    @property
    def world(self) -> World:
        return self.cloud.world

    async def __call__(self, request: Request) -> wire.Reply:
        handler = self.routes.get((request.method, request.path.removeprefix("/_sandbox/gcp").strip("/")))
        if handler is None:
            self.cloud.sandbox.violate(kind="route", service="control", action=f"{request.method} {request.path}")
            return wire.document(404, {"error": f"no {request.method} {request.path}: see portal/sandbox/gcp/__init__.py"})
        try:
            answer = wire.document(200, handler(request, json.loads(request.body or b"{}")))
        except (TypeError, ValueError, KeyError) as problem:
            return wire.document(400, {"error": str(problem)})
        self.cloud.is_dirty = self.cloud.is_dirty or request.method != "GET"
        return answer

    def reset(self) -> object:
        if self.cloud.machines is not None:
            for name in [name for name in self.world.resources if "/instances/" in name]:
                self.cloud.machines.halt(name.rpartition("/")[2])
        options = self.cloud.sandbox.options
        self.cloud.world = seed.fresh_world(options.propagation_seconds, options.pace_seconds)
        self.cloud.faults.drop()
        self.cloud.journal.clear()
        self.cloud.is_dirty = True
        return {"reset": True}

    def _overview(self, _request: Request, _values: Values) -> object:
        projects = {project.id: project.number for project in self.world.projects.values() if project.state == "ACTIVE"}
        return {"now": self.world.now(), "knobs": asdict(self.world.knobs), "projects": projects, "faults": self.cloud.faults.as_json()}

    def _knobs(self, _request: Request, values: Values) -> object:
        for name, value in values.items():
            if name not in asdict(self.world.knobs):
                raise ValueError(f"no knob named {name}")
            setattr(self.world.knobs, name, float(value))
        return asdict(self.world.knobs)

    def _clock(self, _request: Request, values: Values) -> object:
        self.world.clock_ahead += float(values["advance"])
        self.world.purge()
        self.cloud.engine.advance()
        return {"now": self.world.now()}

    def _owner_token(self, _request: Request, values: Values) -> object:
        """For the person who owns a project, or any other one: knowing who may what is the policies' business."""
        email = values.get("email") or self._project(values["project"]).owner
        return {"token": seed.mint_user_token(self.world, email, float(values.get("seconds", seed.TOKEN_SECONDS))), "email": email}

    def _create_project(self, _request: Request, values: Values) -> object:
        made = seed.create_project(self.world, values["id"], values["owner"], values.get("number", ""), values.get("organization", ""))
        made.services |= dict.fromkeys(values.get("services", []), 0.0)
        return asdict(made)

    def _project(self, name: str) -> Project:
        project = self.world.project(name)
        if project is None:
            raise ValueError(f"no project {name}")
        return project

    def _grant(self, _request: Request, values: Values) -> None:
        seed.grant(self.world, values["project"], values["role"], values["member"], is_above=bool(values.get("above")))

    def _org_policies(self, _request: Request, values: Values) -> object:
        constraint, spec = values["constraint"].removeprefix("constraints/"), values.get("spec")
        if constraint not in CONSTRAINTS:
            raise ValueError(f"constraint {constraint} is not played")
        name = (
            f"organizations/{values['organization']}" if "organization" in values else f"projects/{self._project(values['project']).number}"
        )
        policies = self.world.org_policies.setdefault(name, {})
        policies.pop(constraint, None)
        if spec is not None:
            policies[constraint] = spec
        return policies

    def _quotas(self, _request: Request, values: Values) -> object:
        """`region` "" sets a quota of the whole project."""
        region = values.get("region", "")
        if region and region not in REGIONS:
            raise ValueError(f"no region {region}")
        metrics = self._project(values["project"]).quotas.setdefault(region, {})
        metrics[values["metric"]] = {"limit": float(values["limit"]), "usage": float(values.get("usage", 0))}
        return metrics

    def _networks(self, _request: Request, values: Values) -> object:
        number, name = self._project(values["project"]).number, values["name"]
        self.world.resources[f"projects/{number}/global/networks/{name}"] = Resource({"autoCreateSubnetworks": False}, self.world.now())
        for subnet in values.get("subnetworks", []):
            body = {"network": name, "ipCidrRange": subnet["range"]}
            self.world.resources[f"projects/{number}/regions/{subnet['region']}/subnetworks/{subnet['name']}"] = Resource(
                body, self.world.now()
            )
        return {"network": name}

    def _drop_network(self, request: Request, _values: Values) -> object:
        number, network = self._project(_one(request, "project")).number, _one(request, "name")
        own = f"projects/{number}/"
        self.world.resources = {
            name: found for name, found in self.world.resources.items()
            if name != f"{own}global/networks/{network}"
            and not (name.startswith(own) and "/subnetworks/" in name and found.body["network"] == network)
        }  # fmt: skip
        return {}

    def _resource(self, _request: Request, values: Values) -> object:
        """Anything of compute's that somebody else made: `path` like global/firewalls/x; no `body` takes it away."""
        name = f"projects/{self._project(values['project']).number}/{values['path']}"
        self.world.resources.pop(name, None)
        if values.get("body") is not None:
            self.world.resources[name] = Resource(values["body"], self.world.now())
        return {"name": name}

    def _object(self, _request: Request, values: Values) -> object:
        """A file that anybody may read, as if its owner had put it there: {"bucket", "name", "content" in base 64}."""
        fresh = {
            "project": "", "location": "EU", "created_at": self.world.now(), "etag": fresh_etag(), "objects": {},
            "bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}],
        }  # fmt: skip
        bucket = self.world.buckets.setdefault(values["bucket"], fresh)
        bucket["objects"][values["name"]] = values["content"]
        return {"name": values["name"]}

    def _state(self, request: Request, _values: Values) -> object:
        """Everything of one project that a kit could have made, for comparing."""
        project = self._project(_one(request, "project"))
        prefixes = (f"projects/{project.id}/", f"projects/{project.number}/")
        found = {name: made for name, made in self.world.resources.items() if name.startswith(prefixes)}
        accounts = {made.body["uniqueId"] for name, made in found.items() if "/serviceAccounts/" in name}
        policies = [project.policy_name, *(f"serviceAccounts/{unique_id}" for unique_id in accounts)]
        return {
            "services": sorted(project.services),
            "resources": {name: {**made.body, "is_live": made.is_live} for name, made in sorted(found.items())},
            "policies": {name: newest(self.world, name).bindings for name in policies},
            "audit": self.world.audit_configs.get(project.policy_name, []),
        }

    def _journal(self, request: Request, _values: Values) -> object:
        after = int(_one(request, "after") or 0)
        return [entry for entry in self.cloud.journal if entry["number"] > after]


def _failure(values: Values) -> Values:
    """A resource of a plan that shall fail; the package's docstring has the fields."""
    unknown = set(values) - {"type", "action", "address", "reason", "status", "count"}
    if values["action"] not in {"create", "update", "delete"} or unknown:
        raise ValueError(f"no such failure: {values}")
    return {"count": 1, **values, "reason": str(values["reason"]), "type": str(values["type"])}


def _one(request: Request, name: str) -> str:
    return (request.query.get(name) or [""])[0]
