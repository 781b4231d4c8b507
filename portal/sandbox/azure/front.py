"""The ASGI application of the Azure port: Entra, ARM and the metadata of the cloud, on one TLS listener."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from portal.sandbox import wire
from portal.sandbox.azure import entra, errors
from portal.sandbox.azure.arm import router
from portal.sandbox.azure.arm.call import Call
from portal.sandbox.azure.deployments import requests
from portal.sandbox.azure.entra import EntraError
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import World
from portal.sandbox.faults import UNHEARD_OF, Fault, Kind
from portal.sandbox.request import Message, Receive, Request, Scope, Send, read
from portal.sandbox.sandbox import Sandbox

TOKEN = re.compile(r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token", re.IGNORECASE)
DISCOVERY = re.compile(r"/(?P<tenant>[^/]+)(?:/v2\.0)?/\.well-known/openid-configuration", re.IGNORECASE)
LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?")
TICK_SECONDS = 1
SECRET = {"client_assertion", "access_token"}
HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


class AzureFront:
    def __init__(self, world: World, sandbox: Sandbox, authority: Path) -> None:
        self.world = world
        self.authority = authority  # file: who has signed this port's certificate
        self.sandbox = sandbox

    async def keep_time(self) -> None:
        """What this Azure does by itself it does at its time, whether somebody looks or not."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            router.live(self.world, self.sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        if request is None:
            return
        reply = await self.exchange(request, send)
        if reply is not None:
            await _send(reply, send)

    async def exchange(self, request: Request, send: Send | None = None) -> wire.Reply | None:
        """Answers one request and keeps both in the journal. None: the connection is to be dropped, and was."""
        host = request.headers.get("host", "")
        if not LOCAL_HOST.fullmatch(host):
            return wire.text(421, "This is the local Azure of a demo. It answers to localhost only.")
        router.live(self.world, self.sandbox)
        service, reply, is_lost = await self._answer(request, f"https://{host}")
        headers = (("x-ms-request-id", str(time.time_ns())), ("cache-control", "no-cache"), *reply.headers)
        reply = wire.Reply(reply.status, reply.content_type, reply.body, headers)
        self._note(service, request, reply)
        if is_lost:
            cycle = getattr(send, "__self__", None)  # uvicorn's own request; the played portal has no connection to drop
            if cycle is not None:
                cycle.transport.abort()
            return None
        return reply

    async def _answer(self, request: Request, origin: str) -> tuple[str, wire.Reply, bool]:
        if request.path.lower() == "/metadata/endpoints":
            return "metadata", self._metadata(origin), False
        if found := TOKEN.fullmatch(request.path):
            return "entra", *(await self._token(found["tenant"], request))
        if found := DISCOVERY.fullmatch(request.path):
            return "entra", self._discovery(found["tenant"], origin), False
        return "arm", *(await self._arm(request, origin))

    # --- Entra ---

    async def _token(self, tenant: str, request: Request) -> tuple[wire.Reply, bool]:
        if request.method != "POST":
            self.sandbox.violate(kind="route", service="entra", action=f"{request.method} {request.path}")
            refused = EntraError(900561, "The endpoint only accepts POST requests.", error="invalid_request", status=405)
            return refused.reply(), False
        fault = self.world.faults.take("entra", "token", tenant.lower())
        if fault is not None and (broken := await self._break(fault, _entra_fault(fault))) is not None:
            return broken, False
        try:
            granted = await asyncio.to_thread(entra.grant, tenant, request, self.world, self.sandbox)
        except EntraError as refused:
            return refused.reply(), False
        return entra.issued(granted, self.world), fault is not None and fault.kind is Kind.LOST_REPLY

    def _discovery(self, tenant: str, origin: str) -> wire.Reply:
        try:
            return entra.discovery(entra.find_tenant(self.world, tenant).id, origin)
        except EntraError as refused:
            return refused.reply()

    def _metadata(self, origin: str) -> wire.Reply:
        authentication = {
            "loginEndpoint": origin,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        }
        suffixes = {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net", "acrLoginServer": "azurecr.io"}
        body = {
            "name": "LocalAzure",
            "portal": origin,
            "authentication": authentication,
            "resourceManager": origin,
            "graph": origin,
            "gallery": origin,
            "suffixes": suffixes,
        }
        return wire.document(200, body)

    # --- ARM ---

    async def _arm(self, request: Request, origin: str) -> tuple[wire.Reply, bool]:
        try:
            route, call = router.prepare(self.world, self.sandbox, request, origin)
            fault = self.world.faults.take("arm", route.action, call.params.get("sub", "").lower())
            if fault is not None and (broken := await self._break(fault, _arm_fault(fault, route, call))) is not None:
                return broken, False
            if route.is_slow:  # fetching is done on a thread, changing is not: a snapshot may be written at any moment
                await asyncio.to_thread(requests.prefetch, call)
            reply = router.run(route, call)
        except ArmError as refused:
            return refused.reply(), False
        return reply, fault is not None and fault.kind is Kind.LOST_REPLY

    async def _break(self, fault: Fault, refusal: wire.Reply | None) -> wire.Reply | None:
        """Plays a fault. None: go on."""
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        if fault.kind is Kind.HTML_502:
            return wire.text(502, HTML_502, "text/html")
        return refusal

    # --- The journal ---

    def _note(self, service: str, request: Request, reply: wire.Reply) -> None:
        self.world.journal.append(
            {
                "service": service,
                "at": self.world.now(),
                "method": request.method,
                "path": request.path,
                "query": {name: values[0] for name, values in request.query.items()},
                "headers": {name: value for name, value in request.headers.items() if name != "authorization"},
                "request": _readable(request.body, request.headers.get("content-type", "")),
                "status": reply.status,
                "answer_headers": dict(reply.headers),
                "answer": _readable(reply.body, reply.content_type),
            }
        )


def _entra_fault(fault: Fault) -> wire.Reply | None:
    wait = (("retry-after", str(int(fault.seconds) or 10)),)
    busy = "A transient error has occurred. Please try again."
    table = {
        Kind.THROTTLE: lambda: EntraError(
            90055, "There are too many incoming requests.", error="temporarily_unavailable", status=429
        ).reply(wait),
        Kind.ERROR_500: lambda: EntraError(90033, busy, error="temporarily_unavailable", status=500).reply(),
        Kind.ERROR_503: lambda: EntraError(90033, busy, error="temporarily_unavailable", status=503).reply(wait),
        Kind.ACCESS_DENIED: lambda: EntraError(
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
            error="invalid_grant",
            status=400,
        ).reply(),
    }
    return table[fault.kind]() if fault.kind in table else None


def _arm_fault(fault: Fault, route: router.Route, call: Call) -> wire.Reply | None:
    number = call.params.get("sub", "")
    reading = call.request.method in router.READING
    table = {
        Kind.THROTTLE: lambda: errors.throttled(number, call.token.client, fault.seconds, reading=reading),
        Kind.ERROR_500: lambda: ArmError(
            500, "InternalServerError", "Encountered internal server error. Diagnostic information: timestamp."
        ),
        Kind.ERROR_503: lambda: ArmError(
            503, "ServerTimeout", "The request timed out.", headers=[("retry-after", str(int(fault.seconds) or 10))]
        ),
        Kind.ACCESS_DENIED: lambda: errors.not_authorized(call.token.client, call.token.object_id, route.action, router.scope_asked(call)),
        Kind.UNKNOWN: lambda: ArmError(409, "Teapot", UNHEARD_OF),
        Kind.CLAIMS: lambda: errors.claims_challenge(call.token.tenant),
        Kind.READ_ONLY: lambda: errors.read_only(number),
    }
    return table[fault.kind]().reply() if fault.kind in table else None


def _readable(body: bytes, content_type: str) -> Any:
    """A body as the journal shows it: no assertion and no token is kept."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        text = body.decode("utf-8", "replace")
        return re.sub(r"(client_assertion|client_secret)=[^&]*", r"\1=...", text)
    try:
        value = json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")
    return {name: "..." if name in SECRET else inner for name, inner in _hidden(value).items()} if isinstance(value, dict) else value


def _hidden(body: dict[str, Any]) -> dict[str, Any]:
    """A deployment's request without the values of the parameters that its template calls secure."""
    properties = body.get("properties")
    template = properties.get("template") if isinstance(properties, dict) else None
    declared = template.get("parameters") if isinstance(template, dict) else None
    if not isinstance(properties, dict) or not isinstance(declared, dict):
        return body
    secure = {name.lower() for name, shape in declared.items() if str(shape.get("type", "")).lower().startswith("secure")}
    given = {name: {"value": "..."} if name.lower() in secure else entry for name, entry in (properties.get("parameters") or {}).items()}
    return {**body, "properties": {**properties, "parameters": given}}


async def _send(reply: wire.Reply, send: Send) -> None:
    headers = [("content-type", reply.content_type), ("content-length", str(len(reply.body))), *reply.headers]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    start: Message = {"type": "http.response.start", "status": reply.status, "headers": encoded}
    await send(start)
    await send({"type": "http.response.body", "body": reply.body})


async def ask(front: AzureFront, token: str, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
    """A call of the played portal, without a socket, by a token like any other; status and answer."""
    content = json.dumps(body).encode() if body is not None else b""
    headers = {"host": "localhost", "authorization": f"Bearer {token}", "content-type": "application/json"}
    reply = await front.exchange(
        Request(method, path, {name.replace("_", "-"): [value] for name, value in query.items()}, headers, content)
    )
    assert reply is not None
    return reply.status, json.loads(reply.body) if reply.body else None
