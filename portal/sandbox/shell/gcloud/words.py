"""Flags and positional words of one command. What a command does not know ends the program with a note."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.sandbox.shell.session import Session

if TYPE_CHECKING:
    from portal.sandbox.shell.gcloud.api import Api

EVERYWHERE = {"project", "format", "verbosity"}
SWITCHES = {"quiet", "no-user-output-enabled"}
Run = Callable[["Api", "Words"], Any]


class CommandError(Exception):
    """gcloud itself refuses, before or after its calls."""


@dataclass(frozen=True)
class Command:
    """`shape` is what it prints without --format: yaml, or nothing."""

    run: Run
    positional: tuple[str, ...] = ()  # a name ending in + takes one or more
    flags: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    shape: str = "yaml"
    is_anywhere: bool = False  # its --location may name a region


def command(
    run: Run, *positional: str, flags: str = "", switches: str = "", required: str = "", shape: str = "yaml", is_anywhere: bool = False
) -> Command:
    """Flags as one text: that is how a table of commands stays readable."""
    wanted = frozenset(required.split())
    return Command(run, positional, frozenset(flags.split()) | wanted, frozenset(switches.split()), wanted, shape, is_anywhere)


class Words:
    def __init__(self, name: str, entry: Command, given: list[str], session: Session) -> None:
        self.name = name
        self.entry = entry
        self.session = session
        self.flags: dict[str, str] = {}
        self.switches: set[str] = set()
        self.positional: list[str] = []
        left = list(given)
        while left:
            self._take(left.pop(0), left)
        self._check()

    def _take(self, word: str, left: list[str]) -> None:
        if word == "-q":
            word = "--quiet"
        if not word.startswith("--"):
            self.positional.append(word)
            return
        flag, sign, value = word[2:].partition("=")
        if flag in SWITCHES | self.entry.switches and not sign:
            self.switches.add(flag)
        elif flag in EVERYWHERE | self.entry.flags and (sign or left):
            self.flags[flag] = value if sign else left.pop(0)
        else:
            self.session.unplayed("gcloud", f"{self.name} --{flag}")

    def _check(self) -> None:
        names = self.entry.positional
        is_many = bool(names) and names[-1].endswith("+")
        fits = len(self.positional) >= len(names) if is_many else len(self.positional) == len(names)
        missing = sorted(self.entry.required - self.flags.keys())
        if not fits or missing:
            self.session.unplayed("gcloud", f"{self.name} with {self.positional}, without {missing}")
        is_fixed = "location" in self.flags and not self.entry.is_anywhere
        if is_fixed and self.flags["location"] != "global":
            self.session.unplayed("gcloud", f"{self.name} --location={self.flags['location']}")

    def get(self, flag: str, default: str = "") -> str:
        return self.flags.get(flag, default)

    @property
    def first(self) -> str:
        return self.positional[0]

    @property
    def project(self) -> str:
        """The flag, the variable, the setting: in gcloud's order."""
        kept = Path.home() / ".config" / "gcloud-project"
        chosen = kept.read_text() if kept.exists() else self.session.project
        named = self.get("project") or os.environ.get("CLOUDSDK_CORE_PROJECT") or chosen
        if not named:
            raise CommandError("The required property [project] is not currently set.")
        return named


def pairs(text: str) -> dict[str, str]:
    """`a=b,c=d`; a leading `^;^` names another separator."""
    separator = ","
    if text.startswith("^") and text.count("^") > 1:
        separator, _, text = text[1:].partition("^")
    found = {}
    for part in text.split(separator):
        name, sign, value = part.partition("=")
        if not sign:
            raise CommandError(f"Bad syntax for dict arg: [{part}].")
        found[name] = value
    return found
