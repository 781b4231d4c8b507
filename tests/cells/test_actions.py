"""Every act on an instance in every state: what the page says and what the request does are the one table of cells/availability.py."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from cells.availability import ALLOWED, Act, why_not
from cells.models import Instance, InstanceRevision, PlanSize
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.operations.models import Operation
from tests.activity import assert_no_event
from tests.cells.factories import make_cell, make_instance, make_release
from tests.factories import make_cloud_account
from tests.fragments import element

DOING = {
    Act.MODIFY: InstanceState.UPDATING,
    Act.UPGRADE: InstanceState.UPDATING,
    Act.STOP: InstanceState.STOPPING,
    Act.START: InstanceState.STARTING,
    Act.RESTART: InstanceState.STARTING,
    Act.DELETE: InstanceState.DELETING,
    Act.KEEP: InstanceState.UPDATING,
}
SENT = {Act.MODIFY: {"size": "large"}, Act.UPGRADE: {"release": "1.1.0"}, Act.DELETE: {"name": "orders-prod"}}


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def cell(acme):
    return make_cell(account=make_cloud_account(organisation=acme, state="connected", name="Main"))


def make(cell, state=InstanceState.RUNNING, **values):
    instance = make_instance(cell=cell, state=state, name="orders-prod", **values)
    make_release(plan=instance.plan, version="1.1.0")
    small = instance.plan.sizes.get()
    PlanSize.objects.create(
        plan=instance.plan, code="large", name="Large", cpu=1, memory=1, storage=1, cost_from=small.cost_from, cost_to=small.cost_to
    )
    return instance


def page(act, instance):
    return reverse(f"cells:instance_{act.value}", args=["acme", instance.pk])


@pytest.mark.parametrize("state", [*InstanceState])
@pytest.mark.parametrize("act", [*Act])
def test_page_list_and_request_agree_with_the_table(act, state, signed_in, cell):
    instance = make(cell, state)
    is_allowed, reason = state in ALLOWED[act], why_not(act, instance)
    assert bool(reason) != is_allowed

    shown = signed_in.get(page(act, instance)).text
    listed = signed_in.get(instance.get_absolute_url()).text
    assert (reason in shown, '<button type="submit" class="button button-' in shown.partition("<main")[2]) == (True, is_allowed)
    assert (f'href="{page(act, instance)}"' in listed) == is_allowed
    # Of what is gone the list says once that it is: nothing can be done with it.
    # What is not on its way out is not offered to be kept.
    assert is_allowed or act == Act.KEEP or (reason in listed) == (state != InstanceState.DELETED)

    answer = signed_in.post(page(act, instance), SENT.get(act, {}))
    instance.refresh_from_db()
    assert answer.status_code == HTTPStatus.FOUND
    if is_allowed:
        assert instance.state == DOING[act]
        assert answer["Location"] == Operation.objects.get(kind=f"{act.value}_instance").get_absolute_url()
    else:
        assert (instance.state, answer["Location"]) == (state, page(act, instance))
        assert not Operation.objects.exists()
        assert InstanceRevision.objects.count() == 1


@pytest.mark.parametrize("act", [Act.MODIFY, Act.UPGRADE])
def test_what_never_reached_its_cell_is_not_changed(act, signed_in, cell):
    instance = make(cell, InstanceState.FAILED, failed_while="waiting_for_cell")

    assert "The instance never reached its cell." in signed_in.get(page(act, instance)).text
    with assert_no_event():
        signed_in.post(page(act, instance), SENT[act])


@pytest.mark.parametrize("act", [act for act in Act if act != Act.DELETE])
def test_nothing_is_asked_of_a_cell_that_is_being_deleted(act, signed_in, cell):
    instance = make(cell, sorted(ALLOWED[act])[0])
    cell.state = CellState.DELETING
    cell.save()

    with assert_no_event():
        signed_in.post(page(act, instance), SENT.get(act, {}))
    assert "The deployment cell of this instance is being deleted." in signed_in.get(page(act, instance)).text


# --- Deleting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "orders", "ORDERS-PROD", "Main"])
def test_deleting_takes_the_name_typed(typed, signed_in, cell):
    instance = make(cell)

    with assert_no_event():
        signed_in.post(page(Act.DELETE, instance), {"name": typed})
    shown = signed_in.get(page(Act.DELETE, instance)).text

    assert "<title>Error: " in shown
    assert Instance.objects.get().state == InstanceState.RUNNING


def test_deleting_counts_what_goes(signed_in, cell):
    instance = make(cell, endpoints=[{"name": "web", "url": "https://a.example"}, {"name": "api", "url": "https://b.example"}])

    shown = " ".join(signed_in.get(page(Act.DELETE, instance)).text.split())

    assert "2 endpoints stop answering." in shown
    assert "This plan keeps no backups: export what you need first." in shown
    assert "Type orders-prod to confirm" in shown


def test_protected_instance_is_not_deleted_until_the_protection_is_off(signed_in, cell):
    instance = make(cell)
    protect = reverse("cells:instance_protect", args=["acme", instance.pk])

    signed_in.post(protect, {"protected": "yes"})
    with assert_no_event():
        signed_in.post(page(Act.DELETE, instance), SENT[Act.DELETE])
        signed_in.post(protect, {"protected": "yes"})  # the same again
    assert "The instance is protected from deletion. Switch the protection off first." in signed_in.get(page(Act.DELETE, instance)).text

    signed_in.post(protect, {"protected": "no"})
    signed_in.post(page(Act.DELETE, instance), SENT[Act.DELETE])

    assert Instance.objects.get().state == InstanceState.DELETING
    actions = list(Event.objects.filter(subject_kind="instance").order_by("sequence").values_list("action", flat=True))
    assert actions == ["instance.protected", "instance.unprotected", "instance.deletion_started"]


@pytest.mark.parametrize("where", ["page", "live"])
def test_form_of_the_protection_is_taken_as_a_browser_sends_it(where, alice, cell):
    browser, instance = Client(enforce_csrf_checks=True), make(cell)
    browser.force_login(alice)
    there = instance.get_absolute_url() if where == "page" else reverse("cells:instance_live", args=["acme", instance.pk])
    acts = element(browser.get(there, {"acts": "other"}).text, "instance-acts")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', acts)

    sent = {"protected": "yes", "csrfmiddlewaretoken": token[1] if token else ""}
    answer = browser.post(reverse("cells:instance_protect", args=["acme", instance.pk]), sent)

    assert answer.status_code == HTTPStatus.FOUND
    assert Instance.objects.get().is_protected


@pytest.mark.parametrize(("state", "is_asked"), [("running", False), ("stopped", False), ("failed", True)])
def test_change_that_changes_nothing_is_asked_for_only_after_a_failure(state, is_asked, signed_in, cell):
    instance = make(cell, state)

    answer = signed_in.post(page(Act.MODIFY, instance), {"size": "small"}, follow=True)

    assert ("Nothing is different from how it runs now." in answer.text) != is_asked
    assert Operation.objects.exists() == is_asked


@pytest.mark.parametrize(
    ("others", "title", "said"),
    [
        (["1.1.0", "0.9.0"], "Upgrade shop", "You can go back to an earlier version in the same way."),
        (["0.9.0"], "Go back to an earlier version of shop", "No newer version is offered. You can go back to an earlier one."),
        ([], "Upgrade shop", "It runs version 1.0.0, and no other version is offered."),
    ],
)
def test_page_of_an_upgrade_says_which_versions_are_newer(others, title, said, signed_in, cell):
    instance = make_instance(cell=cell, name="shop")
    current = instance.revisions.get().release
    for version in others:
        days = timedelta(days=40 if version > current.version else -40)
        make_release(plan=instance.plan, version=version, published_at=current.published_at + days, notes="Splits orders.")

    shown = " ".join(signed_in.get(page(Act.UPGRADE, instance)).text.split())

    assert f"<h1>{title}</h1>" in shown
    assert said in shown
    assert [label.split(" · ")[0] for label in re.findall(r'<option value="[^"]+"[^>]*>([^<]+)<', shown)] == [
        version if version > current.version else f"{version}, an earlier version" for version in others
    ]
    assert ("Splits orders." in shown) == bool(others)


@pytest.mark.parametrize(
    ("days", "reason", "done", "asked"),
    [
        (1, "Upgraded", "Upgraded the instance shop", "Upgrade instance"),
        (
            -1,
            "Taken back to an earlier version",
            "Took the instance shop back to an earlier version",
            "Take instance back to an earlier version",
        ),
    ],
)
def test_another_version_is_called_what_it_is(days, reason, done, asked, signed_in, cell):
    instance = make_instance(cell=cell, name="shop", state=InstanceState.RUNNING)
    current = instance.revisions.get().release
    make_release(plan=instance.plan, version="other", published_at=current.published_at + timedelta(days=days))

    signed_in.post(page(Act.UPGRADE, instance), {"release": "other"})

    operation = Operation.objects.get()
    assert f"<title>Queued – {asked}" in signed_in.get(operation.get_absolute_url()).text
    assert done in signed_in.get(reverse("accounts:activity", args=["acme"])).text
    assert f">{reason}<br>" in signed_in.get(reverse("cells:instance_configuration", args=["acme", instance.pk])).text


# --- Cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [*CellState])
@pytest.mark.parametrize("name", ["cell_update", "cell_delete", "cell_agent_replace"])
def test_acts_on_cells_agree_with_what_their_page_says(name, state, signed_in, cell):
    type(cell).objects.filter(pk=cell.pk).update(
        state=state, failed_while="bootstrapping" if state == "failed" else "", failure_code="x" if state == "failed" else ""
    )
    there = reverse(f"cells:{name}", args=["acme", cell.pk])
    offered = f'href="{there}"' in signed_in.get(cell.get_absolute_url()).text
    has_button = '<button type="submit" class="button button-' in signed_in.get(there).text.partition("<main")[2]

    signed_in.post(there, {"name": cell.name})

    cell.refresh_from_db()
    assert offered == has_button == Operation.objects.exists() == (cell.state != state)


def test_cell_with_instances_is_not_deleted(signed_in, cell):
    make(cell)
    there = reverse("cells:cell_delete", args=["acme", cell.pk])

    with assert_no_event():
        signed_in.post(there, {"name": cell.name})
    assert "1 instance is in this cell. Delete it first." in signed_in.get(there).text
