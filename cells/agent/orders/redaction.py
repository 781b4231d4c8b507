"""What never leaves the cell: named rules, applied here before anything is sent. Who reads the result sees which rule struck how often."""

from __future__ import annotations

import re
from collections import Counter

REMOVED = "[removed]"
_NAMED = (
    "password|passwd|passphrase|secret|token|credential|cookie|authorization|signature|"
    "api[_-]?key|access[_-]?key|private[_-]?key|session[_-]?key"
)
# In this order: what one has struck is not there for the next. What the group `keep` holds stays. Every repetition has a limit, or
# begins where a word does: a line that was made for it must not keep the agent busy.
RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("private_key", re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?:.*?-----END [A-Z ]{0,40}PRIVATE KEY-----|.*)", re.DOTALL)),
    ("web_token", re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{6,}(?:\.[\w-]*){0,2}", re.ASCII)),
    ("service_token", re.compile(r"\b(?:gh[pousr]_|github_pat_|xox[abeprs]-|AIza|[sr]k_live_|[sr]k_test_)[\w-]{10,}", re.ASCII)),
    ("cloud_key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", re.ASCII)),
    ("password_in_address", re.compile(r"(?P<keep>://)[^/\s:@]{0,200}:[^/\s@]{1,200}(?=@)")),
    ("authorization", re.compile(r"(?i)(?P<keep>\b(?:bearer|basic)\s{1,4})[A-Za-z0-9._~+/=-]{8,}")),
    (
        "named_secret",
        re.compile(
            rf"(?i)(?P<keep>(?<![\w-])(?:--[\w-]{{0,60}}?(?:{_NAMED})[\w-]{{0,60}}\s{{1,4}}|"
            rf"[\w-]{{0,60}}?(?:{_NAMED})[\w-]{{0,60}}\\?[\"']?\s{{0,4}}[=:]\s{{0,4}}))"
            r"(?!\[removed\])(?:\\?\"[^\"]*\"?|\\?'[^']*'?|[^\s,;&\"'}]+)"
        ),
    ),
    (
        "random_key",
        re.compile(r"(?<![\w/+=-])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])[A-Za-z0-9/+]{40,}(?![\w-])", re.ASCII),
    ),
    ("card_number", re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])", re.ASCII)),
    ("mail_address", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def redact(text: str) -> tuple[str, dict[str, int]]:
    """The text without what the rules name, and how often each has struck. What no screen should be told, such as colours, goes, too."""
    struck: Counter[str] = Counter()
    for name, pattern in RULES:
        text = _struck(name, pattern, text, struck)
    return _UNPRINTABLE.sub(" ", text), dict(struck)


def _struck(name: str, pattern: re.Pattern[str], text: str, struck: Counter[str]) -> str:
    def replace(found: re.Match[str]) -> str:
        if name == "card_number" and not _is_card(found.group(0)):
            return found.group(0)
        struck[name] += 1
        return (found.groupdict().get("keep") or "") + REMOVED

    return pattern.sub(replace, text)


def _is_card(text: str) -> bool:
    """By its check digit (Luhn): other long numbers, such as times, stay."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return (sum(digits[::2]) + sum(sum(divmod(digit * 2, 10)) for digit in digits[1::2])) % 10 == 0
