"""The live part of the pages of an instance and a cell: what it says, how often it asks, and what of the page it brings with it."""

import html
import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from cells.models import Cell, CellStatus, Instance
from cells.states import CellState, Health, InstanceState
from cells.views import cells as cell_views
from cells.views import instances as instance_views
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_instance
from tests.cells.lists import make_instance_status, make_status
from tests.factories import make_cloud_account, make_membership
from tests.fragments import assert_same_fragment, element, plain


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def account(acme):
    return make_cloud_account(organisation=acme, state="connected", name="Main", external_id="111122223333")


def page(name, *args):
    return reverse(f"cells:{name}", args=["acme", *args])


@pytest.mark.parametrize("state", [*InstanceState])
def test_live_part_is_its_piece_of_the_page_in_every_state(state, signed_in, account):
    instance = make_instance(cell=make_cell(account=account), state=state)

    whole, live = signed_in.get(instance.get_absolute_url()), signed_in.get(page("instance_live", instance.pk))

    assert_same_fragment(whole.text, live.text)
    assert ("hx-trigger" in live.text) == (state != InstanceState.DELETED)


def poll(live):
    """The address that a live part asks at next."""
    return html.unescape(re.search(r'hx-get="([^"]+)"', live)[1])


@pytest.mark.parametrize(("kind", "state"), [("instance", InstanceState.UPDATING), ("cell", CellState.UPDATING)])
def test_live_part_asks_less_often_when_nothing_is_expected_to_change(kind, state, signed_in, account):
    cell = make_cell(account=account)
    subject = make_instance(cell=cell) if kind == "instance" else cell
    status = make_status(cell)
    there = page(f"{kind}_live", subject.pk)

    calm = signed_in.get(there).text
    type(subject).objects.filter(pk=subject.pk).update(state=state)
    busy = signed_in.get(there).text
    type(subject).objects.filter(pk=subject.pk).update(state="running" if kind == "instance" else "ready")
    CellStatus.objects.filter(pk=status.pk).update(seen_at=timezone.now() - timedelta(minutes=2))
    silent = signed_in.get(there).text

    assert ["every 30s" in text for text in (calm, busy, silent)] == [True, False, False]
    assert ["every 5s" in text for text in (calm, busy, silent)] == [False, True, True]


@pytest.mark.parametrize("kind", ["instance", "cell"])
def test_unchanged_live_part_is_answered_without_a_body(kind, signed_in, account):
    cell = make_cell(account=account)
    make_status(cell)
    subject = make_instance(cell=cell) if kind == "instance" else cell
    shown = signed_in.get(subject.get_absolute_url()).text

    answer = signed_in.get(poll(element(shown, f"{kind}-live")))

    assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")


def test_change_of_an_instance_is_said_and_brings_badge_and_acts(signed_in, account):
    cell = make_cell(account=account)
    make_status(cell)
    instance = make_instance(cell=cell, name="orders", state=InstanceState.DEPLOYING)
    before = signed_in.get(instance.get_absolute_url()).text
    assert "act-stop" not in before

    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING, health="healthy")
    changed = signed_in.get(poll(element(before, "instance-live"))).text

    assert '<div hx-swap-oob="innerHTML:#announcer">orders is running now.</div>' in changed
    whole = signed_in.get(instance.get_absolute_url()).text
    for part in ("instance-live", "instance-state", "instance-acts"):
        assert plain(element(changed, part)).replace(' hx-swap-oob="true"', "") == plain(element(whole, part)), part
    assert 'id="act-stop"' in changed
    # What has been said is not said again, nor is anything replaced that stands.
    CellStatus.objects.filter(pk=cell.pk).update(seen_at=timezone.now() - timedelta(minutes=2))
    silent = signed_in.get(poll(changed)).text
    assert "orders is not heard now." in silent
    assert "instance-acts" not in silent


def make_operation(kind, subject_kind, subject):
    fields = {"organisation": subject.organisation, "state": "running", "next_run_at": timezone.now(), "subject_label": subject.name}
    return Operation.objects.create(kind=kind, subject_kind=subject_kind, subject_id=str(subject.pk), idempotency_key=kind, **fields)


def test_instance_that_comes_to_run_brings_its_endpoints_facts_and_operations(signed_in, account):
    instance = make_instance(cell=make_cell(account=account), name="orders", state=InstanceState.DEPLOYING)
    operation = make_operation("create_instance", "instance", instance)
    before = signed_in.get(instance.get_absolute_url()).text
    assert "1, not applied yet" in before

    endpoints = [{"name": "web", "url": "https://orders.cell.example"}]
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING, applied_revision=1, endpoints=endpoints)
    Operation.objects.filter(pk=operation.pk).update(state="succeeded", next_run_at=None, ended_at=timezone.now())
    changed = signed_in.get(poll(element(before, "instance-live"))).text

    whole = signed_in.get(instance.get_absolute_url()).text
    for part in ("instance-endpoints", "instance-facts", "instance-operations"):
        assert plain(element(changed, part)).replace(' hx-swap-oob="true"', "") == plain(element(whole, part)), part
    assert "https://orders.cell.example" in element(changed, "instance-endpoints")
    assert "1, applied" in element(changed, "instance-facts")
    assert "Succeeded" in element(changed, "instance-operations")
    # Nothing of it is brought twice.
    Instance.objects.filter(pk=instance.pk).update(is_protected=True)
    again = signed_in.get(poll(changed)).text
    assert "instance-acts" in again
    assert not any(part in again for part in ("instance-endpoints", "instance-facts", "instance-operations"))


def test_cell_that_becomes_ready_brings_its_facts_instances_and_operations(signed_in, account):
    cell = make_cell(account=account, name="Main", state=CellState.BOOTSTRAPPING, stack_name="")
    instance = make_instance(cell=cell, name="orders", state=InstanceState.WAITING_FOR_CELL)
    operation = make_operation("bootstrap_cell", "cell", cell)
    before = signed_in.get(cell.get_absolute_url()).text

    make_status(cell)
    Cell.objects.filter(pk=cell.pk).update(state=CellState.READY, stack_name="byoc-main")
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING)
    Operation.objects.filter(pk=operation.pk).update(state="succeeded", next_run_at=None, ended_at=timezone.now())
    changed = signed_in.get(poll(element(before, "cell-live"))).text

    whole = signed_in.get(cell.get_absolute_url()).text
    for part in ("cell-facts", "cell-instances", "cell-operations"):
        assert plain(element(changed, part)).replace(' hx-swap-oob="true"', "") == plain(element(whole, part)), part
    assert "byoc-main" in element(changed, "cell-facts")
    assert "Running" in element(changed, "cell-instances")
    assert "Succeeded" in element(changed, "cell-operations")


@pytest.mark.parametrize("kind", ["instance", "cell"])
def test_page_of_what_is_deleted_asks_until_the_operation_has_ended_too(kind, signed_in, account):
    cell = make_cell(account=account, state="deleted" if kind == "cell" else "ready")
    subject = make_instance(cell=cell, state="deleted") if kind == "instance" else cell
    operation = make_operation(f"delete_{kind}", kind, subject)

    assert "hx-trigger" in element(signed_in.get(subject.get_absolute_url()).text, f"{kind}-live")

    Operation.objects.filter(pk=operation.pk).update(state="succeeded", next_run_at=None, ended_at=timezone.now())
    assert "hx-trigger" not in element(signed_in.get(subject.get_absolute_url()).text, f"{kind}-live")


def test_change_of_a_cell_is_said_and_brings_badge_and_acts(signed_in, account):
    cell = make_cell(account=account, name="Main", state=CellState.BOOTSTRAPPING)
    before = signed_in.get(cell.get_absolute_url()).text

    make_status(cell)
    Cell.objects.filter(pk=cell.pk).update(state=CellState.READY)
    changed = signed_in.get(poll(element(before, "cell-live"))).text

    assert '<div hx-swap-oob="innerHTML:#announcer">Main is ready now.</div>' in changed
    whole = signed_in.get(cell.get_absolute_url()).text
    for part in ("cell-live", "cell-state", "cell-acts"):
        assert plain(element(changed, part)).replace(' hx-swap-oob="true"', "") == plain(element(whole, part)), part


def test_every_state_has_its_sentence():
    healths = {*Health, "silent"}
    assert set(instance_views.MILESTONES) == {*InstanceState, *healths} - {"running"}
    assert set(cell_views.MILESTONES) == {*CellState, *healths} - {"ready"}


def test_who_may_only_read_gets_no_act_with_a_change_either(client, account, acme):
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)
    instance = make_instance(cell=make_cell(account=account), state=InstanceState.DEPLOYING)
    before = client.get(instance.get_absolute_url()).text

    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING)

    assert "act-" not in client.get(poll(element(before, "instance-live"))).text


def test_silent_agent_is_said_beside_what_may_be_old(signed_in, account):
    cell = make_cell(account=account)
    make_status(cell, seconds=400)
    instance = make_instance(cell=cell)

    assert "has not been heard for a while" in signed_in.get(instance.get_absolute_url()).text
    assert "Your workloads keep running" in signed_in.get(cell.get_absolute_url()).text


def test_what_was_healthy_when_it_was_last_heard_is_not_said_to_be_so(signed_in, account):
    cell = make_cell(account=account)
    status = make_status(cell)
    make_instance(cell=cell, health="healthy", health_at=timezone.now())
    heard = signed_in.get(cell.get_absolute_url()).text
    CellStatus.objects.filter(pk=status.pk).update(seen_at=timezone.now() - timedelta(minutes=10))

    silent = signed_in.get(cell.get_absolute_url()).text

    for part in ("cell-live", "cell-instances"):
        assert ("Healthy" in element(heard, part), "Not heard" in element(heard, part)) == (True, False), part
        assert ("Healthy" in element(silent, part), "Not heard" in element(silent, part)) == (False, True), part
    changed = signed_in.get(poll(element(heard, "cell-live"))).text
    assert plain(element(changed, "cell-instances")).replace(' hx-swap-oob="true"', "") == plain(element(silent, "cell-instances"))


def test_instance_that_does_not_run_yet_is_not_said_to_have_a_health(signed_in, account):
    cell = make_cell(account=account)
    make_instance(cell=cell, state=InstanceState.WAITING_FOR_CELL)

    assert "Not known" not in element(signed_in.get(cell.get_absolute_url()).text, "cell-instances")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"ready": 1, "desired": 2, "restarts": 0}, "1 of 2 processes are ready. The cell starts"),
        ({"ready": 0, "desired": 1, "restarts": 4}, "0 of 1 process is ready. Processes were started again 4 times. The cell starts"),
    ],
)
def test_instance_that_is_not_healthy_says_how_much_of_it_is_there(numbers, said, signed_in, account):
    cell = make_cell(account=account)
    make_status(cell)
    instance = make_instance(cell=cell, health="degraded", health_at=timezone.now())
    make_instance_status(instance, **numbers)

    assert said in plain(element(signed_in.get(instance.get_absolute_url()).text, "instance-live"))

    Instance.objects.filter(pk=instance.pk).update(health="healthy")
    assert "The cell starts" not in signed_in.get(instance.get_absolute_url()).text


@pytest.mark.parametrize("state", [*CellState])
def test_live_part_of_a_cell_is_its_piece_of_the_page_in_every_state(state, signed_in, account):
    cell = make_cell(account=account, state=state)

    assert_same_fragment(signed_in.get(cell.get_absolute_url()).text, signed_in.get(page("cell_live", cell.pk)).text)


@pytest.mark.parametrize("kind", ["instance", "cell"])
def test_failure_leads_to_the_page_that_says_why(kind, signed_in, account):
    cell = make_cell(account=account, state="failed" if kind == "cell" else "ready")
    subject = make_instance(cell=cell, state=InstanceState.FAILED) if kind == "instance" else cell
    operation = make_operation(f"update_{kind}", kind, subject)
    ended = {"state": "failed", "failure_code": "x", "next_run_at": None, "ended_at": timezone.now()}
    Operation.objects.filter(pk=operation.pk).update(**ended)

    live = element(signed_in.get(subject.get_absolute_url()).text, f"{kind}-live")

    assert f'<a href="{operation.get_absolute_url()}">See why' in live


@pytest.mark.parametrize(
    "state", [{"state": CellState.DELETING}, {"state": CellState.FAILED, "failed_while": "deleting"}, {"state": CellState.DELETED}]
)
def test_cell_that_leaves_is_not_called_healthy_nor_its_silence_a_fault(state, signed_in, account):
    cell = make_cell(account=account, **state)
    make_status(cell, seconds=900)

    shown = signed_in.get(cell.get_absolute_url()).text

    assert not any(words in element(shown, "cell-live") for words in ("Healthy", "Not heard", "Offline", "not been heard"))
    assert "brings up a new cell" in element(shown, "cell-instances")


def test_page_of_a_cell_asks_often_while_one_of_its_instances_comes_to_run(signed_in, account):
    cell = make_cell(account=account)
    make_status(cell)
    instance = make_instance(cell=cell, state=InstanceState.DEPLOYING)

    assert "every 5s" in signed_in.get(page("cell_live", cell.pk)).text

    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING)
    assert "every 30s" in signed_in.get(page("cell_live", cell.pk)).text
