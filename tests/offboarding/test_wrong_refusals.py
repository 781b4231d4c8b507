"""Refused, and still no end: by a fault, a wrong clock or a policy; and what gives up for want of a right goes on once it is back."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.offboarding.models import SignIn
from portal.audit.verify_certificate import check, main
from tests.cells.living import drive, drive_to_wait, newest, turn
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.offboarding.test_orders_and_faults import see
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)
FAULTS = ("throttle", "500", "503", "502_html", "lost_reply", "access_denied")
CLOUDS = ("aws", "azure", "gcp")


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    return lambda cloud="aws", **more: Leaver(stand(cloud), acme, alice, client, sandbox, **more)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_fault_on_the_way_is_taken_for_the_end_though_the_kit_is_gone_later(cloud, leaver):
    leaver = leaver(cloud, has_cell=False)
    leaver.start()
    leaver.until_ready()
    hand = leaver.standing.hand
    for kind in FAULTS:
        hand.fault(kind, **hand.sign_in)
        for _turn in range(2):
            turn(OFFBOARD)
        assert newest(OFFBOARD).waiting_why == "offboarding_kit_unclear", kind
        hand.drop_faults()
    assert not SignIn.objects.refused().exists()
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")

    leaver.remove_kit()
    leaver.until_offboarded()


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("hours", [-30, 30], ids=["late", "early"])
def test_token_of_a_wrong_clock_is_refused_and_that_is_no_end(hours, cloud, leaver):
    leaver = leaver(cloud, has_cell=False)
    leaver.start()
    leaver.until_ready()
    SignIn.objects.all().delete()

    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        for _turn in range(2):
            turn(OFFBOARD)

    assert not SignIn.objects.exists()
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")


def test_two_workers_whose_clocks_differ_make_no_two_refusals_out_of_one(leaver):
    leaver = leaver(has_cell=False)
    leaver.start()
    leaver.until_ready()
    leaver.remove_kit()
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")

    with time_machine.travel(timezone.now() + timedelta(seconds=45)):
        turn(OFFBOARD)

    assert SignIn.objects.refused().count() == 1
    assert leaver.account.state == "ready_to_offboard"


def test_google_says_the_same_of_a_pool_that_is_only_switched_off_and_the_certificate_says_so(leaver, tmp_path, capsys):
    leaver = leaver("gcp", has_cell=False)
    leaver.start()
    leaver.until_ready()
    leaver.standing.hand.disable_pool()
    leaver.until_offboarded()

    row = leaver.row
    assert {kit["refusals"][0]["reason"] for kit in check(row.certificate)["kits"]} == {"provider_deleted"}
    assert "one that is only switched off" in leaver.page("certificate_detail")
    (file := tmp_path / "certificate.json").write_text(row.certificate, encoding="utf-8")
    assert main([str(file), "--sha256", row.sha256]) == 0
    assert "only switched off" in capsys.readouterr().out


def test_pool_switched_off_too_early_is_told_as_what_it_may_be_and_goes_on_when_it_is_on_again(leaver):
    leaver = leaver("gcp")
    leaver.start()
    leaver.until(account="offboarding")
    leaver.standing.hand.disable_pool()
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.states == ("offboarding", "stuck")
    assert "If you have only switched it off, switch it on again" in leaver.page()

    leaver.standing.hand.enable_pool()
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.state == "in_progress"
    leaver.until_ready()
    assert leaver.cell.state == "deleted"


def test_look_that_was_refused_for_want_of_a_right_goes_on_by_itself_once_the_trust_is_back(leaver):
    leaver = leaver()
    leaver.start()
    turn(OFFBOARD)
    drive(lambda: newest("delete_cell").state == "succeeded", only="delete_cell")
    give_back = take_reading(leaver.standing.hand)
    drive(lambda: newest(OFFBOARD).state == "failed", only=OFFBOARD)
    assert leaver.row.code == "offboarding_refused"
    see(leaver)
    see(leaver, later=SECOND)
    page = leaver.page()
    assert "The removal goes on by itself once the trust holds." in page

    give_back()
    see(leaver)
    see(leaver, later=SECOND)

    assert leaver.row.state == "in_progress"
    leaver.until_ready()


def take_reading(hand):
    """The operator's policy that lets it look, by which the last look goes, too. What gives it back."""
    role = {"RoleName": f"{hand.name}-operator", "PolicyName": "read"}
    document = hand.iam.get_role_policy(**role)["PolicyDocument"]
    hand.iam.delete_role_policy(**role)
    return lambda: hand.iam.put_role_policy(**role, PolicyDocument=json.dumps(document))
