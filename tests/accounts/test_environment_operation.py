"""Checking an environment against the strict local AWS: by a person, after connecting, by schedule; killed; without answers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.actions.environment import request_assessment
from accounts.environment.assessments import CHECK_ENVIRONMENT, start_by_schedule, why_not_build
from accounts.models import Assessment, CloudAccount, EnvironmentFinding, Kit, TrustCheck
from accounts.states import AccountState, KitState
from accounts.steps.environment import PATIENCE
from accounts.tasks import check_environments
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from portal.operations.engine import OperationInProgress
from portal.operations.models import Operation, Step
from portal.operations.registry import KINDS
from portal.operations.states import OperationState
from portal.operations.tasks import advance, ring_due_operations
from tests import kill_server
from tests.customer import Customer
from tests.environments import make_assessment, make_connected_account
from tests.factories import make_cloud_account, make_contact
from tests.kill import POINTS, lose_lease
from tests.worker import flush_broker, process_environment, work_off_queue

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "111122223333"
REGION = "eu-west-1"
CHECKS = {
    "identity", "permissions", "region_enabled", "organisation_policy", "zones", "quota_vcpus", "quota_networks", "quota_addresses",
    "quota_gateways", "address_range", "names_free", "disk_encryption",
}  # fmt: skip


@pytest.fixture
def customer(sandbox):
    flush_broker()
    return Customer(sandbox, NUMBER)


@pytest.fixture
def account(acme, alice, customer):
    """Connected, with the kit standing in the local AWS. There is room for a cell, and for no second one's vCPUs."""
    account = make_connected_account(organisation=acme, created_by=alice, external_id=NUMBER, name="Production")
    customer.run_kit(account.kits.get())
    return account


def drive(assessment: Assessment) -> Operation:
    """Let a worker look at its operation once, now."""
    operation = assessment.operation
    Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
    advance(str(operation.pk))
    operation.refresh_from_db()
    assessment.refresh_from_db()
    return operation


def verdicts(assessment: Assessment) -> dict[str, str]:
    return dict(assessment.findings.values_list("name", "verdict"))


def fault(customer: Customer, **values: object) -> None:
    customer.cloud.control("POST", "faults", {"service": "ec2", "count": None} | values)


# --- By a person ---------------------------------------------------------------------------------------------------------


def test_assessment_asks_every_check_and_draws_the_verdict(account, alice):
    TrustCheck.objects.create(account=account, kind="permission", name="support/ec2:DescribeVpcs", is_ok=True)

    assessment = request_assessment(account, region=REGION, by=alice)
    operation = drive(assessment)

    assert (operation.state, [step.name for step in operation.steps.in_order()]) == ("succeeded", ["look", "conclude"])
    found = verdicts(assessment)
    assert set(found) == CHECKS
    assert {name for name, verdict in found.items() if verdict != "pass"} == {"quota_vcpus"}
    assert (assessment.passed, assessment.warned, assessment.blocked, assessment.unknown) == (11, 1, 0, 0)
    assert assessment.facts == {
        "region": REGION, "region_open": True, "zones": 3, "vcpus_free": 8, "vcpus_limit": 8, "networks_free": 4, "networks_limit": 5,
        "addresses_free": 5, "addresses_limit": 5, "gateways_free": 5, "gateways_limit": 5, "permissions_held": True,
        "support_allowed": True, "organisation_restricts": False, "range_overlaps": False, "names_taken": False, "own_disk_key": False,
        "kit_version": account.kits.get().version,
    }  # fmt: skip
    assert why_not_build(account, REGION) == ""


def test_assessment_leaves_the_event_of_its_start_and_of_its_end(account, alice):
    assessment = request_assessment(account, region=REGION, by=alice)
    drive(assessment)

    events = Event.objects.filter(organisation_id=account.organisation_id).order_by("sequence")
    assert [(event.action, event.subject_kind) for event in events] == [
        ("operation.started", "environment"),
        ("operation.succeeded", "environment"),
    ]


def test_one_region_is_looked_at_once_at_a_time_and_others_beside_it(account, alice):
    request_assessment(account, region=REGION, by=alice)

    with pytest.raises(OperationInProgress):
        request_assessment(account, region=REGION, by=alice)

    request_assessment(account, region="us-east-1", by=alice)
    assert Assessment.objects.count() == 2


def test_environment_of_an_account_that_is_not_connected_cannot_be_checked(account, alice):
    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.DISCONNECTED)

    with pytest.raises(NotAllowed):
        request_assessment(account, region=REGION, by=alice)

    assert not Operation.objects.exists()


def test_one_check_again_keeps_the_other_answers(account, alice, customer):
    first = request_assessment(account, region=REGION, by=alice)
    drive(first)
    customer.cloud.control("POST", "knobs", {"quotas": {NUMBER: {"ec2/L-1216C47A": 3, "vpc/L-F678F1CE": 1}}})

    second = request_assessment(account, region=REGION, by=alice, check="quota_vcpus")
    operation = drive(second)

    assert operation.state == OperationState.SUCCEEDED
    assert verdicts(second) == verdicts(first) | {"quota_vcpus": "block"}
    assert (second.blocked, second.facts["vcpus_free"], second.facts["networks_free"]) == (1, 3, 4)
    kept, asked = second.findings.get(name="zones"), second.findings.get(name="quota_vcpus")
    assert kept.checked_at == first.findings.get(name="zones").checked_at < asked.checked_at
    assert second.looked_at == min(second.findings.values_list("checked_at", flat=True))
    assert "blocks a deployment cell" in why_not_build(account, REGION)


def test_one_check_of_a_region_never_looked_at_asks_all(account, alice):
    assessment = request_assessment(account, region=REGION, by=alice, check="zones")
    drive(assessment)

    assert set(verdicts(assessment)) == CHECKS


# --- Without answers -----------------------------------------------------------------------------------------------------


def test_check_that_is_refused_is_unknown_at_once_and_keeps_nothing_from_ending(account, alice, customer):
    fault(customer, kind="access_denied", action="DescribeAddresses")

    assessment = request_assessment(account, region=REGION, by=alice)
    operation = drive(assessment)

    assert operation.state == OperationState.SUCCEEDED
    finding = assessment.findings.get(name="quota_addresses")
    assert (finding.verdict, finding.params["code"]) == ("unknown", "access_denied")
    assert (assessment.unknown, "addresses_free" in assessment.facts) == (1, False)


@pytest.mark.parametrize("kind", ["throttle", "500"])
def test_throttled_check_waits_while_the_others_are_answered_and_is_then_answered(account, alice, customer, kind):
    fault(customer, kind=kind, action="DescribeAddresses")

    assessment = request_assessment(account, region=REGION, by=alice)
    waiting = drive(assessment)

    assert (waiting.state, waiting.waiting_on, waiting.waiting_why) == ("waiting", "cloud", "checks_unanswered")
    assert (waiting.waiting_params, set(verdicts(assessment))) == ({"count": "1"}, CHECKS - {"quota_addresses"})
    customer.cloud.control("DELETE", "faults")
    assert drive(assessment).state == OperationState.SUCCEEDED
    assert (verdicts(assessment)["quota_addresses"], assessment.unknown) == ("pass", 0)


def test_check_that_stays_throttled_counts_as_unanswered_after_a_while(account, alice, customer):
    fault(customer, kind="throttle", action="DescribeAddresses")
    assessment = request_assessment(account, region=REGION, by=alice)
    drive(assessment)
    Step.objects.filter(operation=assessment.operation, name="look").update(waiting_since=timezone.now() - PATIENCE)

    assert drive(assessment).state == OperationState.SUCCEEDED

    finding = assessment.findings.get(name="quota_addresses")
    assert (finding.verdict, finding.params["code"], assessment.unknown) == ("unknown", "throttled", 1)


def test_account_that_lets_nobody_in_fails_and_keeps_the_look_before(account, alice, customer):
    before = request_assessment(account, region=REGION, by=alice)
    drive(before)
    customer.delete_provider()

    assessment = request_assessment(account, region=REGION, by=alice)
    operation = drive(assessment)

    assert (operation.state, operation.failure_code) == (OperationState.FAILED, "environment_not_asked")
    assert (assessment.is_finished, assessment.findings.count()) == (False, 0)
    assert why_not_build(account, REGION) == ""


def test_kit_that_was_replaced_meanwhile_fails(account, alice):
    assessment = request_assessment(account, region=REGION, by=alice)
    Kit.objects.update(state=KitState.OUTDATED)

    assert drive(assessment).failure_code == "environment_not_asked"


# --- History -------------------------------------------------------------------------------------------------------------


def test_only_the_newest_looks_of_a_region_are_kept(account, alice, monkeypatch):
    monkeypatch.setattr("accounts.steps.environment.KEPT_ASSESSMENTS", 2)
    ended = [make_assessment(account=account, started_at=timezone.now() - timedelta(days=days)) for days in (3, 2, 1)]
    elsewhere = make_assessment(account=account, region="us-east-1", started_at=timezone.now() - timedelta(days=9))
    lost = make_assessment(account=account, state=OperationState.FAILED, started_at=timezone.now() - timedelta(hours=1))

    newest = request_assessment(account, region=REGION, by=alice)
    drive(newest)

    assert set(Assessment.objects.values_list("pk", flat=True)) == {newest.pk, ended[-1].pk, elsewhere.pk}
    assert not EnvironmentFinding.objects.filter(assessment=lost).exists()


# --- By itself -----------------------------------------------------------------------------------------------------------


def test_connecting_starts_a_look_by_itself(acme, alice, customer):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=NUMBER, home_region=REGION)
    issue_kit(account, after_generation=0, by=alice)
    customer.run_kit(Kit.objects.get())

    advance(str(Operation.objects.get().pk))

    account.refresh_from_db()
    assessment = Assessment.objects.get()
    assert (account.state, assessment.trigger, assessment.region, assessment.requested_by) == ("connected", "connected", REGION, None)
    assert drive(assessment).state == OperationState.SUCCEEDED


def test_connection_stands_when_a_look_cannot_be_started(acme, alice, customer, caplog):
    """Here the key of the region's subject would be too long for its column."""
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=NUMBER, home_region=REGION)
    issue_kit(account, after_generation=0, by=alice)
    customer.run_kit(Kit.objects.get())
    CloudAccount.objects.filter(pk=account.pk).update(home_region="x" * 40)

    advance(str(Operation.objects.get().pk))

    account.refresh_from_db()
    assert (account.state, Operation.objects.get().state, Assessment.objects.count()) == ("connected", "succeeded", 0)
    assert "start_after_connecting in on_commit()" in caplog.text


def test_schedule_looks_at_connected_accounts_once_a_day(acme, customer):
    never, due, looked = (make_connected_account(organisation=acme) for _account in range(3))
    make_assessment(account=due, started_at=timezone.now() - timedelta(hours=25))
    make_assessment(account=looked, started_at=timezone.now() - timedelta(hours=23))
    make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT)

    assert check_environments() == 2
    assert check_environments() == 0

    fresh = Assessment.objects.filter(trigger="schedule", finished_at=None)
    assert {assessment.account_id for assessment in fresh} == {never.pk, due.pk}
    assert not Event.objects.exists()


def test_schedule_spreads_what_is_due(acme, customer, monkeypatch):
    monkeypatch.setattr("accounts.tasks.ENVIRONMENT_BATCH", 1)
    for _account in range(2):
        make_connected_account(organisation=acme)

    assert [check_environments() for _round in range(3)] == [1, 1, 0]


def test_schedule_leaves_a_look_under_way_alone(account, alice):
    request_assessment(account, region=REGION, by=alice)

    assert start_by_schedule(account.pk) is False
    assert Assessment.objects.count() == 1


# --- Killed --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killer(sandbox_process, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        environment = process_environment(sandbox_process)
    with kill_server.running(environment) as server:
        yield server


@pytest.mark.parametrize("point", POINTS)
def test_worker_killed_at_every_step_changes_nothing(account, alice, killer, point):
    assessment = request_assessment(account, region=REGION, by=alice)
    for step in KINDS[CHECK_ENVIRONMENT].steps:
        killer.run_until_killed(assessment.operation_id, point=point, step=step.name)
        lose_lease(assessment.operation_id)

    for _round in range(10):
        work_off_queue()
        lose_lease(assessment.operation_id)
        ring_due_operations()
    assessment.refresh_from_db()

    assert Operation.objects.get().state == OperationState.SUCCEEDED
    assert (Assessment.objects.count(), EnvironmentFinding.objects.count(), set(verdicts(assessment))) == (1, len(CHECKS), CHECKS)
    assert (assessment.passed, assessment.warned, assessment.blocked, assessment.unknown) == (11, 1, 0, 0)
    events = Event.objects.filter(organisation_id=account.organisation_id).values_list("action", flat=True)
    assert sorted(events) == ["operation.started", "operation.succeeded"]
