"""Secrets never reach a row: every log line and every word of a cloud passes here before it is stored."""

import re

REMOVED = "[removed]"

_KEYS = (
    r"(?:aws[_-]?)?secret[_-]?access[_-]?key|session[_-]?token|security[_-]?token|client[_-]?secret|web[_-]?identity[_-]?token|"
    r"access[_-]?token|refresh[_-]?token|id[_-]?token|x-amz-security-token|x-amz-signature|x-amz-credential|signature|"
    r"api[_-]?key|private[_-]?key|password|passwd|passphrase|secret|token|credential|cookie"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), REMOVED),
    # A JSON web token, or the beginning of one: three base64url parts, the first starts with '{"'.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"), REMOVED),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), REMOVED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {REMOVED}"),
    (re.compile(r"(?i)://[^/\s:@]+:[^/\s@]+@"), f"://{REMOVED}@"),
    # Not inside a longer word: "InvalidIdentityToken: Couldn't ..." is an AWS message, not a secret.
    (re.compile(rf"(?i)((?<![a-z])(?:{_KEYS})[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}}<]+)"), rf"\1{REMOVED}"),
    (re.compile(rf"(?i)(<({_KEYS})>)[^<]*"), rf"\1{REMOVED}"),
)


def redact(text: str) -> str:
    """`text` with tokens, keys, passwords and signatures replaced by "[removed]"; names of them stay readable."""
    text = text.replace("\x00", "")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
