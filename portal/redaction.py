"""What a secret is called and what it looks like: asked before anything is logged, stored or put on record.

`without_secrets` takes them out of text that must be kept (log lines, a cloud's words). `looks_secret` and `names_secret` are for the
activity log, where nothing can be taken out again. The floor of the floor: Python only.
"""

import math
import re
from collections import Counter
from itertools import pairwise

REMOVED = "[removed]"

# --- By its shape ----------------------------------------------------------------------------------------------------

# Each is a whole secret, or as much as is there of one that was cut off.
SHAPES = re.compile(
    r"(?<![A-Za-z0-9])eyJ[\w-]{6,}(?:\.[\w-]*){0,2}"  # a JWT: base64url of '{"', then perhaps two more parts
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"  # an AWS access key id
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abeprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\bsk_live_\w{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    re.ASCII | re.DOTALL,
)
PASSWORD_IN_URL = re.compile(r"://[^/\s:@]+:[^/\s@]+@")

# --- By its name -----------------------------------------------------------------------------------------------------

SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "passcode", "secret", "secrets", "token", "tokens", "jwt", "otp", "totp", "assertion"}
    | {"credential", "credentials", "authorization", "cookie", "cookies"}
)
SECRET_PHRASES = ("private_key", "api_key", "access_key", "signing_key", "session_key", "recovery_code", "client_assertion")

# In running text a name is one only with a value after it, and "credentials: ExpiredToken" should still say what happened.
# What may follow a name has a limit: a text that was made of names must not keep a process busy.
_NAMES = (
    r"(?:aws[_-]?)?secret[_-]?access[_-]?key|session[_-]?token|security[_-]?token|client[_-]?secret|web[_-]?identity[_-]?token|"
    r"access[_-]?token|refresh[_-]?token|id[_-]?token|x-amz-security-token|x-amz-signature|x-amz-credential|signature|"
    r"private[_-]?key|passwd|passphrase|credential|cookie|(?:password|secret|token|authorization|session[_-]?key|api[_-]?key)\w{0,60}"
)
# Not inside a longer word: "InvalidIdentityToken: Couldn't ..." is an AWS message, not a secret.
# A quote may be escaped, or missing where the text was cut off.
_NAMED = re.compile(rf"(?i)((?<![a-z])(?:{_NAMES})\\*[\"']?\s*[=:]\s*)(?:\\*\"[^\"]*\"?|\\*'[^']*'?|[^\s,\"'}}]+)")
_IN_TAGS = re.compile(rf"(?i)(<(?:{_NAMES})>)[^<]*")
_SCHEME = re.compile(r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}")


def without_secrets(text: str) -> str:
    """`text` with tokens, keys, passwords and signatures replaced by "[removed]"; their names stay, NULs go."""
    text = SHAPES.sub(REMOVED, text.replace("\x00", ""))
    text = PASSWORD_IN_URL.sub(f"://{REMOVED}@", text)
    for pattern in (_SCHEME, _NAMED, _IN_TAGS):
        text = pattern.sub(rf"\1{REMOVED}", text)
    return text


def names_secret(key: str) -> bool:
    """Whether this key, in whatever case it is written, names a secret."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", key).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words)
    return not SECRET_WORDS.isdisjoint(words.split("_")) or any(phrase in words for phrase in SECRET_PHRASES)


# --- By chance -------------------------------------------------------------------------------------------------------

# An AWS secret key: 40 characters, of all three classes.
AWS_SECRET = re.compile(r"(?<![\w/+=-])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])[A-Za-z0-9/+]{40}(?![\w/+=-])", re.ASCII)
# A run of base64-like characters: 128-bit tokens have 22 and more.
RUN = re.compile(r"[A-Za-z0-9+/_=-]{22,}", re.ASCII)
MIN_ENTROPY = 3.7  # bits a character; English words stay below, random base64 of 22 characters and more above
WORD_PAIRS = frozenset({"ul", "ou", "uo", "ol", "lo", "od", "do"})  # a word begins, or a separator stands between words
MIN_CHANGES = 0.3  # how often the class of character changes; names in CamelCase stay below, random text is near 0.45


def looks_secret(text: str) -> bool:
    """Whether the text holds something shaped like a credential or like random base64. Hexadecimal hashes and UUIDs are no secrets."""
    has_shape = any(pattern.search(text) for pattern in (SHAPES, PASSWORD_IN_URL, AWS_SECRET))
    return has_shape or any(_is_random(run) for run in RUN.findall(text))


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
