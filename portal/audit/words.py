"""Words for codes. Apps register theirs at start-up; a code without words shows as itself."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Promise  # what the stubs call a lazy translation
else:
    from django.utils.functional import Promise

Text = str | Promise

ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", re.ASCII)
ACTIONS: dict[str, Text] = {}
SUBJECTS: dict[str, Text] = {"activity": _("Activity"), "organisation": _("Organisation")}
FIELDS: dict[str, Text] = {}
# What the value under a key means; given the value and all details.
CODES: dict[str, Callable[[str, Mapping[str, Any]], str]] = {}


def register_actions(words: Mapping[str, Text]) -> None:
    """Sentences without the actor, who stands before them: `{"member.role_changed": _("Changed the role of %(subject)s to %(role)s")}`.

    Placeholders: `subject` (its label), `actor`, every key of the event's details; of a [before, after] pair `key` is the one after and
    `key_before` the one before. What an event does not have shows as "…". Raises ValueError for a malformed code.
    """
    for code in words:
        if not ACTION.fullmatch(code):
            raise ValueError(f"Action codes are written area.what_happened, not {code!r}.")
    ACTIONS.update(words)


def register_subjects(words: Mapping[str, Text]) -> None:
    """Names of kinds of subject: `{"cloud_account": _("Cloud account")}`."""
    SUBJECTS.update(words)


def register_fields(words: Mapping[str, Text]) -> None:
    """Names of the keys in details: `{"role": _("Role")}`."""
    FIELDS.update(words)


def register_codes(key: str, words: Callable[[str, Mapping[str, Any]], str]) -> None:
    """How codes under this key of the details are said; the code itself stands beside. `register_codes("code", failure_words)`."""
    CODES[key] = words


def sentence(action: str, actor: str, subject: str, details: Mapping[str, Any]) -> str:
    """What was done, in words; the code itself when it has none, or when its (translated) words do not fit."""
    if action not in ACTIONS:
        return action
    known = {"actor": actor, "subject": subject}
    for key, value in details.items():
        if is_change(value):
            known[key], known[f"{key}_before"] = value_text(value[1]), value_text(value[0])
        else:
            known.setdefault(key, detail_text(key, details))
    try:
        return str(ACTIONS[action]) % defaultdict(lambda: "…", {key: value for key, value in known.items() if value})
    except (TypeError, ValueError):
        return action


def action_label(action: str) -> str:
    """The sentence of a code with "…" for everything that differs from event to event."""
    return sentence(action, "", "", {})


def subject_label(kind: str) -> str:
    return str(SUBJECTS.get(kind, _spaced(kind)))


def field_label(key: str) -> str:
    return str(FIELDS.get(key, _spaced(key)))


def is_change(value: Any) -> bool:
    """Whether a detail is a [before, after] pair: a list of exactly two values that are no lists or objects."""
    return isinstance(value, list) and len(value) == 2 and not any(isinstance(item, list | dict) for item in value)  # noqa: PLR2004


def codes(details: Mapping[str, Any]) -> list[str]:
    """The codes that `sentence` says in words, as they stand in the event."""
    return [details[key] for key in CODES if isinstance(details.get(key), str)]


def detail_text(key: str, details: Mapping[str, Any]) -> str:
    """One detail as text: a code in words, where an app gave it words."""
    value = details[key]
    return CODES[key](value, details) if key in CODES and isinstance(value, str) else value_text(value)


def value_text(value: Any) -> str:
    """A detail as text: yes and no for booleans, empty for nothing, commas in lists, `key: value` in objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(pgettext_lazy("value of a detail", "Yes") if value else pgettext_lazy("value of a detail", "No"))
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{field_label(key)}: {value_text(item)}" for key, item in value.items())
    return str(value)


def _spaced(code: str) -> str:
    return code.replace("_", " ").capitalize()


register_actions({"activity.exported": _("Exported the activity log")})
