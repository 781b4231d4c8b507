"""The table of methods: route, permission, allowed query and body, and who answers. An API's module fills it by the decorator."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.errors import GoogleError, invalid
from portal.sandbox.gcp.world import Project, Token, World

if TYPE_CHECKING:
    from portal.sandbox.sandbox import Sandbox

# A field's shape: a type, [shape] for a list, {name: shape} for an object; MAP takes any names, ANY anything.
Shape = Any
MAP: dict[str, Any] = {"*": str}
ANY = object()
RAW = object()  # a body that is no JSON
TYPES = {str: "TYPE_STRING", int: "TYPE_INT32", bool: "TYPE_BOOL", float: "TYPE_DOUBLE"}
SYSTEM_QUERY = {"alt", "$alt", "prettyPrint", "fields", "key", "quotaUser"}
PAGING = ("pageSize", "pageToken")
Params = dict[str, str]
Handler = Callable[["Call"], object | Awaitable[object]]


@dataclass(frozen=True)
class Method:
    id: str  # as Google's discovery document names it
    api: str  # the path's first part here
    verb: str
    path: str
    permission: str
    on: Callable[[World, Params], Target]
    query: frozenset[str]
    body: Shape
    handler: Handler
    is_public: bool  # takes no access token
    pattern: re.Pattern[str]

    @property
    def host(self) -> str:
        return HOSTS[self.api]


HOSTS = {
    "sts": "sts.googleapis.com",
    "iamcredentials": "iamcredentials.googleapis.com",
    "iam": "iam.googleapis.com",
    "crm": "cloudresourcemanager.googleapis.com",
    "serviceusage": "serviceusage.googleapis.com",
    "compute": "compute.googleapis.com",
    "orgpolicy": "orgpolicy.googleapis.com",
    "container": "container.googleapis.com",
    "config": "config.googleapis.com",
    "storage": "storage.googleapis.com",
    "logging": "logging.googleapis.com",
}
METHODS: list[Method] = []


@dataclass
class Call:
    """One request, checked: `handler` reads it and answers with JSON."""

    method: Method
    world: World
    sandbox: "Sandbox"
    params: Params
    query: dict[str, list[str]]
    body: dict[str, Any]
    caller: Token
    target: Target
    extra: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""  # the body as it came

    @property
    def project(self) -> Project:
        if self.target.project is None:
            raise AssertionError(f"{self.method.id} has no project")
        return self.target.project

    def one(self, name: str) -> str:
        return (self.query.get(name) or [""])[0]

    def flag(self, name: str) -> bool:
        return self.one(name).lower() == "true"

    def number(self, name: str) -> int:
        """0 where it is not given."""
        given = self.one(name) or "0"
        if not re.fullmatch(r"[0-9]{1,9}", given):
            raise invalid(f"Invalid value at '{name}' (TYPE_INT32), \"{given}\"", name)
        return int(given)

    def mask(self) -> list[str]:
        given = self.one("updateMask") or str(self.body.get("updateMask", ""))
        return [_camel(name) for name in given.split(",") if name]

    def violate(self, what: str) -> None:
        self.sandbox.violate(kind="field", service=self.method.api, action=self.method.id, field=what)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name)


def of_project(world: World, params: Params) -> Target:
    return project_target(world, params["project"])


def of_nothing(_world: World, _params: Params) -> Target:
    return Target(None, (), "")


def method(
    id: str,  # noqa: A002 - discovery's own word
    path: str,
    *,
    api: str = "",
    permission: str = "",
    on: Callable[[World, Params], Target] = of_project,
    query: tuple[str, ...] = (),
    body: Shape = None,
    is_public: bool = False,
) -> Callable[[Handler], Handler]:
    """Puts a handler into the table. `path` is `VERB /v1/{name}`; a name takes everything up to the next slash or colon, `{name+}` all."""
    verb, _, route = path.partition(" ")
    named = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(route))
    pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", named))

    def put(handler: Handler) -> Handler:
        prefix = api or id.partition(".")[0]
        METHODS.append(Method(id, prefix, verb, route, permission, on, frozenset(query), body, handler, is_public, pattern))
        return handler

    return put


def find(api: str, verb: str, path: str) -> tuple[Method, Params] | None:
    for entry in METHODS:
        if entry.api == api and entry.verb == verb and (found := entry.pattern.fullmatch(path)):
            return entry, found.groupdict()
    return None


def paged(call: Call, items: list[Any], field: str, *, size: str = "pageSize") -> dict[str, Any]:
    """One page of a list; an empty list has no field at all, as in all of Google's JSON."""
    start, most = call.number("pageToken"), call.number(size) or 100
    page: dict[str, Any] = {field: items[start : start + most]} if items[start : start + most] else {}
    return page | ({"nextPageToken": str(start + most)} if start + most < len(items) else {})


class UnknownFieldError(Exception):
    """A field that Google may know and this one does not."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self.name = name
        self.path = path

    def refusal(self) -> GoogleError:
        where = f' at "{self.path}"' if self.path else ""
        return invalid(f'Invalid JSON payload received. Unknown name "{self.name}"{where}: Cannot find field.', self.path or self.name)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def check_shape(value: Any, shape: Shape, path: str = "") -> None:
    """Raises UnknownFieldError or GoogleError."""
    if shape is ANY:
        return
    if isinstance(shape, list):
        _expect(isinstance(value, list), path, "array", value)
        for number, inner in enumerate(value):
            check_shape(inner, shape[0], f"{path}[{number}]")
    elif isinstance(shape, dict):
        _expect(isinstance(value, dict), path, "object", value)
        for name, inner in value.items():
            wanted = shape.get(name, shape.get("*"))
            if wanted is None:
                raise UnknownFieldError(name, path)
            check_shape(inner, wanted, f"{path}.{name}" if path else name)
    else:
        is_fit = isinstance(value, shape) and not (shape is not bool and isinstance(value, bool))
        _expect(is_fit, path, TYPES[shape], value)


def _expect(is_fit: bool, path: str, kind: str, value: Any) -> None:
    if not is_fit:
        raise invalid(f"Invalid value at '{path or 'body'}' ({kind}), {value!r}", path)
