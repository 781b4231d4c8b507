"""Who does what, with everything a handler may ask; and how ARM reads a body."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from portal.sandbox import wire
from portal.sandbox.azure import errors, rbac
from portal.sandbox.azure.conditions import Attributes
from portal.sandbox.azure.world import Subscription, Token, World
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

Body = dict[str, Any]
# Around a template, and in templates, ARM takes what is no JSON: comments, and the CLI's `template:{` without quotes.
UNQUOTED = re.compile(r"([{,]\s*)template\s*:(?=\s*\{)")
COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


@dataclass
class Act:
    """Somebody does something here: by a request, or by a deployment that goes on after it."""

    world: World
    sandbox: Sandbox
    token: Token
    what: str = ""

    def holds(self, scope: str) -> list[Body]:
        return rbac.permissions(self.world, self.token.object_id, scope, self.sandbox.knobs.propagation_seconds)

    def may(self, action: str, scope: str, about: Attributes | None = None) -> bool:
        return rbac.may(self.holds(scope), action, about)

    def demand(self, action: str, scope: str, about: Attributes | None = None) -> None:
        if not self.may(action, scope, about):
            raise errors.not_authorized(self.token.client, self.token.object_id, action, scope)

    def violate(self, kind: str, field: str) -> None:
        self.sandbox.violate(kind=kind, service="arm", action=self.what, field=field)

    def check_fields(self, body: Body, shape: Any) -> None:
        """Every member of a body is one this Azure knows. Raises ArmError, and records it."""
        for name in unknown(body, shape):
            self.violate("field", name)
            raise errors.bad_content(name)


@dataclass
class Call(Act):
    """One authenticated request."""

    request: Request = field(default_factory=lambda: Request("", "", {}, {}, b""))
    origin: str = ""
    params: dict[str, str] = field(default_factory=dict)
    api_version: str = ""
    fetched: Body = field(default_factory=dict)  # a linked template, got before the handler runs

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    @cached_property
    def body(self) -> Body:
        if not self.request.body.strip():
            return {}
        found = read_json(self.request.body)
        if not isinstance(found, dict):
            raise errors.malformed("Unexpected character encountered while parsing value")
        return found

    @property
    def subscription(self) -> Subscription:
        return self.world.subscriptions[self.params["sub"].lower()]

    def query(self, name: str) -> str:
        found = {key.lower(): values[0] for key, values in self.request.query.items()}
        return found.get(name.lower(), "")


def read_json(content: bytes) -> Any:
    """What ARM accepts: JSON, with comments, and with an unquoted `template`. Raises ArmError."""
    text = content.decode("utf-8-sig", "replace")
    try:
        return json.loads(text)
    except ValueError:
        pass
    bare = COMMENT.sub(lambda found: found.group(1) or " ", text)
    try:
        return json.loads(UNQUOTED.sub(r'\1"template":', bare))
    except ValueError as problem:
        raise errors.malformed(str(problem)) from problem


ANY: Any = object()  # anything may stand here


def unknown(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Paths of the members that a shape does not name. Shapes: ANY, a list of one shape, a dict of shapes ("*": any name)."""
    if shape is ANY or value is None:
        return
    if isinstance(shape, list):
        for entry in value if isinstance(value, list) else []:
            yield from unknown(entry, shape[0], path)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield path
            return
        names = {name.lower(): inner for name, inner in shape.items()}
        for name, inner in value.items():
            known = names.get(name.lower(), names.get("*"))
            if known is None:
                yield f"{path}.{name}".lstrip(".")
            else:
                yield from unknown(inner, known, f"{path}.{name}".lstrip("."))
    elif not isinstance(value, shape):
        yield path


def answer(status: int, body: object, *headers: tuple[str, str]) -> wire.Reply:
    return wire.Reply(status, "application/json; charset=utf-8", json.dumps(body).encode(), headers)


def listed(call: Call, rows: list[Body]) -> wire.Reply:
    """A list, or the page of it that was asked for with the address of the next."""
    size = call.world.page_size
    start = int(call.query("$skiptoken") or 0)
    page: Body = {"value": rows[start : start + size] if size else rows}
    if size and start + size < len(rows):
        kept = {name: values[0] for name, values in call.request.query.items() if name.lower() != "$skiptoken"}
        page["nextLink"] = f"{call.origin}{quote(call.request.path)}?{urlencode({**kept, '$skiptoken': str(start + size)})}"
    return answer(200, page)


def nothing(status: int = 200, *headers: tuple[str, str]) -> wire.Reply:
    return wire.Reply(status, "application/json; charset=utf-8", b"", headers)
