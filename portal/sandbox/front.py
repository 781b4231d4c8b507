"""Stands before ministack on both ports: who may come in, what breaks on order, what is answered here."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus

from ministack import app as ministack
from ministack.core.responses import _account_from_sts_session

from portal.sandbox import wire
from portal.sandbox.aws import quotas, sts, trail
from portal.sandbox.aws.caller import remember_caller
from portal.sandbox.aws.patches import replace_function
from portal.sandbox.faults import UNHEARD_OF, Fault, Kind
from portal.sandbox.request import Message, Receive, Request, Scope, Send, read, replay
from portal.sandbox.sandbox import Sandbox

# What this AWS plays. A service beyond is refused here: ministack's router would load every service's model for it (360 MB).
SERVICES = {"sts", "iam", "cloudformation", "s3", "servicequotas", "ec2", "eks", "kms", "cloudtrail", "logs", "tagging"}
# Names that lead here, with or without a bucket in front, and AWS's own, which nobody else can bend.
LOCAL_HOST = re.compile(r"(?:(?:[\w-]+\.)*localhost|127\.0\.0\.1|\[::1\]|(?:[\w-]+\.)+amazonaws\.com)(?::\d+)?", re.ASCII)
READING = ("Get", "List", "Describe", "Simulate", "Head")

# Fields ministack takes and leaves without effect: whoever uses one believes in something that does not happen here.
IGNORED_FIELDS = {
    "CreateStack": ("RoleARN", "NotificationARNs.member.1", "TimeoutInMinutes", "ResourceTypes.member.1"),
    "UpdateStack": ("RoleARN", "NotificationARNs.member.1", "ResourceTypes.member.1"),
    "DeleteStack": ("RoleARN",),
    "AssumeRoleWithWebIdentity": ("ProviderId",),
}


class Port(StrEnum):
    PORTAL = "portal"
    CUSTOMER = "customer"


def install() -> None:
    """Call once, before the first request."""
    absent = "API Gateway is not played: no host is a custom domain of it"
    replace_function(ministack, "_resolve_custom_domain_request", lambda _original: lambda _host, _path: None, why=absent)


Page = Callable[[Request], Awaitable[wire.Reply]]


class Front:
    """The ASGI application of one port. `pages` maps a path's first part to what answers there (customer port only)."""

    def __init__(self, port: Port, sandbox: Sandbox, pages: dict[str, Page]) -> None:
        self.port = port
        self.sandbox = sandbox
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        if request is None:
            return
        if (refusal := foreign(request)) is not None:
            await reply(refusal, send)
            return
        page = self.pages.get(request.path.split("/")[1])
        if page is not None and not request.is_signed:
            await reply(await page(request), send)
            return
        refused = self._refuse(request)
        if refused is not None:
            await reply(refused, send)
            return
        account = sts.account_of(request.form) if request.action == sts.ACTION else _account(request)
        fault = self.sandbox.faults.take(request.service, request.action, account)
        onward = send if fault is None else await self._break(fault, request, send)
        if onward is not None:
            await self._answer(request, scope, receive, onward)

    def _refuse(self, request: Request) -> wire.Reply | None:
        if request.service not in SERVICES:
            self.sandbox.violate(kind="service", service=request.service, action=request.action)
            return wire.refusal(request.service, 501, "SandboxUnsupported", f"This local AWS does not play {request.service}.")
        if request.path.startswith("/_"):
            return wire.denied("s3", request.action, "There is no control path here.")
        if self.port is Port.PORTAL and request.is_root:
            return wire.unknown_key(request.service)
        for name in IGNORED_FIELDS.get(request.action, ()):
            if request.form.get(name):
                self.sandbox.violate(kind="field", service=request.service, action=request.action, field=name)
        return None

    async def _break(self, fault: Fault, request: Request, send: Send) -> Send | None:
        """Plays a fault. None: the request is answered. Otherwise go on with the `send` it returns."""
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
            return send
        if fault.kind is Kind.LOST_REPLY:
            return dropping(send)
        answers = {
            Kind.THROTTLE: lambda: wire.throttled(request.service),
            Kind.ERROR_500: lambda: wire.refusal(request.service, 500, "InternalFailure", "An internal error occurred"),
            Kind.ERROR_503: lambda: wire.refusal(request.service, 503, "ServiceUnavailable", "Service is unable to handle request."),
            Kind.HTML_502: lambda: wire.text(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
            Kind.ACCESS_DENIED: lambda: wire.denied(request.service, request.action),
            Kind.UNKNOWN: lambda: wire.refusal(request.service, 400, "TeapotException", UNHEARD_OF),
        }
        await reply(answers[fault.kind](), send)
        return None

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        if not request.action.startswith(READING) and request.method not in {"GET", "HEAD"}:
            self.sandbox.is_dirty = True
        if request.action == sts.ACTION:
            answer = await asyncio.to_thread(sts.assume_role_with_web_identity, request.form, request.region, self.sandbox)
            await reply(answer, send)
            return
        remember_caller(request.access_key)
        scope = {**scope, "path": request.path}
        if request.service == "servicequotas":
            await reply(await quotas.answer(request, self.sandbox), send)
            return
        await ministack.app(scope, replay(request, receive), self._watched(request, send))

    def _watched(self, request: Request, send: Send) -> Send:
        """Records what ministack could not answer, so that no test passes on a reply AWS would not give."""
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                trail.record(request, status)
            elif _is_unplayed(status, message.get("body", b"")):
                body = message.get("body", b"")[:300].decode("utf-8", "replace")
                self.sandbox.violate(kind="unplayed", service=request.service, action=request.action, answer=body)
                status = 0
            await send(message)

        return watch


def foreign(request: Request) -> wire.Reply | None:
    """Refuses what a web site could make a browser on this machine send: it may bend its own name to 127.0.0.1, or post from its page.

    The mailbox, the phone's codes and the root of every account are behind these ports. The SDK sends neither.
    """
    if not LOCAL_HOST.fullmatch(request.headers.get("host", "")):
        return wire.text(421, "This is the local AWS of a demo. It answers to localhost only.")
    if request.method not in {"GET", "HEAD"} and request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return wire.text(403, "This form was sent from another site.")
    return None


def _is_unplayed(status: int, body: bytes) -> bool:
    """A reply real AWS would not give: ministack broke, or does not know the action or the resource type."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    return status == HTTPStatus.BAD_REQUEST and (b"InvalidAction" in body or b"Unsupported resource type" in body)


def _account(request: Request) -> str:
    if request.is_root:
        return request.access_key
    return _account_from_sts_session(request.access_key) or ""


def dropping(send: Send) -> Send:
    """Lets the work be done and drops the connection instead of the answer."""

    async def drop(message: Message) -> None:
        cycle = getattr(send, "__self__", None)  # uvicorn's own request; the played console has no connection to drop
        if message["type"] == "http.response.start" and cycle is not None:
            cycle.transport.abort()

    return drop


async def reply(answer: wire.Reply, send: Send) -> None:
    headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
