"""Steps on the stack of a cell: have it stand, and what a cloud's answers about it mean."""

from collections.abc import Callable
from dataclasses import asdict
from functools import wraps

from django.db import transaction
from django.utils import timezone

from accounts.clouds.base import CloudError
from accounts.clouds.stacks import STACK_CODES, StackCloud, StackLook, StackState
from accounts.issuer.tokens import KitReplaced
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import PASSING_OBSTACLES, Obstacle, TrustVerdict, Use
from accounts.steps.watch import LOSSES
from cells.models import Cell, CellOrder
from cells.orders import end_order, kit_to_order_by, last_order, name_of_stack, order_of, stacks_of, write_order
from cells.protocol.enrolment import open_enrolment, renew_enrolment
from portal.operations.engine import StepContext
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.states import Party
from portal.redaction import without_secrets

LOOK_EVERY_SECONDS = 10
BUSY = "stack_busy"
LOOK_AT_TRUST_EVERY_SECONDS = 60
MOST_EVIDENCE = 4000
# What a cloud says of a cell alone. Every other code is said while an account is connected as well, where it means another thing.
OF_CELLS = STACK_CODES | {"capacity_missing", "name_taken", "stack_delete_failed", "stack_failed", "still_in_use"}
# The cloud knows us, and refuses this one thing: waiting for our access to be restored would not help.
OF_ONE_CALL = {"access_denied", "api_disabled", "denied_by_organisation", "perimeter_denied", "provider_not_registered", "region_disabled"}


def cell_of(ctx: StepContext) -> Cell:
    return Cell.objects.select_related("account__organisation", "organisation", "kit").get(pk=ctx.data["cell"])


Step = Callable[[StepContext], Outcome]


def asks_the_cloud(use: Use) -> Callable[[Step], Step]:
    """A step whose refusals by the cloud, and whatever is in the way of this use of the account, are answers."""

    def decorate(step: Step) -> Step:
        @wraps(step)
        def ask(ctx: StepContext) -> Outcome:
            cell = cell_of(ctx)
            if obstacle := cell.account.obstacle_to(use):
                return _not_asked(obstacle, use)
            try:
                return step(ctx)
            except CloudError as error:
                return outcome_of(error, ctx, cell)
            except KitReplaced:
                return Retry("access_ended")  # by the next one, which the next try works with
            except Kit.DoesNotExist:
                return Fail("access_ended")

        return ask

    return decorate


def _not_asked(obstacle: Obstacle, use: Use) -> Outcome:
    """A passing obstacle is waited out; any other one has ended what the access was used for."""
    if obstacle in PASSING_OBSTACLES:
        removes = use == Use.REMOVE
        return Wait(LOOK_AT_TRUST_EVERY_SECONDS, on=Party.YOU, why="account_blocks_removal" if removes else "account_needs_attention")
    return Fail("account_leaving" if obstacle == Obstacle.LEAVING else "access_ended")


@asks_the_cloud(Use.BUILD)
def raise_stack(ctx: StepContext) -> Outcome:
    """Order the stack, then watch it until it stands as ordered. What stands already is gone on from."""
    cell = cell_of(ctx)
    cloud, last = stacks_of(cell.account), last_order(cell)
    look = cloud.look(name_of_stack(cell), cell.region)
    keep_parts(cell, look)
    ours = last if last and last.is_of(ctx.operation.pk, ctx.attempt) else None
    kit = kit_to_order_by(cell, is_built=look.state != StackState.ABSENT)
    if look.state == StackState.READY:
        # What this attempt has ordered is what it was asked for, even where something else would be ordered by now.
        if ours and ours.token == look.token:
            return _stands(cell, look, ours.kit, ours)
        if order_of(cell, kit).token == look.token:
            return _stands(cell, look, kit, last)
    # A stack that had failed before this attempt ordered it is ordered once more; one that has failed since ends the attempt.
    if look.state == StackState.FAILED and ours and ours.mark_before != look.mark:
        end_order(ours, CellOrder.Outcome.FAILED, look.code or "stack_failed")
        return gave_up(look.code or "stack_failed", look)
    if look.state in {StackState.WORKING, StackState.DELETING}:
        return _working(look)
    return _order(ctx, cell, kit, cloud, look)


def _stands(cell: Cell, look: StackLook, kit: Kit, row: CellOrder | None) -> Done:
    with transaction.atomic():
        Cell.objects.filter(pk=cell.pk).update(outputs=dict(look.outputs), kit=kit)
        end_order(row if row and row.token == look.token else None, CellOrder.Outcome.STANDS)
        open_enrolment(cell)
    return Done()


def _order(ctx: StepContext, cell: Cell, kit: Kit, cloud: StackCloud, look: StackLook) -> Outcome:
    with transaction.atomic():
        if look.state == StackState.ABSENT:
            Cell.objects.filter(pk=cell.pk).update(kit=kit)  # nothing stands: it is built with these identities
        # Whatever is ordered now may build the agent's machine anew, which needs a token that nobody has used.
        renew_enrolment(cell)
        open_enrolment(cell)
        order = order_of(cell, kit)
        row = write_order(ctx, cell, kit, order, mark=look.mark)
    try:
        cloud.apply(order)
    except CloudError as error:
        if not error.retryable:
            end_order(row, CellOrder.Outcome.REFUSED, error.code)
        raise
    ctx.log(f"Ordered {order.name}")
    return _working(look)


def gave_up(code: str, look: StackLook) -> Fail:
    return Fail(code_of(code), params=_failed_part(look), evidence=without_secrets(look.raw)[:MOST_EVIDENCE])


def code_of(code: str) -> str:
    """The same refusal means one thing for an account that is being connected, and another one for a cell: each has its own words."""
    return code if code in OF_CELLS else f"stack_{code}"


def _working(look: StackLook) -> Wait:
    ready = sum(part.state == "ready" for part in look.parts)
    params = {"ready": str(ready), "total": str(len(look.parts))}
    why = "stack_clearing" if look.state == StackState.DELETING else "stack_working" if look.parts else "stack_starting"
    return Wait(LOOK_EVERY_SECONDS, on=Party.CLOUD, why=why, params=params)


def keep_parts(cell: Cell, look: StackLook) -> None:
    """What stands, for the page. Written only when it changed."""
    parts = [asdict(part) for part in look.parts]
    if parts != cell.parts:
        Cell.objects.filter(pk=cell.pk).update(parts=parts)


def _failed_part(look: StackLook) -> dict[str, str]:
    """The part that the cause names: others may have failed for its sake."""
    failed = [part for part in look.parts if part.state == "failed"]
    named = [part for part in failed if part.name and part.name in look.raw]
    cause = min(named, key=lambda part: look.raw.index(part.name), default=next(iter(failed), None))
    ready = sum(part.state == "ready" for part in look.parts)
    return {"part": f"{cause.name} ({cause.kind})" if cause else "", "ready": str(ready)}


def outcome_of(error: CloudError, ctx: StepContext, cell: Cell) -> Outcome:
    """A refusal of the cloud as the answer of a step: a passing one is tried again, a lost trust is yours to restore."""
    evidence = without_secrets(error.raw)[:MOST_EVIDENCE]
    if error.code == BUSY:
        return Wait(LOOK_EVERY_SECONDS, on=Party.CLOUD, why="stack_busy")
    if error.code in LOSSES:
        _have_trust_looked_at(cell.account)
    if error.code in LOSSES - OF_ONE_CALL and not error.retryable:
        if ctx.step.waiting_why != "access_refused":
            ctx.log(evidence)
        return Wait(LOOK_AT_TRUST_EVERY_SECONDS, on=Party.YOU, why="access_refused")
    answer = Retry if error.retryable else Fail
    ready = sum(part["state"] == "ready" for part in cell.parts)
    return answer(code_of(error.code), params={"part": cell.stack_name, "ready": str(ready), **error.params}, evidence=evidence)


def _have_trust_looked_at(account: CloudAccount) -> None:
    """By the watch, which alone decides whether it is lost."""
    now = timezone.now()
    TrustWatch.objects.filter(account=account, verdict=TrustVerdict.HOLDS, next_at__gt=now).update(next_at=now)
