"""The trust of versions that are no longer shipped: what had to stand in the customer's cloud, as each version itself told it.

`accounts/kits/<cloud>/history/<version>.trust.json` is what `shipped` gave for a sample account, with the sample's ids replaced by their
names. It is written with the rest of a version's history and never changed afterwards.
"""

import json
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from accounts.clouds.base import Target
from accounts.kits.base import CloudKit, mark_of_place

ROOT = Path(__file__).parent
Shipped = TypeVar("Shipped")
# No value of it stands in another, nor in anything that a kit says by itself.
SAMPLE = Target(
    account="f0e1d2c3-b4a5-4697-8879-6a5b4c3d2e1f",
    external_id="sample-place-0192837465",
    region="sample-region-3",
    suffix="f0e1d2c3-g4711",
    generation=4711,
    kit_version="",
    kit_hash="",
    issuer="https://issuer.sample.invalid/trust/g4711",
    audience="",
    identity={"project_number": "918273645546372", "tenant_id": "0f9e8d7c-6b5a-4c4d-9e3f-2a1b0c9d8e7f"},
)


def path(cloud: str, version: str) -> Path:
    return ROOT / cloud / "history" / f"{version}.trust.json"


def keeps(cloud: str, version: str) -> bool:
    """Versions are kept under numbers alone: what a row says leads to no other file."""
    return version.replace(".", "").isdecimal() and path(cloud, version).exists()


def sample_of(kit: CloudKit) -> Target:
    """SAMPLE under the version that is shipped now."""
    target = replace(SAMPLE, kit_version=kit.version, kit_hash=kit.content_hash)
    return replace(target, audience=kit.audience(target))


def taken(shipped: object) -> Any:
    """What a kit ships for SAMPLE, as it is written down."""
    return _replaced(_plain(shipped), {value: f"<{name}>" for name, value in _names(SAMPLE).items()})


def shipped(kind: type[Shipped], cloud: str, target: Target) -> Shipped:
    """What must stand there under the version that this target runs. Raises FileNotFoundError for a version that nobody kept."""
    values = {f"<{name}>": value for name, value in _names(target).items()}
    restored: Shipped = _restored(kind, _replaced(_read(path(cloud, target.kit_version)), values))
    return restored


@cache
def _read(place: Path) -> Any:
    """Shared: do not change it."""
    return json.loads(place.read_text(encoding="utf-8"))


def _names(target: Target) -> dict[str, str]:
    """The longer before what it begins with. Some names take no dashes, and some only the beginning of an id."""
    suffix = {"suffix": target.suffix, "suffix_": target.suffix.replace("-", "_")}
    account = {"account": target.account, **suffix, "short": target.suffix.partition("-")[0]}
    mark = {"place": mark_of_place(target.external_id, target.region)}
    return {"issuer": target.issuer, **account, **mark, "external_id": target.external_id, "region": target.region, **target.identity}


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_replaced(name, texts): _replaced(inner, texts) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, texts) for inner in value]
    for old, new in texts.items() if isinstance(value, str) else ():
        value = value.replace(old, new)
    return value


def _plain(value: Any) -> Any:
    """Of lists, texts and mappings alone; a set in order."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _restored(kind: Any, value: Any) -> Any:
    """The inverse of `_plain`. A text that a version did not know yet is empty, anything else as it is by default."""
    arguments = typing.get_args(kind)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        told = {name: value.get(name, "") for name, hint in hints.items() if hint is str} | value
        return kind(**{name: _restored(hint, told[name]) for name, hint in hints.items() if name in told})  # type: ignore[operator]
    match typing.get_origin(kind):
        case None:
            return value
        case origin if issubclass(origin, frozenset):
            return frozenset(value)
        case origin if issubclass(origin, Mapping):
            return {name: _restored(arguments[1], inner) for name, inner in value.items()}
    return tuple(_restored(arguments[0], inner) for inner in value)
