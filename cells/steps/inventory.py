"""The list of what a deletion finds: held against the cloud at each look, so that nothing is called gone which still stands.

What stands is what the stack holds and what the sweep lists by tag. What is kept on purpose is a decision of a person, written on the row;
nothing else says what a deletion leaves alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.clouds.stacks import StackLook, StackPart, StackState
from accounts.models import CloudAccount
from accounts.states import AccountState
from cells.models import Cell, CellResource
from cells.models.resources import Origin, Outcome
from cells.states import CellState
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.redaction import without_secrets

MOST_EVIDENCE = 2000
# "... is already being used by 'projects/x/regions/y/forwardingRules/z'", "... is in use by /subscriptions/.../networkInterfaces/nic".
HOLDER = re.compile(
    r"\b(?:used|use|referenced|attached|held|required) (?:by|to):? ['\"]?(?P<holder>[\w.:-]*/[\w./:-]+[\w-])", re.IGNORECASE
)
GONE_WITH_STACK = "The stack is gone, and a look by tag does not list it."
NOT_LISTED = "A look by tag does not list it any more."


@dataclass(frozen=True)
class Look:
    """What one look has seen. `listed` is None where nobody looked by tag."""

    stack: StackLook
    listed: Sequence[StackPart] | None = None

    @property
    def in_stack(self) -> list[StackPart]:
        """Made, and not gone."""
        return [part for part in self.stack.parts if part.made and part.state != "deleted"]

    @property
    def gone(self) -> list[StackPart]:
        """Said by the stack to be removed."""
        return [part for part in self.stack.parts if part.made and part.state == "deleted"]


def take_stock(ctx: StepContext, cell: Cell, look: Look) -> list[CellResource]:
    """Write what this look has seen. What remains then."""
    with transaction.atomic():
        is_ours = _is_ours(ctx, cell)
        rows = list(CellResource.objects.select_for_update().filter(cell=cell))
        if is_ours:
            _hold_against(look, {"cell": cell, "account": cell.account, "region": cell.region}, rows)
        return [row for row in rows if row.outcome == Outcome.FOUND]


def _is_ours(ctx: StepContext, cell: Cell) -> bool:
    """A worker that lost its lease knows the cloud of some time ago: what it has seen is not written, as its answer is not."""
    locked = Cell.objects.select_for_update().get(pk=cell.pk)
    ours = Operation.objects.live().filter(pk=ctx.operation.pk, fence=ctx.operation.fence)
    return locked.state == CellState.DELETING and ours.exists()


def take_stock_of_region(account: CloudAccount, region: str, listed: Sequence[StackPart]) -> list[CellResource]:
    """When every cell is gone: what bears the account's mark in a region, whatever made it. What remains of all that was ever there."""
    with transaction.atomic():
        locked = CloudAccount.objects.select_for_update().get(pk=account.pk)
        rows = list(CellResource.objects.select_for_update(of=("self",)).filter(account=account, region=region))
        if locked.state == AccountState.OFFBOARDING:
            _hold_against(Look(StackLook(StackState.ABSENT), listed), {"cell": None, "account": account, "region": region}, rows)
        return [row for row in rows if row.outcome == Outcome.FOUND]


def _hold_against(look: Look, place: Mapping[str, Any], rows: list[CellResource]) -> None:
    standing = {_note(look, place, rows, part, Origin.STACK).pk for part in look.in_stack}
    standing |= {_note(look, place, rows, part, Origin.TAG).pk for part in look.listed or ()}
    for row in rows:
        if row.pk not in standing and (evidence := _why_gone(row, look)):
            _remove(row, evidence)


def _note(look: Look, place: Mapping[str, Any], rows: list[CellResource], part: StackPart, origin: Origin) -> CellResource:
    """The row of this part, which stands: a new one, or the one that is there; one that was called removed is there after all."""
    row = find_row(rows, part)
    if row is None:
        row = CellResource(**place, kind=part.kind, name=part.name, made=part.made, origin=origin)
        rows.append(row)
    if row.outcome == Outcome.REMOVED:
        row.outcome, row.outcome_at, row.evidence = Outcome.FOUND, None, ""
    row.is_listed = row.is_listed or origin == Origin.TAG
    row.link = row.link or part.link
    if origin == Origin.STACK or not look.in_stack:
        row.state = part.state
    if part.state == "failed":
        row.evidence = without_secrets(part.detail)[:MOST_EVIDENCE]
        row.held_by = holder_in(part.detail)
    row.save()
    return row


def find_row(rows: Iterable[CellResource], part: StackPart) -> CellResource | None:
    """A stack and a sweep may call the same thing by ids of another length; where neither is part of the other, by its name."""
    alike = [row for row in rows if row.kind.lower() == part.kind.lower()]
    by_id = next((row for row in alike if is_same_id(row.made, part.made)), None)
    return by_id or next((row for row in alike if row.name == part.name and row.outcome != Outcome.REMOVED and not row.is_listed), None)


def is_same_id(one: str, other: str) -> bool:
    """Equal, or one is the end of the other: `vpc-1` and `arn:aws:ec2:eu-west-1:1:vpc/vpc-1`."""
    one, other = (text.lower().strip("/").replace("|", "/") for text in (one, other))
    short, long = sorted((one, other), key=len)
    return short == long or (bool(short) and long.endswith((f"/{short}", f":{short}"))) or (len(short) > 1 and f"/{short}/" in long)


def _why_gone(row: CellResource, look: Look) -> str:
    """What says that this row, which the look has not seen, stands no more; empty where nothing does."""
    if row.outcome == Outcome.REMOVED:
        return ""
    if said := next((part for part in look.gone if is_same_id(row.made, part.made) and part.kind.lower() == row.kind.lower()), None):
        return said.detail or f"The stack says that {said.name} is deleted."
    if look.listed is None:
        return ""
    if row.outcome == Outcome.KEPT:
        # A part that was kept leaves the stack as well: only the tag tells whether it was removed by hand.
        return NOT_LISTED if row.is_listed else ""
    if row.origin == Origin.TAG:
        return NOT_LISTED
    return GONE_WITH_STACK if look.stack.state == StackState.ABSENT else ""


def _remove(row: CellResource, evidence: str) -> None:
    row.outcome, row.outcome_at, row.state = Outcome.REMOVED, timezone.now(), "deleted"
    row.evidence, row.held_by = without_secrets(evidence)[:MOST_EVIDENCE], ""
    row.save()


def holder_in(text: str) -> str:
    """The resource that holds on to another, as far as the cloud names it."""
    found = HOLDER.search(text)
    return found["holder"].rstrip(".")[:500] if found else ""


def to_retain(cell: Cell, stack: StackLook) -> list[str]:
    """The one rule of what a deletion leaves alone: what a person has decided to keep, and the stack still holds."""
    kept = list(cell.resources.kept())
    return sorted(part.name for part in stack.parts if part.state != "deleted" and find_row(kept, part))
