"""From Azure's what-if to our differences: what a template says and does not stand so."""

import base64
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from accounts.clouds.azure.clients import kind_and_name
from accounts.clouds.stacks import Difference, DriftLook

SAME = {"nochange", "ignore", "noeffect"}
# Nothing can be said of these until they are deployed.
UNKNOWN = {"deploy", "unsupported"}
LONGEST = 300
HIDDEN = "(hidden)"
# What a machine is told when it starts. Azure never says what stands there, so that a difference would say nothing either.
WITHHELD = re.compile(r"(customData|userData|adminPassword)$", re.I)
# Whatever else is a secret by its name, in the path or within the value: told of as changed, and not as what.
SECRET_NAMES = re.compile(r"(?<!disable)password|secret|token|credential|protectedSettings|(private|access|account)Key", re.I)
# A shorter one may be part of a plain word.
SHORTEST_MARK = 8


def drift_of(told: Mapping[str, Any], secrets: Collection[str]) -> DriftLook:
    """`secrets` are the values of the order's secure parameters: a difference that holds one of them is left out."""
    changes = (told.get("properties") or {}).get("changes") or []
    found = [difference for change in changes for difference in _of(change, _forms(secrets))]
    unknown = [_place(change)[1] for change in changes if _type(change) in UNKNOWN]
    detail = f"Azure could not compare: {', '.join(unknown)}" if unknown else ""
    return DriftLook(is_finished=True, differences=found, detail=detail)


def _forms(secrets: Collection[str]) -> set[str]:
    """Each as it is and in base 64: templates hand some on in that form."""
    return {form for secret in secrets for form in (secret, base64.b64encode(secret.encode()).decode())}


def _of(change: Mapping[str, Any], secrets: Collection[str]) -> Iterator[Difference]:
    kind = _type(change)
    if kind in SAME | UNKNOWN:
        return
    if kind == "create":
        yield Difference(*_place(change), "", path="", expected="there", found="missing")
        return
    for path, expected, found in _leaves(change.get("delta") or [], "", inside=False):
        if not (WITHHELD.search(path) or _holds(expected, secrets) or _holds(found, secrets)):
            yield Difference(*_place(change), str(change.get("resourceId", "")), path, _shown(path, expected), _shown(path, found))


def _leaves(delta: Any, above: str, *, inside: bool) -> Iterator[tuple[str, str, str]]:
    """Path, what was ordered, what stands. A member that only stands is the provider's own, unless it is an entry of a list or a tag."""
    for change in delta:
        path = f"{above}.{change['path']}".lstrip(".")
        kind, children = str(change.get("propertyChangeType", "")).lower(), change.get("children") or []
        if kind == "noeffect":
            continue
        if children:
            yield from _leaves(children, path, inside=kind == "array")
        elif kind != "delete" or inside or path.startswith("tags."):
            yield path, _text(change.get("after")), _text(change.get("before"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _holds(text: str, secrets: Collection[str]) -> bool:
    return any(text == secret or (len(secret) >= SHORTEST_MARK and secret in text) for secret in secrets)


def _shown(path: str, text: str) -> str:
    """No first part of what is too long: nobody can say what it is a part of."""
    is_hidden = len(text) > LONGEST or SECRET_NAMES.search(path) or SECRET_NAMES.search(text)
    return HIDDEN if text and is_hidden else text


def _type(change: Mapping[str, Any]) -> str:
    return str(change.get("changeType", "")).lower()


def _place(change: Mapping[str, Any]) -> tuple[str, str]:
    return kind_and_name(str(change.get("resourceId", "")))
