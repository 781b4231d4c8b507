"""Orders by hand: what an agent is given, when, and what is taken from it; every document to the letter or against it."""

import json
import subprocess
import sys
import threading
import uuid
from datetime import timedelta

import jsonschema
import pytest
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.support.actions.endings import revoke
from accounts.support.brokering import broker
from accounts.support.models import AccessRequest, Act
from accounts.support.rules.acts import BadArgument
from cells.actions.instances import modify_instance, restart_instance
from cells.models import AgentOrder, Cell, CellStatus, Instance
from cells.protocol.enrolment import revoke_agent
from cells.protocol.order_documents import MOST_TEXT
from cells.protocol.parsing import MOST_BYTES
from cells.support.results import tend_orders
from cells.views import agent as views
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.cells.factories import make_instance, make_plan, make_release
from tests.cells.orders import actions_about, ask, make_grant, make_ready_cell, make_second_revision, result
from tests.cells.spoken import a_report, speaker
from tests.kill import ROOT, environment
from tests.support.factories import make_approver

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_limits():
    views.of_cells.clear()


@pytest.fixture
def cell(acme):
    return make_ready_cell(acme)


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, name="orders")


@pytest.fixture
def agent(cell):
    return speaker(cell)


def take(agent, cell=None):
    answer = agent.post("orders", {"cell": str((cell or agent.cell).pk)})
    assert answer.status_code == 200, answer.json()
    return answer.json()["orders"]


def tell(agent, order, **values):
    return agent.post("order_results", result(order, agent.cell, **values))


def let_time_run_out(grant):
    now = timezone.now()
    AccessRequest.objects.filter(pk=grant.pk).update(granted_from=now - timedelta(hours=1), granted_until=now - timedelta(seconds=1))


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_what_can_be_asked_grows_with_the_profile(instance):
    by_profile = {}
    for profile in ("diagnose", "logs", "operate", "repair"):
        grant = make_grant(instance, profile=profile)
        by_profile[profile] = {kind.name for kind in broker.offered(grant) if kind.via == "agent"}

    diagnose = {"rollout_status", "list_instance_events"}
    assert by_profile["diagnose"] == diagnose
    assert by_profile["logs"] == diagnose | {"tail_log"}
    assert by_profile["operate"] == diagnose | {"tail_log", "restart", "scale"}
    assert by_profile["repair"] == diagnose | {"tail_log", "restart", "scale", "rollback", "resync"}


def test_grant_on_a_cell_names_the_instance_and_no_stranger(cell, instance):
    other = make_instance(cell=make_ready_cell(cell.organisation, region="eu-north-1"), name="elsewhere")
    grant = make_grant(cell, profile="operate")

    order = ask(grant, "restart", instance="orders").agent_order
    assert (order.instance, order.cell) == (instance, cell)
    with pytest.raises(BadArgument):
        ask(grant, "restart", instance=other.name)
    with pytest.raises(BadArgument):
        ask(grant, "restart")


def test_act_that_the_approved_text_does_not_name_is_refused(instance):
    """A grant of before there was such an act."""
    grant = make_grant(instance, profile="operate")
    AccessRequest.objects.filter(pk=grant.pk).update(document=grant.document.replace('"restart",', ""))
    grant.refresh_from_db()

    assert "restart" not in {kind.name for kind in broker.offered(grant)}


@pytest.mark.parametrize("why", ["state", "switched off", "too old", "same size", "nothing before", "two at once", "other plan"])
def test_change_that_cannot_be_is_refused_when_it_is_asked(why, instance, cell):
    grant = make_grant(instance, profile="repair")
    act, arguments = "restart", {}
    if why == "state":
        Instance.objects.filter(pk=instance.pk).update(state="stopped")
    elif why == "switched off":
        Cell.objects.filter(pk=cell.pk).update(is_agent_disabled=True)
    elif why == "too old":
        agent = speaker(cell)
        assert agent.report(a_report(1)).status_code == 200
        assert CellStatus.objects.get(pk=cell.pk).agent_version == "1.0.0"
    elif why == "same size":
        act, arguments = "scale", {"size": instance.plan.sizes.get().name}
    elif why == "nothing before":
        act = "rollback"
    elif why == "two at once":
        ask(grant, "restart")
    else:
        make_plan(size={"code": "huge", "name": "Huge"})
        act, arguments = "scale", {"size": "Huge"}
    before = Act.objects.count(), Event.objects.count()

    with pytest.raises((NotAllowed, BadArgument)):
        ask(grant, act, **arguments)

    assert (Act.objects.count(), Event.objects.count()) == before


# --- Handing out -----------------------------------------------------------------------------------------------------


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


# --- Taking results --------------------------------------------------------------------------------------------------


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


def test_agent_that_was_thrown_out_is_given_nothing_within_its_token(agent, instance, cell):
    ask(make_grant(instance, profile="diagnose"), "rollout_status")
    revoke_agent(cell)

    refused(agent.post("orders", {"cell": str(cell.pk)}), 403, "agent_revoked")


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


@pytest.mark.django_db(transaction=True)
def test_end_of_access_and_result_at_the_same_moment_agree(agent, instance):
    """Whoever is first: either the change is on record, or access ended first and nothing of it is."""
    approver = make_approver(instance.organisation)
    for _ in range(5):
        grant = make_grant(instance, profile="operate")
        act = ask(grant, "restart")
        (order,) = take(agent)
        before = instance.revisions.count()
        start = threading.Barrier(2)

        def say(order=order, start=start):
            start.wait()
            tell(agent, order)
            connection.close()

        thread = threading.Thread(target=say)
        thread.start()
        start.wait()
        revoke(grant, by=approver, reason="")
        thread.join()

        act.refresh_from_db()
        assert act.state in {"done", "cut_short"}
        assert instance.revisions.count() - before == (act.state == "done")
        assert AgentOrder.objects.get(act=act).outcome == ("kept" if act.state == "done" else "dropped")


def test_size_of_an_answer_is_bounded_for_a_cell_of_many(agent, instance):
    grant = make_grant(instance.cell, profile="diagnose")
    for _ in range(12):
        ask(grant, "rollout_status", instance="orders")

    assert len(take(agent)) == 10
    assert len(json.dumps(take(agent))) < MOST_BYTES


@pytest.mark.django_db(transaction=True)
def test_portal_killed_at_every_statement_hands_out_and_keeps_once(agent, instance):
    """kill -9 of the portal while it answers, after each of its statements: nothing is half done, and nothing is done twice."""
    grant = make_grant(instance, profile="operate")
    act = ask(grant, "restart")

    taken = killed(agent, "take")
    (order,) = take(agent)
    assert instance.revisions.count() == 1
    told = killed(agent, "tell", json.dumps(result(order, agent.cell, text="fine")))

    assert (taken > 8, told > 12) == (True, True)
    act.refresh_from_db()
    assert (act.state, act.output) == ("done", "fine")
    assert [(one.number, one.grant) for one in instance.revisions.all()] == [(2, grant), (1, None)]
    assert actions_about(grant).count("support.act_done") == 1
    assert actions_about(instance) == ["instance.restarted"]
    assert tell(agent, order, text="fine").json() == {"outcome": "kept"}


def killed(agent, *words) -> int:
    """How often a portal was killed over this call before one of them lived."""
    command = [sys.executable, "-m", "tests.cells.odd_portal", words[0], agent.key.id, *words[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.django_db(transaction=True)
def test_support_and_customer_at_work_in_one_cell_never_wait_for_each_other(agent, instance, alice):
    """Both write the log of the organisation and wake the agent of the cell: in the same order, so that neither is thrown out."""
    others = [make_instance(cell=instance.cell) for _ in range(12)]
    grant = make_grant(instance, profile="repair")
    start, trouble = threading.Barrier(2), []

    def customer():
        start.wait()
        try:
            for other in others:
                restart_instance(other, by=alice)
        except DatabaseError as error:
            trouble.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=customer)
    thread.start()
    start.wait()
    for name in ("resync", "rollout_status", "restart", "rollout_status", "resync", "restart"):
        ask(grant, name)
        for order in take(agent):
            tell(agent, order)
    thread.join()

    assert trouble == []
    assert Act.objects.filter(state="done").count() == 6
