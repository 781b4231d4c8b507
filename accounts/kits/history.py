"""Every version of a kit that was shipped: what it asked for, kept so that an older kit is still judged by its own manifest.

`accounts/kits/<cloud>/history/<version>.json` is written by `manage.py write_kit_history` when a version is made and never changed
afterwards; beside it lies the version's main document. A test holds the newest one against the manifest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import translation

from accounts.clouds.base import ALLOW_SUPPORT, PermissionProbe, Target, is_off
from accounts.kits import load
from accounts.kits.base import CloudKit

ROOT = Path(__file__).parent
# A target whose every value is its own name: what a kit asks about it is a pattern for any target.
PATTERN = Target(
    account="{account}",
    external_id="{external_id}",
    region="{region}",
    suffix="{short}-{generation}",
    generation=0,
    kit_version="",
    kit_hash="",
    issuer="https://{issuer_path}",
    audience="",
    identity={"project_number": "{project_number}", "tenant_id": "{tenant_id}"},
)


@dataclass(frozen=True)
class Line:
    """One permission as that version's manifest told it, in English."""

    key: str
    action: str
    role: str
    phase: str
    reason: str
    limit: str


@dataclass(frozen=True)
class Snapshot:
    """One shipped version."""

    version: str
    content_hash: str
    released_on: date
    permissions: Mapping[str, Line]
    probes: tuple[PermissionProbe, ...]


@dataclass(frozen=True)
class Difference:
    """What changes for the customer between two versions."""

    added: list[Line]
    removed: list[Line]
    changed: list[tuple[Line, Line]]  # another limit, or another moment of use

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


def folder(cloud: str) -> Path:
    return ROOT / cloud / "history"


def number(version: str) -> tuple[int, ...]:
    """`1.10.0` comes after `1.9.0`; what is no version comes before all."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def is_outdated(cloud: str, version: str) -> bool:
    """Whether a newer version than this one is shipped."""
    return number(version) < number(load(cloud).version)


def offers_cells(cloud: str, version: str) -> bool:
    """Whether a deployment cell can be built under this version of the kit."""
    return number(version) >= number(load(cloud).cells_since)


@cache
def _read(path: Path) -> Snapshot:
    told = json.loads(path.read_text(encoding="utf-8"))
    lines = {row["key"]: Line(**row) for row in told["permissions"]}
    probes = tuple(PermissionProbe(**row) for row in told["probes"])
    return Snapshot(told["version"], told["content_hash"], date.fromisoformat(told["released_on"]), lines, probes)


def snapshot(cloud: str, version: str) -> Snapshot | None:
    """What was kept of this version; None for one that nobody knows."""
    path = folder(cloud) / f"{version}.json"
    return _read(path) if number(version) and path.exists() else None


def versions(cloud: str) -> list[str]:
    """Every version that was shipped, the oldest first."""
    return sorted((path.stem for path in folder(cloud).glob("*.json") if number(path.stem)), key=number)


def difference(cloud: str, old: str, new: str) -> Difference | None:
    """From one version to another; None where one of them was not kept."""
    before, after = snapshot(cloud, old), snapshot(cloud, new)
    if before is None or after is None:
        return None
    was, now = before.permissions, after.permissions
    changed = [(was[key], now[key]) for key in now if key in was and _terms(was[key]) != _terms(now[key])]
    return Difference([now[key] for key in now if key not in was], [was[key] for key in was if key not in now], changed)


def _terms(line: Line) -> tuple[str, str]:
    return line.limit, line.phase


def supported_until(cloud: str, version: str, support: timedelta) -> date | None:
    """An outdated version is supported for this long after the one that followed it; None while it is the newest."""
    later = [known for known in versions(cloud) if number(known) > number(version)]
    following = snapshot(cloud, later[0]) if later else None
    return following.released_on + support if following else None


def probes(cloud: str, target: Target, switches: Mapping[str, str] | None = None) -> tuple[PermissionProbe, ...]:
    """Every permission of the version that this target runs, as a question. Raises KeyError for a version that nobody kept."""
    kept = snapshot(cloud, target.kit_version)
    if kept is None:
        raise KeyError(target.kit_version)
    is_support_off = is_off(switches, ALLOW_SUPPORT)
    given = load(cloud).gives_support
    return tuple(
        _filled(probe, target) for probe in kept.probes if not (is_support_off and (probe.role == "support" or probe.key in given))
    )


def _filled(probe: PermissionProbe, target: Target) -> PermissionProbe:
    short, _dash, generation = target.suffix.partition("-")
    names = {"account": target.account, "external_id": target.external_id, "region": target.region, "short": short}
    names |= {"generation": generation, "issuer_path": target.issuer.removeprefix("https://"), **target.identity}

    def fill(text: str) -> str:
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    context = {key: fill(value) for key, value in probe.context.items()}
    return PermissionProbe(probe.key, probe.role, probe.action, fill(probe.resource), context)


def taken(kit: CloudKit, released_on: date) -> dict[str, Any]:
    """The shipped version as it is written down."""
    with translation.override("en"):
        lines = [
            {
                "key": permission.key,
                "action": permission.action,
                "role": str(permission.role.value),
                "phase": str(permission.phase.value),
                "reason": str(permission.reason),
                "limit": str(permission.limit),
            }
            for permission in kit.permissions
        ]
    asked = [
        {"key": probe.key, "role": probe.role, "action": probe.action, "resource": probe.resource, "context": dict(probe.context)}
        for probe in kit.probes(PATTERN)
    ]
    told = {"cloud": kit.cloud, "version": kit.version, "content_hash": kit.content_hash, "released_on": released_on.isoformat()}
    return {**told, "permissions": lines, "probes": asked}
