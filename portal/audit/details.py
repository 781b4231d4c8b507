"""What may stand in an event: small, plain JSON that has one canonical form, and no secret.

An event can never be changed or deleted, so a secret that gets in stays for ever. Keys that name a secret are a mistake in our code and
raise. Values can come from outside (a person pastes an access key as a name), and an action must not fail for that: what looks like
a secret is withheld, and a warning is logged.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from uuid import UUID

import structlog

from portal.audit.verify import MAX_INTEGER, canonical
from portal.redaction import looks_secret, names_secret

JSON = str | int | bool | None | list["JSON"] | dict[str, "JSON"]

MAX_BYTES = 8192
MAX_TEXT = 1000
MAX_DEPTH = 6
WITHHELD = "[withheld: looks like a secret]"

logger = structlog.get_logger(__name__)


class DetailsRefused(ValueError):
    """These details may not stand in an event: a key names a secret, a value is no plain JSON, or it is too much."""


def plain(details: Mapping[str, object]) -> dict[str, JSON]:
    """`details` as canonical-safe JSON: UUIDs, times and enum members as text, long texts cut at 1,000 characters, secrets withheld.

    Raises DetailsRefused for a key that names a secret, a value that has no plain form (floats among them) or more than 8 KiB.
    """
    result = {_key(key): _value(value, key, 1) for key, value in details.items()}
    if len(canonical(result)) > MAX_BYTES:
        raise DetailsRefused(f"Details of an event are limited to {MAX_BYTES} bytes.")
    return result


def plain_text(text: str, limit: int = MAX_TEXT) -> str:
    """Text that PostgreSQL and JSON can hold, at most `limit` characters, withheld when it looks like a secret."""
    # str() first: a lazy translation or an enum member is not plain text; no NUL and no lone surrogate can be stored.
    clean = str(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if looks_secret(clean):
        logger.warning("activity_secret_withheld")
        return WITHHELD
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _key(key: object) -> str:
    # ASCII keys sort alike in every language, so the canonical form needs no UTF-16.
    if not isinstance(key, str) or not key.isascii() or not key.isprintable():
        raise DetailsRefused(f"Keys of details are printable ASCII, not {key!r}.")
    return key


def _value(value: object, key: str, depth: int) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if names_secret(key):
        raise DetailsRefused(f"The key {key!r} names a secret: an event can never be deleted, so none may enter.")
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes):
        return _nested(value, key, depth + 1)
    return _scalar(value, key)


def _nested(value: Mapping[str, object] | Sequence[object], key: str, depth: int) -> JSON:
    if depth > MAX_DEPTH:
        raise DetailsRefused(f"The details under {key!r} are nested too deeply.")
    if isinstance(value, Mapping):
        return {_key(name): _value(item, name, depth) for name, item in value.items()}
    return [_value(item, key, depth) for item in value]


def _scalar(value: object, key: str) -> JSON:
    if isinstance(value, Enum):
        return _value(value.value, key, 1)
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return int(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str | UUID | date):
        return plain_text(str(value))
    raise DetailsRefused(f"The value of {key!r} has no plain form in an event: {type(value).__name__}.")


def moment(value: datetime) -> str:
    """UTC with microseconds, `2026-11-21T01:20:13.123456Z`. Raises DetailsRefused for a naive time."""
    if value.tzinfo is None:
        raise DetailsRefused("Times in an event carry their zone.")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
