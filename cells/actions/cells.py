"""What a person asks of a cell: update it, replace its agent or switch it off, delete it."""

from django.db import transaction

from accounts.models import CloudAccount, User
from cells.availability import why_not_delete_cell, why_not_replace_agent, why_not_switch_agent, why_not_update_cell
from cells.models import Cell
from cells.protocol.access import denied
from cells.protocol.enrolment import revoke_agent
from cells.states import CellState
from cells.telemetry.bells import ring_instances
from cells.transitions import move_cell, subject_of_cell
from portal.audit import Actor, record
from portal.operations.availability import refuse_if
from portal.operations.engine import start
from portal.operations.models import Operation


def request_cell_update(cell: Cell, *, by: User) -> Operation:
    """Bring the cell to the stack that is shipped now. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_update_cell(cell))
        move_cell(cell, CellState.UPDATING, by=Actor.user(by), is_recorded=False)
        return _start(cell, "update_cell", by=by)


def request_cell_deletion(cell: Cell, *, by: User) -> Operation:
    """Take the cell away, except what somebody decided to keep. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_delete_cell(cell))
        move_cell(cell, CellState.DELETING, by=Actor.user(by), is_recorded=False)
        ring_instances(cell.instances.waiting_for_their_cell().values_list("pk", flat=True))
        return _start(cell, "delete_cell", by=by)


def request_agent_replacement(cell: Cell, *, by: User) -> Operation:
    """End the access of the cell's agent now, and have its machine built anew. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_replace_agent(cell))
        revoke_agent(cell)
        # The stack is ordered anew because the order is another one: it holds the token of the next enrolment.
        Cell.objects.filter(pk=cell.pk).update(generation=cell.generation + 1, is_agent_disabled=False)
        move_cell(cell, CellState.UPDATING, by=Actor.user(by), is_recorded=False)
        return _start(cell, "replace_agent", by=by)


def switch_agent(cell: Cell, *, is_on: bool, by: User) -> None:
    """Raises NotAllowed."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_switch_agent(cell, is_on=is_on))
        Cell.objects.filter(pk=cell.pk).update(is_agent_disabled=not is_on)
        action = "cell.agent_enabled" if is_on else "cell.agent_disabled"
        record(organisation_id=cell.organisation_id, action=action, actor=Actor.user(by), subject=subject_of_cell(cell))
        transaction.on_commit(denied.forget)


def _locked(cell: Cell) -> Cell:
    """After the account, as whoever places an instance there or has the account leave: one of the two sees what the other has done."""
    CloudAccount.objects.select_for_update().get(pk=cell.account_id)
    return Cell.objects.select_for_update(of=("self",)).select_related("account", "organisation").get(pk=cell.pk)


def _start(cell: Cell, kind: str, *, by: User) -> Operation:
    data = {"cell": str(cell.pk), "cloud": cell.account.cloud, "region": cell.region}
    return start(kind=kind, subject=subject_of_cell(cell), organisation_id=cell.organisation_id, by=by, data=data)
