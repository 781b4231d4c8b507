"""kill -9 of the worker at every point of a deletion with a last backup: the instance goes once, and only after one backup stands."""

import pytest

from cells.actions.instances import create_instance, delete_instance, keep_instance
from cells.models import FinalBackup, Instance
from cells.states import InstanceState
from portal.audit.models import Event
from portal.operations.models import Step
from tests.cells.deaths import ALL, Deaths
from tests.cells.factories import make_plan
from tests.cells.living import drive_to_end, newest, wish, workloads
from tests.kill import POINTS
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("point", ALL)
def test_worker_killed_at_every_step_backs_up_and_deletes_once(point, stand, acme, alice, killer, sandbox):
    flush_broker()
    instance = create_instance(acme, name="orders", wish=wish(stand("aws").account, make_plan(has_backups=True)), by=alice)
    drive_to_end()
    instance.refresh_from_db()

    delete_instance(instance, by=alice, final_backup=True)
    Deaths(killer, (point,)).play("back_up_and_delete_instance")

    assert (Instance.objects.get().state, workloads(sandbox)) == (InstanceState.DELETED, [])
    backup = FinalBackup.objects.get()
    assert (backup.outcome, backup.location.startswith("file:///"), backup.bytes > 0) == ("taken", True, True)
    written = Event.objects.filter(subject_kind="instance", subject_id=str(instance.pk)).order_by("sequence")
    said = ["instance.deletion_after_backup_started", "instance.final_backup_taken", "operation.succeeded"]
    assert list(written.values_list("action", flat=True))[2:] == said
    assert not Step.objects.exclude(attempt=1, state="done").exists()


@pytest.mark.parametrize("point", ALL)
def test_worker_killed_at_every_step_keeps_the_instance_after_all(point, stand, acme, alice, killer, sandbox):
    flush_broker()
    instance = create_instance(acme, name="orders", wish=wish(stand("aws").account, make_plan(has_backups=True)), by=alice)
    drive_to_end()
    instance.refresh_from_db()
    delete_instance(instance, by=alice, final_backup=True)
    deletion = newest("back_up_and_delete_instance")
    killer.run_until_killed(deletion.pk, point=point if point in POINTS else POINTS[0], step="backup", seconds=60)

    keep_instance(instance, by=alice)
    Deaths(killer, (point,)).play("keep_instance")

    deletion.refresh_from_db()
    assert (Instance.objects.get().state, workloads(sandbox), deletion.state) == (InstanceState.RUNNING, [str(instance.pk)], "cancelled")
    written = Event.objects.filter(subject_kind="instance", subject_id=str(instance.pk)).order_by("sequence")
    said = ["instance.deletion_after_backup_started", "instance.kept", "operation.succeeded"]
    assert [one for one in written.values_list("action", flat=True)[2:] if one != "instance.final_backup_taken"] == said
