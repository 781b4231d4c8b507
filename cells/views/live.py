"""The live part of a page: it asks for itself again, saying what it shows, and is sent what of that has changed."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise

from cells.models import CellStatus, InstanceStatus
from cells.states import AgentLink, CellState, InstanceState
from portal.templatetags.components import exact, relative

# While something is under way, or an agent is not heard; and when nothing is expected to change.
QUICK, CALM = "5s", "30s"
CALM_INSTANCES = frozenset({InstanceState.RUNNING, InstanceState.STOPPED, InstanceState.FAILED})
CALM_CELLS = frozenset({CellState.READY, CellState.FAILED})
CALM_LINKS = {AgentLink.CONNECTED, AgentLink.DISABLED}


class Pulse(NamedTuple):
    """What a live part shows, in short: all of it, what is worth saying aloud, and what may be done."""

    version: str
    milestone: str
    acts: str
    every: str  # empty: it asks no more

    @property
    def query(self) -> str:
        return f"v={self.version}&m={self.milestone}&a={self.acts}"


def pulse_of(*shown: object, milestone: str, acts: object, is_calm: bool, is_over: bool) -> Pulse:
    acts_version = _digest(acts)
    return Pulse(_digest((shown, milestone, acts_version)), milestone, acts_version, "" if is_over else CALM if is_calm else QUICK)


def seen_words(status: CellStatus | InstanceStatus | None) -> tuple[str, ...]:
    """When it was last heard, as a page says it: a later report that reads the same is no news."""
    return (relative(status.seen_at), exact(timezone.localtime(status.seen_at))) if status else ()


def live_answer(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """Nothing where nothing has changed; the rest of the page only where that has, so that nobody's focus is disturbed for nothing."""
    pulse, shown = context["pulse"], request.GET
    if shown.get("v") == pulse.version:
        return HttpResponse(status=204)
    has_new_acts = shown.get("a", pulse.acts) != pulse.acts
    is_milestone = shown.get("m", pulse.milestone) != pulse.milestone
    return render(request, template, {**context, "is_milestone": is_milestone, "has_new_acts": has_new_acts, "is_swap": True})


def said(sentences: Mapping[str, str | Promise], milestone: str, name: str) -> str:
    return str(sentences[milestone]) % {"name": name}


def _digest(shown: object) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]
