#!/usr/bin/env python3
"""Check an activity export offline. One file, needs nothing but Python 3.8 or newer.

    python3 verify.py activity.jsonl
    python3 verify.py activity.jsonl --head 9f2c3a…           the last event must have this hash
    python3 verify.py activity.jsonl --known 312:9f2c3a…      event 312 must be in the file with this hash (repeatable)
    python3 verify.py activity.jsonl --filtered               some events were left out on purpose by a filter

Exit code: 0 unbroken, 1 broken (the first bad line is named), 2 the file or the arguments cannot be read, 3 unbroken but perhaps cut short.

The format, exactly. An export is UTF-8, one event a line, every line ends with one line feed, no byte order mark. A line is the
canonical JSON of an object with these keys:

    action       text        what was done, a stable code such as "cloud_account.connect_started"
    actor        object      who: "email", "id", "kind" (user, staff, guest, worker, system), "name"; all text
    at           text        when, UTC: "2026-11-21T01:20:13.123456Z", always six digits of a second
    details      object      what else; a list of exactly two plain values is [before, after]
    hash         text        see below
    id           text        UUID of the event
    ip           text, null  the client's address
    organisation text, null  UUID of the organisation whose chain this is; null is the platform's own chain
    previous     text        hash of the event before it in the chain; 64 zeros for the first
    request_id   text, null  the web request or task that wrote it
    sequence     integer     1, 2, 3 … in each chain, without a gap
    subject      object,null on what: "id", "kind", "label"; all text
    v            integer     1, the version of this format

Canonical JSON is RFC 8785: keys sorted, no white space, no escapes but the necessary ones. Numbers are whole and within ±(2^53 - 1);
keys are printable ASCII, so that sorting by code point and by UTF-16 agree.

    hash = lower-case hexadecimal SHA-256 of the canonical JSON of the same object without the key "hash"

What this proves and what it cannot: no event of the file was changed, added, removed or reordered after its hash was written. Whoever
can rewrite the whole database can also compute a whole new chain, so keep a head (number and hash) from time to time and give it to
`--known` later: no rewritten chain contains it. Without `--head` or `--known` a file that lost its last lines looks like a shorter one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

VERSION = 1
FIRST_PREVIOUS = "0" * 64
MAX_INTEGER = 2**53 - 1
EXPORT_ACTION = "activity.exported"
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
HEAD = re.compile(r"[0-9a-f]{12,64}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)

REASONS = {
    "bom": "starts with a byte order mark; an export never does. Some editor saved this file again",
    "cut": "does not end with a line feed: the file was cut off in the middle",
    "encoding": "is not UTF-8",
    "json": "is not valid JSON",
    "duplicate_key": "names the key %(key)s twice",
    "number": "holds a number that is not whole, or too large",
    "shape": "does not have the shape of an event: %(what)s",
    "canonical": "is not written in canonical form: the bytes were changed, though they may read alike",
    "hash": "does not match its hash: event %(sequence)s was changed",
    "foreign": "belongs to another organisation (%(found)s, not %(expected)s)",
    "repeated": "repeats event %(sequence)s",
    "order": "is out of order: event %(sequence)s stands after event %(after)s",
    "gap": "is event %(sequence)s, but event %(expected)s was expected: %(missing)s missing",
    "link": "does not continue the chain: event %(sequence)s was not written after the event before it",
    "head": "is the last one and its hash is %(found)s, not the expected %(expected)s: the end was cut off or replaced",
    "known": "is event %(sequence)s with hash %(found)s, but you know it as %(expected)s: the chain was rewritten",
    "known_missing": "is the last one, and event %(sequence)s, which you know, is not in the file",
    "empty": "does not exist: the file is empty",
}


class Broken(Exception):
    """The first thing that is wrong. `line` counts from 1 (in the database check: the event's number), `code` is a key of REASONS."""

    def __init__(self, line: int, code: str, **params: object) -> None:
        self.line = line
        self.code = code
        self.params = params
        super().__init__(f"line {line} {REASONS[code] % params}.")


class Verdict(NamedTuple):
    """An unbroken chain: how many events, first and last number, hash of the last, whose chain, code of the last event."""

    events: int
    first: int
    last: int
    head: str
    organisation: str | None
    last_action: str


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a value made of objects with ASCII keys, lists, text, whole numbers, true, false and null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def leaf_hash(leaf: dict[str, Any]) -> str:
    """Hexadecimal SHA-256 of a leaf: an event's object without its "hash"."""
    return hashlib.sha256(canonical(leaf)).hexdigest()


class Walk:
    """Follows one chain event by event. `is_filtered` allows gaps; `after` is a (number, hash) already known to be good."""

    def __init__(self, is_filtered: bool = False, after: tuple[int, str] | None = None) -> None:
        self.is_filtered = is_filtered
        self.events = 0
        self.first = 0
        self.sequence, self.hash = after or (0, FIRST_PREVIOUS)
        self.organisation: str | None = None
        self.last_action = ""

    def take(self, leaf: dict[str, Any], stated: str, line: int) -> None:
        """Accept the next event or raise Broken."""
        if leaf_hash(leaf) != stated:
            raise Broken(line, "hash", sequence=leaf["sequence"])
        if self.events and leaf["organisation"] != self.organisation:
            raise Broken(line, "foreign", found=leaf["organisation"], expected=self.organisation)
        self._check_place(leaf, line)
        self.first = self.first or leaf["sequence"]
        self.events += 1
        self.sequence, self.hash = leaf["sequence"], stated
        self.organisation, self.last_action = leaf["organisation"], leaf["action"]

    def _check_place(self, leaf: dict[str, Any], line: int) -> None:
        sequence, expected = leaf["sequence"], self.sequence + 1
        if self.events and sequence == self.sequence:
            raise Broken(line, "repeated", sequence=sequence)
        if sequence < expected:
            raise Broken(line, "order", sequence=sequence, after=self.sequence)
        if sequence > expected and not self.is_filtered:
            raise Broken(line, "gap", sequence=sequence, expected=expected, missing=sequence - expected)
        if sequence == expected and leaf["previous"] != self.hash:
            raise Broken(line, "link", sequence=sequence)

    def verdict(self) -> Verdict:
        return Verdict(self.events, self.first, self.sequence, self.hash, self.organisation, self.last_action)


def verify_lines(
    lines: Iterable[bytes],
    head: str = "",
    known: dict[int, str] | None = None,
    is_filtered: bool = False,
) -> Verdict:
    """Check the lines (bytes, each with its line feed) of an export. Raises Broken at the first one that is wrong.

    `head` and the values of `known` (by event number) are hashes, or their first 12 or more characters.
    """
    walk, unseen, number = Walk(is_filtered), dict(known or {}), 0
    for number, line in enumerate(lines, 1):
        leaf, stated = read_line(line, number)
        walk.take(leaf, stated, number)
        expected = unseen.pop(leaf["sequence"], "")
        if not stated.startswith(expected):
            raise Broken(number, "known", sequence=leaf["sequence"], found=stated, expected=expected)
    if not number:
        raise Broken(1, "empty")
    if not walk.hash.startswith(head):
        raise Broken(number, "head", found=walk.hash, expected=head)
    for sequence in sorted(unseen):
        raise Broken(number, "known_missing", sequence=sequence)
    return walk.verdict()


def read_line(line: bytes, number: int) -> tuple[dict[str, Any], str]:
    """The leaf and the stated hash of one line. Raises Broken when it is not exactly what an export writes."""
    if line.startswith(b"\xef\xbb\xbf"):
        raise Broken(number, "bom")
    if not line.endswith(b"\n"):
        raise Broken(number, "cut")
    event = _parse(line[:-1], number)
    fault = _shape_fault(event)
    if fault:
        raise Broken(number, "shape", what=fault)
    if canonical(event) != line[:-1]:
        raise Broken(number, "canonical")
    stated = event.pop("hash")
    return event, stated


def _parse(body: bytes, number: int) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in found:
            if key in seen:
                raise Broken(number, "duplicate_key", key=json.dumps(key))
            seen[key] = value
        return seen

    def whole(text: str) -> int:
        value = int(text) if len(text) <= len(str(-MAX_INTEGER)) else MAX_INTEGER + 1
        if abs(value) > MAX_INTEGER:
            raise Broken(number, "number")
        return value

    def refuse(_text: str) -> None:
        raise Broken(number, "number")

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_int=whole, parse_float=refuse, parse_constant=refuse)
    except UnicodeDecodeError:
        raise Broken(number, "encoding") from None
    except (ValueError, RecursionError):
        raise Broken(number, "json") from None


def _text(value: Any) -> bool:
    # A lone half of a surrogate pair can be written in JSON but not in UTF-8, so it has no canonical form.
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _texts(*keys: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and sorted(value) == list(keys) and all(_text(item) for item in value.values())


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(key.isascii() and key.isprintable() for key in value) and all(_plain(item) for item in value.values())
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, int) or _text(value)


SHAPE: dict[str, Callable[[Any], bool]] = {
    "action": _text,
    "actor": _texts("email", "id", "kind", "name"),
    "at": lambda value: _text(value) and bool(MOMENT.fullmatch(value)),
    "details": lambda value: isinstance(value, dict) and _plain(value),
    "hash": lambda value: _text(value) and bool(HASH.fullmatch(value)),
    "id": _text,
    "ip": lambda value: value is None or _text(value),
    "organisation": lambda value: value is None or _text(value),
    "previous": lambda value: _text(value) and bool(HASH.fullmatch(value)),
    "request_id": lambda value: value is None or _text(value),
    "sequence": lambda value: type(value) is int and value > 0,
    "subject": lambda value: value is None or _texts("id", "kind", "label")(value),
    "v": lambda value: type(value) is int and value == VERSION,
}


def _shape_fault(event: Any) -> str:
    """What is wrong with the shape of a parsed line; empty when nothing is."""
    if not isinstance(event, dict):
        return "not an object"
    for key in sorted(set(event) ^ set(SHAPE)):
        return f"key {json.dumps(key)} is {'missing' if key in SHAPE else 'unknown'}"
    for key, fits in SHAPE.items():
        if not fits(event[key]):
            return f"the value of {json.dumps(key)}"
    return ""


def _known(text: str) -> tuple[int, str]:
    sequence, _, stated = text.partition(":")
    if not re.fullmatch(r"[1-9][0-9]*", sequence):
        raise argparse.ArgumentTypeError("write it as number:hash")
    return int(sequence), _head(stated)


def _head(text: str) -> str:
    if not HEAD.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError("a hash is 64 hexadecimal digits; at least the first 12 are needed")
    return text.lower()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an activity export offline.")
    parser.add_argument("file", help="the export, JSON Lines")
    parser.add_argument("--head", type=_head, metavar="HASH", help="hash that the last event must have")
    parser.add_argument("--known", type=_known, action="append", default=[], metavar="NUMBER:HASH", help="an event you know from before")
    parser.add_argument("--filtered", action="store_true", help="events may be missing: the export was filtered")
    options = parser.parse_args(arguments)
    try:
        with Path(options.file).open("rb") as lines:
            verdict = verify_lines(lines, options.head or "", dict(options.known), options.filtered)
    except OSError as error:
        sys.stderr.write(f"Cannot read {options.file}: {error.strerror}\n")
        return 2
    except Broken as broken:
        sys.stderr.write(f"BROKEN: {broken}\n")
        return 1
    is_anchored = bool(options.head or options.known)
    sys.stdout.write(_sentence(verdict, options.filtered, is_anchored))
    return 3 if _may_lack_its_end(verdict, options.filtered, is_anchored) else 0


def _may_lack_its_end(verdict: Verdict, is_filtered: bool, is_anchored: bool) -> bool:
    """A whole export ends with the event of the export itself; a head known from elsewhere settles it as well."""
    return not is_anchored and not is_filtered and verdict.last_action != EXPORT_ACTION


def _sentence(verdict: Verdict, is_filtered: bool, is_anchored: bool) -> str:
    whose = f"organisation {verdict.organisation}" if verdict.organisation else "the platform"
    lines = [f"{verdict.events} {'event' if verdict.events == 1 else 'events'} of {whose}, "]
    if is_filtered:
        lines[0] += "each as it was written. The file is filtered: events between them are not checked."
    else:
        lines[0] += f"unbroken from 1 to {verdict.last}."
    lines.append(f"Head: {verdict.last}:{verdict.head}")
    if not is_anchored:
        lines.append("Keep this head and give it to --known when you check a later export.")
        if _may_lack_its_end(verdict, is_filtered, is_anchored):
            lines.append("Note: a whole export ends with the event of the export itself, and this file does not. It may have lost its end.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
