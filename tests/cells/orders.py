"""Grants on a cell or an instance, and engineers' acts under them, for tests with real agents and with agents by hand."""

from accounts.support.actions.acts import ask_for_act
from accounts.support.models import Act
from accounts.support.rules.scopes import find
from cells.models import AgentOrder, InstanceRevision
from portal.audit.models import Event
from tests.cells.factories import make_cell
from tests.support.factories import make_account, make_active

STACK = "byoc-1a2b-cell-eu-west-1"


def make_ready_cell(organisation, **values):
    """In an account of the customer's own, as support access needs it."""
    return make_cell(account=make_account(organisation), stack_name=STACK, **values)


def make_grant(thing, *, profile="repair", **wish):
    """Active, on a cell or an instance."""
    kind = "cell" if thing._meta.model_name == "cell" else "instance"
    scope = find(thing.organisation, f"{kind}:{thing.pk}")
    return make_active(organisation=thing.organisation, account=thing.account, scope=scope, profile=profile, **wish)


def ask(request, name, **arguments) -> Act:
    return ask_for_act(request, name, arguments, by=request.engineer)


def make_second_revision(instance, **values):
    """As though the customer had changed something, and it runs."""
    last = instance.revisions.first()
    kept = {"release": last.release, "size": last.size, "is_running": last.is_running, "parameters": last.parameters}
    InstanceRevision.objects.create(instance=instance, number=last.number + 1, reason="modified", **{**kept, **values})
    type(instance).objects.filter(pk=instance.pk).update(revision=last.number + 1, applied_revision=last.number + 1)
    instance.refresh_from_db()


def is_over(act):
    """The act, once something has come of it."""

    def look():
        act.refresh_from_db()
        return act if act.finished_at else None

    return look


def actions_about(thing) -> list[str]:
    return list(Event.objects.filter(subject_id=str(thing.pk)).order_by("sequence").values_list("action", flat=True))


def result(order, cell=None, **values):
    """What an agent says of an order, as it was handed out or as a row."""
    pk = order["id"] if isinstance(order, dict) else str(order.pk)
    empty = {"outcome": "done", "code": "", "text": "", "is_cut": False, "redactions": {}, "parts": []}
    return {"cell": str(cell.pk), "order": pk, **empty, **values}


def standing():
    return AgentOrder.objects.standing()
