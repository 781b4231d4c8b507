"""What an engineer may do under a grant: typed, allow-listed acts. Those that read the cloud are built in; the product adds its agent's.

acts.register(Act("restart_instance", _("Restart an instance"), ..., profile=Profile.OPERATE, via=Via.AGENT))
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.support.models import AccessRequest
from accounts.support.models.sessions import Act, Via
from accounts.support.states import PROFILE_ORDER, Profile

Words = str | Promise
MOST_TEXT = 200
# No act that is asked for: a line of the transcript.
HANDED_OUT = "hand_out_credentials"
HANDED_OUT_WORDS = _("Short-lived credentials were handed to the engineer's computer")


class BadArgument(ValueError):
    """What was entered does not fit the act. `name` is the argument, the message a sentence for the engineer."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Argument:
    """One value of an act: one of `choices`, or a whole number between `least` and `most`, or text that matches `pattern` whole."""

    name: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    pattern: str = ""
    default: str = ""
    is_required: bool = True

    @property
    def words(self) -> str:
        return argument_words(self.name)

    def clean(self, raw: str) -> str:
        """The value as it is stored and ordered. Raises BadArgument."""
        value = raw.strip() or self.default
        if not value:
            if self.is_required:
                raise BadArgument(self.name, _now("Enter a value for “%(field)s”.") % {"field": self.words})
            return ""
        if len(value) > MOST_TEXT or not self._fits(value):
            raise BadArgument(self.name, _now("“%(field)s” cannot be “%(value)s”.") % {"field": self.words, "value": value[:MOST_TEXT]})
        return value

    def _fits(self, value: str) -> bool:
        if self.choices:
            return value in self.choices
        if self.most is not None:
            return value.isascii() and value.isdecimal() and (self.least or 0) <= int(value) <= self.most
        return re.fullmatch(self.pattern, value) is not None if self.pattern else value.isprintable()


@dataclass(frozen=True)
class ActKind:
    """One kind of act: its name in orders and records, its words, the least profile that allows it, and where it is done."""

    name: str
    words: Words
    explained: Words
    profile: Profile
    via: Via
    arguments: tuple[Argument, ...] = ()
    # Kinds of scope it makes sense for; empty: all.
    scopes: frozenset[str] = frozenset()
    is_writing: bool = False
    # Arguments of what can be chosen under a grant; None: there is nothing that it could be done to.
    fit: Callable[[AccessRequest], tuple[Argument, ...] | None] | None = None

    def fitted(self, request: AccessRequest) -> "ActKind | None":
        """As it can be asked for under this grant."""
        if self.fit is None:
            return self
        arguments = self.fit(request)
        return None if arguments is None else replace(self, arguments=arguments, fit=None)

    def clean(self, raw: Mapping[str, str]) -> dict[str, str]:
        """All arguments, checked; what is not one of them is refused. Raises BadArgument."""
        if unknown := set(raw) - {argument.name for argument in self.arguments}:
            name = min(unknown)
            raise BadArgument(name, _now("This act takes no “%(field)s”.") % {"field": argument_words(name)})
        cleaned = {argument.name: argument.clean(raw.get(argument.name, "")) for argument in self.arguments}
        return {name: value for name, value in cleaned.items() if value}


ACTS: dict[str, ActKind] = {}


def register(act: ActKind) -> None:
    ACTS[act.name] = act


def allowed(profile: str, scope_kind: str) -> list[ActKind]:
    """What a grant of this profile on this kind of scope allows, from the least on."""
    rank = PROFILE_ORDER.index(Profile(profile))
    fitting = [act for act in ACTS.values() if PROFILE_ORDER.index(act.profile) <= rank and (not act.scopes or scope_kind in act.scopes)]
    return sorted(fitting, key=lambda act: (PROFILE_ORDER.index(act.profile), act.name))


def act_words(name: str) -> str:
    if name == HANDED_OUT:
        return str(HANDED_OUT_WORDS)
    return str(ACTS[name].words) if name in ACTS else name


# What people read for the arguments of acts, on every form and in every record. Files for machines keep the names.
ARGUMENTS: dict[str, Words] = {"lines": _("Number of lines"), "computer": _("Computer")}


def register_arguments(words: Mapping[str, Words]) -> None:
    ARGUMENTS.update(words)


def argument_words(name: str) -> str:
    return str(ARGUMENTS.get(name, name))


def act_title(act: Act) -> str:
    """What was done, and with what: "Read log lines of an instance · Instance: orders · Number of lines: 50"."""
    given = [f"{argument_words(name)}: {value}" for name, value in act.arguments.items()]
    return " · ".join([act_words(act.name), *given])


# Why an act came to nothing, by its code: a sentence for both sides.
ACT_FAILURES: dict[str, Words] = {}


def register_act_failures(words: Mapping[str, Words]) -> None:
    ACT_FAILURES.update(words)


def failure_words(code: str) -> str:
    return str(ACT_FAILURES.get(code, ""))


register(
    ActKind(
        "describe_cell",
        _("Describe a cell's resources"),
        _("Names, sizes and states of the cluster, the machines and the network, as the cloud lists them."),
        Profile.DIAGNOSE,
        Via.CLOUD,
    )
)
register(
    ActKind(
        "list_events",
        _("List events of a cell"),
        _("What the cloud says it has changed in the cell's stack, and what failed."),
        Profile.DIAGNOSE,
        Via.CLOUD,
    )
)
register(
    ActKind(
        "read_cluster_log",
        _("Read the log of a cell's cluster"),
        _("The newest lines that the cluster itself has written, redacted. Not the logs of your instances."),
        Profile.LOGS,
        Via.CLOUD,
        (Argument("lines", least=1, most=500, default="200"),),
    )
)
