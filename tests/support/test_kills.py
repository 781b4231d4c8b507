"""kill -9 at every step of opening and of ending support access, and at every call to the cloud within them, on each cloud.

Nothing is given twice, nothing that was given is lost, and the end comes all the same.
"""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actions.accounts import disconnect_account
from accounts.clouds import SUPPORT
from accounts.clouds.base import CloudError
from accounts.clouds.gcp.leases import NEVER
from accounts.models import CloudAccount
from accounts.support.actions.endings import revoke
from accounts.support.brokering import correlation, doors
from accounts.support.brokering.correlation import COMPARE
from accounts.support.brokering.doors import begin_try, cloud_for, open_door, opened, report_try
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest, Act, Door, EndProof, Opening
from accounts.support.steps.reviewing import TIDY, begin, due_for
from accounts.support.tasks import close_ending_grants, open_due_grants
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.driver import advance
from portal.operations.models import Operation
from portal.operations.registry import KINDS
from tests.cells.conftest import killer
from tests.kill import POINTS, lose_lease
from tests.standing import Standing
from tests.support.factories import make_approver
from tests.support.sessions import drive, make_standing, make_standing_grant, newest
from tests.worker import flush_broker

__all__ = ["killer"]

pytestmark = pytest.mark.django_db(transaction=True)
OPEN, CLOSE = "open_support_access", "close_support_access"
MOST_CALLS = 40
# What a cloud holds because of one open grant for logs, and what is left of it right after an early end.
GIVEN = {"aws": [], "azure": ["support", "support-lease", "support-logs"], "gcp": ["support", "support", "support"]}
LEFT = {"aws": ["ended"], "azure": ["support-lease"], "gcp": ["held"]}


@pytest.fixture(params=sorted(SUPPORT))
def standing(request, acme, alice, sandbox, monkeypatch, mailoutbox):
    flush_broker()
    return make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, cloud=request.param)


@pytest.fixture
def request_(standing):
    return make_standing_grant(standing, profile="logs")


@pytest.mark.parametrize("point", POINTS)
def test_support_worker_killed_at_every_step_changes_nothing(request_, standing, acme, killer, point):
    """One worker dies at each step, and each is followed by a fresh one."""
    open_due_grants()
    die_at_each_step(killer, OPEN, point)
    held = assert_open_once(request_, standing)

    let_tries_run_out()
    revoke(request_, by=make_approver(acme))
    die_at_each_step(killer, CLOSE, point)
    assert_ended_once(request_, standing, held)


def test_support_worker_killed_at_every_call_to_the_cloud_gives_nothing_twice(request_, standing, acme, killer):
    """The cloud has done what it was asked and nobody hears of it: one call later each time, until a worker comes through."""
    open_due_grants()
    assert die_at_each_call(killer, OPEN) >= len(KINDS[OPEN].steps)
    held = assert_open_once(request_, standing)

    let_tries_run_out()
    revoke(request_, by=make_approver(acme))
    assert die_at_each_call(killer, CLOSE) >= len(KINDS[CLOSE].steps)
    assert_ended_once(request_, standing, held)


def test_support_ended_while_the_worker_that_opens_it_lies_dead(request_, standing, acme, killer):
    """The cloud had been told and the portal had stored nothing: what was given is taken away again, though no session is known.

    It is no end before that worker is dead for sure.
    """
    open_due_grants()
    die_once_something_is_given(killer, standing)

    revoke(request_, by=make_approver(acme))
    ending = turn(CLOSE)
    assert (given(standing), ending.waiting_why) == ([], "opening_not_over_yet")
    turn(CLOSE)
    request_.refresh_from_db()
    assert request_.state == "ending"
    let_tries_run_out()
    finish(CLOSE)

    request_.refresh_from_db()
    assert (newest(OPEN).state, request_.state, Door.objects.count()) == ("cancelled", "revoked", 0)
    assert (given(standing), left(standing)) == ([], LEFT[standing.account.cloud])
    with pytest.raises(CloudError) as late:  # a worker that was thought dead and goes on
        open_door(request_)
    assert late.value.code == "gate_closed"
    assert given(standing) == []


def test_support_opening_given_up_after_its_worker_died_is_closed_in_the_cloud(request_, standing, killer):
    """No door was ever stored, so nobody could tell from the rows alone that something stands there."""
    open_due_grants()
    die_once_something_is_given(killer, standing)
    Operation.objects.filter(kind=OPEN).update(lost_leases=99)
    assert drive(OPEN).failure_code == "worker_lost"

    request_.refresh_from_db()
    assert (request_.state, request_.ends_as) == ("ending", "activation_failed")
    let_tries_run_out()
    assert close_ending_grants() == 1
    finish(CLOSE)

    request_.refresh_from_db()
    assert (request_.state, request_.failure_code, Door.objects.count()) == ("activation_failed", "worker_lost", 0)
    assert (given(standing), left(standing)) == ([], LEFT[standing.account.cloud])
    later = request_.granted_until + timedelta(minutes=6)
    assert [list(due_for(kind, later)) for kind in (COMPARE, TIDY)] == [[request_], [request_]]
    with transaction.atomic():
        begin(request_, COMPARE)
    finish(COMPARE)
    assert correlation.strange(request_) == []


def test_support_ended_while_a_slow_worker_is_on_its_way_to_the_cloud(request_, standing, acme, client):
    """It has passed the gate and asked for nothing yet, so there is nothing to take away when the customer ends it. Then it goes on."""
    open_due_grants()
    approver = make_approver(acme)
    row = AccessRequest.objects.get(pk=request_.pk)
    slow, opening = cloud_for(row), begin_try(row)
    revoke(request_, by=approver)
    turn(CLOSE)
    turn(CLOSE)
    request_.refresh_from_db()
    assert (request_.state, given(standing)) == ("ending", [])

    code = ""
    try:  # this grant is over, and the operator's own rights are not asked of it
        slow.open(granted(request_))
    except CloudError as error:
        code = error.code
    assert given(standing) == GIVEN[standing.account.cloud]
    report_try(opening, code, slow)
    assert given(standing) == []  # its own worker takes it away again
    finish(CLOSE)

    request_.refresh_from_db()
    assert (request_.state, request_.doors.count(), request_.proofs.count()) == ("revoked", 0, 0)
    assert (given(standing), left(standing)) == ([], LEFT[standing.account.cloud])
    client.force_login(approver.user)
    page = client.get(reverse("support:access_receipt", args=["acme", request_.pk])).text
    assert "No session of it is known" in page
    assert "No session was ever opened" not in page


def test_support_ended_while_the_session_is_signed_in_closes_what_was_given(request_, standing, acme, monkeypatch):
    """The whole of it: the end falls between the roles and the session, and the worker that gave them reports."""
    open_due_grants()
    approver, ask = make_approver(acme), doors.ask_gate
    asked = []

    def end_at_second_question(request):
        asked.append(request)
        if len(asked) == 2:  # the first is at the door, this one before the session's own token
            revoke(request, by=approver)
        ask(request)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(doors, "ask_gate", end_at_second_question)
        turn(OPEN)

    assert (len(asked), newest(OPEN).state, Opening.objects.get().code) == (2, "cancelled", "gate_closed")
    assert given(standing) == []
    finish(CLOSE)
    request_.refresh_from_db()
    assert (request_.state, given(standing), left(standing)) == ("revoked", [], LEFT[standing.account.cloud])


def test_support_end_of_an_opening_that_the_cloud_will_not_hear_of_is_not_named(request_, alice):
    """No session to ask with, and the kit signs nothing more: nobody knows what stands there until the granted time is over."""
    open_due_grants()
    begin_try(AccessRequest.objects.get(pk=request_.pk))
    let_tries_run_out()
    disconnect_account(CloudAccount.objects.get(pk=request_.account_id), by=alice)
    close_ending_grants()
    ending = drive(CLOSE)

    request_.refresh_from_db()
    assert (request_.state, ending.failure_code) == ("close_failed", "kit_replaced_meanwhile")
    with time_machine.travel(request_.granted_until + timedelta(seconds=1)):
        request_retry(ending, by=alice)
        finish(CLOSE)
    request_.refresh_from_db()
    assert request_.state == "revoked"


# --- Deaths ----------------------------------------------------------------------------------------------------------


def die_once_something_is_given(killer, standing: Standing) -> None:
    """On AWS nothing is given but the session, by the first call."""
    for number in range(1, MOST_CALLS):
        assert killer.dies_at_call(newest(OPEN).pk, step="open_door", number=number)
        lose_lease(newest(OPEN).pk)
        if given(standing) or standing.account.cloud == "aws":
            break
    assert not Door.objects.exists()


def let_tries_run_out() -> None:
    """As if the minutes had passed after which a worker that opened is dead for sure."""
    Opening.objects.update(begun_at=timezone.now() - timedelta(minutes=6), until=timezone.now())


def turn(kind: str) -> Operation:
    """One turn of a worker."""
    operation = newest(kind)
    lose_lease(operation.pk)
    advance(operation.pk)
    operation.refresh_from_db()
    return operation


def die_at_each_step(killer, kind: str, point: str) -> None:
    operation = newest(kind)
    for step in KINDS[kind].steps:
        killer.run_until_killed(operation.pk, point=point, step=step.name)
        lose_lease(operation.pk)
    finish(kind)


def die_at_each_call(killer, kind: str) -> int:
    """How many workers died."""
    operation, deaths = newest(kind), 0
    for step in KINDS[kind].steps:
        for number in range(1, MOST_CALLS):
            if not killer.dies_at_call(operation.pk, step=step.name, number=number):
                break
            lose_lease(operation.pk)
            deaths += 1
        else:
            raise AssertionError(f"{step.name} made calls without end")
    finish(kind)
    return deaths


def finish(kind: str) -> None:
    operation = newest(kind)
    if operation.is_live:
        operation = drive(kind)
    assert operation.state == "succeeded", (operation.failure_code, operation.failure_evidence)


# --- What must be so all the same ------------------------------------------------------------------------------------


def assert_open_once(request, standing: Standing):
    """The session that is open, to be asked with after the end."""
    request.refresh_from_db()
    assert (request.state, request.doors.standing().count()) == ("active", 1)
    assert given(standing) == GIVEN[standing.account.cloud]
    held = opened(request.doors.standing().get())
    assert not cloud_for(request).probe(held, granted(request)).is_refused
    return held


def assert_ended_once(request, standing: Standing, held) -> None:
    close_ending_grants()
    request.refresh_from_db()
    assert request.state == "revoked"
    assert cloud_for(request).probe(held, granted(request)).is_refused
    assert (given(standing), left(standing)) == ([], LEFT[standing.account.cloud])
    assert (Door.objects.count(), Door.objects.filter(sealed_secret="").count(), Act.objects.count()) == (1, 1, 0)
    assert EndProof.objects.filter(is_refused=True).count() == 1
    told = Event.objects.filter(subject_kind="support_request", subject_id=str(request.pk)).order_by("sequence")
    opening = ["support.activating", "support.active", "operation.succeeded"]
    ending = ["support.ending", "support.revoked", "support.receipt_written", "operation.succeeded"]
    assert list(told.values_list("action", flat=True))[-7:] == opening + ending
    assert Operation.objects.filter(kind__in=[OPEN, CLOSE]).count() == 2


def given(standing: Standing) -> list[str]:
    """What stands in the cloud and lets a session of support read. AWS is told nothing at an opening but by the session itself."""
    if standing.account.cloud == "aws":
        return []
    if standing.account.cloud == "azure":
        held = [name for name in GIVEN["azure"] for _entry in standing.hand.assignments(name)]
        return [] if held == LEFT["azure"] else held
    return sorted(account for account, expression in lent(standing) if expression != NEVER)


def left(standing: Standing) -> list[str]:
    """What stands there because of an end."""
    if standing.account.cloud == "aws":
        names = standing.hand.iam.list_role_policies(RoleName=f"{standing.hand.name}-support")["PolicyNames"]
        return ["ended" for name in names if "ended" in name]
    if standing.account.cloud == "azure":
        return ["support-lease" for _entry in standing.hand.assignments("support-lease")]
    return ["held" for _account, expression in lent(standing) if expression == NEVER]


def lent(standing: Standing) -> list[tuple[str, str]]:
    """On Google Cloud: the account and the condition of every binding of support's roles."""
    return [
        (member.partition("@")[0].rpartition("-")[2], binding["condition"]["expression"])
        for binding in standing.hand.policy("")["bindings"]
        for member in binding["members"]
        if binding["role"] in standing.hand.shipped.lent
    ]
