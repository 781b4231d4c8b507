"""Where an event comes from: the web request or task that runs right now, kept in a context variable."""

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest

from portal.audit.parties import Actor

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """The client's address and the request's id; `user` or `task` says who acts when nobody is named."""

    request_id: str = ""
    ip: str = ""
    request: HttpRequest | None = None
    task: str = ""


_origin: ContextVar[Origin | None] = ContextVar("activity_origin", default=None)


def current_origin() -> Origin:
    """The origin of the running request or task; outside both, only the request id that the logs carry, if any."""
    return _origin.get() or Origin(request_id=bound_request_id())


def current_actor() -> Actor:
    """Who acts right now: the signed-in user of the request, the worker that runs a task, else the system (a command)."""
    origin = current_origin()
    user: Any = getattr(origin.request, "user", None)
    if user is not None and user.is_authenticated:
        return Actor.user(user)
    if origin.task:
        return Actor.worker(origin.task)
    return Actor.system("portal")


@contextmanager
def originating(origin: Origin) -> Iterator[None]:
    """Everything recorded inside carries this origin."""
    mark = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(mark)


def bound_request_id() -> str:
    """The id under which django-structlog logs the running request or task. A client may have chosen it, so its form is checked."""
    bound = structlog.contextvars.get_contextvars()
    found = str(bound.get("request_id") or bound.get("task_id") or "")
    return found if REQUEST_ID.fullmatch(found) else ""


def client_ip(request: HttpRequest) -> str:
    """The client's address in its shortest form, or empty.

    Behind our proxy (PORTAL_BEHIND_PROXY) it is the last entry of X-Forwarded-For: the one the proxy itself added. Whatever stands
    before it was sent by the client and proves nothing. Without a proxy the header is ignored altogether.
    """
    found = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_PROXY and (forwarded := request.META.get("HTTP_X_FORWARDED_FOR")):
        found = str(forwarded).rsplit(",", 1)[-1].strip()
    return _address(found)


def _address(text: str) -> str:
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::\d+)?", text)
    host = bracketed[1] if bracketed else text.rsplit(":", 1)[0] if text.count(":") == 1 else text
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
