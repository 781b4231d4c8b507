"""The part of Terraform's language that plans of cells use: values, references, strings with gaps, a few functions.

Anything else raises PlanError, which the caller records: a plan that is not understood is not played by guessing.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

Scope = Mapping[str, Any]
WORD = re.compile(r"\s*(?:(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<mark>[.,()\[\]])|(?P<quote>\"))")


class PlanError(Exception):
    """What Terraform would say, or what is not played here."""


def _cidrsubnet(cidr: str, more: float, number: float) -> str:
    network = ipaddress.ip_network(cidr)
    size = network.prefixlen + int(more)
    start = int(network.network_address) + int(number) * 2 ** (network.max_prefixlen - size)
    return str(ipaddress.ip_network((start, size)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cidrsubnet": _cidrsubnet,
    "length": len,
    "nonsensitive": lambda value: value,
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "split": lambda mark, text: text.split(mark),
    "substr": lambda text, start, size: text[int(start) : int(start) + int(size)],
}


def evaluated(value: Any, scope: Scope) -> Any:
    """What python-hcl2 read, with every reference followed."""
    if isinstance(value, dict):
        return {unquoted(name): evaluated(inner, scope) for name, inner in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [evaluated(inner, scope) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith("${") and value.endswith("}"):
        return Expression(value[2:-1], scope).whole()
    return Expression(value, scope).whole()


def unquoted(text: str) -> str:
    return text[1:-1] if text.startswith('"') else text


def references(value: Any) -> set[str]:
    """Addresses of resources that a value names."""
    if isinstance(value, dict):
        return {found for inner in value.values() for found in references(inner)}
    if isinstance(value, list):
        return {found for inner in value for found in references(inner)}
    return set(re.findall(r"\b(google_\w+\.\w+)", value)) if isinstance(value, str) else set()


class Expression:
    """One expression, read from left to right."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.at = 0

    def whole(self) -> Any:
        value = self._value()
        if self.text[self.at :].strip():
            raise PlanError(f"not played: {self.text}")
        return value

    def _next(self) -> re.Match[str]:
        found = WORD.match(self.text, self.at)
        if found is None:
            raise PlanError(f"not played: {self.text}")
        self.at = found.end()
        return found

    def _is_next(self, mark: str) -> bool:
        found = WORD.match(self.text, self.at)
        if found is None or found["mark"] != mark:
            return False
        self.at = found.end()
        return True

    def _value(self) -> Any:
        found = self._next()
        if found["quote"]:
            return self._string()
        if found["number"]:
            return int(found["number"])
        if found["mark"] == "[":
            return self._list("]")
        name = found["name"]
        if name in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[name]
        if name and self._is_next("("):
            return self._called(name)
        return self._followed(name)

    def _list(self, end: str) -> list[Any]:
        values: list[Any] = []
        while not self._is_next(end):
            values.append(self._value())
            if not self._is_next(","):
                if not self._is_next(end):
                    raise PlanError(f"not played: {self.text}")
                break
        return values

    def _called(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise PlanError(f"function {name} is not played")
        return FUNCTIONS[name](*self._list(")"))

    def _followed(self, name: str) -> Any:
        if name not in self.scope:
            raise PlanError(f'Reference to undeclared resource: "{name}" in {self.text}')
        value = self.scope[name]
        while True:
            if self._is_next("."):
                value = self._member(value, self._next()["name"])
            elif self._is_next("["):
                value = value[int(self._list("]")[0])]
            else:
                return value

    def _member(self, value: Any, name: str) -> Any:
        if not isinstance(value, Mapping) or name not in value:
            raise PlanError(f'Unsupported attribute "{name}" in {self.text}')
        return value[name]

    def _string(self) -> str:
        """What stands between quotes; the opening one is read already."""
        parts: list[str] = []
        while True:
            end = re.compile(r'"|\$\{').search(self.text, self.at)
            if end is None:
                raise PlanError(f"not played: {self.text}")
            parts.append(self.text[self.at : end.start()])
            self.at = end.end()
            if end[0] == '"':
                return "".join(parts)
            parts.append(str(self._value()))
            if self.text[self.at : self.at + 1] != "}":
                raise PlanError(f"not played: {self.text}")
            self.at += 1
