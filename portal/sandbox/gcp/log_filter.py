"""The part of Logging's filter language that is played here.

`a.b="x"`, `a.b:"x"`, `timestamp>="..."`, `LOG_ID("x")`, `"words"` anywhere, NOT, OR, AND, brackets. As Google has it, OR binds closer than
AND, and comparing texts does not look at their case. What is beyond raises FilterError: a test must not pass on a guess.
"""

import operator
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

TOKEN = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_@][\w@.]*)|(?P<sign>>=|<=|[=:<>()]))')
LONGEST = 20_000
MOMENTS: dict[str, Callable[[datetime, datetime], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
Entry = dict[str, Any]
Test = Callable[[Entry], bool]


class FilterError(ValueError):
    """Not a filter, or not one that is played here."""


def compile_filter(text: str) -> Test:
    """Raises FilterError."""
    if len(text) > LONGEST:
        raise FilterError("too long")
    left = _tokens(text)
    if not left:
        return lambda _entry: True
    test = _all_of(left)
    if left:
        raise FilterError(f"unexpected {left[0][1]!r}")
    return test


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"unexpected {text[position]!r}")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
    return found


def _all_of(left: list[tuple[str, str]]) -> Test:
    parts = [_either(left)]
    while left and left[0] == ("word", "AND"):
        left.pop(0)
        parts.append(_either(left))
    return lambda entry: all(part(entry) for part in parts)


def _either(left: list[tuple[str, str]]) -> Test:
    parts = [_term(left)]
    while left and left[0] == ("word", "OR"):
        left.pop(0)
        parts.append(_term(left))
    return lambda entry: any(part(entry) for part in parts)


def _term(left: list[tuple[str, str]]) -> Test:
    kind, text = _next(left)
    if (kind, text) == ("sign", "("):
        inner = _all_of(left)
        _expect(left, ")")
        return inner
    if kind == "text":
        wanted = _literal(text).lower()
        return lambda entry: any(wanted in str(found).lower() for found in _leaves(entry))
    if kind != "word":
        raise FilterError(f"unexpected {text!r}")
    if text == "NOT":
        denied = _term(left)
        return lambda entry: not denied(entry)
    if text in {"AND", "OR"}:
        raise FilterError(f"unexpected {text!r}")
    if text == "LOG_ID":
        _expect(left, "(")
        name = _literal(_next(left)[1])
        _expect(left, ")")
        return lambda entry: unquote(entry["logName"].partition("/logs/")[2]) == name
    return _compared(text, left)


def _compared(path: str, left: list[tuple[str, str]]) -> Test:
    _kind, sign = _next(left)
    kind, given = _next(left)
    if kind != "text":
        raise FilterError(f"{given!r} stands without quotation marks")
    value = _literal(given).lower()
    if sign in MOMENTS and path == "timestamp":
        limit, is_so = _moment(value.upper()), MOMENTS[sign]
        return lambda entry: is_so(_moment(entry["timestamp"]), limit)
    if sign not in {"=", ":"}:
        raise FilterError(f"unexpected {sign!r}")
    if sign == "=":
        return lambda entry: any(str(found).lower() == value for found in _values(entry, path.split(".")))
    return lambda entry: any(value in str(found).lower() for found in _values(entry, path.split(".")))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as problem:
        raise FilterError(f"{text!r} is no moment") from problem


def _values(value: Any, steps: list[str]) -> Iterable[Any]:
    """A step into a list goes into each of its entries."""
    if isinstance(value, list):
        return [found for inner in value for found in _values(inner, steps)]
    if not steps:
        return [value]
    return _values(value[steps[0]], steps[1:]) if isinstance(value, dict) and steps[0] in value else []


def _leaves(value: Any) -> Iterable[Any]:
    """Every value of an entry, and no name of a field."""
    if isinstance(value, (dict, list)):
        return [found for inner in (value.values() if isinstance(value, dict) else value) for found in _leaves(inner)]
    return [value]


def _next(left: list[tuple[str, str]]) -> tuple[str, str]:
    if not left:
        raise FilterError("unexpected end")
    return left.pop(0)


def _expect(left: list[tuple[str, str]], sign: str) -> None:
    if _next(left) != ("sign", sign):
        raise FilterError(f"expected {sign!r}")


def _literal(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
