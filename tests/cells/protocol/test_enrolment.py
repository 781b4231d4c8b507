"""How an agent enrols: spoken by hand, to the letter and against it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.agent.keys import Key
from cells.models import AgentKey, Cell, Enrolment
from cells.protocol.enrolment import enrolment_token
from cells.states import CellState
from portal.audit.models import Event
from tests.cells.factories import make_cell, make_enrolment
from tests.cells.protocol.answers import refused
from tests.cells.spoken import Speaker, a_report, speaker

pytestmark = pytest.mark.django_db


def test_enrolment_registers_the_agents_own_key(cell):
    agent = Speaker(cell)

    answer = agent.enrol()

    row = AgentKey.objects.get()
    assert (answer.status_code, answer.json()) == (201, {"key_id": str(row.pk), "first_seq": 1})
    assert (row.cell, row.generation, row.public_jwk) == (cell, 1, agent.key.public_jwk())
    assert Enrolment.objects.get().used_by == row
    event = Event.objects.get()
    assert (event.action, event.organisation_id, event.details["agent_version"]) == ("cell.agent_enrolled", cell.organisation_id, "1.0.0")


def test_enrolment_token_is_the_same_for_a_generation_and_another_for_the_next(cell):
    first = enrolment_token(cell)
    assert enrolment_token(cell) == first

    cell.generation = 2
    assert enrolment_token(cell) != first


def test_enrolment_token_that_is_only_read_opens_nothing(cell):
    """Comparing a cell with what would be ordered makes its order, and with it the token."""
    token = enrolment_token(cell)
    agent = Speaker(cell)
    asked = {"token": token, "cell": str(cell.pk), "public_jwk": agent.key.public_jwk(), "agent_version": "1.0.0"}

    refused(agent.post("enrolment", {**asked, "proof": agent.key.sign(agent.claims("enrolments"))}), 401, "enrolment_invalid")
    assert not Enrolment.objects.exists()


def test_same_key_is_enrolled_again_alike(cell):
    """Its answer may have been lost, or the agent killed before it wrote it down."""
    agent = Speaker(cell)
    first = agent.enrol()

    again = agent.enrol()

    assert (again.status_code, again.json()) == (201, first.json())
    assert (AgentKey.objects.count(), Event.objects.count()) == (1, 1)


def test_second_agent_with_the_same_token_is_refused(cell):
    Speaker(cell).enrol()

    refused(Speaker(cell).enrol(), 409, "enrolment_used")

    assert AgentKey.objects.count() == 1


def test_enrolment_counts_reports_on_from_the_agent_before(cell):
    speaker(cell).report(a_report(41))
    Cell.objects.filter(pk=cell.pk).update(generation=2)
    cell.refresh_from_db()

    assert Speaker(cell).enrol().json()["first_seq"] == 42


def test_enrolment_of_the_next_generation_ends_the_agent_before(cell):
    old = speaker(cell)
    Cell.objects.filter(pk=cell.pk).update(generation=2)
    cell.refresh_from_db()

    speaker(cell)

    refused(old.report(a_report()), 403, "agent_revoked")
    refused(old.fetch_token(), 403, "agent_revoked")


def test_enrolment_refuses_what_it_should(cell):
    other = make_cell(region="us-east-1")
    refused(Speaker(cell).enrol(token="made-up"), 401, "enrolment_invalid")
    refused(Speaker(cell).enrol(token=enrolment_token(other)), 403, "wrong_cell")
    refused(Speaker(cell).enrol(proof=Key.make().sign(Speaker(cell).claims("enrolments"))), 401, "assertion_invalid")
    refused(Speaker(cell).enrol(public_jwk={"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}), 400, "malformed")
    assert AgentKey.objects.count() == 0


def test_enrolment_of_an_earlier_generation_is_over(cell):
    token = make_enrolment(cell)
    Cell.objects.filter(pk=cell.pk).update(generation=2)

    refused(Speaker(cell).enrol(token=token), 401, "enrolment_invalid")


def test_enrolment_expires_and_the_next_order_makes_it_valid_again(cell):
    token = make_enrolment(cell)
    Enrolment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    agent = Speaker(cell)
    asked = {"token": token, "cell": str(cell.pk), "public_jwk": agent.key.public_jwk(), "agent_version": "1.0.0"}

    refused(agent.post("enrolment", {**asked, "proof": agent.key.sign(agent.claims("enrolments"))}), 403, "enrolment_expired")

    assert make_enrolment(cell) == token
    assert agent.enrol().status_code == 201


def test_private_key_has_no_place_in_an_enrolment(cell):
    agent = Speaker(cell)

    problem = refused(agent.enrol(public_jwk={**agent.key.public_jwk(), "d": "A" * 43}), 400, "unknown_field")

    assert problem["field"] == "$.public_jwk.d"


@pytest.mark.parametrize("state", [CellState.PLANNED, CellState.DELETED])
def test_cell_that_is_not_there_enrols_nobody(state):
    refused(Speaker(make_cell(state=state)).enrol(), 403, "agent_revoked")
