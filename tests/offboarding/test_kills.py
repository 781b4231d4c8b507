"""kill -9 at every step of an offboarding: nothing is lost or deleted twice, and it is never over before the cloud has refused us."""

import pytest

from accounts.offboarding.models import Offboarding, SignIn
from portal.audit.models import Event
from portal.audit.verify_certificate import check, fingerprint
from portal.operations.models import Operation
from portal.operations.registry import KINDS
from tests.cells.deaths import ALL, check_environment
from tests.cells.living import drive_to_wait, newest, turn
from tests.kill import POINTS, lose_lease
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)
*BEFORE_THE_KIT, KIT = (step.name for step in KINDS[OFFBOARD].steps)


@pytest.mark.parametrize("points", [ALL[n:] + ALL[:n] for n in range(len(ALL))], ids=ALL)
@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_worker_killed_at_every_step_of_an_offboarding(cloud, points, stand, killer, acme, alice, client, sandbox):
    flush_broker()
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox)
    stood = {part["made"] for part in leaver.cell.parts if part["made"]}
    leaver.start()
    for number, step in enumerate(BEFORE_THE_KIT):
        die(killer, points[number % len(points)], step, meanwhile=others)
        assert leaver.account.state != "offboarded"
    leaver.until_ready()
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")

    leaver.remove_kit()
    for point in POINTS:
        if newest(OFFBOARD).is_live and not proven():
            die(killer, point, KIT, meanwhile=lambda: None)
            assert leaver.account.state == "ready_to_offboard"
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    leaver.let_half_a_minute_pass()
    die(killer, points[-1] if points[-1] in POINTS else "after_effect", KIT, meanwhile=lambda: None)
    leaver.until(account="offboarded")

    assert_left_once(leaver, stood)


def die(killer, point, step, *, meanwhile):
    operation = newest(OFFBOARD)
    killer.run_until_killed(operation.pk, point=point, step=step, seconds=60, meanwhile=meanwhile)
    lose_lease(operation.pk)


def others() -> None:
    check_environment()
    turn("delete_cell")


def proven() -> bool:
    return SignIn.objects.refused().count() > 1


def assert_left_once(leaver, stood) -> None:
    row = Offboarding.objects.get()
    document = check(row.certificate)
    assert fingerprint(row.certificate) == row.sha256
    assert Operation.objects.filter(kind="delete_cell").count() == 1
    assert Operation.objects.filter(kind=OFFBOARD).count() == 1
    assert stood <= {one["id"] for region in document["regions"] for one in region["resources"]}
    assert document["totals"]["removed"] == document["totals"]["found"]
    told = list(Event.objects.filter(action__in=["offboarding.planned", "offboarding.complete", "cloud_account.ready_to_offboard"]))
    assert sorted(event.action for event in told) == ["cloud_account.ready_to_offboard", "offboarding.complete", "offboarding.planned"]
    done = next(event for event in told if event.action == "offboarding.complete")
    refusals = [one["at"] for one in document["kits"][0]["refusals"]]
    assert len(refusals) == 2
    assert max(refusals) < done.moment
