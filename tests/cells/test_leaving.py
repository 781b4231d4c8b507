"""An account leaves while work is under way in it: what its new state does not allow ends at once, and nothing late counts."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actions.accounts import disconnect_account
from accounts.actions.leaving import end_work
from accounts.availability import OBSTACLES
from accounts.environment.assessments import start_assessment
from accounts.models import Assessment, CloudAccount
from accounts.states import ALLOWED_USES, AccountState, Use
from accounts.transitions import move_account
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell
from cells.states import CellState, InstanceState
from portal.audit import Actor
from portal.operations.driver import advance
from portal.operations.models import Operation
from portal.operations.outcomes import Done
from portal.operations.recorder import claim, record
from portal.operations.states import OperationState
from portal.operations.transitions import LostRace
from tests.activity import assert_no_event
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.living import wish
from tests.factories import make_cloud_account, make_kit, make_watched_account

# What each kind of operation uses the cloud for.
KINDS = {
    "bootstrap_cell": Use.BUILD,
    "create_instance": Use.BUILD,
    "update_cell": Use.BUILD,
    "delete_cell": Use.REMOVE,
    "delete_instance": Use.REMOVE,
    "check_environment": Use.CHECK,
}


@pytest.fixture
def account(acme, alice):
    return make_watched_account(organisation=acme, created_by=alice, name="Main", home_region="us-east-1")


@pytest.fixture
def busy(account, acme, alice):
    """Work of every kind under way in one account, and as much in another one, which stays."""
    for one in (account, make_cloud_account(organisation=acme, state="connected", name="Other", home_region="us-east-1")):
        if not one.kits.exists():
            make_kit(account=one)
        create_instance(acme, name=f"new-{one.name}", wish=wish(one, make_plan()), by=alice)
        request_cell_update(make_cell(account=one, region="eu-west-1"), by=alice)
        request_cell_deletion(make_cell(account=one, region="eu-north-1"), by=alice)
        delete_instance(make_instance(cell=make_cell(account=one, region="eu-south-1"), name=f"old-{one.name}"), by=alice)
        with transaction.atomic():
            start_assessment(one, "us-east-1", trigger=Assessment.Trigger.PERSON, by=alice)
    return account


def states(account) -> dict[str, str]:
    """Of this account's operations, by their kind."""
    labels = Operation.objects.filter(subject_label__contains=account.name).values_list("kind", "state")
    return dict(labels)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("to", [state for state in AccountState if state not in {"draft", "waiting_for_kit", "verifying", "failed"}])
def test_work_that_the_new_state_does_not_allow_is_cancelled_and_no_other(to, busy, alice):
    with transaction.atomic(), assert_no_event():
        ended = end_work(CloudAccount.objects.select_for_update().get(pk=busy.pk), to, by=alice)

    expected = {kind: "queued" if use in ALLOWED_USES[to] else "cancelled" for kind, use in KINDS.items()}
    assert states(busy) == expected
    assert sorted(operation.kind for operation in ended) == sorted(kind for kind, state in expected.items() if state == "cancelled")
    assert set(Operation.objects.exclude(subject_label__contains="Main").values_list("state", flat=True)) == {"queued"}


@pytest.mark.django_db(transaction=True)
def test_nothing_hangs_in_the_middle_when_its_operation_was_ended(busy, alice):
    with transaction.atomic():
        end_work(busy, AccountState.OFFBOARDED, by=alice)

    assert set(Cell.objects.filter(account=busy).values_list("region", "state")) == {
        ("us-east-1", CellState.FAILED),
        ("eu-west-1", CellState.FAILED),
        ("eu-north-1", CellState.FAILED),
        ("eu-south-1", CellState.READY),
    }
    assert set(busy.instances.values_list("state", flat=True)) == {InstanceState.FAILED}
    assert Cell.objects.get(account=busy, region="eu-north-1").failed_while == CellState.DELETING


@pytest.mark.django_db(transaction=True)
def test_late_answer_of_a_worker_is_ignored(account, alice):
    """It holds the lease and is in the middle of its step when the account leaves."""
    cell = make_cell(account=account)
    operation = request_cell_deletion(cell, by=alice)
    held, (first, second, *_) = claim(operation.pk)
    with transaction.atomic():
        end_work(account, AccountState.DISCONNECTED, by=alice)

    with pytest.raises(LostRace):
        record(held, first, Done({"late": True}), following=second, lines=[])

    operation.refresh_from_db()
    cell.refresh_from_db()
    assert (operation.state, "late" in operation.data, cell.state) == (OperationState.CANCELLED, False, CellState.FAILED)
    assert not advance(operation.pk)
    assert not operation.steps.exclude(state="cancelled").exists()


@pytest.mark.django_db(transaction=True)
def test_disconnecting_ends_the_look_at_the_environment_too(account, alice):
    with transaction.atomic():
        start_assessment(account, "us-east-1", trigger=Assessment.Trigger.PERSON, by=alice)

    disconnect_account(account, by=alice)

    assert Operation.objects.get().state == OperationState.CANCELLED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "state", "ends"),
    [
        ("bootstrap_cell", "offboarding", ("failed", "account_leaving")),
        ("bootstrap_cell", "disconnected", ("failed", "access_ended")),
        ("bootstrap_cell", "offboarded", ("failed", "access_ended")),
        ("bootstrap_cell", "needs_attention", ("waiting", "account_needs_attention")),
        ("delete_cell", "disconnected", ("failed", "access_ended")),
        ("delete_cell", "ready_to_offboard", ("failed", "account_leaving")),
        ("delete_cell", "needs_attention", ("waiting", "account_blocks_removal")),
    ],
)
def test_step_asks_the_gate_even_when_nobody_ended_its_operation(kind, state, ends, account, acme, alice):
    if kind == "delete_cell":
        operation = request_cell_deletion(make_cell(account=account, stack_name="byoc-x"), by=alice)
    else:
        create_instance(acme, name="orders", wish=wish(account, make_plan()), by=alice)
        operation = Operation.objects.get(kind=kind)
    CloudAccount.objects.filter(pk=account.pk).update(state=state)

    advance(operation.pk)

    operation.refresh_from_db()
    assert (operation.state, operation.failure_code or operation.waiting_why) == ends


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["offboarding", "ready_to_offboard", "disconnected", "offboarded"])
def test_pages_of_an_account_that_leaves_offer_no_change(state, account, acme, alice, client):
    client.force_login(alice)
    cell = make_cell(account=account)
    instance = make_instance(cell=cell)
    CloudAccount.objects.filter(pk=account.pk).update(state=state)
    words = str(OBSTACLES[CloudAccount.objects.get().obstacle_to(Use.BUILD)])

    for page in ("cell_update", "cell_agent_replace"):
        there = reverse(f"cells:{page}", args=["acme", cell.pk])
        assert words in client.get(there).text
        with assert_no_event():
            client.post(there)
    for page in ("instance_modify", "instance_upgrade", "instance_stop", "instance_restart"):
        assert words in client.get(reverse(f"cells:{page}", args=["acme", instance.pk])).text
    assert client.get(reverse("cells:instance_delete", args=["acme", instance.pk])).status_code == HTTPStatus.OK
    assert words not in client.get(reverse("cells:instance_delete", args=["acme", instance.pk])).text


@pytest.mark.django_db
def test_cell_can_be_deleted_while_its_account_is_offboarding_but_not_after(account, alice, client):
    cell = make_cell(account=account)
    move_account(account, AccountState.OFFBOARDING, by=Actor.user(alice))
    client.force_login(alice)
    there = reverse("cells:cell_delete", args=["acme", cell.pk])
    assert "Type " in client.get(there).text

    CloudAccount.objects.update(state="disconnected", disconnected_at=timezone.now() - timedelta(days=1))

    assert "This account is disconnected. Connect it again first." in client.get(there).text


@pytest.mark.django_db
def test_account_that_takes_no_instances_does_not_promise_that_one_makes_a_cell(account, alice, client):
    client.force_login(alice)
    there, promise = reverse("accounts:account_detail", args=["acme", account.pk]), "The first instance in a region creates one."
    assert promise in client.get(there).text

    CloudAccount.objects.update(state="disconnected", disconnected_at=timezone.now())

    shown = client.get(there).text
    assert "There are no cells in this account." in shown
    assert promise not in shown
