"""How an agent's access tokens are given, read and ended."""

import time
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from cells.agent.keys import Key
from cells.models import Cell, CellStatus, SeenAssertion
from cells.protocol import access
from cells.protocol.enrolment import enrolment_token, revoke_agent
from cells.protocol.problems import Problem
from cells.states import CellState
from tests.cells.factories import make_cell
from tests.cells.protocol.answers import refused
from tests.cells.spoken import Speaker, a_report, decoded, speaker

pytestmark = pytest.mark.django_db


def test_token_is_short_and_checked_without_a_query(cell, django_assert_num_queries):
    agent = Speaker(cell)
    agent.enrol()
    answer = agent.fetch_token()
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    access.verify(agent.token, time.time())

    with django_assert_num_queries(0):
        grant = access.verify(agent.token, time.time())

    assert (grant.cell, str(grant.key)) == (cell.pk, agent.key.id)


def test_assertion_is_accepted_once(cell):
    agent = speaker(cell)
    assertion = agent.assertion()
    assert agent.fetch_token(assertion).status_code == 200

    problem = refused(agent.fetch_token(assertion), 401, "replay")

    assert problem["error"] == "invalid_client"


def test_seen_assertions_are_forgotten_when_they_are_too_old_anyway(cell):
    agent = speaker(cell)
    SeenAssertion.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    agent.fetch_token()

    assert SeenAssertion.objects.count() == 1


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_wrong_clock_is_told_the_right_time(cell, seconds):
    agent = speaker(cell)
    there = int(time.time()) + seconds

    problem = refused(agent.fetch_token(agent.assertion(iat=there, exp=there + 60)), 401, "clock_skew")

    assert abs(problem["server_time"] - time.time()) < 5


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example/agent/v1/token"},
        {"aud": None},
        {"iss": "somebody"},
        {"sub": str(uuid.uuid4())},
        {"jti": None},
        {"jti": "x"},
        {"exp": None},
        {"iat": "now"},
        {"exp": int(time.time()) + 86400},
    ],
    ids=["aud", "no-aud", "iss", "sub", "no-jti", "jti", "no-exp", "iat", "exp"],
)
def test_assertion_that_says_something_else_is_refused(cell, claims):
    agent = speaker(cell)

    refused(agent.fetch_token(agent.assertion(**claims)), 401, "assertion_invalid")


def test_assertion_of_another_key_is_refused(cell):
    agent, thief = speaker(cell), Key.make()
    thief.id = agent.key.id

    refused(agent.fetch_token(thief.sign(agent.claims("token"))), 401, "assertion_invalid")
    thief.id = str(uuid.uuid4())
    refused(agent.fetch_token(thief.sign(agent.claims("token"))), 401, "assertion_invalid")
    refused(agent.fetch_token("no.jwt.atall"), 401, "assertion_invalid")


def test_unsigned_assertion_is_refused(cell):
    agent = speaker(cell)
    body = agent.assertion().split(".")[1]
    header = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}

    refused(agent.fetch_token(f"{header}.{body}."), 401, "assertion_invalid")


def test_token_form_takes_nothing_else(cell):
    agent = speaker(cell)

    refused(agent.fetch_token(grant_type="password"), 400, "malformed")
    refused(agent.fetch_token(scope="everything"), 400, "unknown_field")


def test_access_token_ends(cell):
    agent = speaker(cell)

    with time_machine.travel(time.time() + 601, tick=False):
        refused(agent.report(a_report()), 401, "token_expired")


def test_access_token_cannot_be_altered(cell):
    agent = speaker(cell)
    other = make_cell(region="us-east-1")
    agent.token = agent.token.replace(agent.token[4:12], "AAAAAAAA")

    answer = agent.report(a_report(), cell=other.pk)

    refused(answer, 401, "token_invalid")
    assert answer["WWW-Authenticate"] == "Bearer"
    agent.token = ""
    refused(agent.report(a_report()), 401, "token_missing")
    assert len(decoded(speaker(other).token)) == 69


def test_enrolment_token_opens_nothing_else(cell):
    agent = speaker(cell)
    agent.token = enrolment_token(cell)

    refused(agent.desired(), 401, "token_invalid")


def test_thrown_out_agent_is_refused_at_once(cell, django_capture_on_commit_callbacks):
    agent = speaker(cell)
    assert agent.report(a_report(1)).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        revoke_agent(cell)

    refused(agent.report(a_report(2)), 403, "agent_revoked")
    refused(agent.desired(), 403, "agent_revoked")
    refused(agent.fetch_token(), 403, "agent_revoked")
    assert CellStatus.objects.get().seq == 1


def test_disabled_agent_is_refused_until_it_is_enabled(cell):
    agent = speaker(cell)
    Cell.objects.update(is_agent_disabled=True)
    access.denied.forget()

    refused(agent.report(a_report()), 403, "agent_revoked")
    refused(agent.fetch_token(), 403, "agent_disabled")

    Cell.objects.update(is_agent_disabled=False)
    access.denied.forget()
    assert agent.report(a_report()).status_code == 200


def test_agent_of_a_deleted_cell_is_refused(cell):
    agent = speaker(cell)
    Cell.objects.update(state=CellState.DELETED, state_at=timezone.now())
    access.denied.forget()

    refused(agent.report(a_report()), 403, "agent_revoked")


def test_one_text_only_is_a_token(cell):
    """Base64 reads over what is none of its letters: each variant would be kept as another token, before any limit counts it."""
    agent = speaker(cell)
    variants = [f"{agent.token[:9]}{filler}{agent.token[9:]}" for filler in ("!", "!!!", "\n", "=" * 6000)] + [
        f"{agent.token}=",
        f"{agent.token}!",
    ]

    for variant in variants:
        with pytest.raises(Problem) as refused:
            access.verify(variant, time.time())
        assert refused.value.code == "token_invalid"
