"""Certified profiles: what was tested and what it needs, one file each. Matched against an account's capability profile.

certified("aws")   match(profile, facts)
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Need:
    """One fact that a profile asks for: a number at least, or exactly this value."""

    fact: str
    at_least: int | None = None
    equals: bool | str | int | None = None

    def is_met_by(self, found: Any) -> bool:
        if found is None:
            return False
        if self.at_least is not None:
            return isinstance(found, int) and not isinstance(found, bool) and found >= self.at_least
        return bool(found == self.equals)


@dataclass(frozen=True)
class Profile:
    """A shape of cell that was tested: what, when, and what it needs."""

    code: str
    name: str
    cloud: str
    tested: str
    tested_on: date
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Miss:
    """A need that is not met. `found` is None when the fact is not known."""

    need: Need
    found: Any


@dataclass(frozen=True)
class Match:
    """A profile held against an account's facts."""

    profile: Profile
    misses: Sequence[Miss] = field(default_factory=tuple)

    @property
    def fits(self) -> bool:
        return not self.misses

    @property
    def is_open(self) -> bool:
        """Nothing speaks against it, and something is not known."""
        return bool(self.misses) and all(miss.found is None for miss in self.misses)


def match(profile: Profile, facts: Mapping[str, Any]) -> Match:
    return Match(profile, tuple(Miss(need, facts.get(need.fact)) for need in profile.needs if not need.is_met_by(facts.get(need.fact))))


@cache
def certified(cloud: str) -> tuple[Profile, ...]:
    """The profiles of one cloud, by file name."""
    return tuple(profile for profile in _all() if profile.cloud == cloud)


@cache
def _all() -> tuple[Profile, ...]:
    return tuple(read(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.toml")))


def read(code: str, text: str) -> Profile:
    """Raises KeyError or TypeError for a file that says too little or too much."""
    told = tomllib.loads(text)
    needs = tuple(Need(fact, **wanted) for fact, wanted in told["needs"].items())
    return Profile(code, told["name"], told["cloud"], told["tested"], told["tested_on"], needs)
