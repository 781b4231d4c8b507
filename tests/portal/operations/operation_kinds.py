"""Kinds of operation for tests: each step answers from a script, its last line for ever."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from portal.audit import Subject
from portal.operations import driver
from portal.operations.engine import StepContext, start
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Outcome
from portal.operations.registry import Kind, StepSpec, register
from tests.factories import make_organisation

Line = Outcome | Exception | Callable[[StepContext], Outcome]
_numbers = itertools.count(1)


class ScriptedKind:
    """`kind` is registered; `calls` lists the steps that ran, `hooks` the endings with what they saw."""

    def __init__(self, script: dict[str, list[Line]], specs: dict[str, dict[str, Any]], **fields: Any) -> None:
        self.script = script
        self.calls: list[str] = []
        self.contexts: list[StepContext] = []
        self.hooks: list[tuple[str, str]] = []
        steps = tuple(StepSpec(name, f"Step {name}", self._step(name), **specs.get(name, {})) for name in script)
        hooks = {name: self._hook(name) for name in ("on_failed", "on_cancelled", "on_succeeded", "on_retried")}
        self.kind = Kind(
            f"scripted_{next(_numbers)}", "Scripted work", steps, **{**hooks, "names": lambda _operation: {"cloud": "AWS"}, **fields}
        )
        register(self.kind)

    def _step(self, name: str) -> Callable[[StepContext], Outcome]:
        def run(ctx: StepContext) -> Outcome:
            self.calls.append(name)
            self.contexts.append(ctx)
            lines = self.script[name]
            line = lines.pop(0) if len(lines) > 1 else lines[0]
            if isinstance(line, Exception):
                raise line
            return line(ctx) if callable(line) else line

        return run

    def _hook(self, name: str) -> Callable[[Operation], None]:
        return lambda operation: self.hooks.append((name, operation.state))


def scripted(
    *, specs: dict[str, dict[str, Any]] | None = None, fields: dict[str, Any] | None = None, **script: Line | list[Line]
) -> ScriptedKind:
    """`scripted(first=Done(), second=[Wait(...), Done()])`; `specs` are StepSpec fields by step, `fields` those of the kind."""
    listed = {name: list(lines) if isinstance(lines, list) else [lines] for name, lines in script.items()}
    return ScriptedKind(listed or {"only": [Done()]}, specs or {}, **(fields or {}))


def begin(
    scripted_kind: ScriptedKind | None = None, *, organisation: Any = None, by: Any = None, subject_id: str = "", **given: Any
) -> Operation:
    """A started operation, in its own organisation unless one is given."""
    kind = (scripted_kind or scripted()).kind.name
    organisation = organisation or make_organisation()
    subject = Subject(kind="thing", id=subject_id or str(uuid4()), label="The thing")
    with transaction.atomic():
        return start(kind=kind, subject=subject, organisation_id=organisation.pk, by=by, **given)


def advance(operation: Operation) -> bool:
    """Drive it as a worker would, whatever its next planned look; the row at hand is read again."""
    make_due(operation)
    more = driver.advance(operation.pk)
    operation.refresh_from_db()
    return more


def make_due(operation: Operation) -> None:
    Operation.objects.live().filter(pk=operation.pk).update(next_run_at=timezone.now() - timedelta(seconds=1))


def states(operation: Operation) -> list[tuple[str, int, str]]:
    return [(step.name, step.attempt, step.state) for step in operation.steps.in_order()]


def events(organisation_id: UUID) -> list[tuple[str, str]]:
    from portal.audit.models import Event

    return list(Event.objects.filter(organisation_id=organisation_id).order_by("sequence").values_list("action", "actor_kind"))
