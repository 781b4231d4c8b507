"""Every pair of states of cells and instances: allowed pairs move and log once, all others raise and change nothing."""

import itertools

import pytest
from django.db import IntegrityError

from cells.models import Cell, Instance
from cells.states import CELL_MOVES, INSTANCE_MOVES, CellState, InstanceState
from cells.transitions import move_cell, move_instance, touch_desired
from portal.audit import Actor
from portal.audit.models import Event
from portal.operations.transitions import IllegalMove, LostRace
from tests.cells.factories import make_cell, make_instance

pytestmark = pytest.mark.django_db
WORKER = Actor.worker("test")


@pytest.mark.parametrize(("was", "to"), list(itertools.product(CellState, CellState)))
def test_move_cell_between(was, to):
    cell = make_cell(state=was)

    if to in CELL_MOVES[was]:
        move_cell(cell, to, by=WORKER, code="quota" if to == CellState.FAILED else "")
        event = Event.objects.get(organisation_id=cell.organisation_id)
        assert (event.action, event.details) == (f"cell.{to.value}", {"state": [was.value, to.value]})
        assert Cell.objects.get().state == to
    else:
        with pytest.raises(IllegalMove):
            move_cell(cell, to, by=WORKER)
        assert Cell.objects.get().state == was
        assert not Event.objects.filter(organisation_id=cell.organisation_id).exists()


@pytest.mark.parametrize(("was", "to"), list(itertools.product(InstanceState, InstanceState)))
def test_move_instance_between(was, to):
    instance = make_instance(state=was)

    if to in INSTANCE_MOVES[was]:
        move_instance(instance, to, by=WORKER, code="quota" if to == InstanceState.FAILED else "")
        event = Event.objects.get(organisation_id=instance.organisation_id)
        assert (event.action, event.details) == (f"instance.{to.value}", {"state": [was.value, to.value]})
        assert Instance.objects.get().state == to
    else:
        with pytest.raises(IllegalMove):
            move_instance(instance, to, by=WORKER)
        assert Instance.objects.get().state == was
        assert not Event.objects.filter(organisation_id=instance.organisation_id).exists()


def test_failed_remembers_what_failed_and_forgets_it_when_it_goes_on():
    cell = make_cell(state=CellState.UPDATING)

    move_cell(cell, CellState.FAILED, by=WORKER, code="quota")
    assert (Cell.objects.get().failed_while, Cell.objects.get().failure_code) == ("updating", "quota")

    move_cell(cell, CellState.UPDATING, by=WORKER)
    assert (Cell.objects.get().failed_while, Cell.objects.get().failure_code) == ("", "")


def test_loser_of_a_race_is_told_and_changes_nothing():
    cell = make_cell(state=CellState.READY)
    same = Cell.objects.get()
    move_cell(same, CellState.UPDATING, by=WORKER)

    with pytest.raises(LostRace):
        move_cell(cell, CellState.DELETING, by=WORKER)

    assert Cell.objects.get().state == CellState.UPDATING
    assert Event.objects.filter(organisation_id=cell.organisation_id).count() == 1


def test_one_cell_alive_in_a_place():
    cell = make_cell(state=CellState.DELETED, region="eu-west-1")
    make_cell(account=cell.account, state=CellState.READY, region="eu-west-1")

    with pytest.raises(IntegrityError, match="cell_one_alive_per_place"):
        make_cell(account=cell.account, state=CellState.PLANNED, region="eu-west-1")


def test_names_of_instances_are_once_an_organisation_whatever_their_case():
    instance = make_instance(name="Orders")
    make_instance(name="orders")  # of another organisation

    with pytest.raises(IntegrityError, match="instance_name_once_per_organisation"):
        make_instance(name="ORDERS", organisation=instance.organisation, account=instance.account)


def test_touch_desired_counts_every_change():
    cell = make_cell()

    touch_desired(cell.pk)
    touch_desired(cell.pk)

    assert Cell.objects.get().desired_version == cell.desired_version + 2
