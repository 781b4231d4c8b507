"""The part of CEL that is played here, for IAM conditions, attribute conditions and attribute mappings.

`a.b == 'x'`, `!=`, `<`, `<=`, `>`, `>=`, `in [..]`, `&&`, `||`, `!`, brackets, `a ? b : c`, `'x' + 'y'`, `has(a.b)`, `timestamp(..)`,
`.startsWith(..)`, `.endsWith(..)`, `.extract('/a/{name}')`, `.hasOnly([..])`, `api.getAttribute(name, default)`. What is beyond
raises ExpressionError: a test must not pass on a guess.
"""

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[=!<>]=|[<>!().,\[\]?:+]))"""
)
LONGEST = 4096
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
Scope = Mapping[str, Any]
Node = Callable[[Scope], Any]


class ExpressionError(ValueError):
    """Not an expression, or not one that is played here."""


class UnknownValueError(LookupError):
    """An expression names what is not there; it then is neither true nor false."""


@dataclass(frozen=True)
class Attributes:
    """`api` of an IAM condition: attributes of one call, each with the default the expression gives."""

    values: Mapping[str, Any]


def compile_expression(text: str, names: Sequence[str]) -> Node:
    """`names` are the variables that may be used: `request.time`, or with a trailing dot a whole family: `assertion.`."""
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters")
    parser = _Parser(_tokens(text), names)
    try:
        node = parser.choice()
    except RecursionError as problem:
        raise ExpressionError("too deep") from problem
    if parser.left:
        raise ExpressionError(f"unexpected {parser.left[0][1]!r}")
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"unexpected {text[position]!r}")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], names: Sequence[str]) -> None:
        self.left = tokens
        self.names = names

    def take(self, *signs: str) -> str:
        """The next token's text when it is one of `signs`, else ""."""
        if self.left and self.left[0][0] in {"sign", "name"} and self.left[0][1] in signs:
            return self.left.pop(0)[1]
        return ""

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise ExpressionError(f"expected {sign!r}")

    def next(self, kind: str) -> str:
        if not self.left or self.left[0][0] != kind:
            raise ExpressionError(f"expected a {kind}")
        return self.left.pop(0)[1]

    def choice(self) -> Node:
        condition = self.either()
        if not self.take("?"):
            return condition
        then = self.choice()
        self.expect(":")
        otherwise = self.choice()
        return lambda scope: then(scope) if condition(scope) else otherwise(scope)

    def either(self) -> Node:
        parts = [self.all_of()]
        while self.take("||"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def all_of(self) -> Node:
        parts = [self.comparison()]
        while self.take("&&"):
            parts.append(self.comparison())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def comparison(self) -> Node:
        if self.take("!"):
            inner = self.comparison()
            return lambda scope: not inner(scope)
        left = self.joined()
        if sign := self.take(*COMPARE):
            right, compare = self.joined(), COMPARE[sign]
            return lambda scope: compare(left(scope), right(scope))
        if self.take("in"):
            right = self.value()
            return lambda scope: left(scope) in right(scope)
        return left

    def joined(self) -> Node:
        parts = [self.value()]
        while self.take("+"):
            parts.append(self.value())
        return parts[0] if len(parts) == 1 else lambda scope: _joined([part(scope) for part in parts])

    def value(self) -> Node:
        node = self.atom()
        while self.left and self.left[0] == ("sign", "."):
            self.left.pop(0)
            node = self.method(node, self.next("name"))
        return node

    def atom(self) -> Node:  # noqa: PLR0911 - one return for each kind of atom
        if self.take("("):
            inner = self.choice()
            self.expect(")")
            return inner
        if self.take("["):
            return self.listed()
        if not self.left:
            raise ExpressionError("unexpected end")
        kind, text = self.left.pop(0)
        if kind == "text":
            literal = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda _scope: literal
        if kind == "number":
            return lambda _scope: int(text)
        if text in {"true", "false"}:
            return lambda _scope: text == "true"
        if text in {"timestamp", "has"}:
            return self.timestamp() if text == "timestamp" else self.has()
        if kind == "name":
            return self.variable(text)
        raise ExpressionError(f"unexpected {text!r}")

    def listed(self) -> Node:
        parts: list[Node] = []
        while not self.take("]"):
            parts.append(self.value())
            if not self.take(","):
                self.expect("]")
                break
        return lambda scope: [part(scope) for part in parts]

    def timestamp(self) -> Node:
        self.expect("(")
        text = self.next("text")[1:-1]
        self.expect(")")
        try:
            moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError as problem:
            raise ExpressionError(f"{text!r} is no timestamp") from problem
        if moment.tzinfo is None:
            raise ExpressionError(f"{text!r} has no time zone")
        return lambda _scope: moment

    def has(self) -> Node:
        self.expect("(")
        known = self.variable(self.next("name"))
        self.expect(")")
        return lambda scope: _is_there(known, scope)

    def variable(self, name: str) -> Node:
        """`request.time` and the like; a name followed by a known method ends before it."""
        path = name
        while self.left[:1] == [("sign", ".")] and self.left[1:2] and self.left[1][1] not in METHODS:
            self.left.pop(0)
            path += "." + self.next("name")
        if path not in self.names and not any(known.endswith(".") and path.startswith(known) for known in self.names):
            raise ExpressionError(f"undeclared reference to '{path}'")
        return lambda scope: _look_up(scope, path)

    def method(self, node: Node, name: str) -> Node:
        if name not in METHODS:
            raise ExpressionError(f"undeclared reference to '{name}'")
        self.expect("(")
        given: list[Node] = []
        while not self.take(")"):
            given.append(self.value())
            if not self.take(","):
                self.expect(")")
                break
        wanted, run = METHODS[name]
        if len(given) != wanted:
            raise ExpressionError(f"found no matching overload for '{name}'")
        return lambda scope: run(node(scope), *(part(scope) for part in given))


def _look_up(scope: Scope, path: str) -> Any:
    if path in scope:
        return scope[path]
    value: Any = scope
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise UnknownValueError(path)
        value = value[step]
    return value


def _is_there(known: Node, scope: Scope) -> bool:
    try:
        known(scope)
    except UnknownValueError:
        return False
    return True


def _joined(values: list[Any]) -> str:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("only texts are joined here")
    return "".join(values)


def _get_attribute(attributes: Attributes, name: str, default: Any) -> Any:
    return attributes.values.get(name, default)


def _extract(text: str, template: str) -> str:
    """`'/clusters/{name}'` gives what stands between the two fixed parts, and "" where they do not occur."""
    before, _, rest = template.partition("{")
    after = rest.partition("}")[2]
    _, found, value = text.partition(before)
    if not found or (after and after not in value):
        return ""
    return value.partition(after)[0] if after else value


METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "startsWith": (1, lambda text, start: str(text).startswith(start)),
    "endsWith": (1, lambda text, ending: str(text).endswith(ending)),
    "extract": (1, _extract),
    "hasOnly": (1, lambda found, allowed: set(found) <= set(allowed)),
    "getAttribute": (2, _get_attribute),
}
