"""What a closing is blocked by and what its export holds: each app registers its own, so that tenancy knows no product."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import Organisation
from portal.exports import csv_lines, json_lines
from portal.operations.catalogue import Text
from portal.redaction import looks_secret, names_secret

WITHHELD = "[withheld: looks like a secret]"


@dataclass(frozen=True)
class Blocker:
    """One thing in the way, and the page that mends it."""

    sentence: str
    fix: str
    url: str
    # The closing itself ends it: in the way of a start, so that nobody is surprised, but not of the end of the waiting time.
    ends_by_closing: bool = False


Block = Callable[[Organisation], Iterable[Blocker]]
_BLOCKS: list[tuple[int, Block]] = []


def register_blockers(block: Block, *, order: int) -> None:
    _BLOCKS.append((order, block))
    _BLOCKS.sort(key=lambda pair: pair[0])


def blockers(organisation: Organisation) -> list[Blocker]:
    """Everything in the way at once, each with its fix."""
    return [blocker for _order, block in _BLOCKS for blocker in block(organisation)]


def in_the_way(organisation: Organisation) -> Sequence[Blocker]:
    """What a closing does not end by itself."""
    return [one for one in blockers(organisation) if not one.ends_by_closing]


# What else ends when an organisation has closed, in the same transaction.
ENDINGS: list[Callable[[Organisation], None]] = []


# --- The export ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """One file of the archive; its content is asked for when its turn comes."""

    path: str
    content: Iterable[bytes]


@dataclass(frozen=True)
class Section:
    """A part of the archive: what it says of itself in the README, and its files."""

    name: str
    order: int
    about: Text
    files: Callable[[Organisation], Iterator[File]]


_SECTIONS: list[Section] = []


def register_section(section: Section) -> None:
    _SECTIONS.append(section)
    _SECTIONS.sort(key=lambda one: one.order)


def sections() -> Sequence[Section]:
    return tuple(_SECTIONS)


def table(path: str, rows: Callable[[], Iterable[Sequence[Any]]], fields: Sequence[str]) -> Iterator[File]:
    """The same rows for a program and for a spreadsheet. `rows` is asked once for each."""
    yield File(f"{path}.json", _encoded(json_lines, rows, fields))
    yield File(f"{path}.csv", _encoded(csv_lines, rows, fields))


def _encoded(write: Callable[..., Iterator[str]], rows: Callable[[], Iterable[Sequence[Any]]], fields: Sequence[str]) -> Iterator[bytes]:
    for line in write(rows(), fields):
        yield line.encode()


def harmless(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were asked for; what is named or shaped like a secret stays here."""
    return {key: WITHHELD if names_secret(key) or looks_secret(json.dumps(value)) else value for key, value in values.items()}
