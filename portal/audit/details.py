"""What may stand in an event: small, plain JSON that has one canonical form, and no secret.

An event can never be changed or deleted, so a secret that gets in stays for ever. Keys that name a secret are a mistake in our code and
raise. Values can come from outside (a person pastes an access key as a name), and an action must not fail for that: what looks like
a secret is withheld, and a warning is logged.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from itertools import pairwise
from uuid import UUID

import structlog

from portal.audit.verify import MAX_INTEGER, canonical

JSON = str | int | bool | None | list["JSON"] | dict[str, "JSON"]

MAX_BYTES = 8192
MAX_TEXT = 1000
MAX_DEPTH = 6
WITHHELD = "[withheld: looks like a secret]"

SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "passcode", "secret", "secrets", "token", "tokens", "jwt", "otp", "totp", "assertion"}
    | {"credential", "credentials", "authorization", "cookie", "cookies"}
)
SECRET_PHRASES = ("private_key", "api_key", "access_key", "signing_key", "session_key", "recovery_code", "client_assertion")
SECRET_SHAPES = re.compile(
    r"\beyJ[\w-]{6,}\.[\w-]{6,}"  # a JWT
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # an AWS access key id
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abeprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\bsk_live_\w{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",  # a URL with a password in it
    re.ASCII,
)
# An AWS secret key: 40 characters, of all three classes.
AWS_SECRET = re.compile(r"(?<![\w/+=-])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])[A-Za-z0-9/+]{40}(?![\w/+=-])", re.ASCII)
# A run of base64-like characters: 128-bit tokens have 22 and more.
RUN = re.compile(r"[A-Za-z0-9+/_=-]{22,}", re.ASCII)
MIN_ENTROPY = 3.7  # bits a character; English words stay below, random base64 of 22 characters and more above
WORD_PAIRS = frozenset({"ul", "ou", "uo", "ol", "lo", "od", "do"})  # a word begins, or a separator stands between words
MIN_CHANGES = 0.3  # how often the class of character changes; names in CamelCase stay below, random text is near 0.45

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


def looks_secret(text: str) -> bool:
    """Whether the text holds something shaped like a credential or like random base64. Hexadecimal hashes and UUIDs are no secrets."""
    return bool(SECRET_SHAPES.search(text) or AWS_SECRET.search(text)) or any(_is_random(run) for run in RUN.findall(text))


def _is_random(run: str) -> bool:
    classes = [_class(character) for character in run]
    if not {"u", "l", "d"} <= set(classes):
        return False
    # So CamelCase and snake_case change once a word.
    pairs = list(pairwise(classes))
    changes = sum(a != b and a + b not in WORD_PAIRS for a, b in pairs) / len(pairs)
    entropy = -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())
    return changes >= MIN_CHANGES and entropy >= MIN_ENTROPY


def _class(character: str) -> str:
    return "u" if character.isupper() else "l" if character.islower() else "d" if character.isdigit() else "o"


def _key(key: object) -> str:
    # ASCII keys sort alike in every language, so the canonical form needs no UTF-16.
    if not isinstance(key, str) or not key.isascii() or not key.isprintable():
        raise DetailsRefused(f"Keys of details are printable ASCII, not {key!r}.")
    return key


def _names_secret(key: str) -> bool:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", key).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words)
    return not SECRET_WORDS.isdisjoint(words.split("_")) or any(phrase in words for phrase in SECRET_PHRASES)


def _value(value: object, key: str, depth: int) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if _names_secret(key):
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
