"""kill -9 at every step of opening and of ending support access, and at every call to the cloud within them, on each cloud.

Nothing is given twice, nothing that was given is lost, and the end comes all the same.
"""

import pytest

from accounts.clouds import SUPPORT
from accounts.clouds.base import CloudError
from accounts.clouds.gcp.leases import NEVER
from accounts.support.actions.endings import revoke
from accounts.support.brokering.doors import cloud_for, open_door, opened
from accounts.support.clouds import granted
from accounts.support.models import Act, Door, EndProof
from accounts.support.tasks import close_ending_grants, open_due_grants
from portal.audit.models import Event
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

    revoke(request_, by=make_approver(acme))
    die_at_each_step(killer, CLOSE, point)
    assert_ended_once(request_, standing, held)


def test_support_worker_killed_at_every_call_to_the_cloud_gives_nothing_twice(request_, standing, acme, killer):
    """The cloud has done what it was asked and nobody hears of it: one call later each time, until a worker comes through."""
    open_due_grants()
    assert die_at_each_call(killer, OPEN) >= len(KINDS[OPEN].steps)
    held = assert_open_once(request_, standing)

    revoke(request_, by=make_approver(acme))
    assert die_at_each_call(killer, CLOSE) >= len(KINDS[CLOSE].steps)
    assert_ended_once(request_, standing, held)


def test_support_ended_while_the_worker_that_opens_it_lies_dead(request_, standing, acme, killer):
    """The cloud had been told and the portal had stored nothing: what was given is taken away again, though no session is known."""
    open_due_grants()
    for number in range(1, MOST_CALLS):
        assert killer.dies_at_call(newest(OPEN).pk, step="open_door", number=number)
        lose_lease(newest(OPEN).pk)
        if given(standing) or standing.account.cloud == "aws":
            break
    assert not Door.objects.exists()

    revoke(request_, by=make_approver(acme))
    finish(CLOSE)

    request_.refresh_from_db()
    assert (newest(OPEN).state, request_.state, Door.objects.count()) == ("cancelled", "revoked", 0)
    assert (given(standing), left(standing)) == ([], LEFT[standing.account.cloud])
    with pytest.raises(CloudError) as late:  # a worker that was thought dead and goes on
        open_door(request_)
    assert late.value.code == "gate_closed"
    assert given(standing) == []


# --- Deaths ----------------------------------------------------------------------------------------------------------


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
