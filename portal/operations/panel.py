"""What the operation page says: the verdict, who holds the ball, each step, the failure. Reads rows, decides nothing."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from portal.operations.availability import why_not_cancel, why_not_check, why_not_retry
from portal.operations.catalogue import FailureText, failure_text, fill, wait_text
from portal.operations.durations import Usual, range_in_words, usual_durations
from portal.operations.models import SHOWN_LOG_LINES, Operation, Step, StepLog, latest_attempts
from portal.operations.names import named, party_name
from portal.operations.registry import KINDS, StepSpec
from portal.operations.states import OperationState, Party, StepState

# Longer than this in the queue is a wait like any other: it names who acts.
QUEUE_IS_A_WAIT_AFTER = timedelta(seconds=60)
STEP_STATUS = {
    StepState.PENDING: "neutral",
    StepState.RUNNING: "progress",
    StepState.WAITING: "progress",
    StepState.DONE: "ok",
    StepState.FAILED: "critical",
    StepState.CANCELLED: "neutral",
}


@dataclass(frozen=True)
class Ball:
    """Who acts next. `act` is what they do, `url` where the reader does it (only when the reader is the one)."""

    party: str
    title: str
    sentence: str
    act: str
    since: datetime
    url: str = ""
    button: str = ""


@dataclass
class StepRow:
    """One step as the page shows it: its newest attempt, and what became of those before."""

    step: Step
    spec: StepSpec | None
    operation: Operation
    usual: Usual | None
    earlier: list[Step] = field(default_factory=list)
    lines: list[StepLog] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.step.position

    @property
    def title(self) -> str:
        return str(self.spec.title) if self.spec else self.step.name

    @property
    def status(self) -> str:
        """Kind of badge: shape and colour beside the word."""
        if self.met_already:
            return "ok"
        if self.step.state == StepState.WAITING and self.step.waiting_on == Party.YOU:
            return "attention"
        return STEP_STATUS[StepState(self.step.state)]

    @property
    def is_current(self) -> bool:
        return self.step.state in {StepState.RUNNING, StepState.WAITING}

    @property
    def css(self) -> str:
        return "is-next" if self.step.state == StepState.PENDING and not self.met_already else f"is-{self.status}"

    @cached_property
    def met_already(self) -> str:
        """Words for a step of a live operation that will have nothing to do."""
        is_ahead = self.step.state == StepState.PENDING and self.operation.is_live
        return self.spec.met_already(self.operation) if is_ahead and self.spec else ""

    @property
    def word(self) -> str:
        if self.step.state == StepState.WAITING:
            return _("Waiting for %(party)s") % {"party": party_name(self.operation, self.step.waiting_on)}
        return self.met_already or str(StepState(self.step.state).label)

    @property
    def actor(self) -> str:
        """Whose work this step is, as a name that starts a line."""
        if self.spec is None:
            return ""
        return _("You") if self.spec.actor == Party.YOU else party_name(self.operation, self.spec.actor)

    @property
    def ticks_since(self) -> datetime | None:
        """When the running clock of this step started; None when it does not run."""
        return self.step.started_at if self.is_current else None

    @property
    def took(self) -> timedelta | None:
        if self.step.started_at is None:
            return None
        return (self.step.ended_at or timezone.now()) - self.step.started_at

    @property
    def usually(self) -> str:
        return _("Usually %(range)s") % {"range": range_in_words(self.usual.low, self.usual.high)} if self.usual else ""

    @property
    def is_late(self) -> bool:
        """Past what 95 of 100 runs took; a wait for the customer is nobody's delay."""
        took = self.took
        is_yours = self.step.waiting_on == Party.YOU
        return bool(self.is_current and not is_yours and self.usual and took and took.total_seconds() > self.usual.late)

    @property
    def late_words(self) -> str:
        assert self.usual
        return _("Longer than usual: 95 of 100 runs took less than %(time)s.") % {"time": range_in_words(self.usual.late, self.usual.late)}

    @property
    def sentence(self) -> str:
        """What is waited for; after faults, also how often it was tried."""
        if self.step.state != StepState.WAITING:
            return ""
        return str(wait_text(self.step.waiting_why, named(self.operation, self.step.waiting_params)).sentence)

    @property
    def fault(self) -> str:
        """The passing fault that is being tried again."""
        if self.step.waiting_why != "retrying" or self.step.state != StepState.WAITING:
            return ""
        return str(failure_text(self.step.waiting_params.get("code", ""), named(self.operation, self.step.waiting_params)).happened)

    @property
    def is_log_cut(self) -> bool:
        return self.step.log_count > len(self.lines)


@dataclass
class Panel:
    """The live part of the operation page."""

    operation: Operation
    rows: list[StepRow]
    can_run: bool

    @cached_property
    def current(self) -> StepRow | None:
        """The step that runs, waits, failed or comes next; None after the last."""
        return next((row for row in self.rows if not row.step.is_done), None)

    @property
    def done_count(self) -> int:
        return sum(row.step.is_done for row in self.rows)

    @property
    def status(self) -> str:
        return self.operation.badge

    @property
    def verdict(self) -> str:
        """One sentence of state and evidence."""
        current, total = self.current, len(self.rows)
        words = {
            "number": current.number if current else total,
            "total": total,
            "step": current.title if current else "",
            "done": self.done_count,
            "party": self._party(self.operation.waiting_on) if self.operation.waiting_on else "",
        }
        return self._verdict_words() % words

    def _verdict_words(self) -> str:
        operation = self.operation
        if operation.is_live and operation.cancel_requested_at is not None:
            return _("Cancelling. The running step finishes first, no other starts.")
        return {
            OperationState.QUEUED: _("Queued. It starts by itself within seconds."),
            OperationState.RUNNING: _("Running step %(number)s of %(total)s: %(step)s."),
            OperationState.WAITING: _("Waiting for %(party)s at step %(number)s of %(total)s: %(step)s."),
            OperationState.FAILED: _("Failed at step %(number)s of %(total)s: %(step)s."),
            OperationState.CANCELLED: _("Cancelled. Steps done before that: %(done)s of %(total)s."),
            OperationState.SUCCEEDED: _("Succeeded. Steps done: %(total)s of %(total)s."),
        }[OperationState(operation.state)]

    @cached_property
    def ball(self) -> Ball | None:
        """Who acts next, while anything is waited for."""
        operation, current = self.operation, self.current
        if operation.state == OperationState.QUEUED and timezone.now() - operation.state_at > QUEUE_IS_A_WAIT_AFTER:
            sentence = _("The operation has not been picked up yet. It starts by itself; nothing is lost.")
            return Ball(Party.PROVIDER, self._ball_title(Party.PROVIDER), sentence, "", operation.state_at)
        if operation.state != OperationState.WAITING or current is None:
            return None
        text = wait_text(operation.waiting_why, named(operation, operation.waiting_params))
        kind = KINDS.get(operation.kind)
        is_yours = kind is not None and operation.waiting_on == Party.YOU
        url, button = (kind.your_part_url(operation), kind.your_part(operation)) if kind and is_yours else ("", "")
        since = current.step.waiting_since or operation.state_at
        return Ball(operation.waiting_on, self._ball_title(operation.waiting_on), str(text.sentence), str(text.act), since, url, button)

    def _ball_title(self, party: str) -> str:
        return _("Waiting for %(party)s") % {"party": self._party(party)}

    def _party(self, party: str) -> str:
        return party_name(self.operation, party)

    @property
    def failure(self) -> FailureText | None:
        operation = self.operation
        if operation.state != OperationState.FAILED:
            return None
        return failure_text(operation.failure_code, named(operation, operation.failure_params))

    @cached_property
    def why_not_retry(self) -> str:
        return why_not_retry(self.operation)

    @property
    def why_not_cancel(self) -> str:
        return why_not_cancel(self.operation)

    @property
    def why_not_check(self) -> str:
        return why_not_check(self.operation)

    @property
    def retry_note(self) -> str:
        """What a retry keeps."""
        kind = KINDS.get(self.operation.kind)
        if kind and kind.retry_note:
            return fill(kind.retry_note, named(self.operation, {}))
        return _("The finished steps are kept: %(done)s of %(total)s. This attempt stays in the record.") % {
            "done": self.done_count,
            "total": len(self.rows),
        }

    @property
    def way_on(self) -> tuple[str, str] | None:
        """Words and address of another way than retrying, where there is one."""
        kind = KINDS.get(self.operation.kind)
        url = kind.way_on_url(self.operation) if kind and kind.way_on else ""
        return (str(kind.way_on), url) if kind and url else None

    @property
    def below(self) -> str:
        """The template of what this kind of operation has to tell of its subject."""
        kind = KINDS.get(self.operation.kind)
        return kind.below if kind else ""

    @property
    def next_act(self) -> tuple[str, str] | None:
        """Words and address of where the reader goes on when the work is over; a failure has its own way on."""
        operation = self.operation
        if operation.is_live or operation.state == OperationState.FAILED or not operation.subject_url:
            return None
        return _("Go to %(subject)s") % {"subject": operation.subject_label}, operation.subject_url

    @property
    def cancel_note(self) -> str:
        """What cancelling leaves behind."""
        kind = KINDS.get(self.operation.kind)
        if kind and kind.cancel_note:
            return fill(kind.cancel_note, named(self.operation, {}))
        return _("What the finished steps made stays as it is.")

    @property
    def help_url(self) -> str:
        """A mail to the provider with the reference in it."""
        subject = _("Help with %(reference)s: %(title)s") % {"reference": self.operation.reference, "title": self.operation.title}
        return f"mailto:{settings.PROVIDER_SUPPORT_EMAIL}?{urlencode({'subject': subject}).replace('+', '%20')}"

    @property
    def is_late(self) -> bool:
        return any(row.is_late for row in self.rows)

    @property
    def last_checked_at(self) -> datetime | None:
        return self.current.step.last_run_at if self.current else None

    @property
    def page_title(self) -> str:
        return f"{self.operation.state_words} – {self.operation.title} – {self.operation.subject_label}"

    @property
    def version(self) -> str:
        """Differs when anything the page shows has changed: rows, or the clock past a threshold."""
        return f"{self.operation.version}{'l' if self.is_late else ''}{'b' if self.ball else ''}"

    @property
    def milestone(self) -> str:
        """Differs when a screen reader should hear about it: another state, step or holder of the ball."""
        operation = self.operation
        return "-".join([operation.state, str(self.done_count), str(operation.attempt), operation.waiting_on, operation.waiting_why])


def build_panel(operation: Operation, *, can_run: bool, with_log: bool = True) -> Panel:
    """One query, two with the log, whatever the number of steps; one more when the history is read again."""
    kind = KINDS.get(operation.kind)
    specs = kind.steps_by_name if kind else {}
    usual = usual_durations(operation.kind)
    steps = list(operation.steps.in_order())
    lines = _shown_lines(operation) if with_log else {}
    rows = []
    for newest in latest_attempts(steps):
        earlier = [step for step in steps if step.position == newest.position and step.attempt < newest.attempt]
        rows.append(StepRow(newest, specs.get(newest.name), operation, usual.get(newest.name), earlier, lines.get(newest.pk, [])))
    return Panel(operation, rows, can_run)


def _shown_lines(operation: Operation) -> Mapping[int, list[StepLog]]:
    """The newest lines of each step, oldest first."""
    newest = Window(RowNumber(), partition_by=F("step_id"), order_by=F("id").desc())
    lines: dict[int, list[StepLog]] = defaultdict(list)
    for line in StepLog.objects.filter(step__operation=operation).annotate(place=newest).filter(place__lte=SHOWN_LOG_LINES).order_by("id"):
        lines[line.step_id].append(line)
    return lines
