"""How an agent is given its orders: once, bounded, and only while access lasts."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.support.actions.endings import revoke
from accounts.support.models import AccessRequest
from cells.models import AgentOrder, Cell
from cells.protocol.enrolment import revoke_agent
from cells.protocol.parsing import MOST_BYTES
from cells.support.results import tend_orders
from tests.cells.agent_orders.talk import let_time_run_out, refused, take
from tests.cells.orders import ask, make_grant, make_ready_cell
from tests.cells.spoken import speaker
from tests.support.factories import make_approver

pytestmark = pytest.mark.django_db


def test_order_is_typed_and_ends_with_its_grant(agent, instance):
    grant = make_grant(instance, profile="logs")
    soon = timezone.now() + timedelta(seconds=25)
    AccessRequest.objects.filter(pk=grant.pk).update(granted_until=soon)
    grant.refresh_from_db()
    act = ask(grant, "tail_log", lines="50")

    (order,) = take(agent)

    assert order == {
        "id": str(act.agent_order.pk), "name": "tail_log", "grant": str(grant.pk), "not_after": soon.timestamp(),
        "instance": str(instance.pk), "lines": 50, "wanted": None,
    }  # fmt: skip
    act.refresh_from_db()
    assert act.state == "running"
    assert act.started_at is not None


def test_order_that_was_lost_on_its_way_is_given_again_the_same(agent, instance):
    ask(make_grant(instance, profile="operate"), "restart")

    first, again = take(agent), take(agent)

    assert first == again
    assert (first[0]["wanted"]["revision"], first[0]["wanted"]["restarts"]) == (2, 1)


def test_stranger_is_given_nothing(agent, instance, acme):
    ask(make_grant(instance, profile="diagnose"), "rollout_status")
    other = speaker(make_ready_cell(acme, region="eu-north-1"))

    assert take(other) == []
    refused(other.post("orders", {"cell": str(instance.cell_id)}), 403, "wrong_cell")
    refused(agent.client.post(reverse("cells:agent_orders"), "{}", content_type="application/json"), 401, "token_missing")


@pytest.mark.parametrize("end", ["revoked", "over", "engineer gone"])
def test_nothing_is_handed_out_once_the_gate_is_closed(end, agent, instance):
    """Although the grant's row may still say that it is active: the gate is asked at the very moment."""
    grant = make_grant(instance, profile="operate")
    act = ask(grant, "restart")
    if end == "revoked":
        revoke(grant, by=make_approver(instance.organisation), reason="")
    elif end == "over":
        let_time_run_out(grant)
    else:
        User.objects.filter(pk=grant.engineer_id).update(is_support_engineer=False)

    assert take(agent) == []

    tend_orders()
    act.refresh_from_db()
    assert (act.state, act.output) == ({"revoked": "cut_short", "over": "cut_short", "engineer gone": "refused"}[end], "")
    assert not AgentOrder.objects.standing().exists()
    assert instance.revisions.count() == 1


def test_order_begun_by_one_agent_is_never_given_to_the_next(agent, instance, cell):
    act = ask(make_grant(instance, profile="operate"), "restart")
    assert take(agent)
    Cell.objects.filter(pk=cell.pk).update(generation=2)
    cell.refresh_from_db()

    assert take(speaker(cell)) == []

    act.refresh_from_db()
    assert (act.state, act.code) == ("failed", "agent_replaced")


def test_order_that_nobody_fetches_or_answers_ends(agent, instance):
    offline, silent = (ask(make_grant(instance, profile="diagnose"), name) for name in ("rollout_status", "list_instance_events"))
    past = timezone.now() - timedelta(seconds=25)
    AgentOrder.objects.filter(act=offline).update(take_by=past)
    assert [order["name"] for order in take(agent)] == ["list_instance_events"]
    assert tend_orders() == 1
    AgentOrder.objects.filter(act=silent).update(not_after=past)

    assert (tend_orders(), tend_orders()) == (1, 0)

    for act, code in ((offline, "agent_offline"), (silent, "agent_silent")):
        act.refresh_from_db()
        assert (act.state, act.code) == ("failed", code)


def test_agent_that_was_thrown_out_is_given_nothing_within_its_token(agent, instance, cell):
    ask(make_grant(instance, profile="diagnose"), "rollout_status")
    revoke_agent(cell)

    refused(agent.post("orders", {"cell": str(cell.pk)}), 403, "agent_revoked")


def test_size_of_an_answer_is_bounded_for_a_cell_of_many(agent, instance):
    grant = make_grant(instance.cell, profile="diagnose")
    for _ in range(12):
        ask(grant, "rollout_status", instance="orders")

    assert len(take(agent)) == 10
    assert len(json.dumps(take(agent))) < MOST_BYTES
