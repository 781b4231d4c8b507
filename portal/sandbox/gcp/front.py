"""The listener of this Google Cloud: who calls, may they, and what breaks on order."""

import asyncio
import inspect
import json
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from portal.sandbox import wire
from portal.sandbox.faults import UNHEARD_OF, Fault, Faults, Kind
from portal.sandbox.front import dropping, foreign, reply
from portal.sandbox.gcp import apis, audit, errors, methods
from portal.sandbox.gcp.access import Target, is_allowed
from portal.sandbox.gcp.errors import GoogleError, OAuthRefusal
from portal.sandbox.gcp.manager.engine import Engine, Machines
from portal.sandbox.gcp.methods import Call, Method, Params
from portal.sandbox.gcp.world import Project, Token, World
from portal.sandbox.request import Receive, Request, Scope, Send, read

if TYPE_CHECKING:
    from portal.sandbox.sandbox import Sandbox

JOURNAL_KEPT = 1000
# A person's calls count for gcloud's own project, except with these, which look at the resource's.
CHECKED_FOR_PEOPLE = {"iam", "compute", "orgpolicy"}
NOBODY = Token("nobody", "", [], float("inf"))
SECRETS = {"subject_token", "access_token", "accessToken", "privateKeyData"}
NOT_FOUND = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> <ins>That’s an error.</ins>\n"
assert apis


class GoogleCloud:
    """The ASGI application of the Google port, and its state."""

    def __init__(self, sandbox: "Sandbox", world: World) -> None:
        self.sandbox = sandbox
        self.world = world
        self.faults = Faults()
        self.journal: deque[dict[str, Any]] = deque(maxlen=JOURNAL_KEPT)
        self.exchanges = 0
        self.machines: Machines | None = sandbox.agents
        self.is_dirty = False

    @property
    def engine(self) -> Engine:
        """What Infrastructure Manager does meanwhile; caught up with at every call."""
        return Engine(self.world, self.machines, lambda what, name: self.sandbox.violate(kind=what, service="gcp/config", action=name))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        if request is None:
            return
        if (refused := foreign(request)) is not None:
            await reply(refused, send)
            return
        await self._serve(request, send)

    async def _serve(self, request: Request, send: Send) -> None:
        api, _, rest = request.path.lstrip("/").partition("/")
        found = methods.find(api, request.method, f"/{rest}")
        if found is None:
            self.sandbox.violate(kind="route", service=f"gcp/{api}", action=f"{request.method} {request.path}")
            await reply(wire.text(404, NOT_FOUND, "text/html; charset=UTF-8"), send)
            return
        method, params = found
        self.engine.advance()
        fault = self.faults.take(method.api, method.id, self._project_id(method, params))
        if fault is not None and fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.kind is not Kind.LOST_REPLY:
            answer = self._broken(fault, method, params)
            self._record(request, method, NOBODY, answer)
            await reply(answer, send)
            return
        answer = await self._answer(request, method, params)
        await reply(answer, dropping(send) if fault is not None and fault.kind is Kind.LOST_REPLY else send)

    async def _answer(self, request: Request, method: Method, params: Params) -> wire.Reply:
        caller = NOBODY
        try:
            if not method.is_public:
                caller = self._caller(request, method)
            call = self._checked(request, method, params, caller)
            result = method.handler(call)
            value = await result if inspect.isawaitable(result) else result
            answer = errors.document(200, value) if not isinstance(value, bytes) else wire.Reply(200, "application/octet-stream", value)
        except (GoogleError, OAuthRefusal) as refused:
            answer = refused.reply(method.api)
        audit.record(self.world, method, params, caller, answer)
        if request.method != "GET":
            self.is_dirty = True
        self._record(request, method, caller, answer)
        return answer

    # --- Who calls, and may they ---

    def _caller(self, request: Request, method: Method) -> Token:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not text:
            raise errors.unauthenticated(method.host, method.id, "CREDENTIALS_MISSING")
        token = self.world.tokens.get(text.strip())
        if token is None:
            raise errors.unauthenticated(method.host, method.id, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
        if token.expires_at <= self.world.now():
            raise errors.unauthenticated(method.host, method.id, "ACCESS_TOKEN_EXPIRED")
        if token.kind == "account":
            account = self.world.account(token.unique_id)
            if account is None or account.body.get("disabled"):
                raise errors.unauthenticated(method.host, method.id, "ACCOUNT_STATE_INVALID")
        return token

    def _checked(self, request: Request, method: Method, params: Params, caller: Token) -> Call:
        """The call, once route, fields, API and permission are found good; in Google's order."""
        unknown = sorted(set(request.query) - method.query - methods.SYSTEM_QUERY)
        if unknown:
            self._violate(method, unknown[0])
            raise errors.invalid(
                f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot bind query parameter. '
                f"Field '{unknown[0]}' could not be found in request message."
            )
        body = self._body(request, method)
        target = method.on(self.world, params)
        self._check_consumer(request, method, caller, target)
        if method.permission and not is_allowed(self.world, caller, method.permission, target):
            raise errors.denied(method.api, method.permission, target.name)
        return Call(method, self.world, self.sandbox, params, request.query, body, caller, target, raw=request.body)

    def _body(self, request: Request, method: Method) -> dict[str, Any]:
        if method.body is methods.RAW:
            return {}
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if method.is_public and is_form:
            value: Any = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        else:
            try:
                value = methods.without_nulls(json.loads(request.body or b"{}"))
            except ValueError:
                raise errors.invalid("Invalid JSON payload received. Unexpected token.") from None
        if not isinstance(value, dict):
            raise errors.invalid("Invalid JSON payload received. Root must be an object.")
        try:
            methods.check_shape(value, method.body or {})
        except methods.UnknownFieldError as unknown:
            self._violate(method, f"{unknown.path}.{unknown.name}".lstrip("."))
            raise unknown.refusal() from None
        return value

    def _check_consumer(self, request: Request, method: Method, caller: Token, target: Target) -> None:
        """The project that the call counts for must live and have the API switched on."""
        named = request.headers.get("x-goog-user-project", "")
        project = self.world.project(named) if named else self.world.projects.get(caller.consumer)
        if named and (project is None or not is_allowed(self.world, caller, "serviceusage.services.use", _of(project))):
            raise GoogleError(
                "PERMISSION_DENIED",
                f"Caller does not have required permission to use project {named}. Grant the caller the "
                "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission.",
                errors.info("USER_PROJECT_DENIED", "googleapis.com", service=method.host, consumer=f"projects/{named}"),
            )
        if project is None and method.api in CHECKED_FOR_PEOPLE:
            project = target.project
        if project is None:
            return
        if project.state != "ACTIVE":
            raise errors.project_deleted(method.host, project.number)
        if project.services.get(method.host, float("inf")) > self.world.now():
            raise errors.service_disabled(method.host, f"projects/{project.number}")

    # --- Faults, journal ---

    def _broken(self, fault: Fault, method: Method, params: Params) -> wire.Reply:
        project = self.world.project(self._project_id(method, params))
        number = project.number if project else "0"
        if fault.kind is Kind.HTML_502:
            return wire.text(
                502, "<html><head><title>502 Server Error</title></head><body><h1>Error: Server Error</h1></body></html>", "text/html"
            )
        made = {
            Kind.THROTTLE: lambda: errors.throttled(method.host, number),
            Kind.ERROR_500: lambda: GoogleError("INTERNAL", "Internal error encountered."),
            Kind.ERROR_503: lambda: GoogleError("UNAVAILABLE", "The service is currently unavailable."),
            Kind.UNKNOWN: lambda: GoogleError("FAILED_PRECONDITION", UNHEARD_OF),
            Kind.ACCESS_DENIED: lambda: errors.denied(
                method.api, method.permission or "resourcemanager.projects.get", f"projects/{number}"
            ),
        }[fault.kind]()
        return made.reply(method.api)

    def _project_id(self, method: Method, params: Params) -> str:
        project = method.on(self.world, params).project if params else None
        return project.id if project else ""

    def _violate(self, method: Method, name: str) -> None:
        self.sandbox.violate(kind="field", service=f"gcp/{method.api}", action=method.id, field=name)

    def _record(self, request: Request, method: Method, caller: Token, answer: wire.Reply) -> None:
        """One exchange, without its secrets, for whoever holds traffic against Google's own descriptions."""
        self.exchanges += 1
        self.journal.append({
            "number": self.exchanges, "at": self.world.now(), "api": method.api, "method": method.id, "verb": request.method,
            "path": request.path, "query": request.query, "caller": caller.member, "request": _readable(request),
            "status": answer.status, "response": _masked(_json(answer.body)),
        })  # fmt: skip


def _of(project: Project | None) -> Target:
    return Target(project, (project.policy_name,) if project else (), "")


def _readable(request: Request) -> Any:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _masked({name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()})
    return _masked(_json(request.body))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "(hidden)" if name in SECRETS else _masked(inner) for name, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value
