"""kill -9 before each statement and each commit of an offboarding: account, row, log and mails are never torn, nothing is told twice."""

from collections import Counter

import pytest

from accounts.models import CloudAccount, OutgoingMail
from accounts.offboarding.models import Offboarding, SignIn
from portal.audit.chain import check_chain
from portal.audit.models import Event
from portal.operations.driver import advance
from portal.operations.models import Step
from portal.operations.registry import KINDS
from tests.cells.living import newest
from tests.closing.deaths import run_until
from tests.kill import lose_lease
from tests.offboarding.leaving import OFFBOARD, Leaver

pytestmark = pytest.mark.django_db(transaction=True)
MOST_POINTS = 300
# What belongs together: an account's state, the row's, and the event that tells of it.
TOGETHER = {
    ("connected", "planned"): "offboarding.planned",
    ("offboarding", "in_progress"): "cloud_account.offboarding_begun",
    ("ready_to_offboard", "waiting_for_you"): "cloud_account.ready_to_offboard",
    ("offboarded", "complete"): "offboarding.complete",
}


def test_worker_killed_before_every_statement_of_an_offboarding(stand, acme, alice, client, sandbox):
    leaver = Leaver(stand("aws"), acme, alice, client, sandbox, has_cell=False)
    leaver.start()
    killed = kill_until(leaver, ("ready_to_offboard", "waiting_for_you"), seen=lambda: SignIn.objects.accepted().exists())
    leaver.remove_kit()
    killed += kill_until(leaver, leaver.states, seen=lambda: SignIn.objects.refused().exists())
    leaver.let_half_a_minute_pass()
    killed += kill_until(leaver, ("offboarded", "complete"), seen=lambda: True)

    assert set(killed) == {step.name for step in KINDS[OFFBOARD].steps}
    assert min(killed.values()) > 1
    told = Event.objects.filter(action__in=TOGETHER.values()).values_list("action", flat=True)
    assert sorted(told) == sorted(TOGETHER.values())
    assert SignIn.objects.refused().count() == 2
    ready = OutgoingMail.objects.filter(to=alice.email, subject__contains="emove the kit")
    assert (ready.count(), OutgoingMail.objects.filter(to=alice.email, subject__contains="is offboarded").count()) == (1, 1)
    assert check_chain(acme.pk).is_unbroken


def kill_until(leaver, states, *, seen) -> Counter[str]:
    """How many workers died at each step. From each thing that was written on, the next dies one statement later."""
    killed, point = Counter(), 1
    while leaver.states != states or not seen():
        before, at = (
            written(),
            Step.objects.filter(operation__kind=OFFBOARD, state__in=["pending", "running", "waiting"]).order_by("position").first(),
        )
        lose_lease(newest(OFFBOARD).pk)
        if not run_until(point, lambda: advance(newest(OFFBOARD).pk)):
            killed[at.name] += 1
        assert_whole(leaver)
        point = 1 if written() != before else point + 1
        assert point < MOST_POINTS
    return killed


def written():
    """Where it is: anything but the worker's claim."""
    steps = Step.objects.order_by("pk").values_list("name", "state", "waiting_why")
    return [
        *steps,
        *SignIn.objects.values_list("pk"),
        *Offboarding.objects.values_list("state"),
        *CloudAccount.objects.values_list("state"),
    ]


def assert_whole(leaver) -> None:
    assert leaver.states in TOGETHER
    reached = [*TOGETHER][: [*TOGETHER].index(leaver.states) + 1]
    told = Event.objects.filter(action__in=TOGETHER.values()).order_by("sequence").values_list("action", flat=True)
    assert list(told) == [TOGETHER[one] for one in reached]
    row = leaver.row
    assert bool(row.certificate) == (row.state == "complete")
    if row.state == "complete":
        assert SignIn.objects.refused().count() == 2
