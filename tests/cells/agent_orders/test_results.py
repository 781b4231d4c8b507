"""What an agent tells of an order: kept once, as described, and dropped after the end of access."""

import uuid

import jsonschema
import pytest

from accounts.support.actions.endings import revoke
from cells.actions.instances import modify_instance
from cells.models import AgentOrder, Instance
from cells.protocol.order_documents import MOST_TEXT
from cells.protocol.parsing import MOST_BYTES
from portal.audit.models import Event
from tests.cells.agent_orders.talk import let_time_run_out, refused, take, tell
from tests.cells.factories import make_release
from tests.cells.orders import actions_about, ask, make_grant, make_ready_cell, make_second_revision, result
from tests.cells.spoken import speaker
from tests.support.factories import make_approver

pytestmark = pytest.mark.django_db


def test_result_is_kept_once_and_answered_alike_again(agent, instance):
    grant = make_grant(instance, profile="logs")
    act = ask(grant, "tail_log")
    (order,) = take(agent)

    answers = [tell(agent, order, text="a line\ntoken=abcdefgh", redactions={"named_secret": 2}).json() for _ in range(3)]

    assert answers == [{"outcome": "kept"}] * 3
    act.refresh_from_db()
    assert (act.state, act.output) == ("done", "a line\ntoken=[removed]")
    assert act.redactions == {"named_secret": 2, "secrets": 1}
    assert actions_about(grant).count("support.act_done") == 1


def test_change_is_written_once_with_its_grant(agent, instance):
    grant = make_grant(instance, profile="operate")
    act = ask(grant, "restart")
    (order,) = take(agent)

    for _ in range(2):
        assert tell(agent, order).json() == {"outcome": "kept"}

    assert [(one.number, one.reason, one.by_id, one.grant) for one in instance.revisions.all()[:1]] == [
        (2, "restarted", grant.engineer_id, grant)
    ]
    (event,) = Event.objects.filter(action="instance.restarted")
    assert event.details == {"revision": 2, "case": grant.case, "act_id": str(act.pk)}
    assert agent.desired().json()["instances"][0] == order["wanted"]


def test_failed_change_changes_nothing(agent, instance):
    act = ask(make_grant(instance, profile="operate"), "restart")
    (order,) = take(agent)

    assert tell(agent, order, outcome="failed", code="cluster_slow").json() == {"outcome": "dropped"}

    act.refresh_from_db()
    assert (act.state, act.code, instance.revisions.count()) == ("failed", "cluster_slow", 1)


@pytest.mark.parametrize("end", ["revoked", "over"])
def test_result_after_the_end_of_access_is_dropped(end, agent, instance):
    grant = make_grant(instance, profile="operate")
    act = ask(grant, "restart")
    (order,) = take(agent)
    if end == "revoked":
        revoke(grant, by=make_approver(instance.organisation), reason="")
    else:
        let_time_run_out(grant)

    assert tell(agent, order, text="what was read").json() == {"outcome": "dropped"}

    act.refresh_from_db()
    assert (act.state, act.output, instance.revisions.count()) == ("cut_short", "", 1)


def test_customers_own_change_meanwhile_wins_and_has_a_number_of_its_own(agent, instance, alice):
    large = instance.plan.sizes.create(code="large", name="Large", cpu=1000, memory=1024, cost_from=80, cost_to=90)
    act = ask(make_grant(instance, profile="operate"), "restart")
    (order,) = take(agent)

    modify_instance(instance, size=large, parameters={}, by=alice)

    assert tell(agent, order).json() == {"outcome": "dropped"}
    act.refresh_from_db()
    assert (act.state, act.code) == ("failed", "changed_meanwhile")
    assert [one.number for one in instance.revisions.all()] == [3, 1]
    assert agent.desired().json()["instances"][0]["revision"] == 3


def test_roll_back_mends_an_instance_whose_upgrade_failed(agent, instance):
    first = instance.revisions.get().release
    make_second_revision(instance, release=make_release(plan=instance.plan, version="2.0.0"))
    Instance.objects.filter(pk=instance.pk).update(state="failed", failed_while="updating", failure_code="deploy_failed")
    ask(make_grant(instance, profile="repair"), "rollback")
    (order,) = take(agent)
    assert order["wanted"]["release"]["chart_version"] == first.chart_version

    assert tell(agent, order).json() == {"outcome": "kept"}

    instance.refresh_from_db()
    assert (instance.state, instance.revision, instance.revisions.first().release) == ("running", 3, first)


@pytest.mark.parametrize("who", ["unknown", "another cell's", "not handed out"])
def test_result_of_an_order_that_this_agent_was_not_given_is_refused(who, agent, instance, acme):
    act = ask(make_grant(instance, profile="diagnose"), "rollout_status")
    if who == "not handed out":
        refused(tell(agent, act.agent_order), 404, "order_unknown")
        return
    (order,) = take(agent)
    if who == "unknown":
        refused(tell(agent, {"id": str(uuid.uuid4())}), 404, "order_unknown")
    else:
        other = speaker(make_ready_cell(acme, region="eu-north-1"))
        refused(tell(other, order), 404, "order_unknown")
        refused(other.post("order_results", result(order, instance.cell)), 403, "wrong_cell")
    act.refresh_from_db()
    assert act.state == "running"


BAD = {
    "unknown field": ({"shell": "id"}, 400, "unknown_field"),
    "unknown outcome": ({"outcome": "maybe"}, 400, "malformed"),
    "text too long": ({"text": "x" * (MOST_TEXT + 1)}, 400, "malformed"),
    "body too large": ({"text": "x" * MOST_BYTES}, 413, "too_large"),
    "control character": ({"text": "\x1b[2Jgone"}, 400, "malformed"),
    "code of many words": ({"outcome": "failed", "code": "Ann's order"}, 400, "malformed"),
    "rule of many words": ({"redactions": {"a b": 1}}, 400, "malformed"),
    "negative count": ({"redactions": {"a": -1}}, 400, "malformed"),
    "too many rules": ({"redactions": {f"rule_{number}": 1 for number in range(41)}}, 400, "malformed"),
    "unknown part": ({"parts": [{"name": "secrets", "text": "", "is_cut": False, "redactions": {}, "code": ""}]}, 400, "malformed"),
    "part with more": (
        {"parts": [{"name": "log", "text": "", "is_cut": False, "redactions": {}, "code": "", "x": 1}]},
        400,
        "unknown_field",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_result_that_is_not_as_described_is_refused_and_changes_nothing(bad, agent, instance):
    values, status, code = BAD[bad]
    act = ask(make_grant(instance, profile="diagnose"), "rollout_status")
    (order,) = take(agent)

    refused(tell(agent, order, **values), status, code)

    act.refresh_from_db()
    assert act.state == "running"


def test_what_is_handed_out_and_told_is_as_described(agent, instance, client):
    described = client.get("/agent/v1/openapi.json").json()

    def check(name, document):
        schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        jsonschema.Draft202012Validator(schema).validate(document)

    ask(make_grant(instance, profile="operate"), "restart")
    answer = agent.post("orders", {"cell": str(agent.cell.pk)}).json()
    check("Orders", answer)
    check("OrderResult", result(answer["orders"][0], agent.cell, text="fine"))
    check("OrderAnswer", tell(agent, answer["orders"][0]).json())
    named = set(described["components"]["schemas"]["Order"]["properties"]["name"]["enum"])
    assert named == set(AgentOrder.Name.values)
