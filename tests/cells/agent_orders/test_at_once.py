"""Two at work at the same moment, and a portal that is killed: nothing is half done, nothing twice."""

import json
import subprocess
import sys
import threading

import pytest
from django.db import DatabaseError, connection

from accounts.support.actions.endings import revoke
from accounts.support.models import Act
from cells.actions.instances import restart_instance
from cells.models import AgentOrder
from tests.cells.agent_orders.talk import take, tell
from tests.cells.factories import make_instance
from tests.cells.orders import actions_about, ask, make_grant, result
from tests.kill import ROOT, environment
from tests.support.factories import make_approver

pytestmark = pytest.mark.django_db


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
