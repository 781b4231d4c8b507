"""The one way ministack is changed: named replacements from outside, listed, and loud when a name has gone."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Patch:
    name: str  # "services.iam.DeletePolicy"
    why: str


APPLIED: list[Patch] = []


class PatchTargetGoneError(RuntimeError):
    """A newer ministack renamed what we replace: review the upgrade."""


def replace_function(module: ModuleType, name: str, make: Callable[[Any], Any], *, why: str) -> None:
    """Puts `make(original)` in the place of a module's function. Raises PatchTargetGoneError where there is none."""
    if not hasattr(module, name):
        raise PatchTargetGoneError(f"{module.__name__}.{name}")
    setattr(module, name, make(getattr(module, name)))
    APPLIED.append(Patch(f"{module.__name__.removeprefix('ministack.')}.{name}", why))


def replace_entry(module: ModuleType, table: MutableMapping[str, Any], name: str, make: Callable[[Any], Any], *, why: str) -> None:
    """Puts `make(original)` in the place of a registry's entry. Raises PatchTargetGoneError where there is none."""
    if name not in table:
        raise PatchTargetGoneError(f"{module.__name__}[{name}]")
    table[name] = make(table[name])
    APPLIED.append(Patch(f"{module.__name__.removeprefix('ministack.')}.{name}", why))


def add_entry(module: ModuleType, table: MutableMapping[str, Any], name: str, value: Any, *, why: str) -> None:
    """Adds what ministack does not have. Raises PatchTargetGoneError when it has it by now: then use its own."""
    if name in table:
        raise PatchTargetGoneError(f"{module.__name__}[{name}] exists now: use ministack's own")
    table[name] = value
    APPLIED.append(Patch(f"{module.__name__.removeprefix('ministack.')}.{name}", why))
