"""kill -9 in the middle of connecting: at every point of every step, and of the broker. Only the time it takes may change.

What must be there afterwards, once each: the kit, the account's `connected` event, the operation's `succeeded` event, every check.
Mails: those of the one ending that was committed, written with it, so none twice and none lost. A death while a mail is sent is played
in tests/accounts/test_mail.py.
"""

from collections import Counter

import pytest
from django.core import mail
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.mail import send_due_mails
from accounts.models import CloudAccount, Kit, TrustCheck
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.models import Operation
from portal.operations.registry import KINDS
from portal.operations.states import OperationState
from portal.operations.tasks import ring_due_operations
from tests import kill_server
from tests.factories import make_contact
from tests.hands import HANDS, make_account, tell_itself
from tests.kill import POINTS, lose_lease
from tests.worker import flush_broker, process_environment, work_off_queue

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = tuple(step.name for step in KINDS["connect_cloud_account"].steps)


@pytest.fixture(scope="module")
def killer(sandbox_process, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        addresses = [hand.environment(sandbox_process) for hand in HANDS.values()]
        environment = process_environment(sandbox_process, **{name: value for found in addresses for name, value in found.items()})
    with kill_server.running(environment) as server:
        yield server


@pytest.fixture
def cloud():
    return "aws"


@pytest.fixture
def operation(acme, alice, client, sandbox, monkeypatch, cloud):
    """Connecting, with the kit finished and nobody having looked yet."""
    flush_broker()
    for name, value in HANDS[cloud].environment(sandbox).items():
        monkeypatch.setenv(name, value)
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    issue_kit(make_account(cloud, organisation=acme, name="Production"), after_generation=0, by=alice)
    kit = Kit.objects.get()
    hand = HANDS[cloud](sandbox, lambda text: tell_itself(client, kit, text))
    hand.take(kit)
    hand.run_kit()
    return Operation.objects.get()


def finish_with_a_fresh_worker(operation) -> None:
    """What beat and a new worker do until it ends, in this process: ring, and work off all that is queued, also by the dead."""
    for _round in range(20):
        work_off_queue()
        send_due_mails()
        operation.refresh_from_db()
        if not operation.is_live:
            return
        lose_lease(operation.pk)
        ring_due_operations()
    pytest.fail(f"{operation.reference} is still {operation.state}")


def assert_connected_once(operation) -> None:
    account = CloudAccount.objects.get()
    assert (operation.state, account.state, account.failure_code) == (OperationState.SUCCEEDED, AccountState.CONNECTED, "")
    assert [(step.name, step.attempt, step.state) for step in operation.steps.in_order()] == [(name, 1, "done") for name in STEPS]
    assert Kit.objects.count() == 1
    events = Event.objects.filter(subject_kind="cloud_account", subject_id=account.pk).order_by("sequence")
    actions = ["cloud_account.kit_issued", "cloud_account.verifying", "cloud_account.connected", "operation.succeeded"]
    assert list(events.exclude(action="cloud_account.kit_reported").values_list("action", flat=True)) == actions
    checks = Counter(TrustCheck.objects.values_list("kind", "name"))
    assert set(checks.values()) == {1}
    assert not TrustCheck.objects.filter(is_ok=False).exists()
    kinds = Counter(kind for kind, _name in checks)
    assert kinds[TrustCheck.Kind.REFUSAL] == 4
    assert kinds[TrustCheck.Kind.PERMISSION] == operation.data["permissions"]
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@people.example", "night@acme.example"]


# In one cloud every point of every step, in the others another point at each.
DEATHS = [("aws", [point] * len(STEPS)) for point in POINTS] + [(cloud, [*POINTS, *POINTS][: len(STEPS)]) for cloud in ("azure", "gcp")]


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=[f"{cloud}-{'-'.join(dict.fromkeys(points))}" for cloud, points in DEATHS])
def test_worker_killed_at_every_step_changes_nothing(operation, killer, mailoutbox, points):
    """One worker dies at each step; each is followed by a fresh one that finds what the one before has left."""
    for step, point in zip(STEPS, points, strict=True):
        killer.run_until_killed(operation.pk, point=point, step=step)
        lose_lease(operation.pk)

    finish_with_a_fresh_worker(operation)

    assert_connected_once(operation)


@pytest.mark.parametrize("step", ["run_kit", "check_permissions"])
def test_broker_lost_while_connecting_changes_nothing(operation, killer, mailoutbox, step):
    killer.run_until_killed(operation.pk, point="after_commit", step=step)
    flush_broker()

    lose_lease(operation.pk)
    finish_with_a_fresh_worker(operation)

    assert_connected_once(operation)
