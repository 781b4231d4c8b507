"""Expressions of a workflow's definition: `@function(...)`, `@{...}` inside a text, `['member']` and `?['member']`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>\?\[|[\[\](),]))")
INSIDE = re.compile(r"@\{([^{}]*)\}")
FORMAT = "yyyy-MM-ddTHH:mm:ssZ"


class WorkflowError(ValueError):
    """A workflow's definition says what is not played here, or an expression cannot be worked out."""


@dataclass(frozen=True)
class Known:
    """What an expression may ask for."""

    now: datetime
    bodies: Mapping[str, Any] = field(default_factory=dict)  # name of an action -> what it answered
    item: Any = None


def value(raw: Any, known: Known) -> Any:
    """Everything in `raw` worked out. Raises WorkflowError."""
    if isinstance(raw, dict):
        return {name: value(inner, known) for name, inner in raw.items()}
    if isinstance(raw, list):
        return [value(inner, known) for inner in raw]
    if not isinstance(raw, str):
        return raw
    if raw.startswith("@@"):
        return raw[1:]
    if raw.startswith("@") and not raw.startswith("@{"):
        return _whole(raw[1:], known)
    return INSIDE.sub(lambda found: str(_whole(found[1], known)), raw)


def _whole(text: str, known: Known) -> Any:
    found, rest = _read(_tokens(text), known)
    if rest:
        raise WorkflowError(f"unexpected {rest[0]} in {text}")
    return found


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise WorkflowError(f"not played here: {text[at : at + 40]}")
        found.append(match[0].strip())
        at = match.end()
    return found


def _read(tokens: list[str], known: Known) -> tuple[Any, list[str]]:
    if not tokens:
        raise WorkflowError("an expression is empty")
    head, rest = tokens[0], tokens[1:]
    if head.startswith("'"):
        found: Any = head[1:-1].replace("''", "'")
    elif head.lstrip("-").isdigit():
        found = int(head)
    elif rest[:1] == ["("]:
        arguments, rest = _arguments(rest[1:], known)
        found = _call(head.lower(), arguments, known)
    elif head.lower() in {"true", "false", "null"}:
        found = {"true": True, "false": False, "null": None}[head.lower()]
    else:
        raise WorkflowError(f"not played here: {head}")
    while rest[:1] in (["["], ["?["]):
        found, rest = _member(found, rest, known)
    return found, rest


def _arguments(tokens: list[str], known: Known) -> tuple[list[Any], list[str]]:
    found: list[Any] = []
    while tokens[:1] != [")"]:
        argument, tokens = _read(tokens, known)
        found.append(argument)
        if tokens[:1] == [","]:
            tokens = tokens[1:]
        elif tokens[:1] != [")"]:
            raise WorkflowError("a bracket is not closed")
    return found, tokens[1:]


def _member(of: Any, tokens: list[str], known: Known) -> tuple[Any, list[str]]:
    """`?[` takes what is missing for nothing; `[` fails on it."""
    mark = tokens[0]
    name, rest = _read(tokens[1:], known)
    if rest[:1] != ["]"]:
        raise WorkflowError("a bracket is not closed")
    if mark == "?[":
        return (of.get(name) if isinstance(of, dict) else None), rest[1:]
    if not isinstance(of, dict) or name not in of:
        raise WorkflowError(f"the property '{name}' doesn't exist")
    return of[name], rest[1:]


def _call(name: str, given: list[Any], known: Known) -> Any:
    if name == "utcnow":
        return _stamp(known.now, *given)
    if name == "item":
        return known.item
    if name == "body":
        return known.bodies[given[0]]
    function = FUNCTIONS.get(name)
    if function is None:
        raise WorkflowError(f"the function {name} is not played here")
    try:
        return function(*given)
    except (TypeError, ValueError, AttributeError, LookupError) as problem:
        raise WorkflowError(f"{name}: {problem}") from problem


def _stamp(at: datetime, form: str = "o") -> str:
    if form not in {FORMAT, "o"}:
        raise WorkflowError(f"the format {form} is not played here")
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if form == FORMAT else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _add_hours(text: str, hours: int, form: str = "o") -> str:
    return _stamp(datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", text)) + timedelta(hours=hours), form)


def _greater(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        raise TypeError("two values of one type are expected")
    return bool(one > other)


def _contains(container: Any, item: Any) -> bool:
    return item in container


def _logical(*given: Any) -> list[bool]:
    if not all(isinstance(entry, bool) for entry in given):
        raise TypeError("a logical value is expected")
    return list(given)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "addhours": _add_hours,
    "and": lambda *given: all(_logical(*given)),
    "coalesce": lambda *given: next((entry for entry in given if entry is not None), None),
    "contains": _contains,
    "greater": _greater,
    "last": lambda entries: entries[-1],
    "less": lambda one, other: _greater(other, one),
    "not": lambda given: not _logical(given)[0],
    "or": lambda *given: any(_logical(*given)),
    "split": lambda text, mark: text.split(mark),
    "tolower": lambda text: text.lower(),
}
