"""Access tokens: checked once by their signature, and at each use by their end and by who was thrown out."""

import time
from uuid import uuid4

import pytest
from django.utils import timezone

from cells.protocol.access import LIFETIME_S, CheckedTokens, Grant, denied, issue, verify
from cells.protocol.problems import Problem
from tests.cells.ingest_process import keyed_cell

pytestmark = pytest.mark.django_db
NOW = time.time()


@pytest.fixture(autouse=True)
def fresh():
    denied.forget()
    yield
    denied.forget()


def refusal(token, now):
    with pytest.raises(Problem) as refused:
        verify(token, now)
    return refused.value.code


def test_token_that_was_checked_ends_all_the_same():
    grant = Grant(uuid4(), uuid4())
    token = issue(grant, NOW)

    assert (verify(token, NOW), verify(token, NOW + LIFETIME_S - 1)) == (grant, grant)
    assert refusal(token, NOW + LIFETIME_S) == "token_expired"


def test_token_that_was_checked_is_refused_once_its_agent_is_thrown_out():
    cell, key = keyed_cell()
    token = issue(Grant(cell.pk, key.pk), NOW)
    verify(token, NOW)

    cell.agent_keys.update(revoked_at=timezone.now())
    denied.forget()

    assert refusal(token, NOW) == "agent_revoked"


def test_beside_a_checked_token_none_that_looks_like_it_is_taken():
    token = issue(Grant(uuid4(), uuid4()), NOW)
    verify(token, NOW)

    for number in (0, 20, len(token) // 2, len(token) - 2):
        other = token[:number] + ("A" if token[number] != "A" else "B") + token[number + 1 :]
        assert refusal(other, NOW) == "token_invalid"
        assert refusal(other, NOW) == "token_invalid"


def test_checked_tokens_are_forgotten_when_their_time_is_over_or_when_they_are_many():
    known = CheckedTokens(4)
    grant = Grant(uuid4(), uuid4())
    for number in range(100):
        known.add(f"t{number}", (grant, 1), NOW)
        assert len(known) <= 4
    assert known.find("t99") == (grant, 1)
    assert known.find("t1") is None

    few = CheckedTokens(1000)
    for number in range(10):
        few.add(f"t{number}", (grant, 1), NOW + number * LIFETIME_S)
    assert (len(few), few.find("t9"), few.find("t7")) == (2, (grant, 1), None)
