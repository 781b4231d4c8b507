"""Kinds of operation and their steps. An app registers its kinds at start-up; the engine runs them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from portal.operations.catalogue import Text
from portal.operations.outcomes import Outcome
from portal.operations.states import Party

if TYPE_CHECKING:
    from portal.operations.engine import StepContext
    from portal.operations.models import Operation


def nothing(operation: "Operation") -> None:
    """Default ending: no row of the subject changes."""


@dataclass(frozen=True)
class StepSpec:
    """One step: `run(ctx)` is safe to run twice. `budget` bounds retries and waits on provider or cloud; waits on you have their own."""

    name: str
    title: Text
    run: "Callable[[StepContext], Outcome]"
    actor: Party = Party.PROVIDER
    budget: timedelta = timedelta(minutes=15)
    late_code: str = "step_took_too_long"


@dataclass(frozen=True)
class Kind:
    """A kind of operation. `on_*` run in the transaction that writes the terminal state: rows only, no effects."""

    name: str
    title: Text
    steps: tuple[StepSpec, ...]
    on_failed: "Callable[[Operation], None]" = field(default=nothing)
    on_cancelled: "Callable[[Operation], None]" = field(default=nothing)
    on_succeeded: "Callable[[Operation], None]" = field(default=nothing)
    on_retried: "Callable[[Operation], None]" = field(default=nothing)
    subject_url: "Callable[[Operation], str]" = field(default=lambda operation: "")
    cancel_note: Text = ""  # what cancelling leaves behind
    is_cancellable: bool = True


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    return KINDS[name]
