"""The functions that depend on nothing but their arguments. Names are lower-case here: ARM does not mind case."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

from portal.sandbox.azure.template.parser import TemplateError

GUID_NAMESPACE = UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")  # ARM's own, so that a guid() here is the guid() there
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        json.dumps(value, separators=(",", ":"))
        if isinstance(value, dict | list)
        else {True: "True", False: "False"}.get(value, str(value))
    )


def _concat(*values: Any) -> Any:
    if values and all(isinstance(value, list) for value in values):
        return [entry for value in values for entry in value]
    return "".join(map(text, values))


def _format(pattern: str, *values: Any) -> str:
    return pattern.format(*map(text, values))


def _guid(*values: Any) -> str:
    return str(uuid5(GUID_NAMESPACE, "-".join(map(text, values))))


def _unique(*values: Any) -> str:
    """13 characters that depend on the arguments alone. ARM's own hash differs; nothing may rely on its value."""
    number = int.from_bytes(hashlib.sha256("-".join(map(text, values)).encode()).digest()[:9], "big")
    return "".join(BASE32[number >> 5 * place & 31] for place in range(13))


def _union(first: Any, *more: Any) -> Any:
    for other in more:
        first = {**first, **other} if isinstance(first, dict) else [*first, *(entry for entry in other if entry not in first)]
    return first


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, dict):
        return str(item).lower() in {name.lower() for name in container}
    return str(item).lower() in container.lower() if isinstance(container, str) else item in container


def _equals(one: Any, other: Any) -> bool:
    return bool(one == other)


def _split(value: str, marks: Any) -> list[str]:
    for mark in [marks] if isinstance(marks, str) else marks[1:]:
        value = value.replace(mark, marks if isinstance(marks, str) else marks[0])
    return value.split(marks if isinstance(marks, str) else marks[0])


def _objects(*values: Any) -> dict[str, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _resource(scope: str, kind: str, names: tuple[str, ...]) -> str:
    namespace, *types = kind.split("/")
    if len(types) != len(names):
        raise TemplateError(
            f"Unable to evaluate template language function 'resourceId': the type '{kind}' requires '{len(types)}' resource name "
            "argument(s)."
        )
    return f"{scope}/providers/{namespace}/" + "/".join(f"{word}/{name}" for word, name in zip(types, names, strict=True))


def _extension(scope: str, kind: str, *names: str) -> str:
    return _resource(scope, kind, names)


def _tenant_resource(kind: str, *names: str) -> str:
    return _resource("", kind, names)


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda one, other: one + other,
    "and": lambda *values: all(values),
    "array": lambda value: value if isinstance(value, list) else [value],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "bool": lambda value: value if isinstance(value, bool) else str(value).lower() in {"true", "1"},
    "coalesce": _coalesce,
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *values: list(values),
    "createobject": _objects,
    "div": lambda one, other: one // other,
    "empty": lambda value: not value,
    "endswith": lambda value, end: value.lower().endswith(end.lower()),
    "equals": _equals,
    "extensionresourceid": _extension,
    "false": lambda: False,
    "first": lambda value: value[0] if value else None,
    "format": _format,
    "greater": lambda one, other: one > other,
    "greaterorequals": lambda one, other: one >= other,
    "guid": _guid,
    "indexof": lambda value, part: value.lower().find(part.lower()),
    "int": int,
    "join": lambda values, mark: mark.join(map(text, values)),
    "json": json.loads,
    "last": lambda value: value[-1] if value else None,
    "length": len,
    "less": lambda one, other: one < other,
    "lessorequals": lambda one, other: one <= other,
    "mod": lambda one, other: one % other,
    "mul": lambda one, other: one * other,
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "padleft": lambda value, width, fill=" ": text(value).rjust(width, fill),
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda value, old, new: value.replace(old, new),
    "skip": lambda value, count: value[count:],
    "split": _split,
    "startswith": lambda value, start: value.lower().startswith(start.lower()),
    "string": text,
    "sub": lambda one, other: one - other,
    "substring": lambda value, start, length=None: value[start : None if length is None else start + length],
    "take": lambda value, count: value[:count],
    "tenantresourceid": _tenant_resource,
    "tolower": lambda value: value.lower(),
    "toupper": lambda value: value.upper(),
    "trim": lambda value: value.strip(),
    "true": lambda: True,
    "union": _union,
    "uniquestring": _unique,
    "uri": lambda base, path: f"{base.rsplit('/', 1)[0]}/{path.lstrip('/')}",
}


def resource_id(scope: str, group_scope: str, arguments: tuple[Any, ...]) -> str:
    """`resourceId([subscription,] [group,] type, names...)`: what stands before the type is known by the first slash."""
    at = next((index for index, value in enumerate(arguments) if "/" in str(value)), None)
    if at is None:
        raise TemplateError("Unable to evaluate template language function 'resourceId': the type is missing.")
    before, kind, names = arguments[:at], str(arguments[at]), tuple(map(str, arguments[at + 1 :]))
    subscription = "/".join(scope.split("/")[:3])
    match before:
        case (number, group):
            group_scope = f"/subscriptions/{number}/resourceGroups/{group}"
        case (group,):
            group_scope = f"{subscription}/resourceGroups/{group}"
    if kind.lower() == "microsoft.resources/resourcegroups":
        return f"{subscription}/resourceGroups/{names[0]}"
    return _resource(group_scope, kind, names)
