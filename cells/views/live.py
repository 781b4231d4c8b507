"""The live part of a page: it asks for itself again, saying what it shows, and is sent what of that has changed."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise

from accounts.models import Organisation
from cells.models import CellStatus, InstanceStatus
from cells.states import AgentLink, CellState, InstanceState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from portal.templatetags.components import exact, relative

# While something is under way, or an agent is not heard; and when nothing is expected to change.
QUICK, CALM = "5s", "30s"
OPERATIONS_SHOWN = 10
CALM_INSTANCES = frozenset({InstanceState.RUNNING, InstanceState.STOPPED, InstanceState.FAILED})
CALM_CELLS = frozenset({CellState.READY, CellState.FAILED})
CALM_LINKS = {AgentLink.CONNECTED, AgentLink.DISABLED}


class Pulse(NamedTuple):
    """What a page shows that may change, in short: all of it, what is worth saying aloud, and each part that is brought by itself."""

    version: str
    milestone: str
    parts: Mapping[str, str]
    every: str  # empty: it asks no more

    @property
    def query(self) -> str:
        return urlencode({"v": self.version, "m": self.milestone, **self.parts})


def pulse_of(*shown: object, milestone: str, parts: Mapping[str, object], is_calm: bool, is_over: bool) -> Pulse:
    digests = {name: _digest(part) for name, part in parts.items()}
    return Pulse(_digest((shown, milestone, digests)), milestone, digests, "" if is_over else CALM if is_calm else QUICK)


def seen_words(status: CellStatus | InstanceStatus | None) -> tuple[str, ...]:
    """When it was last heard, as a page says it: a later report that reads the same is no news."""
    return (relative(status.seen_at), exact(timezone.localtime(status.seen_at))) if status else ()


def live_answer(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """Nothing where nothing has changed; the rest of the page only where that has, so that nobody's focus is disturbed for nothing."""
    pulse, shown = context["pulse"], request.GET
    if shown.get("v") == pulse.version:
        return HttpResponse(status=204)
    changed = {name for name, digest in pulse.parts.items() if shown.get(name, digest) != digest}
    is_milestone = shown.get("m", pulse.milestone) != pulse.milestone
    return render(request, template, {**context, "is_milestone": is_milestone, "changed": changed, "is_swap": True})


def operations_of(organisation: Organisation, kind: str, pk: uuid.UUID) -> list[Operation]:
    """The newest first: one that is live is always the first."""
    return list(organisation.operations.for_subject(kind, pk).newest_first()[:OPERATIONS_SHOWN])


def live_of(operations: Iterable[Operation]) -> Operation | None:
    return next((operation for operation in operations if operation.is_live), None)


def failed_of(operations: Iterable[Operation]) -> Operation | None:
    """The newest that failed: its page says why, and has the retry."""
    return next((operation for operation in operations if operation.state == OperationState.FAILED), None)


def seen_operations(operations: Iterable[Operation]) -> list[object]:
    """A clock that runs is no news."""
    return [(operation.pk, operation.state) for operation in operations]


def said(sentences: Mapping[str, str | Promise], milestone: str, name: str) -> str:
    return str(sentences[milestone]) % {"name": name}


def _digest(shown: object) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]
