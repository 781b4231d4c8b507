"""`/_sandbox/`, JSON, customer port only: break things, slow them, look inside. For tests and for trying failures by hand.

GET    /_sandbox/                    ports, knobs, faults, number of violations
POST   /_sandbox/knobs               {"pace_seconds": 0, "type_seconds": {"AWS::IAM::Role": 2}, "propagation_seconds": 3,
                                      "scps": {"111122223333": {policy}}, "quotas": {"111122223333": {"vpc/L-F678F1CE": 1}},
                                      "places": {"111122223333": {"closed_regions": ["eu-west-1"], "zones": 1,
                                                 "transit_gateway_vpcs": ["vpc-0a"], "disk_key": "arn:aws:kms:..."}},
                                      "failures": [{"type": "AWS::IAM::Role", "action": "create", "reason": "...", "count": 1}]}
GET|POST|DELETE /_sandbox/faults     {"kind": "throttle", "service": "sts", "action": "*", "account": "*", "count": 3, "seconds": 0}
                                     kinds: throttle 500 503 502_html delay lost_reply access_denied unknown; count null: until deleted
DELETE /_sandbox/faults?id=3
POST   /_sandbox/age-sessions        {"seconds": 3600, "account": "*"}
POST   /_sandbox/forget-keys         issuers' cached keys
GET|DELETE /_sandbox/violations      who used what is not played here
GET|DELETE /_sandbox/mail?to=a@b     the mailbox as JSON
GET    /_sandbox/agents              the machines of agents, in all clouds
POST   /_sandbox/agents              {"act": "stop" | "start" | "kill", "machine": "i-0a", "instance": "of kill"}
GET    /_sandbox/patches             what is changed in ministack
POST   /_sandbox/snapshot            save now
POST   /_sandbox/reset               everything empty, knobs as on the command line
*      /_sandbox/gcp/...             another cloud's own control; see its package
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from ministack import app as ministack
from ministack.services import sts as ministack_sts

from portal.sandbox import wire
from portal.sandbox.aws import patches
from portal.sandbox.console import machines
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

Handler = Callable[[Request, dict[str, Any]], object]


class CloudControl(Protocol):
    """The control of one more cloud, under its own name."""

    async def __call__(self, request: Request) -> wire.Reply: ...

    def reset(self) -> object: ...


class Control:
    def __init__(self, sandbox: Sandbox, save: Callable[[], None], clouds: Mapping[str, CloudControl]) -> None:
        self.sandbox = sandbox
        self.clouds = clouds
        self.save = save
        self.routes: dict[tuple[str, str], Handler] = {
            ("GET", ""): self._overview,
            ("POST", "knobs"): self._knobs,
            ("GET", "faults"): lambda _request, _values: sandbox.faults.as_json(),
            ("POST", "faults"): lambda _request, values: asdict(sandbox.faults.order(values)),
            ("DELETE", "faults"): self._drop_faults,
            ("POST", "age-sessions"): self._age_sessions,
            ("POST", "forget-keys"): lambda _request, _values: sandbox.issuers.forget(),
            ("GET", "violations"): lambda _request, _values: sandbox.violations,
            ("DELETE", "violations"): lambda _request, _values: sandbox.violations.clear(),
            ("GET", "mail"): lambda request, _values: sandbox.mailbox.as_json((request.query.get("to") or [""])[0]),
            ("DELETE", "mail"): lambda _request, _values: sandbox.mailbox.clear(),
            ("GET", "agents"): lambda _request, _values: [asdict(host) for host in sandbox.agents.list()],
            ("GET", "patches"): lambda _request, _values: [asdict(patch) for patch in patches.APPLIED],
            ("POST", "snapshot"): lambda _request, _values: save(),
            ("POST", "reset"): self._reset,
        }

    async def __call__(self, request: Request) -> wire.Reply:
        cloud = self.clouds.get(request.path.removeprefix("/_sandbox").strip("/").partition("/")[0])
        if cloud is not None:
            return await cloud(request)
        if (request.method, request.path) == ("POST", "/_sandbox/agents"):
            return await machines.act(self.sandbox.agents, request)
        handler = self.routes.get((request.method, request.path.removeprefix("/_sandbox").strip("/")))
        if handler is None:
            self.sandbox.violate(kind="route", service="control", action=f"{request.method} {request.path}")
            return wire.document(404, {"error": f"no {request.method} {request.path}: see portal/sandbox/control.py"})
        try:
            return wire.document(200, handler(request, json.loads(request.body or b"{}")))
        except (TypeError, ValueError) as problem:
            return wire.document(400, {"error": str(problem)})

    def _overview(self, _request: Request, _values: dict[str, Any]) -> object:
        return {
            "ports": self.sandbox.ports,
            "knobs": self.sandbox.knobs.as_json(),
            "faults": self.sandbox.faults.as_json(),
            "violations": len(self.sandbox.violations),
            "sessions": len(ministack_sts._sessions),
        }

    def _knobs(self, _request: Request, values: dict[str, Any]) -> object:
        self.sandbox.knobs.change(values)
        self.sandbox.issuers.cache_seconds = self.sandbox.knobs.keys_cache_seconds
        self.sandbox.is_dirty = True
        return self.sandbox.knobs.as_json()

    def _drop_faults(self, request: Request, _values: dict[str, Any]) -> object:
        number = (request.query.get("id") or [""])[0]
        self.sandbox.faults.drop(int(number) if number else None)
        return self.sandbox.faults.as_json()

    def _age_sessions(self, _request: Request, values: dict[str, Any]) -> object:
        """Makes sessions older instead of moving the clock, which signatures need."""
        account = values.get("account", "*")
        aged = [session for session in ministack_sts._sessions.values() if account in {"*", session.get("AccountId")}]
        for session in aged:
            session["Expiration"] -= values["seconds"]
            session["IssuedAt"] -= values["seconds"]
        return {"sessions": len(aged)}

    def _reset(self, _request: Request, _values: dict[str, Any]) -> object:
        ministack._reset_all_state()
        self.sandbox.agents.clear()
        self.sandbox.restore_knobs()
        self.sandbox.faults.drop()
        self.sandbox.violations.clear()
        self.sandbox.mailbox.clear()
        self.sandbox.issuers.forget()
        for cloud in self.clouds.values():
            cloud.reset()
        self.save()
        return {"reset": True}
