"""What an act of support makes of an instance: a revision like any other, written once the agent says that it runs.

Until then what is wanted stays as it was, so an act that fails, or whose grant ends meanwhile, leaves nothing behind.
"""

from collections.abc import Mapping

from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.support.models import Act as SupportAct
from cells.availability import Act, why_not
from cells.models import AgentOrder, Cell, Instance, InstanceRevision, PlanSize
from cells.protocol.desired import desired_instance
from cells.protocol.documents import DesiredInstance
from cells.states import InstanceState
from cells.transitions import move_instance, subject_of_instance, touch_desired
from portal.audit import Actor, record

CHANGING = frozenset({AgentOrder.Name.RESTART, AgentOrder.Name.SCALE, AgentOrder.Name.ROLLBACK})
# As the customer's own button asks, with the same answer.
LIKE = {
    AgentOrder.Name.RESTART: Act.RESTART,
    AgentOrder.Name.SCALE: Act.MODIFY,
    AgentOrder.Name.ROLLBACK: Act.UPGRADE,
    AgentOrder.Name.RESYNC: Act.MODIFY,
}
REASONS = {
    AgentOrder.Name.RESTART: InstanceRevision.Reason.RESTARTED,
    AgentOrder.Name.SCALE: InstanceRevision.Reason.MODIFIED,
    AgentOrder.Name.ROLLBACK: InstanceRevision.Reason.ROLLED_BACK,
}


def why_not_change(name: str, instance: Instance, size: PlanSize | None) -> str:
    """Empty when an act of support may change this instance now."""
    if reason := why_not(LIKE[AgentOrder.Name(name)], instance):
        return reason
    if instance.agent_orders.standing().filter(name__in=[str(one) for one in LIKE]).exists():
        return _("Another act of support on this instance is under way. Wait for its result.")
    current = instance.revisions.get(number=instance.revision)
    if name == AgentOrder.Name.SCALE and (size is None or size.plan_id != instance.plan_id):
        return _("The plan of this instance has no such size.")
    if name == AgentOrder.Name.SCALE and size == current.size:
        return _("The instance has this size already.")
    if name == AgentOrder.Name.ROLLBACK and earlier_than(current) is None:
        return _("There is no earlier revision with another version, size or setting.")
    return ""


def earlier_than(current: InstanceRevision) -> InstanceRevision | None:
    """The newest revision before this one that differs in what is deployed."""
    alike = {"release": current.release_id, "size": current.size_id, "parameters": current.parameters}
    before = InstanceRevision.objects.filter(instance=current.instance_id, number__lt=current.number)
    return before.exclude(**alike).select_related("release", "size").order_by("-number").first()


def next_number(instance: Instance) -> int:
    """Of a revision: no number that an order was given is ever another's, even if nothing came of that."""
    taken = AgentOrder.objects.filter(instance=instance).aggregate(most=Max("revision"))["most"] or 0
    return max(instance.revision, int(taken)) + 1


def revision_of(order: AgentOrder, instance: Instance, *, grant: SupportAct | None = None) -> InstanceRevision | None:
    """What the order makes of the instance; not written. None where there is nothing to go back to any more."""
    assert order.revision is not None
    current = instance.revisions.select_related("release", "size").get(number=instance.revision)
    source = earlier_than(current) if order.name == AgentOrder.Name.ROLLBACK else current
    if source is None:
        return None
    return InstanceRevision(
        instance=instance,
        number=order.revision,
        release=source.release,
        size=order.size or source.size,
        parameters=source.parameters,
        is_running=current.is_running,
        restarts=current.restarts + (order.name == AgentOrder.Name.RESTART),
        reason=REASONS[AgentOrder.Name(order.name)],
        by=grant.by if grant else None,
        grant=grant.request if grant else None,
    )


def wanted_of(order: AgentOrder, instance: Instance) -> DesiredInstance | None:
    revision = revision_of(order, instance)
    return desired_instance(revision) if revision else None


def lock(order: AgentOrder) -> Instance | None:
    """The instance of a change, held; None where somebody else has changed it since the agent was told."""
    assert order.instance_id is not None
    instance = Instance.objects.select_for_update(of=("self",)).select_related("cell", "organisation", "account").get(pk=order.instance_id)
    # Before anything is written to the log, as whoever changes an instance does.
    Cell.objects.select_for_update().only("pk").get(pk=order.cell_id)
    name = LIKE[AgentOrder.Name(order.name)]
    is_same = order.base is None or instance.revision == order.base
    return instance if is_same and not why_not(name, instance) else None


def write(order: AgentOrder, instance: Instance, act: SupportAct) -> None:
    """The revision, the state and one event, in the transaction that keeps the result."""
    details = {"case": act.request.case, "act_id": str(act.pk)}
    if order.name == AgentOrder.Name.RESYNC:
        _record(instance, "instance.resynced", act, details)
        return
    before = instance.revisions.get(number=instance.revision)
    after = revision_of(order, instance, grant=act)
    assert after is not None
    after.save()
    Instance.objects.filter(pk=instance.pk).update(revision=after.number)
    instance.revision = after.number
    if instance.state == InstanceState.FAILED:
        for state in (InstanceState.UPDATING, InstanceState.RUNNING if after.is_running else InstanceState.STOPPED):
            move_instance(instance, state, by=Actor.user(act.by), is_recorded=False)
    touch_desired(order.cell_id)
    _record(instance, f"instance.{after.reason}", act, {"revision": after.number, **after.changes_since(before), **details})


def _record(instance: Instance, action: str, act: SupportAct, details: Mapping[str, object]) -> None:
    subject = subject_of_instance(instance)
    record(organisation_id=instance.organisation_id, action=action, actor=Actor.user(act.by), subject=subject, details=details)
