"""How an agent changes its key, and what it cannot do with one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.agent.keys import Key
from cells.models import AgentKey
from portal.audit.models import Event
from tests.cells.protocol.answers import refused
from tests.cells.spoken import speaker

pytestmark = pytest.mark.django_db


def test_next_key_replaces_the_one_before_when_it_is_first_used(cell):
    agent = speaker(cell)
    before, after = agent.key, Key.make()

    answer = agent.add_key(after)
    after.id = answer.json()["key_id"]

    assert answer.status_code == 201
    assert agent.fetch_token().status_code == 200  # the old one, until the new one is in use
    agent.key = after
    assert agent.fetch_token().status_code == 200
    agent.key = before
    refused(agent.fetch_token(), 403, "agent_revoked")
    assert sorted(Event.objects.values_list("action", flat=True)) == ["cell.agent_enrolled", "cell.agent_key_added"]


def test_same_next_key_is_registered_once(cell):
    agent, after = speaker(cell), Key.make()

    first, again = agent.add_key(after), agent.add_key(after)

    assert first.json() == again.json()
    assert (AgentKey.objects.count(), Event.objects.count()) == (2, 2)


def test_key_that_the_agent_does_not_hold_is_refused(cell):
    agent, strange = speaker(cell), Key.make()

    approval = agent.key.sign(agent.claims("keys", jti=strange.thumbprint()))

    proof = agent.key.sign(agent.claims("keys"))
    answer = agent.post("key", {"public_jwk": strange.public_jwk(), "proof": proof, "approval": approval})

    refused(answer, 401, "assertion_invalid")


@pytest.mark.parametrize("signed_by", ["thief", "agent for another key", "agent for another address"])
def test_access_token_alone_registers_no_key(cell, signed_by):
    agent, strange = speaker(cell), Key.make()
    words = {
        "thief": lambda: strange.sign(agent.claims("keys", jti=strange.thumbprint())),
        "agent for another key": lambda: agent.key.sign(agent.claims("keys", jti=Key.make().thumbprint())),
        "agent for another address": lambda: agent.key.sign(agent.claims("token", jti=strange.thumbprint())),
    }
    proof = strange.sign(agent.claims("keys"))

    answer = agent.post("key", {"public_jwk": strange.public_jwk(), "proof": proof, "approval": words[signed_by]()})

    refused(answer, 401, "assertion_invalid")
    assert AgentKey.objects.count() == 1


def test_agent_cannot_change_its_key_all_day(cell):
    agent = speaker(cell)
    for _ in range(19):
        after = Key.make()
        after.id = agent.add_key(after).json()["key_id"]
        agent.key = after
        assert agent.fetch_token().status_code == 200

    refused(agent.add_key(Key.make()), 409, "too_many_keys")
    AgentKey.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert agent.add_key(Key.make()).status_code == 201


def test_keys_that_were_replaced_do_not_come_back(cell):
    agent = speaker(cell)
    before, after = agent.key, Key.make()
    after.id = agent.add_key(after).json()["key_id"]
    agent.key = after
    agent.fetch_token()

    refused(agent.add_key(before), 403, "agent_revoked")


def test_agent_cannot_pile_up_keys(cell):
    agent = speaker(cell)
    for _ in range(4):
        assert agent.add_key(Key.make()).status_code == 201

    refused(agent.add_key(Key.make()), 409, "too_many_keys")
