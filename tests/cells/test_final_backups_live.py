"""The last backup through the real agent: an archive that holds what the instance kept, once, whoever is killed on the way."""

import hashlib
import tarfile
import urllib.request

import pytest

from cells.actions.instances import delete_instance
from cells.models import Cell, FinalBackup, InstanceStatus
from cells.transitions import touch_desired
from cells.views import agent as views
from portal.audit.models import Event
from tests.cells.agents import running_agent, until
from tests.cells.factories import make_instance, make_plan
from tests.cells.living import drive, newest
from tests.cells.orders import make_ready_cell

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "back_up_and_delete_instance"


@pytest.fixture
def cell(settings, live_server, acme):
    settings.AGENT_URL = live_server.url
    settings.PLATFORM_COMPONENTS = []
    views.of_cells.clear()
    yield make_ready_cell(acme, most_instances=10)
    # A line that is still held for an agent that has gone would outlive the test's database.
    for cell in Cell.objects.all():
        touch_desired(cell.pk)
    until(lambda: views.holding.inside == 0)


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, name="orders", plan=make_plan(has_backups=True))


@pytest.fixture
def machine(cell, instance, live_server, tmp_path):
    """With the instance up, and something that it keeps."""
    with running_agent(tmp_path / "machine", live_server.url, cell) as made:
        until(lambda: InstanceStatus.objects.filter(pk=instance.pk, health="healthy").exists())
        for number in (1, 2):
            urllib.request.urlopen(f"{made.workload(instance)['url']}order/{number}", timeout=5).close()
        yield made


def archives(machine):
    return sorted(path for path in machine.backups.rglob("*") if path.is_file())


def assert_is_backed_up_once(instance, machine):
    backup = FinalBackup.objects.get()
    (archive,) = archives(machine)
    assert (backup.outcome, backup.location, backup.bytes) == ("taken", archive.as_uri(), archive.stat().st_size)
    assert backup.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    with tarfile.open(archive) as packed:
        assert packed.extractfile("data/requests").read() == b"/order/1\n/order/2\n"
    instance.refresh_from_db()
    assert instance.state == "deleted"
    until(lambda: str(instance.pk) not in machine.workloads() and not (machine.folder / "cluster/data" / str(instance.pk)).exists())
    assert Event.objects.filter(action="instance.final_backup_taken").count() == 1


def test_archive_holds_what_the_instance_kept_and_outlives_it(instance, machine, alice):
    instance.refresh_from_db()
    delete_instance(instance, by=alice, final_backup=True)

    drive(lambda: newest(KIND).state == "succeeded", only=KIND)

    assert_is_backed_up_once(instance, machine)


@pytest.mark.parametrize("effects", range(1, 10))
def test_agent_killed_after_each_effect_takes_one_backup(effects, instance, machine, alice):
    instance.refresh_from_db()
    machine.kill()
    delete_instance(instance, by=alice, final_backup=True)
    drive(FinalBackup.objects.exists, only=KIND)

    machine.start(die_after=effects)
    assert machine.agent.wait(30) == -9
    machine.start()
    drive(lambda: newest(KIND).state == "succeeded", only=KIND)

    assert_is_backed_up_once(instance, machine)


def test_backup_that_cannot_be_written_leaves_the_instance_running(instance, machine, alice):
    instance.refresh_from_db()
    machine.backups.write_text("a file where a folder should be")
    before = machine.workload(instance)["pid"]

    delete_instance(instance, by=alice, final_backup=True)
    drive(lambda: newest(KIND).state == "failed", only=KIND)

    assert (newest(KIND).failure_code, newest(KIND).failure_evidence) == ("final_backup_failed", "backup_not_written")
    assert machine.workload(instance)["pid"] == before
    assert (machine.folder / "cluster/data" / str(instance.pk) / "requests").read_text() == "/order/1\n/order/2\n"
