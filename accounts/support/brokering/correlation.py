"""The cloud's own log against our own record: each line belongs to an act or to our own opening and probing, or to nobody we know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.clouds.support import Trace
from accounts.support.models import AccessRequest, Act, Door, Opening, TraceMatch
from accounts.support.models.sessions import ActState
from accounts.support.rules.acts import HANDED_OUT
from portal.redaction import without_secrets

# The kind of operation that reads the cloud's log.
COMPARE = "compare_support_log"
# What opening a door and probing it call by themselves, beside every act.
OWN_CALLS = {
    "aws": frozenset({"AssumeRoleWithWebIdentity", "DescribeVpcs"}),
    "azure": frozenset({"Microsoft.Authorization/roleAssignments/write"}),
    "gcp": frozenset({"google.cloud.config.v1.Config.GetDeployment"}),
}
# What takes the access away, by whomever: that is never done with it.
ENDING_CALLS = {"azure": frozenset({"Microsoft.Authorization/roleAssignments/delete"})}
OPENING, PROBE, DIRECT = "opening", "probe", "direct"
# Clouds' clocks and ours differ by seconds, and a cloud's log knows no fractions.
SLACK = timedelta(seconds=5)
BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=2)
MOST_RAW = 4000


@dataclass(frozen=True)
class Missing:
    """An act of ours that the cloud's log does not show."""

    act: Act
    calls: Sequence[str]


def span_of(request: AccessRequest) -> tuple[datetime, datetime]:
    """From before the first door to after the last probe: later use of the old session is in it as far as it lies before now."""
    first = request.doors.order_by("opened_at").values_list("opened_at", flat=True).first() or request.granted_from or request.created_at
    return first - BEFORE, timezone.now()


def keep(request: AccessRequest, traces: Sequence[Trace]) -> None:
    """Each line once, with what it belongs to. A line that was read before keeps its match; what was in doubt is looked at anew."""
    with transaction.atomic():
        AccessRequest.objects.select_for_update().get(pk=request.pk)
        known = {match.trace: match for match in request.traces.all()}
        acts = list(request.acts.exclude(started_at=None))
        for trace in traces:
            found = known.get(trace.id)
            if found and (found.act_id or found.explained):
                continue
            act = next((one for one in acts if _belongs(trace, one)), None)
            values = {"act": act, "explained": "" if act else explained(request, trace)}
            if found:
                TraceMatch.objects.filter(pk=found.pk).update(**values)
                continue
            raw = without_secrets(trace.raw)[:MOST_RAW]
            facts = {"at": trace.at, "call": trace.call[:200], "principal": trace.principal[:300], "is_refused": trace.is_refused}
            TraceMatch.objects.create(request=request, trace=trace.id[:200], raw=raw, **facts, **values)


def _belongs(trace: Trace, act: Act) -> bool:
    """Calls of an act that failed are not known one by one: all that happened during it are its own."""
    assert act.started_at is not None
    ends = act.finished_at or timezone.now()
    is_called = trace.call in act.traces or (act.state != ActState.DONE and not act.traces)
    return is_called and act.started_at - SLACK <= trace.at <= ends + SLACK


def explained(request: AccessRequest, trace: Trace) -> str:
    """What the portal itself did with the session: opening it, one reading after that, and the probes of the end."""
    if trace.call in ENDING_CALLS.get(request.account.cloud, frozenset()):
        return PROBE
    if request.is_direct and _is_in_hand(request, trace):
        return DIRECT
    if trace.call not in OWN_CALLS.get(request.account.cloud, frozenset()):
        return ""
    if any(_is_opening(door, trace) for door in request.doors.all()) or any(_is_try(one, trace) for one in request.openings.all()):
        return OPENING
    proofs = request.proofs.order_by("asked_at")
    last = proofs.last()
    if request.ending_at and last and request.ending_at - SLACK <= trace.at <= last.asked_at + AFTER:
        return PROBE
    return ""


def _is_in_hand(request: AccessRequest, trace: Trace) -> bool:
    """While the engineer's computer held credentials: the cloud's own log is the only record of what was done with them."""
    first = request.acts.filter(name=HANDED_OUT).order_by("asked_at").values_list("asked_at", flat=True).first()
    ends = request.ending_at or request.granted_until
    return first is not None and ends is not None and first - SLACK <= trace.at <= ends + SLACK


def _is_opening(door: Door, trace: Trace) -> bool:
    return door.opened_at - BEFORE <= trace.at <= door.opened_at + AFTER


def _is_try(opening: Opening, trace: Trace) -> bool:
    """By a worker that was lost, too: the session that it opened is in nobody's hands."""
    return opening.begun_at - SLACK <= trace.at <= (opening.reported_at or opening.until) + SLACK


def strange(request: AccessRequest) -> list[TraceMatch]:
    """Lines of the cloud's log that nobody can explain."""
    return list(request.traces.filter(act=None, explained=""))


def missing(request: AccessRequest) -> list[Missing]:
    """Acts that were done, but of which the cloud's log does not show every call."""
    found = []
    for act in request.acts.filter(state=ActState.DONE).prefetch_related("matches"):
        seen = {match.call for match in act.matches.all()}
        if calls := [call for call in act.traces if call not in seen]:
            found.append(Missing(act, calls))
    return found
