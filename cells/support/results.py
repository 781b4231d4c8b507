"""What an agent says of an order: taken once, kept only while somebody still may want it. The same result again is answered alike."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.clouds.support import ActResult
from accounts.support.brokering import broker
from accounts.support.brokering.bundles import Collected, bundle_collected
from accounts.support.models import Act
from cells.models import AgentKey, AgentOrder
from cells.protocol.order_documents import OrderAnswer, OrderResult
from cells.protocol.problems import Problem
from cells.support.changes import LIKE, lock, write
from cells.support.handing import drop, end, hold

# The result of what was done in time may be some seconds on its way.
GRACE = timedelta(seconds=20)
MOST_TENDED = 200


def take_result(result: OrderResult, key: AgentKey) -> OrderAnswer:
    """Raises Problem for an order that this agent was never given."""
    given = AgentOrder.objects.filter(pk=result.order, cell=key.cell_id, handed_to=key.generation).first()
    if given is None:
        raise Problem("order_unknown", "It was not handed out to this agent.")
    with transaction.atomic():
        order = hold(given.pk)
        if order is not None:
            _take(order, result)
    given.refresh_from_db()
    return OrderAnswer(outcome="kept" if given.outcome == AgentOrder.Outcome.KEPT else "dropped")


def _take(order: AgentOrder, result: OrderResult) -> None:
    if result.outcome == "failed":
        drop(order, result.code or "apply_failed")
    elif timezone.now() > order.not_after + GRACE:
        drop(order, "order_expired")
    elif order.act is not None:
        _take_act(order, order.act, result)
    elif order.bundle is not None:
        parts = [Collected(part.name, part.text, is_cut=part.is_cut, redactions=part.redactions, code=part.code) for part in result.parts]
        is_kept = bundle_collected(order.bundle, parts)
        end(order, AgentOrder.Outcome.KEPT if is_kept else AgentOrder.Outcome.DROPPED)


def _take_act(order: AgentOrder, act: Act, result: OrderResult) -> None:
    """Under the lock of its grant: an end of access that was committed before wins, and what was changed does not count."""
    instance = lock(order) if order.name in LIKE else None
    if order.name in LIKE and instance is None:
        drop(order, "changed_meanwhile")
        return
    told = ActResult(result.text, is_cut=result.is_cut)
    if not broker.finish(act, told, redactions=result.redactions):
        end(order, AgentOrder.Outcome.DROPPED)
        return
    end(order, AgentOrder.Outcome.KEPT)
    if instance is not None:
        write(order, instance, act)


def tend_orders() -> int:
    """Those that nobody has fetched or answered in time. Each row by itself. Returns how many have ended."""
    standing = AgentOrder.objects.standing().order_by("created_at").values_list("pk", flat=True)
    return sum(_tend(pk) for pk in list(standing[:MOST_TENDED]))


def _tend(pk: object) -> bool:
    with transaction.atomic():
        order = hold(pk)  # type: ignore[arg-type]  # as the row says
        if order is None:
            return False
        now = timezone.now()
        if order.act is not None and order.act.finished_at is not None:  # cut short with its grant
            end(order, AgentOrder.Outcome.DROPPED)
        elif order.handed_at is None and now >= min(order.take_by, order.not_after):
            drop(order, "agent_offline")
        elif now > order.not_after + GRACE:
            drop(order, "agent_silent")
        else:
            return False
    return True
