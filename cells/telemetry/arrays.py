"""Columns of rows as PostgreSQL's binary arrays. psycopg itself looks at every element to find its type, which is known here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from struct import Struct
from typing import Any
from uuid import UUID

from psycopg.adapt import Dumper
from psycopg.pq import Format

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NULL = b"\xff\xff\xff\xff"
# One dimension, no telling whether there are nulls, the type of an element, so many of them, counted from one.
_head = Struct("!iiIii").pack
_int4, _int8, _size = Struct("!ii").pack, Struct("!iq").pack, Struct("!i").pack
Values = Iterable[Any]


def _int4s(values: Values) -> Iterator[bytes]:
    return map(_int4, repeat(4), values)


def _int8s(values: Values) -> Iterator[bytes]:
    return map(_int8, repeat(8), values)


def _uuids(values: Iterable[UUID]) -> Iterator[bytes]:
    return (b"\x00\x00\x00\x10" + value.bytes for value in values)


def _times(values: Iterable[datetime]) -> Iterator[bytes]:
    return (_int8(8, (value - EPOCH) // MICROSECOND) for value in values)


def _texts(values: Iterable[str]) -> Iterator[bytes]:
    return (_size(len(value)) + value for value in map(str.encode, values))


# Name of the type -> its number in every PostgreSQL, and how its values are written.
KINDS: dict[str, tuple[int, Callable[[Iterable[Any]], Iterator[bytes]]]] = {
    "int4": (23, _int4s),
    "int8": (20, _int8s),
    "text": (25, _texts),
    "timestamptz": (1184, _times),
    "uuid": (2950, _uuids),
}


@dataclass(frozen=True)
class Array:
    """One parameter, ready to be sent. The statement says of which type it is."""

    content: bytes


class ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, array: Array) -> bytes:
        return array.content


def arrays(rows: Sequence[tuple[Any, ...]], kinds: Sequence[str]) -> list[Array]:
    """One for each column."""
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else repeat((), len(kinds))
    return [_array(values, kind) for values, kind in zip(columns, kinds, strict=True)]


def _array(values: Sequence[Any], kind: str) -> Array:
    if not values:
        return _EMPTY[kind]
    number, write = KINDS[kind]
    written: Iterable[bytes]
    if None in values:
        there = write(value for value in values if value is not None)
        written = [NULL if value is None else next(there) for value in values]
    else:
        written = write(values)
    return Array(_head(1, 1, number, len(values), 1) + b"".join(written))


_EMPTY = {kind: Array(Struct("!iii").pack(0, 0, number)) for kind, (number, _) in KINDS.items()}
