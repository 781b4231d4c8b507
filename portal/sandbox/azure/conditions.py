"""Conditions of role assignments (ABAC), the part that limits whom somebody may give which role.

Played: `ActionMatches{'...'}`, `@Request[...]` and `@Resource[...]` of a role assignment's role and principal, compared with
`ForAnyOfAnyValues:GuidEquals {...}`, joined by AND, OR, `!` and brackets. Anything else is refused when it is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<word>AND|OR|&&|\|\||!|\(|\))|ActionMatches\s*\{\s*'(?P<action>[^']+)'\s*\}"
    r"|@(?P<of>Request|Resource)\[Microsoft\.Authorization/roleAssignments:(?P<attribute>RoleDefinitionId|PrincipalId)\]"
    r"\s*ForAnyOfAnyValues:GuidEquals\s*\{(?P<values>[^}]*)\})",
)
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LONGEST = 8192
Attributes = Mapping[str, str]  # "Request:PrincipalId" -> guid


class ConditionError(ValueError):
    """This is no condition, or one that is not played here."""


@dataclass(frozen=True)
class Node:
    """`word` is AND, OR, NOT, action or attribute; what it is about stands in the rest."""

    word: str
    inner: tuple["Node", ...] = ()
    about: str = ""
    values: frozenset[str] = frozenset()

    def holds(self, action: str, attributes: Attributes) -> bool:
        match self.word:
            case "AND":
                return all(node.holds(action, attributes) for node in self.inner)
            case "OR":
                return any(node.holds(action, attributes) for node in self.inner)
            case "NOT":
                return not self.inner[0].holds(action, attributes)
            case "action":
                return _covers(self.about, action)
        return attributes.get(self.about, "").lower() in self.values


def _covers(pattern: str, action: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.lower().split("*"))), action.lower()) is not None


@lru_cache(maxsize=256)
def parse(text: str) -> Node:
    """Raises ConditionError."""
    if len(text) > LONGEST:
        raise ConditionError(f"a condition has at most {LONGEST} characters")
    tokens = _tokens(text)
    node, rest = _either(tokens)
    if rest:
        raise ConditionError(f"unexpected {rest[0].word}")
    return node


def _tokens(text: str) -> list[Node]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ConditionError(f"not played here: {text[at : at + 60].strip()}")
        found.append(_token(match))
        at = match.end()
    return found


def _token(match: re.Match[str]) -> Node:
    if match["word"]:
        return Node({"&&": "AND", "||": "OR"}.get(match["word"], match["word"]))
    if match["action"]:
        return Node("action", about=match["action"])
    values = frozenset(value.strip().lower() for value in match["values"].split(","))
    if not all(GUID.fullmatch(value) for value in values):
        raise ConditionError(f"no list of ids: {match['values'][:60]}")
    return Node("attribute", about=f"{match['of']}:{match['attribute']}", values=values)


def _either(tokens: list[Node]) -> tuple[Node, list[Node]]:
    return _joined("OR", tokens, _both)


def _both(tokens: list[Node]) -> tuple[Node, list[Node]]:
    return _joined("AND", tokens, _one)


def _joined(word: str, tokens: list[Node], below: Any) -> tuple[Node, list[Node]]:
    node, rest = below(tokens)
    inner = [node]
    while rest and rest[0].word == word:
        node, rest = below(rest[1:])
        inner.append(node)
    return (inner[0] if len(inner) == 1 else Node(word, tuple(inner))), rest


def _one(tokens: list[Node]) -> tuple[Node, list[Node]]:
    match tokens:
        case [Node(word="!"), *rest]:
            node, rest = _one(rest)
            return Node("NOT", (node,)), rest
        case [Node(word="("), *rest]:
            node, rest = _either(rest)
            if not rest or rest[0].word != ")":
                raise ConditionError("a bracket is not closed")
            return node, rest[1:]
        case [Node(word="action" | "attribute") as node, *rest]:
            return node, rest
    raise ConditionError("a part is missing")


def attributes_of(which: str, properties: Mapping[str, Any] | None) -> dict[str, str]:
    """What a condition may ask of a role assignment that is written (`Request`), or that stands (`Resource`)."""
    if not isinstance(properties, Mapping):
        return {}
    role, principal = str(properties.get("roleDefinitionId") or ""), str(properties.get("principalId") or "")
    return {f"{which}:RoleDefinitionId": role.rpartition("/")[2].lower(), f"{which}:PrincipalId": principal.lower()}
