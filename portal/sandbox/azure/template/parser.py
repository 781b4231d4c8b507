"""Reads `[concat('a', parameters('b').c[0])]` into calls, texts and numbers."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>[()\[\],.]))")


class TemplateError(Exception):
    """The template cannot be evaluated; the text is what ARM would say of it."""


class NotYetError(TemplateError):
    """Only known when the deployment runs."""


@dataclass(frozen=True)
class Text:
    value: str


@dataclass(frozen=True)
class Number:
    value: int


@dataclass(frozen=True)
class CallOf:
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Member:
    """`of.name` or `of[index]`."""

    of: Any
    index: Any


def is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


@lru_cache(maxsize=4096)
def parse(text: str) -> Any:
    """The expression between the outer brackets. Raises TemplateError."""
    reader = _Reader(text[1:-1])
    found = reader.expression()
    if reader.position != len(reader.tokens):
        raise TemplateError(f"Unable to parse language expression '{text[1:-1]}'")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        at = 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if found is None:
                raise TemplateError(f"Unable to parse language expression '{text}': unexpected character at position {at}.")
            self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            at = found.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.position] if self.position < len(self.tokens) else ("", "")

    def take(self, mark: str) -> None:
        if self.peek()[1] != mark:
            raise TemplateError(f"Unable to parse language expression '{self.text}': expected token '{mark}'.")
        self.position += 1

    def expression(self) -> Any:
        kind, value = self.peek()
        self.position += 1
        if kind == "text":
            found: Any = Text(value[1:-1].replace("''", "'"))
        elif kind == "number":
            found = Number(int(value))
        elif kind == "name":
            found = CallOf(value.lower(), self.arguments())
        else:
            raise TemplateError(f"Unable to parse language expression '{self.text}'")
        return self.members(found)

    def arguments(self) -> tuple[Any, ...]:
        self.take("(")
        found: list[Any] = []
        while self.peek()[1] != ")":
            if found:
                self.take(",")
            found.append(self.expression())
        self.take(")")
        return tuple(found)

    def members(self, found: Any) -> Any:
        while self.peek()[1] in {".", "["} and self.peek()[0] == "mark":
            if self.peek()[1] == ".":
                self.position += 1
                found = Member(found, Text(self.peek()[1]))
                self.position += 1
            else:
                self.position += 1
                found = Member(found, self.expression())
                self.take("]")
        return found
