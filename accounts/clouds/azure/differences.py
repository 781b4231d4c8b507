"""From Azure's what-if to our differences: what a template says and does not stand so."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from accounts.clouds.azure.clients import kind_and_name
from accounts.clouds.stacks import Difference, DriftLook

SAME = {"nochange", "ignore", "noeffect"}
# Nothing can be said of these until they are deployed.
UNKNOWN = {"deploy", "unsupported"}
LONGEST = 300


def drift_of(told: Mapping[str, Any], secrets: Collection[str]) -> DriftLook:
    """`secrets` are values that no difference may show."""
    changes = (told.get("properties") or {}).get("changes") or []
    found = [difference for change in changes for difference in _of(change) if not {difference.expected, difference.found} & set(secrets)]
    unknown = [_place(change)[1] for change in changes if _type(change) in UNKNOWN]
    detail = f"Azure could not compare: {', '.join(unknown)}" if unknown else ""
    return DriftLook(is_finished=True, differences=found, detail=detail)


def _of(change: Mapping[str, Any]) -> Iterator[Difference]:
    kind = _type(change)
    if kind in SAME | UNKNOWN:
        return
    if kind == "create":
        yield Difference(*_place(change), "", path="", expected="there", found="missing")
        return
    for path, expected, found in _leaves(change.get("delta") or [], "", inside=False):
        yield Difference(*_place(change), str(change.get("resourceId", "")), path, expected, found)


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
    return "" if value is None else str(value)[:LONGEST]


def _type(change: Mapping[str, Any]) -> str:
    return str(change.get("changeType", "")).lower()


def _place(change: Mapping[str, Any]) -> tuple[str, str]:
    return kind_and_name(str(change.get("resourceId", "")))
