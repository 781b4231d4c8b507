"""kill -9 while a kit that was removed too early is noticed, and while the removal goes on with the recovery kit.

Nothing is lost or deleted twice, and it is never over before the cloud has refused us at the end: what it refused meanwhile, because the
kit was gone, proves nothing.
"""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import TrustWatch
from accounts.offboarding.models import SignIn
from portal.operations.models import Step
from tests.cells.deaths import DEATHS, NAMES, check_environment
from tests.cells.living import drive_to_wait, newest
from tests.kill import POINTS, lose_lease
from tests.offboarding import recovering
from tests.offboarding.killed_look import LOOKS, die_over_a_look
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.offboarding.test_kills import assert_left_once, die, others, proven
from tests.offboarding.test_orders_and_faults import see
from tests.offboarding.test_stuck import run_lines_before_the_kit
from tests.standing import SECOND
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
CELL = "delete_cell"
# Of the offboarding, once the kit is back.
AFTER = ("remove", "sweep", "access_ends")


def look_twice(leaver, deaths) -> None:
    """A loss and a recovery count once a second look finds them: over each of both a watcher dies first."""
    for later in (timedelta(), SECOND):
        watch = TrustWatch.objects.get(account=leaver.standing.pk)
        TrustWatch.objects.filter(pk=watch.pk).update(since=watch.since - later, next_at=timezone.now(), lease_until=None)
        die_over_a_look(watch.pk, next(deaths))
        see(leaver)


def step_of(kind: str) -> str:
    """The one at which its newest operation is."""
    return Step.objects.filter(operation=newest(kind), ended_at=None).order_by("position").first().name


def open_steps(kind: str) -> list[str]:
    return list(Step.objects.filter(operation=newest(kind), ended_at=None).order_by("position").values_list("name", flat=True))


@pytest.mark.parametrize(("cloud", "points"), DEATHS, ids=NAMES)
def test_worker_killed_at_every_step_of_a_recovery(cloud, points, stand, killer, acme, alice, client, sandbox):
    flush_broker()
    at, short, looks = itertools.cycle(points), itertools.cycle([p for p in points if p in POINTS] or POINTS), itertools.cycle(LOOKS)
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox)
    stood = {part["made"] for part in leaver.cell.parts if part["made"]}
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()

    look_twice(leaver, looks)
    assert (leaver.states, leaver.row.code) == (("offboarding", "stuck"), "offboarding_kit_gone")
    for kind in (CELL, OFFBOARD):
        killer.run_until_killed(newest(kind).pk, point=next(short), step=step_of(kind), seconds=60, meanwhile=check_environment)
        lose_lease(newest(kind).pk)
    assert (leaver.states, leaver.cell.state != "deleted") == (("offboarding", "stuck"), True)
    assert not SignIn.objects.refused().exists()

    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    look_twice(leaver, looks)
    assert (leaver.states, leaver.standing.watch.verdict) == (("offboarding", "in_progress"), "holds")
    for step in open_steps(CELL):
        killer.run_until_killed(newest(CELL).pk, point=next(at), step=step, seconds=60, meanwhile=check_environment)
        lose_lease(newest(CELL).pk)
    for step in AFTER:
        die(killer, next(at), step, meanwhile=others)
        assert leaver.account.state != "offboarded"
    leaver.until_ready()

    recovering.remove(leaver)
    for point in POINTS:
        if newest(OFFBOARD).is_live and not proven():
            die(killer, point, "kit_removed", meanwhile=lambda: None)
            assert leaver.account.state == "ready_to_offboard"
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    leaver.let_half_a_minute_pass()
    leaver.until(account="offboarded")

    assert_left_once(leaver, stood)
