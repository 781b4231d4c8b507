"""What the owner of a cell decides on its agent: replace it, switch it off and on; and what they are told when somebody else comes."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.mail import send_due_mails
from accounts.models import Kit
from accounts.states import KitState
from cells.actions.cells import request_agent_replacement, request_cell_update, switch_agent
from cells.actions.instances import create_instance
from cells.availability import why_not_replace_agent, why_not_switch_agent, why_not_update_cell
from cells.models import AgentKey, Cell, Enrolment
from cells.protocol import access
from cells.states import CellState, InstanceState
from cells.telemetry.state import newest_agent_is_heard
from cells.views import agent as views
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_plan
from tests.cells.living import drive, machines, newest, wish, workloads
from tests.cells.spoken import Speaker, a_report, speaker
from tests.factories import make_cloud_account, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    views.of_cells.clear()
    views.of_strangers.clear()
    access.denied.forget()
    yield
    access.denied.forget()


@pytest.fixture
def cell(acme):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    return make_cell(account=make_cloud_account(organisation=acme, state="connected"), name="orders cell")


def refused(answer):
    return answer.status_code, answer.json()["code"]


# --- A second agent ----------------------------------------------------------------------------------------------------


def test_second_agent_is_told_of_once(cell, mailoutbox):
    speaker(cell)

    for _ in range(3):
        assert refused(Speaker(cell).enrol()) == (409, "enrolment_used")

    send_due_mails()
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["night@acme.example"], "A second agent tried to speak for the deployment cell orders cell")
    ]
    assert reverse("cells:cell_detail", args=["acme", cell.pk]) in mailoutbox[0].body
    assert list(Event.objects.order_by("sequence").values_list("action", flat=True)) == ["cell.agent_enrolled", "cell.agent_contested"]


def test_agent_that_asks_again_is_no_second_one(cell, mailoutbox):
    agent = speaker(cell)

    assert agent.enrol().status_code == 201

    send_due_mails()
    assert (mailoutbox, Enrolment.objects.get().contested_at) == ([], None)


# --- Replacing ---------------------------------------------------------------------------------------------------------


def test_replaced_agent_has_no_access_from_that_moment_on(cell, alice, django_capture_on_commit_callbacks):
    agent = speaker(cell)
    assert agent.report(a_report(1)).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        request_agent_replacement(cell, by=alice)

    assert refused(agent.report(a_report(2))) == (403, "agent_revoked")
    assert refused(agent.fetch_token()) == (403, "agent_revoked")
    assert refused(Speaker(cell).enrol()) == (401, "enrolment_invalid")
    cell.refresh_from_db()
    assert (cell.state, cell.generation, Operation.objects.get().kind) == (CellState.UPDATING, 2, "replace_agent")
    assert not newest_agent_is_heard(cell.pk)
    after = Speaker(cell)
    assert (after.enrol().json()["first_seq"], after.fetch_token().status_code) == (2, 200)
    assert not newest_agent_is_heard(cell.pk)
    assert after.report(a_report(2)).status_code == 200
    assert newest_agent_is_heard(cell.pk)


def test_agent_that_was_switched_off_is_replaced_by_one_that_is_on(cell, alice):
    Cell.objects.update(is_agent_disabled=True)

    request_agent_replacement(cell, by=alice)

    assert not Cell.objects.get().is_agent_disabled


@pytest.mark.parametrize("state", [state for state in CellState if state != CellState.READY])
def test_agent_of_a_cell_at_work_is_not_replaced(state, cell, alice):
    failed = {"failed_while": "updating", "failure_code": "x"} if state == CellState.FAILED else {}
    Cell.objects.update(state=state, **failed)

    with pytest.raises(NotAllowed):
        request_agent_replacement(cell, by=alice)

    assert (Cell.objects.get().generation, Operation.objects.exists()) == (1, False)


def test_agent_of_an_earlier_kit_is_not_replaced(cell):
    cell.kit = Kit(state=KitState.OUTDATED)

    assert "earlier kit" in why_not_replace_agent(cell)


# --- Switching ---------------------------------------------------------------------------------------------------------


def test_switched_off_agent_is_refused_until_it_is_switched_on(cell, alice, django_capture_on_commit_callbacks):
    agent = speaker(cell)

    with django_capture_on_commit_callbacks(execute=True):
        switch_agent(cell, is_on=False, by=alice)
    assert refused(agent.report(a_report(1))) == (403, "agent_revoked")
    assert refused(agent.fetch_token()) == (403, "agent_disabled")
    with django_capture_on_commit_callbacks(execute=True):
        switch_agent(cell, is_on=True, by=alice)

    assert agent.report(a_report(1)).status_code == 200
    assert AgentKey.objects.valid().count() == 1
    actions = Event.objects.filter(actor_id=str(alice.pk)).order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["cell.agent_disabled", "cell.agent_enabled"]


@pytest.mark.parametrize("is_disabled", [True, False])
def test_agent_is_switched_to_where_it_is_not(is_disabled, cell, alice):
    Cell.objects.update(is_agent_disabled=is_disabled)

    with pytest.raises(NotAllowed):
        switch_agent(cell, is_on=not is_disabled, by=alice)

    assert Event.objects.count() == 0


@pytest.mark.parametrize("state", CellState)
def test_agent_that_nobody_listens_to_is_not_switched(state, cell):
    cell.state = state

    is_allowed = why_not_switch_agent(cell, is_on=False) == ""

    assert is_allowed == (state in {CellState.BOOTSTRAPPING, CellState.READY, CellState.UPDATING, CellState.FAILED})


def test_cell_whose_agent_is_switched_off_is_not_updated(cell):
    cell.is_agent_disabled = True

    assert "switched off" in why_not_update_cell(cell)


def test_page_of_the_cell_offers_the_one_switch_that_there_is(client, alice, cell):
    client.force_login(alice)
    off, on = (reverse(f"cells:cell_agent_{name}", args=["acme", cell.pk]) for name in ("off", "on"))
    assert (off in (shown := client.get(cell.get_absolute_url()).text), on in shown) == (True, False)

    answer = client.post(off, follow=True)

    assert answer.redirect_chain == [(cell.get_absolute_url(), 302)]
    assert "The agent is switched off." in answer.text
    assert "Disabled by you" in answer.text
    assert (off in answer.text, on in answer.text) == (False, True)
    assert "The agent is switched off." in client.get(off).text


# --- A cell that lives -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_machine_is_built_anew_for_another_agent_and_the_old_ones_word_is_not_taken(stand, alice, acme, sandbox, settings):
    standing = stand("azure")
    instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
    drive(lambda: not Operation.objects.live().exists())
    cell = Cell.objects.get()
    assert (cell.state, cell.generation, type(instance).objects.get().state) == (CellState.READY, 1, InstanceState.RUNNING)

    request_agent_replacement(cell, by=alice)
    drive(lambda: not Operation.objects.live().exists())
    cell.refresh_from_db()
    assert (newest("replace_agent").state, cell.state, cell.generation) == ("succeeded", CellState.READY, 2)
    assert list(AgentKey.objects.valid().values_list("generation", flat=True)) == [2]

    settings.AGENT_CHARTS = ["oci://registry.fernhill.example/"]  # another start of the machine, as another agent's package is
    request_cell_update(cell, by=alice)
    drive(lambda: not Operation.objects.live().exists())
    cell.refresh_from_db()
    assert (newest("update_cell").state, cell.state, cell.generation) == ("succeeded", CellState.READY, 3)
    assert list(AgentKey.objects.valid().values_list("generation", flat=True)) == [3]
    assert [(host["cell"], host["is_stopped"]) for host in machines(sandbox)] == [(str(cell.pk), False)]
    drive(lambda: workloads(sandbox) == [str(instance.pk)])  # the new machine's agent has begun it again
