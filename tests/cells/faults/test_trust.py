"""What the loss of the trust, or another kit, does to a cell that is being built or deleted."""

import pytest
from django.utils import timezone

from accounts.actions.renewal import start_renewal
from cells.actions.cells import request_cell_deletion
from cells.models import AgentKey
from cells.states import CellState
from portal.operations.states import Party
from tests.cells.living import drive_to_end, drive_to_wait, machines
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)


def test_trust_lost_while_building_waits_for_you_and_goes_on_once_it_is_back(case):
    case = case()
    case.knobs(pace_seconds=1)
    case.order()
    drive_to_wait("bootstrap_cell", "stack_working")
    case.standing.hand.delete_provider()
    case.knobs(pace_seconds=0)

    waiting = drive_to_wait("bootstrap_cell", "access_refused")
    assert waiting.waiting_on == Party.YOU
    case.says(waiting, "AWS no longer lets us into this AWS account", "Restore the trust on the account's Trust page")
    assert case.standing.watch.next_at <= timezone.now()  # whether it is lost is decided by the watch, now
    assert case.standing.lose().state == "needs_attention"
    waiting = drive_to_wait("bootstrap_cell", "account_needs_attention")
    assert waiting.waiting_on == Party.YOU

    renew(case)
    drive_to_end()
    assert case.cell.state == CellState.READY
    assert AgentKey.objects.count() == 1


def renew(case) -> None:
    """As the Trust page says: the next kit is made, run and taken into use."""
    start_renewal(case.standing.account, after_generation=case.standing.account.kits.count(), by=case.alice)
    case.standing.run(case.standing.account.kits.count())
    for _ in range(10):
        if case.standing.drive().state == "succeeded":
            break
    for _ in range(3):
        case.standing.look(later=SECOND)
    assert case.standing.account.state == "connected", case.standing.operation.failure_code


def test_kit_replaced_while_building_changes_nothing(case):
    case = case()
    case.knobs(pace_seconds=1)
    case.order()
    drive_to_wait("bootstrap_cell", "stack_working")
    case.knobs(pace_seconds=0)

    renew(case)
    drive_to_end()

    assert (case.cell.state, AgentKey.objects.count(), len(machines(case.sandbox))) == (CellState.READY, 1, 1)


def test_trust_lost_while_deleting_waits_for_you_too(case):
    case = case()
    instance = case.live()
    case.empty(instance)
    case.standing.hand.delete_provider()
    request_cell_deletion(case.cell, by=case.alice)

    assert drive_to_wait("delete_cell", "access_refused").waiting_on == Party.YOU

    case.standing.lose()
    renew(case)
    drive_to_end()
    assert case.cell.state == CellState.DELETED
