"""Orders on their way to an agent: written when they are asked for, handed out when it comes, each only while its grant allows it."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.support.brokering import broker
from accounts.support.brokering.bundles import bundle_failed
from accounts.support.models import AccessRequest, Act, Bundle
from accounts.support.models.sessions import ACTS_UNDER_WAY, ActState
from accounts.support.rules.gate import why_closed
from accounts.support.states import BundleState
from cells.models import AgentKey, AgentOrder, Cell, CellStatus, Instance, PlanSize
from cells.models.telemetry import agent_numbers
from cells.protocol.order_documents import Order
from cells.states import SERVED_CELLS
from cells.support.acts import instances_of
from cells.support.changes import CHANGING, LIKE, lock, next_number, wanted_of, why_not_change
from cells.transitions import touch_desired
from portal.operations.availability import refuse_if

# An agent that is there comes within a second.
TAKE_WITHIN = timedelta(seconds=30)
READ_WITHIN, CHANGE_WITHIN, COLLECT_WITHIN = timedelta(seconds=60), timedelta(minutes=3), timedelta(minutes=4)
MOST_AT_ONCE = 10
FIRST_WITH_ORDERS = (1, 1)


# --- Asking ----------------------------------------------------------------------------------------------------------


def hand_over(act: Act) -> None:
    """In the transaction that writes the act. Raises NotAllowed."""
    request, arguments = act.request, act.arguments
    found = instances_of(request)
    instance = (found.filter(name=arguments["instance"]) if "instance" in arguments else found).select_related("cell", "account").first()
    refuse_if("" if instance and instance.cell else _("This instance is not in the cell any more."))
    assert instance is not None
    assert instance.cell is not None
    refuse_if(why_no_orders(instance.cell))
    size = PlanSize.objects.filter(plan=instance.plan_id, name=arguments["size"]).first() if "size" in arguments else None
    if act.name in LIKE:
        refuse_if(why_not_change(act.name, Instance.objects.select_for_update(of=("self",)).get(pk=instance.pk), size))
    assert request.granted_until is not None
    now = timezone.now()
    AgentOrder.objects.create(
        cell=instance.cell,
        instance=instance,
        name=act.name,
        act=act,
        lines=int(arguments["lines"]) if "lines" in arguments else None,
        size=size,
        take_by=min(now + TAKE_WITHIN, request.granted_until),
        not_after=min(now + (CHANGE_WITHIN if act.name in LIKE else READ_WITHIN), request.granted_until),
    )
    touch_desired(instance.cell.pk)


def order_bundle(bundle: Bundle, cell: Cell, instance: Instance | None) -> None:
    """In the transaction that begins to collect it."""
    now = timezone.now()
    AgentOrder.objects.create(
        cell=cell,
        instance=instance,
        name=AgentOrder.Name.BUNDLE,
        bundle=bundle,
        take_by=now + TAKE_WITHIN,
        not_after=now + COLLECT_WITHIN,
    )
    touch_desired(cell.pk)


def why_no_orders(cell: Cell) -> str:
    """Empty when the agent of this cell can be given orders. Whether it is there shows when it comes for them."""
    if cell.state not in SERVED_CELLS:
        return _("The cell has no agent.")
    if cell.is_agent_disabled:
        return _("The agent of the cell is switched off.")
    version = CellStatus.objects.filter(pk=cell.pk).values_list("agent_version", flat=True).first() or ""
    if version and agent_numbers(version) < FIRST_WITH_ORDERS:
        return _("The agent of the cell is too old to take orders. Replace the agent on the page of the cell.")
    return ""


broker.TO_AGENT.append(hand_over)


# --- Handing out -----------------------------------------------------------------------------------------------------


def hand_out(key: AgentKey) -> list[Order]:
    """To this agent: what waits for its cell. What it was given before and has not answered, it is given again, the same."""
    waiting = AgentOrder.objects.standing().filter(cell=key.cell_id).order_by("created_at").values_list("pk", flat=True)
    return list(_handed(list(waiting[:MOST_AT_ONCE]), key.generation))


def _handed(waiting: list[UUID], generation: int) -> Iterator[Order]:
    for pk in waiting:
        with transaction.atomic():
            order = hold(pk)
            document = _hand(order, generation) if order is not None else None
        if document is not None:
            yield document


def hold(pk: UUID) -> AgentOrder | None:
    """The order with its grant or bundle, all held, the grant first as everywhere; None once it has ended."""
    about = AgentOrder.objects.standing().select_related("act").filter(pk=pk).first()
    if about is None:
        return None
    if about.act is not None:
        AccessRequest.objects.select_for_update().get(pk=about.act.request_id)
    elif about.bundle_id is not None:
        Bundle.objects.select_for_update().get(pk=about.bundle_id)
    rows = AgentOrder.objects.standing().select_for_update(of=("self",))
    return rows.select_related("act__request", "act__by", "bundle", "instance", "size").filter(pk=pk).first()


def _hand(order: AgentOrder, generation: int) -> Order | None:
    now = timezone.now()
    if now >= order.not_after or (order.handed_at is None and now >= order.take_by):
        return None  # its end is told by whoever looks for such
    if code := _why_not_hand(order, generation):
        drop(order, code)
        return None
    wanted = None
    if order.name in CHANGING:
        instance = lock(order)
        if instance is not None and order.revision is None:
            order.base, order.revision = instance.revision, next_number(instance)
        wanted = wanted_of(order, instance) if instance is not None else None
        if wanted is None:
            drop(order, "changed_meanwhile")
            return None
    if order.handed_at is None:
        order.handed_at, order.handed_to = now, generation
        order.save(update_fields=["handed_at", "handed_to", "base", "revision"])
        if order.act_id:
            Act.objects.filter(pk=order.act_id, state=ActState.ASKED).update(state=ActState.RUNNING, started_at=now)
    return Order(
        id=order.pk,
        name=order.name,  # type: ignore[arg-type]  # the same words, held by a test
        grant=order.act.request_id if order.act else order.bundle_id,  # type: ignore[arg-type]  # one of the two
        not_after=order.not_after.timestamp(),
        instance=order.instance_id,
        lines=order.lines,
        wanted=wanted,
    )


def _why_not_hand(order: AgentOrder, generation: int) -> str:
    """The gate is asked here too: between asking and fetching, a grant may have ended."""
    if order.handed_to not in {None, generation}:
        return "agent_replaced"
    if order.act is not None:
        is_over = order.act.state not in ACTS_UNDER_WAY or why_closed(order.act.request, timezone.now())
        return "gate_closed" if is_over else ""
    assert order.bundle is not None
    return "" if order.bundle.state == BundleState.COLLECTING else "gate_closed"


def drop(order: AgentOrder, code: str) -> None:
    """Nothing comes of it: in the row, and where it was asked for."""
    end(order, AgentOrder.Outcome.DROPPED)
    if order.act is not None:
        broker.fail(order.act, code)
    elif order.bundle is not None:
        bundle_failed(order.bundle, code)


def end(order: AgentOrder, outcome: AgentOrder.Outcome) -> None:
    order.ended_at, order.outcome = timezone.now(), outcome
    order.save(update_fields=["ended_at", "outcome"])
