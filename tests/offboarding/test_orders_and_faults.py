"""Too early, too late, stuck, called off, called twice: each order ends in the right state and in plain words."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import CloudAccount, TrustWatch
from accounts.offboarding.actions import ask_to_close, close_with_leftovers, consent_to_leftovers
from accounts.offboarding.models import Offboarding, SignIn
from accounts.steps.watch import watch_once
from cells.actions.instances import create_instance
from cells.models import CellResource
from portal.audit.verify_certificate import Wrong, check
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from tests.activity import assert_one_event
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.living import drive, drive_to_failure, drive_to_wait, let_time_pass, newest, turn, wish
from tests.factories import make_cloud_account, make_kit, make_user
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.standing import SECOND
from tests.support.factories import make_active, scope_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    return lambda cloud="aws", **more: Leaver(stand(cloud), acme, alice, client, sandbox, **more)


# --- In the way, called off --------------------------------------------------------------------------------------------


def test_live_and_protected_instances_block_and_each_is_named_with_its_fix(leaver, acme):
    leaver = leaver(has_cell=False)
    cell = make_cell(account=leaver.account, state="ready")
    make_instance(cell=cell, name="orders")
    assert "1 thing is in the way." in leaver.page("start")
    make_instance(cell=cell, name="billing", is_protected=True)

    page = leaver.page()
    assert "Live instances in this account: 2." in page
    assert "billing is protected from deletion." in page
    assert "3 things are in the way" not in page
    leaver.start()

    assert not Offboarding.objects.exists()
    assert leaver.account.state == "connected"
    assert "2 things are in the way" in leaver.page("start")
    answer = leaver.client.post(leaver.url("start"), {"when": "now", "name": "x"}, headers={"accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"], len(answer.json()["blockers"])) == (409, "application/problem+json", 2)


def test_typed_name_must_be_the_accounts_own(leaver):
    leaver = leaver(has_cell=False)

    leaver.client.post(leaver.url("start"), {"when": "now", "name": "another"})

    assert not Offboarding.objects.exists()
    assert "This is not the name of the account." in leaver.page("start")


def test_planned_offboarding_touches_nothing_and_can_be_called_off(leaver, acme):
    leaver = leaver(has_cell=False)
    leaver.start("day")
    turn(OFFBOARD)
    assert leaver.states == ("connected", "planned")
    assert "Planned. Nothing is touched before" in leaver.page()

    with assert_one_event(acme, action="offboarding.cancelled"):
        leaver.client.post(leaver.url("cancel"))

    assert leaver.states == ("connected", "cancelled")
    assert newest(OFFBOARD).state == "cancelled"
    leaver.start("day")
    assert Offboarding.objects.open().count() == 1


def test_what_came_in_the_way_before_its_time_blocks_it_until_it_is_gone(leaver):
    leaver = leaver(has_cell=False)
    leaver.start("day")
    instance = make_instance(account=leaver.account, organisation=leaver.acme, name="late", state="failed")
    Offboarding.objects.update(scheduled_for=timezone.now())
    turn(OFFBOARD)

    assert leaver.states == ("connected", "blocked")
    assert "Live instances in this account: 1." in leaver.page()
    instance.state, instance.failed_while, instance.failure_code = "deleted", "", ""
    instance.save()
    leaver.until(account="ready_to_offboard")


def test_begun_offboarding_cannot_be_called_off_and_nothing_new_is_created(leaver, alice, acme):
    leaver = leaver(has_cell=False)
    leaver.start()
    turn(OFFBOARD)
    assert leaver.account.state == "ready_to_offboard"

    leaver.client.post(leaver.url("cancel"))

    assert leaver.states == ("ready_to_offboard", "waiting_for_you")
    with pytest.raises(NotAllowed):
        create_instance(acme, name="new", wish=wish(leaver.account, make_plan()), by=alice)


# --- The kit too early, or the proof not good enough -------------------------------------------------------------------


def test_kit_removed_before_cleanup_is_seen_told_and_mended_by_the_recovery_kit(leaver):
    leaver = leaver()
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()
    see(leaver)
    see(leaver, later=SECOND)

    assert leaver.states == ("offboarding", "stuck")
    page = leaver.page()
    assert "The kit was removed before cleanup finished." in page
    assert "Run the recovery kit" in page
    for _turn in range(3):
        turn()
    assert leaver.states == ("offboarding", "stuck")
    assert not SignIn.objects.refused().exists()

    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.state == "in_progress"
    leaver.until_ready()
    assert leaver.cell.state == "deleted"


def see(leaver, *, later=timedelta()):
    """One look of the watch over the trust."""
    watch = TrustWatch.objects.get(account=leaver.standing.pk)
    TrustWatch.objects.filter(pk=watch.pk).update(since=watch.since - later, next_at=timezone.now(), lease_until=None)
    watch_once(watch.pk)


def test_no_network_fault_and_no_single_refusal_is_taken_for_the_end(leaver, sandbox):
    leaver = leaver(has_cell=False)
    leaver.start()
    leaver.until_ready()
    leaver.standing.hand.fault("500", **leaver.standing.hand.sign_in)
    for _turn in range(3):
        turn(OFFBOARD)
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")
    assert newest(OFFBOARD).waiting_why == "offboarding_kit_unclear"
    assert not SignIn.objects.refused().exists()
    leaver.standing.hand.drop_faults()

    leaver.remove_kit()
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    for _turn in range(3):
        turn(OFFBOARD)
    assert (leaver.account.state, SignIn.objects.refused().count()) == ("ready_to_offboard", 1)

    leaver.run_kit_again()
    turn(OFFBOARD)
    assert not SignIn.objects.refused().exists()
    leaver.remove_kit()
    leaver.until_offboarded()
    assert leaver.account.kits.filter(removed_at=None).count() == 0


def test_a_role_that_only_says_no_is_no_end(leaver):
    """The trust edited, or the role deleted alone: the cloud still knows our identity provider."""
    leaver = leaver(has_cell=False)
    leaver.start()
    leaver.until_ready()
    leaver.standing.hand.delete_identity("operator")
    for _turn in range(3):
        turn(OFFBOARD)

    assert leaver.states == ("ready_to_offboard", "waiting_for_you")
    assert newest(OFFBOARD).waiting_why == "offboarding_kit_unclear"
    assert not SignIn.objects.refused().exists()


# --- Stuck -------------------------------------------------------------------------------------------------------------


def test_cell_that_cannot_be_removed_is_shown_with_what_holds_it_and_goes_on_after_a_retry(leaver):
    leaver = leaver()
    leaver.hand.do("hold")
    leaver.start()
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")

    page = leaver.page()
    assert "Deployment cells that could not be removed completely: 1." in page
    assert all(row.made in page for row in leaver.cell.resources.remaining())
    assert Operation.objects.filter(kind="delete_cell").count() == 1
    leaver.hand.do("let_go")
    leaver.client.post(f"{newest('delete_cell').get_absolute_url()}retry/")
    leaver.until_ready()
    assert Operation.objects.filter(kind="delete_cell").count() == 1


def test_leftover_that_no_cell_knows_of_is_listed_kept_on_purpose_and_certified(leaver, alice):
    leaver = leaver()
    vpc = leave_a_vpc(leaver)
    leaver.start()
    let_time_pass(drive_to_wait(OFFBOARD, "offboarding_fading"), 4)
    leaver.until(row="stuck")
    assert vpc in leaver.page()

    row = CellResource.objects.get(cell=None)
    sent = {"resource": [row.pk], "why": "Another team's", "name": str(leaver.account)}
    leaver.client.post(f"/o/acme/accounts/{leaver.standing.pk}/leftovers/keep/", sent)
    leaver.until_ready()
    leaver.remove_kit()
    leaver.until_offboarded()

    document = check(leaver.row.certificate)
    assert (document["totals"]["kept"], document["totals"]["left"]) == (1, 0)
    assert "Another team" in leaver.page("certificate_detail")


def leave_a_vpc(leaver) -> str:
    """With the account's mark, and in another region than the cell is in."""
    account = leaver.account
    region = leaver.cell.region
    ec2 = leaver.standing.hand.customer.client("ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "byoc:account", "Value": str(account.pk)}, {"Key": "byoc:managed", "Value": "cell"}])
    return vpc


def test_closing_with_leftovers_takes_two_people_and_the_customers_consent(leaver, alice):
    leaver = leaver()
    leaver.hand.do("hold")
    leaver.start()
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")
    sam, pat = make_user(is_staff=True), make_user(is_staff=True)

    with pytest.raises(NotAllowed):
        close_with_leftovers(leaver.row, by=sam)
    ask_to_close(leaver.row, reason="The customer closes the account.", by=sam)
    with pytest.raises(NotAllowed):
        close_with_leftovers(leaver.row, by=pat)
    consent_to_leftovers(leaver.account, listed=leaver.row.listing, by=alice)
    with pytest.raises(NotAllowed):
        close_with_leftovers(leaver.row, by=sam)
    close_with_leftovers(leaver.row, by=pat)

    assert leaver.states == ("offboarded", "complete")
    document = check(leaver.row.certificate)
    assert document["totals"]["left"] == len(leaver.row.remainder) > 0
    assert document["closed_with_leftovers"]["consent_by"] == alice.email
    assert not Operation.objects.live().exists()
    page = leaver.page("certificate_detail")
    assert "was not proven" in page
    with pytest.raises(Wrong):
        check(leaver.row.certificate.replace(alice.email, ""))


def test_consent_to_another_list_is_no_consent(leaver, alice):
    leaver = leaver()
    leaver.hand.do("hold")
    leaver.start()
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")
    ask_to_close(leaver.row, reason="It is closed.", by=make_user(is_staff=True))
    consent_to_leftovers(leaver.account, listed=leaver.row.listing, by=alice)
    CellResource.objects.create(account=leaver.account, region="eu-west-1", kind="AWS::EC2::VPC", name="v", made="vpc-9", origin="tag")

    with pytest.raises(NotAllowed):
        close_with_leftovers(leaver.row, by=make_user(is_staff=True))


# --- The short way out, and back ---------------------------------------------------------------------------------------


def test_account_that_never_connected_has_a_short_way_out(acme, alice, client, sandbox):
    """Its kit was never run: the cloud knows no identity of ours."""
    account = make_cloud_account(organisation=acme, state="failed", created_by=alice, name="Half", failure_code="kit_expired")
    make_kit(account=account)
    client.force_login(alice)
    url = f"/o/acme/accounts/{account.pk}/offboarding/"
    assert "the way out is short" in client.get(url).text
    client.post(f"{url}start/", {"when": "now", "name": "Half"})
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    SignIn.objects.update(asked_at=timezone.now() - timedelta(seconds=40))
    drive(lambda: CloudAccount.objects.get(pk=account.pk).state == "offboarded")

    document = check(Offboarding.objects.get().certificate)
    assert document["totals"]["found"] == 0
    assert document["last_accepted"] == {}


def test_account_that_never_connected_claims_no_number_when_it_leaves(acme, alice):
    """Else anybody could keep a stranger from connecting; one that was connected keeps its claim until it has left."""
    number = {"external_id": "111122223333"}
    never = make_cloud_account(organisation=acme, state="offboarding", created_by=alice, **number)
    make_cloud_account(state="connected", connected_at=timezone.now(), **number)

    with pytest.raises(IntegrityError), transaction.atomic():
        CloudAccount.objects.filter(pk=never.pk).update(connected_at=timezone.now())


def test_disconnected_account_leaves_and_the_same_one_is_connected_afresh(leaver, acme, alice):
    from accounts.actions.accounts import disconnect_account

    leaver = leaver(has_cell=False)
    disconnect_account(leaver.account, by=alice)
    leaver.start()
    leaver.until(account="ready_to_offboard")
    for _turn in range(2):
        turn(OFFBOARD)
    assert leaver.account.state == "ready_to_offboard"
    leaver.remove_kit()
    leaver.until_offboarded()

    again = make_cloud_account(organisation=acme, state="connected", name="Production", external_id=leaver.account.external_id)
    assert again.pk != leaver.account.pk
    assert leaver.page("certificate_detail")


# --- Support access ----------------------------------------------------------------------------------------------------


def test_open_support_access_ends_with_the_account_and_is_waited_for(acme, alice, client, sandbox):
    account = make_cloud_account(organisation=acme, state="connected", created_by=alice, name="Main", connected_at=timezone.now())
    make_kit(account=account, ran_at=timezone.now())
    grant = make_active(organisation=acme, scope=scope_for(account))
    client.force_login(alice)
    url = f"/o/acme/accounts/{account.pk}/offboarding/"
    assert "Support access grants" in client.get(url).text
    client.post(f"{url}start/", {"when": "now", "name": "Main"})
    turn(OFFBOARD)

    grant.refresh_from_db()
    assert grant.state == "ending"
    assert CloudAccount.objects.get(pk=account.pk).state == "offboarding"
    grant.state = "revoked"
    grant.save(update_fields=["state"])
    turn(OFFBOARD)
    assert CloudAccount.objects.get(pk=account.pk).state == "ready_to_offboard"
