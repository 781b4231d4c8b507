"""A deletion that waits for its last backup is called off: nothing was removed, and what comes late changes nothing of that."""

import pytest
from django.urls import reverse

from cells.actions.instances import delete_instance, keep_instance, stop_instance
from cells.models import FinalBackup, Instance
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.cells.backed_up import events, look, wanted
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.living import let_time_pass, newest, turn
from tests.cells.protocol.test_final_backups import done, failed
from tests.cells.spoken import a_report, an_instance, speaker
from tests.cells.test_races import Rival, at_once, held, until_waiting
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db
KIND = "back_up_and_delete_instance"


@pytest.fixture
def cell(acme):
    return make_cell(account=make_cloud_account(organisation=acme, state="connected", name="Main"))


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, plan=make_plan(has_backups=True), name="orders-prod", applied_revision=1)


@pytest.fixture
def agent(cell):
    return speaker(cell)


def hear(agent, instance, number=7, **values):
    assert agent.report(a_report(number, an_instance(instance, **values), agent={"version": "1.2.0"})).status_code == 200


def begin(instance, by):
    delete_instance(instance, by=by, final_backup=True)
    turn()
    return instance.final_backups.get(ended_at=None)


def test_kept_instance_runs_on_and_its_deletion_is_called_off(instance, agent, alice):
    hear(agent, instance)
    backup = begin(instance, alice)

    keep_instance(instance, by=alice)
    assert wanted(agent) == ([True], 0)
    turn()

    backup.refresh_from_db()
    assert (look(instance), backup.outcome) == (("running", ""), "given_up")
    assert (newest(KIND).state, newest("keep_instance").state) == ("cancelled", "succeeded")
    assert events(instance) == ["instance.deletion_after_backup_started", "instance.kept", "operation.succeeded"]


def test_instance_that_was_stopped_is_stopped_again_and_not_started(instance, agent, alice):
    stop_instance(instance, by=alice)
    hear(agent, instance, revision=2, state="stopped", health="unknown", endpoints=[])
    turn()
    instance.refresh_from_db()
    begin(instance, alice)

    keep_instance(instance, by=alice)
    turn()

    assert look(instance) == ("stopped", "")


def test_silent_agent_keeps_nobody_from_keeping(instance, alice):
    """It was heard before; what it said then still stands."""
    agent = speaker(instance.cell)
    hear(agent, instance)
    begin(instance, alice)
    let_time_pass(newest(KIND), 30)
    turn()

    keep_instance(instance, by=alice)
    turn()

    assert look(instance) == ("running", "")


def test_late_backup_is_on_record_and_removes_nothing(instance, agent, alice, client):
    hear(agent, instance)
    backup = begin(instance, alice)
    keep_instance(instance, by=alice)
    turn()

    assert agent.post("backups", done(backup)).json() == {"outcome": "kept"}
    turn()

    backup.refresh_from_db()
    assert (look(instance), backup.outcome, wanted(agent)) == (("running", ""), "taken", ([True], 0))
    client.force_login(alice)
    assert backup.location in client.get(instance.get_absolute_url()).text


def test_late_failure_is_dropped(instance, agent, alice):
    hear(agent, instance)
    backup = begin(instance, alice)
    keep_instance(instance, by=alice)
    turn()

    assert agent.post("backups", failed(backup)).json() == {"outcome": "dropped"}

    assert look(instance) == ("running", "")


def test_kept_instance_is_deleted_later_with_a_backup_of_its_own(instance, agent, alice):
    hear(agent, instance)
    first = begin(instance, alice)
    keep_instance(instance, by=alice)
    turn()
    agent.post("backups", done(first))
    instance.refresh_from_db()

    second = begin(instance, alice)

    assert (second.pk != first.pk, look(instance), wanted(agent)) == (True, ("backing_up", ""), ([True], 1))
    agent.post("backups", done(second))
    turn()
    assert look(instance) == ("deleting", "")


def test_instance_whose_backup_has_failed_is_kept_and_the_attempt_is_over(instance, agent, alice):
    hear(agent, instance)
    agent.post("backups", failed(begin(instance, alice)))
    turn()
    assert look(instance) == ("failed", "backing_up")

    keep_instance(instance, by=alice)
    turn()

    assert look(instance) == ("running", "")
    with pytest.raises(NotAllowed, match="The instance has moved on since this attempt"):
        request_retry(newest(KIND), by=alice)


def test_what_is_being_removed_is_not_kept(instance, agent, alice):
    agent.post("backups", done(begin(instance, alice)))
    turn()

    with pytest.raises(NotAllowed, match="The instance is being deleted"):
        keep_instance(instance, by=alice)

    assert look(instance) == ("deleting", "")


# --- At the same moment ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["person", "worker"])
def test_backup_stands_at_the_moment_of_keeping_and_one_of_both_wins(first, instance, agent, alice):
    """The row of the instance is held while the one and then the other come for it."""
    hear(agent, instance)
    agent.post("backups", done(begin(instance, alice)))
    acts = {"person": lambda: keep_instance(instance, by=alice), "worker": lambda: turn(KIND)}
    second = "worker" if first == "person" else "person"

    with held(Instance.objects.all()):
        rivals = {first: Rival(acts[first])}
        until_waiting(1)
        rivals[second] = Rival(acts[second])
        until_waiting(2)
    for rival in rivals.values():
        rival.end()
    turn()

    state, present = look(instance)[0], wanted(agent)[0]
    was_kept = rivals["person"].refused is None
    assert was_kept == (first == "person")
    assert (state, present) == (("running", [True]) if was_kept else ("deleting", [False]))
    assert events(instance).count("instance.kept") == was_kept
    assert (newest(KIND).state == "cancelled") == was_kept


@pytest.mark.django_db(transaction=True)
def test_kept_by_two_people_at_once_is_kept_once(instance, agent, alice, bob):
    hear(agent, instance)
    begin(instance, alice)

    rivals = at_once(lambda: keep_instance(instance, by=alice), lambda: keep_instance(instance, by=bob))

    assert sorted(rival.answer is None for rival in rivals) == [False, True]
    assert events(instance).count("instance.kept") == 1
    turn()
    assert look(instance) == ("running", "")


@pytest.mark.django_db(transaction=True)
def test_worker_that_comes_late_asks_for_no_backup_of_what_is_kept(instance, agent, alice):
    """It has read the instance, and is about to ask for the backup, when the person keeps it."""
    hear(agent, instance)
    delete_instance(instance, by=alice, final_backup=True)

    with held(Instance.objects.all()):
        keeping = Rival(lambda: keep_instance(instance, by=alice))
        until_waiting(1)
        working = Rival(lambda: advance(newest(KIND).pk))
        until_waiting(2)
    keeping.end()
    working.end()

    assert keeping.refused is None
    assert not FinalBackup.objects.exists()
    turn()
    assert look(instance) == ("running", "")


# --- Pages ---


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


def page(instance):
    return reverse("cells:instance_keep", args=["acme", instance.pk])


def test_way_out_is_offered_while_the_backup_runs_and_after_it_has_failed(instance, agent, alice, signed_in):
    backup = begin(instance, alice)
    operation = newest(KIND).get_absolute_url()
    link = f'href="{page(instance)}"'
    assert link in signed_in.get(operation).text
    assert link in signed_in.get(instance.get_absolute_url()).text
    agent.post("backups", failed(backup))
    turn()
    assert link in signed_in.get(operation).text
    assert link in signed_in.get(instance.get_absolute_url()).text

    answer = signed_in.post(page(instance))

    assert answer["Location"] == newest("keep_instance").get_absolute_url()
    assert link not in signed_in.get(operation).text
    assert link not in signed_in.get(instance.get_absolute_url()).text


def test_called_off_deletion_says_that_it_removed_nothing(instance, alice, signed_in):
    begin(instance, alice)
    signed_in.post(page(instance))

    shown = signed_in.get(newest(KIND).get_absolute_url()).text

    assert "The deletion was called off. It has removed nothing of the instance." in shown


def test_second_press_says_how_it_stands(instance, agent, alice, signed_in):
    hear(agent, instance)
    begin(instance, alice)
    signed_in.post(page(instance))
    turn()

    again = signed_in.post(page(instance), follow=True)

    assert "The instance is not being deleted." in again.text
    assert look(instance) == ("running", "")


def test_what_is_leaving_cannot_be_protected_from_it(instance, alice, signed_in):
    """The page would say that nobody can delete it, and it would be deleted."""
    begin(instance, alice)

    shown = signed_in.get(instance.get_absolute_url()).text
    answer = signed_in.post(reverse("cells:instance_protect", args=["acme", instance.pk]), {"protected": "yes"}, follow=True)

    assert 'name="protected"' not in shown
    assert "A final backup of the instance is being taken. Then it is deleted." in answer.text
    instance.refresh_from_db()
    assert not instance.is_protected


def test_second_press_of_delete_all_says_that_they_are_being_deleted(instance, signed_in):
    url = reverse("cells:account_instances_delete", args=["acme", instance.account_id])
    listed = signed_in.get(url).context["form"]["listed"].value()
    sent = {"name": "Main", "listed": listed, "final_backup": "yes"}
    signed_in.post(url, sent)

    again = signed_in.post(url, sent, follow=True)

    assert "1 instance in this account is being deleted already. There is no other one." in again.text
    assert FinalBackup.objects.count() + Operation.objects.count() == 1
