"""The command line: which commands there are, which options each takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

GLOBAL = {"--query": "query", "--output": "output", "-o": "output"}
GLOBAL_SWITCHES = {"--only-show-errors": "quiet"}


class UnknownWordError(ValueError):
    """Not played here; the text is what was not understood."""


@dataclass(frozen=True)
class Shape:
    """What one command takes: options with a value, with several, and without any."""

    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    switches: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass
class Given:
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


SUBSCRIPTION = {"--subscription": "subscription"}
NAME = {"--name": "name", "-n": "name", **SUBSCRIPTION}
GROUP = {"--resource-group": "group", "-g": "group"}
ITSELF = {"--name": "name", "-n": "name", "--resource-group": "name", "-g": "name", **SUBSCRIPTION}  # a group is named either way
LOCATION = {"--location": "location", "-l": "location"}
TEMPLATE = {"--template-uri": "template_uri", "-u": "template_uri", "--template-file": "template_file", "-f": "template_file"}
PARAMETERS = {"--parameters": "parameters", "-p": "parameters"}
NO_WAIT = {"--no-wait": "no_wait"}
YES = {"--yes": "yes", "-y": "yes"}
WHICH = {"--subscription": "subscription", "-s": "subscription", "--name": "subscription", "-n": "subscription"}
SPACE = {"--namespace": "namespace", "-n": "namespace", **SUBSCRIPTION}

SHAPES: dict[str, Shape] = {
    "account show": Shape(WHICH),
    "account set": Shape(WHICH, needs=("subscription",)),
    "account list": Shape(SUBSCRIPTION, switches={"--all": "all"}),
    "group create": Shape({**ITSELF, **LOCATION}, {"--tags": "tags"}, needs=("name", "location")),
    "group list": Shape({**SUBSCRIPTION, "--tag": "tag"}),
    "group show": Shape(ITSELF, needs=("name",)),
    "group exists": Shape(ITSELF, needs=("name",)),
    "group delete": Shape(ITSELF, switches={**YES, **NO_WAIT}, needs=("name",)),
    "provider show": Shape(SPACE, needs=("namespace",)),
    "provider register": Shape(SPACE, switches={"--wait": "wait"}, needs=("namespace",)),
    "deployment group create": Shape({**NAME, **GROUP, **TEMPLATE, "--mode": "mode"}, PARAMETERS, NO_WAIT, ("group",)),
    "deployment sub create": Shape({**NAME, **LOCATION, **TEMPLATE}, PARAMETERS, NO_WAIT, ("location",)),
    "deployment group show": Shape({**NAME, **GROUP}, needs=("group", "name")),
    "deployment sub show": Shape(NAME, needs=("name",)),
    "deployment group delete": Shape({**NAME, **GROUP}, needs=("group", "name")),
    "deployment sub delete": Shape(NAME, needs=("name",)),
    "deployment operation sub list": Shape(NAME, needs=("name",)),
    "deployment operation group list": Shape({**NAME, **GROUP}, needs=("group", "name")),
    "identity show": Shape({**NAME, **GROUP}, needs=("group", "name")),
    "identity list": Shape({**GROUP, **SUBSCRIPTION}),
    "identity delete": Shape({**NAME, **GROUP}, needs=("group", "name")),
    "role definition list": Shape({**NAME, "--scope": "scope"}, switches={"--custom-role-only": "custom"}),
    "role definition delete": Shape({**NAME, "--scope": "scope"}, needs=("name",)),
    "role assignment list": Shape({**SUBSCRIPTION, "--scope": "scope", "--role": "role"}, switches={"--all": "all"}),
    "role assignment delete": Shape({**SUBSCRIPTION, "--scope": "scope", "--role": "role"}, switches=YES, needs=("role", "scope")),
    "resource list": Shape({**GROUP, **SUBSCRIPTION}),
    "resource delete": Shape({**NAME, **GROUP, "--resource-type": "type"}, needs=("group", "type", "name")),
    "keyvault purge": Shape({**NAME, **LOCATION}, needs=("name",)),
    "version": Shape(),
}


def parse(arguments: Sequence[str]) -> tuple[str, Given]:
    """The command's name and what it was given. Raises UnknownWordError."""
    words = list(arguments)
    name = next((" ".join(words[:length]) for length in range(4, 0, -1) if " ".join(words[:length]) in SHAPES), "")
    if not name:
        raise UnknownWordError(" ".join(word for word in words[:4] if not word.startswith("-")) or "no command")
    return name, _read(SHAPES[name], words[len(name.split()) :], name)


def _read(shape: Shape, words: list[str], name: str) -> Given:
    given = Given()
    values = {**shape.values, **GLOBAL}
    switches = {**shape.switches, **GLOBAL_SWITCHES}
    while words:
        word, _, inline = words.pop(0).partition("=") if words[0].startswith("--") else (words.pop(0), "", "")
        if word in values:
            if not inline and not words:
                raise UnknownWordError(f"{name} {word} without a value")
            given.values[values[word]] = inline or words.pop(0)
        elif word in shape.lists:
            found = given.lists.setdefault(shape.lists[word], [])
            while words and not words[0].startswith("-"):
                found.append(words.pop(0))
        elif word in switches:
            given.switches.add(switches[word])
        else:
            raise UnknownWordError(f"{name} {word}")
    for needed in shape.needs:
        if not given[needed]:
            raise UnknownWordError(f"{name} without --{needed}")
    return given
