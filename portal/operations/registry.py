"""Kinds of operation and their steps. An app registers its kinds at start-up; the engine runs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import Text
from portal.operations.outcomes import Outcome
from portal.operations.states import Party

if TYPE_CHECKING:
    from portal.operations.driver import StepContext
    from portal.operations.models import Operation


YOUR_PART = _("Do my part")


def nothing(operation: "Operation") -> None:
    """Default ending: no row of the subject changes."""


@dataclass(frozen=True)
class StepSpec:
    """One step: `run(ctx)` is safe to run twice.

    `budget` bounds retries and waits on provider or cloud; after it a retry fails with its own code, a wait with `late_code`.
    `patience` bounds waits on the customer, from the first one; after it the step fails with `waited_too_long`.
    `retry_from` names the earlier step from which "Retry this step" starts over; empty means this one.
    """

    name: str
    title: Text
    run: "Callable[[StepContext], Outcome]"
    actor: Party = Party.PROVIDER
    budget: timedelta = timedelta(minutes=15)
    late_code: str = "step_took_too_long"
    patience: timedelta = timedelta(days=30)
    retry_from: str = ""
    # Words for a step that has not started and has nothing left to do, as things stand now; empty when it has.
    met_already: "Callable[[Operation], str]" = field(default=lambda _operation: "")


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    The `on_*` run in the transaction that writes the state, before the operation's own row is locked, so that everybody locks in one
    order: subject, operation, log. Rows only, no effects; the operation given already says how it ended.
    """

    name: str
    title: Text
    steps: tuple[StepSpec, ...]
    on_failed: "Callable[[Operation], None]" = field(default=nothing)
    on_cancelled: "Callable[[Operation], None]" = field(default=nothing)
    on_succeeded: "Callable[[Operation], None]" = field(default=nothing)
    on_retried: "Callable[[Operation], None]" = field(default=nothing)
    subject_url: "Callable[[Operation], str]" = field(default=lambda _operation: "")
    # Where the person who holds the ball does their part (an absolute path), and the words of that button.
    your_part_url: "Callable[[Operation], str]" = field(default=lambda _operation: "")
    your_part: "Callable[[Operation], str]" = field(default=lambda _operation: str(YOUR_PART))
    # Where a failed attempt can be taken up in another way than by retrying its step (an absolute path), and the words of that link.
    way_on_url: "Callable[[Operation], str]" = field(default=lambda _operation: "")
    way_on: Text = ""
    # A template that the operation's page shows below its steps: what this kind has to tell of its subject. It is given the operation.
    below: str = ""
    cancel_note: Text = ""  # what cancelling leaves behind
    retry_note: Text = ""  # what a retry keeps
    # What every sentence about an operation may name: `cloud`, as Party.CLOUD is called on the page, and `variant`, whose own
    # wording of a code is taken where the catalogue has one.
    names: "Callable[[Operation], Mapping[str, object]]" = field(default=lambda _operation: {})
    is_cancellable: bool = True
    # Why a failed operation of this kind can no longer be retried, as its subject stands now; empty when it can.
    why_not_retry: "Callable[[Operation], str]" = field(default=lambda _operation: "")

    @cached_property
    def steps_by_name(self) -> dict[str, StepSpec]:
        return {spec.name: spec for spec in self.steps}


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    return KINDS[name]
