"""A deletion with a last backup: nothing is removed before it stands, and each way it can go wrong leaves the instance where it is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.actions.instances import deletable_instances, delete_all_instances, delete_instance, mark_of_instances
from cells.availability import why_no_backup
from cells.models import Cell, CellStatus, FinalBackup, Instance
from cells.states import InstanceState
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from tests.cells.backed_up import events, look, wanted
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.living import let_time_pass, newest, turn
from tests.cells.protocol.test_final_backups import done, failed
from tests.cells.spoken import a_report, an_instance, speaker
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db
KIND = "back_up_and_delete_instance"


@pytest.fixture
def cell(acme):
    return make_cell(account=make_cloud_account(organisation=acme, state="connected", name="Main"))


@pytest.fixture
def plan():
    return make_plan(has_backups=True)


@pytest.fixture
def instance(cell, plan):
    return make_instance(cell=cell, plan=plan, name="orders-prod", applied_revision=1)


@pytest.fixture
def agent(cell):
    return speaker(cell)


def backup_of(instance):
    return instance.final_backups.first()


def remove(agent, *instances):
    gone = [an_instance(one, revision=0, state="absent", health="unknown", endpoints=[]) for one in instances]
    assert agent.report(a_report(int(timezone.now().timestamp()) % 1_000_000 + 1, *gone)).status_code == 200


def test_instance_is_removed_only_after_its_backup_stands(instance, agent, alice):
    delete_instance(instance, by=alice, final_backup=True)
    assert look(instance) == ("backing_up", "")
    turn()
    assert wanted(agent) == ([True], 1)
    waiting = newest(KIND)
    assert (waiting.state, waiting.waiting_why) == ("waiting", "agent_silent")

    agent.post("backups", done(backup_of(instance)))
    turn()
    assert (look(instance), wanted(agent)) == (("deleting", ""), ([False], 0))
    remove(agent, instance)
    turn()

    assert look(instance) == ("deleted", "")
    said = ["instance.deletion_after_backup_started", "instance.final_backup_taken", "operation.succeeded"]
    assert events(instance) == said
    assert FinalBackup.objects.get().outcome == "taken"


def test_answer_rings_the_operation(instance, agent, alice):
    delete_instance(instance, by=alice, final_backup=True)
    turn()
    Operation.objects.update(next_run_at=timezone.now() + timedelta(hours=1))

    agent.post("backups", done(backup_of(instance)))

    assert newest(KIND).next_run_at <= timezone.now()


def test_failed_backup_leaves_the_instance_and_a_retry_asks_for_another(instance, agent, alice):
    delete_instance(instance, by=alice, final_backup=True)
    turn()
    first = backup_of(instance)
    agent.post("backups", failed(first))
    turn()

    operation = newest(KIND)
    assert (operation.state, operation.failure_code, operation.failure_evidence) == ("failed", "final_backup_failed", "backup_job_failed")
    assert look(instance) == ("failed", "backing_up")
    assert wanted(agent) == ([True], 0)
    assert list(Instance.objects.left_behind()) == []
    assert list(Instance.objects.holding_their_cell()) == [instance]

    request_retry(operation, by=alice)
    turn()
    second = backup_of(instance)
    assert (look(instance), second.attempt, second.pk != first.pk) == (("backing_up", ""), 2, True)
    agent.post("backups", done(second))
    turn()
    assert look(instance) == ("deleting", "")


def test_silence_fails_in_the_end_and_a_late_answer_counts(instance, agent, alice):
    delete_instance(instance, by=alice, final_backup=True)
    turn()
    let_time_pass(newest(KIND), 6 * 60 + 1)
    turn()
    assert (newest(KIND).failure_code, look(instance)) == ("final_backup_late", ("failed", "backing_up"))

    assert agent.post("backups", done(backup_of(instance))).json() == {"outcome": "kept"}
    request_retry(newest(KIND), by=alice)
    turn()

    assert look(instance) == ("deleting", "")
    assert FinalBackup.objects.count() == 1


def test_backup_that_has_grown_old_before_the_retry_is_taken_anew(instance, agent, alice):
    """The instance has run on since then."""
    delete_instance(instance, by=alice, final_backup=True)
    turn()
    let_time_pass(newest(KIND), 6 * 60 + 1)
    turn()
    agent.post("backups", done(backup_of(instance)))
    FinalBackup.objects.update(taken_at=timezone.now() - timedelta(minutes=61))

    request_retry(newest(KIND), by=alice)
    turn()

    assert (look(instance), wanted(agent)) == (("backing_up", ""), ([True], 1))
    assert list(instance.final_backups.order_by("attempt").values_list("outcome", flat=True)) == ["taken", ""]


def test_whoever_decides_against_it_waits_no_more(instance, agent, alice):
    delete_instance(instance, by=alice, final_backup=True)
    turn()
    let_time_pass(newest(KIND), 6 * 60 + 1)
    turn()

    delete_instance(Instance.objects.get(), by=alice)

    assert look(instance) == ("deleting", "")
    assert (FinalBackup.objects.get().outcome, wanted(agent)) == ("given_up", ([False], 0))
    assert events(instance)[-1] == "instance.deletion_without_backup_started"
    turn()
    remove(agent, instance)
    turn()
    assert look(instance) == ("deleted", "")


def test_instance_that_waits_for_its_backup_can_be_asked_for_nothing_else(instance, alice):
    delete_instance(instance, by=alice, final_backup=True)

    for is_backed_up in (True, False):
        with pytest.raises(NotAllowed, match="A final backup of the instance is being taken"):
            delete_instance(instance, by=alice, final_backup=is_backed_up)


REASONS = {
    "plan": (lambda one: setattr(one.plan, "has_backups", False), "has no backups"),
    "never ran": (lambda one: setattr(one, "applied_revision", 0), "has never run"),
    "waits": (lambda one: setattr(one, "state", InstanceState.WAITING_FOR_CELL), "has never run"),
    "gone": (lambda one: setattr(one, "failed_while", InstanceState.DELETING), "removal has begun"),
    "no cell": (lambda one: setattr(one, "cell", None), "in a deployment cell any more"),
    "cell deleted": (lambda one: setattr(one.cell, "state", "deleted"), "in a deployment cell any more"),
    "switched off": (lambda one: setattr(one.cell, "is_agent_disabled", True), "is switched off"),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_backed_up_says_so_beforehand(instance, name):
    assert why_no_backup(instance) == ""
    change, words = REASONS[name]

    change(instance)

    assert words in why_no_backup(instance)


@pytest.mark.parametrize(("version", "is_old"), [("1.1.0", True), ("1.2.0", False), ("2.0", False), ("0.9", True), ("", False)])
def test_old_agent_is_told_beforehand(instance, cell, agent, version, is_old, alice):
    agent.report(a_report(1))
    CellStatus.objects.filter(pk=cell.pk).update(agent_version=version)
    found = Instance.objects.get()

    assert ("too old" in why_no_backup(found)) == is_old
    if is_old:
        with pytest.raises(NotAllowed, match="too old"):
            delete_instance(found, by=alice, final_backup=True)
        assert look(instance) == ("running", "")


def test_delete_all_backs_up_what_it_can_and_one_failure_stops_no_other(cell, plan, instance, agent, alice):
    other = make_instance(cell=cell, plan=plan, name="orders-two", applied_revision=1)
    plain = make_instance(cell=cell, name="plain", applied_revision=1)
    listed = mark_of_instances(deletable_instances(cell.account))

    assert delete_all_instances(cell.account, listed=listed, by=alice, final_backup=True) == 3
    turn()
    assert (look(instance), look(other), look(plain)) == (("backing_up", ""), ("backing_up", ""), ("deleting", ""))
    agent.post("backups", failed(backup_of(instance)))
    agent.post("backups", done(backup_of(other)))
    turn()

    assert (look(instance), look(other), look(plain)) == (("failed", "backing_up"), ("deleting", ""), ("deleting", ""))
    assert list(deletable_instances(cell.account)) == [instance]


def test_list_that_can_be_backed_up_otherwise_than_it_was_read_is_another_list(cell, instance, alice):
    listed = mark_of_instances(deletable_instances(cell.account))
    Cell.objects.update(is_agent_disabled=True)

    with pytest.raises(NotAllowed, match="have changed since"):
        delete_all_instances(cell.account, listed=listed, by=alice, final_backup=True)

    assert look(instance) == ("running", "")


def test_failed_removal_does_not_bring_the_instance_back(cell, instance, agent, alice):
    delete_instance(instance, by=alice)
    turn()
    let_time_pass(newest("delete_instance"), 40)
    turn()

    assert look(instance) == ("failed", "deleting")
    assert wanted(agent) == ([False], 0)
