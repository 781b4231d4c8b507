"""What an environment's rows promise: constraints, the seam for the floors above, facts, certified profiles, needs."""

from datetime import timedelta
from ipaddress import ip_network
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import kits
from accounts.availability import why_not_use
from accounts.clouds.base import Finding, Verdict
from accounts.environment.assessments import why_not_build
from accounts.environment.capabilities import FACT_WORDS, facts_of
from accounts.environment.needs import needs_of
from accounts.environment.profiles import Need, certified, match, read
from accounts.models import Assessment, EnvironmentFinding
from accounts.models.cloud_accounts import Cloud
from accounts.models.environment import FRESH_FOR
from accounts.states import AccountState, Use
from accounts.targets import target_of
from cells import stacks
from cells.states import CellState
from portal.operations.states import OperationState
from tests.cells.factories import make_cell
from tests.environments import make_assessment, make_connected_account
from tests.factories import make_cloud_account

REGION = "eu-west-1"


@pytest.fixture
def account(acme, alice):
    return make_connected_account(organisation=acme, created_by=alice)


# --- Rows ----------------------------------------------------------------------------------------------------------------


def refused(constraint):
    return pytest.raises(IntegrityError, match=constraint)


def test_assessment_by_a_person_names_them(account, alice):
    assessment = make_assessment(account=account)

    with refused("assessment_person_is_named"), transaction.atomic():
        Assessment.objects.filter(pk=assessment.pk).update(trigger="person")
    with refused("assessment_person_is_named"), transaction.atomic():
        Assessment.objects.filter(pk=assessment.pk).update(requested_by=alice)


def test_assessment_has_a_known_reason(account):
    with refused("assessment_trigger_known"), transaction.atomic():
        make_assessment(account=account, trigger="whim")


def test_assessment_that_ended_has_looked_and_not_before_it_started(account):
    assessment = make_assessment(account=account)

    with refused("assessment_finished_has_looked"), transaction.atomic():
        Assessment.objects.filter(pk=assessment.pk).update(looked_at=None)
    with refused("assessment_finished_has_looked"), transaction.atomic():
        Assessment.objects.filter(pk=assessment.pk).update(finished_at=assessment.started_at - timedelta(seconds=1))


def test_operation_drives_one_assessment(account):
    assessment = make_assessment(account=account)

    with refused("operation_id"), transaction.atomic():
        Assessment.objects.create(account=account, region=REGION, trigger="schedule", kit_version="1", operation=assessment.operation)


def test_finding_stands_once_with_a_known_verdict(account):
    assessment = make_assessment(account=account)

    with refused("environment_finding_once"), transaction.atomic():
        EnvironmentFinding.objects.create(assessment=assessment, name="zones", verdict="pass")
    with refused("environment_finding_verdict_known"), transaction.atomic():
        EnvironmentFinding.objects.create(assessment=assessment, name="another", verdict="maybe")


# --- The seam ------------------------------------------------------------------------------------------------------------


def test_region_may_be_built_in_when_a_fresh_look_blocks_nothing(account):
    make_assessment(account=account, verdicts={"zones": "warn", "quota_vcpus": "unknown"})

    assert why_not_build(account, REGION) == ""


def test_region_may_not_be_built_in(account):
    assert why_not_build(account, REGION).startswith("Region eu-west-1 of this account has not been checked yet.")
    make_assessment(account=account, verdicts={"zones": "block"})
    assert why_not_build(account, REGION).startswith("The environment of eu-west-1 blocks a deployment cell.")
    assert why_not_build(account, "us-east-1").startswith("Region us-east-1 of this account has not been checked yet.")
    Assessment.objects.update(looked_at=timezone.now() - FRESH_FOR)
    assert why_not_build(account, REGION).startswith("Region eu-west-1 was last checked too long ago.")


def test_look_that_did_not_end_decides_nothing(account):
    make_assessment(account=account, started_at=timezone.now() - timedelta(hours=1))
    make_assessment(account=account, verdicts={"zones": "block"}, state=OperationState.FAILED)
    make_assessment(account=account, verdicts={"zones": "block"}, state=OperationState.RUNNING)

    assert why_not_build(account, REGION) == ""


@pytest.mark.parametrize("state", [state for state in AccountState if state not in {"connected", "needs_attention"}])
def test_account_that_is_not_connected_may_not_be_built_in(acme, state):
    account = make_cloud_account(organisation=acme, state=state, home_region=REGION)
    make_assessment(account=account)

    assert why_not_build(account, REGION) == why_not_use(account, Use.BUILD)
    assert why_not_build(account, REGION).startswith("This account is ")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"state": AccountState.NEEDS_ATTENTION}, "The trust of this account is lost."),
        ({"switched_off": "changes"}, "You have switched us off"),
    ],
)
def test_account_whose_trust_is_lost_or_switched_off_may_not_be_built_in(account, fields, says):
    make_assessment(account=account)
    assert why_not_build(account, REGION) == ""

    for name, value in fields.items():
        setattr(account, name, value)

    assert why_not_build(account, REGION).startswith(says)


# --- Facts ---------------------------------------------------------------------------------------------------------------


def test_facts_are_drawn_from_what_was_answered():
    facts = facts_of(
        [
            Finding("quota_vcpus", Verdict.BLOCK, "", {"free": "3", "limit": "5"}),
            Finding("zones", Verdict.PASS, "", {"count": "3"}),
            Finding("organisation_policy", Verdict.BLOCK),
            Finding("address_range", Verdict.WARN),
            Finding("permissions", Verdict.PASS),
            Finding("region_enabled", Verdict.UNKNOWN),
            Finding("something_new", Verdict.PASS, "", {"free": "1"}),
        ],
        region=REGION,
    )

    assert facts == {
        "region": REGION, "zones": 3, "vcpus_free": 3, "vcpus_limit": 5, "permissions_held": True, "organisation_restricts": True,
        "range_overlaps": True,
    }  # fmt: skip
    assert list(facts) == [name for name in FACT_WORDS if name in facts]


def test_facts_survive_figures_that_are_none():
    assert facts_of([Finding("quota_vcpus", Verdict.WARN, "", {"free": "many"}), Finding("zones", Verdict.PASS)]) == {}


@pytest.mark.parametrize("cloud", Cloud.values)
def test_every_check_of_every_cloud_tells_a_fact(cloud):
    told = {"free": "1", "limit": "2", "count": "3"}
    silent = [check.name for check in kits.load(cloud).environment_checks if not facts_of([Finding(check.name, Verdict.PASS, "", told)])]

    assert silent == ["identity"]


# --- Certified profiles --------------------------------------------------------------------------------------------------

PROFILE = read(
    "sample",
    """
    name = "Sample"
    cloud = "aws"
    tested = "Nothing."
    tested_on = 2026-11-21
    [needs]
    zones = { at_least = 3 }
    region_open = { equals = true }
    """,
)


@pytest.mark.parametrize(
    ("facts", "fits", "is_open", "misses"),
    [
        ({"zones": 3, "region_open": True}, True, False, []),
        ({"zones": 4, "region_open": True, "more": 1}, True, False, []),
        ({"zones": 2, "region_open": True}, False, False, [("zones", 2)]),
        ({"zones": 3, "region_open": False}, False, False, [("region_open", False)]),
        ({"zones": 3}, False, True, [("region_open", None)]),
        ({"zones": 2}, False, False, [("zones", 2), ("region_open", None)]),
        ({}, False, True, [("zones", None), ("region_open", None)]),
        ({"zones": True, "region_open": True}, False, False, [("zones", True)]),
        ({"zones": "3", "region_open": True}, False, False, [("zones", "3")]),
    ],
)
def test_profile_fits_when_every_need_is_met(facts, fits, is_open, misses):
    found = match(PROFILE, facts)

    assert (found.fits, found.is_open, [(miss.need.fact, miss.found) for miss in found.misses]) == (fits, is_open, misses)


@pytest.mark.parametrize("cloud", Cloud.values)
def test_every_cloud_has_profiles_that_ask_for_facts_there_are(cloud):
    profiles = certified(cloud)

    assert profiles
    for profile in profiles:
        assert profile.tested.endswith(".")
        assert {need.fact for need in profile.needs} <= set(FACT_WORDS)
        assert all((need.at_least is None) != (need.equals is None) for need in profile.needs)


@pytest.mark.parametrize("cloud", Cloud.values)
def test_account_that_passes_every_check_with_room_fits_every_profile(cloud):
    told = {"free": "100", "limit": "100", "count": "3"}
    facts = facts_of([Finding(check.name, Verdict.PASS, "", told) for check in kits.load(cloud).environment_checks])

    assert [found.profile.code for profile in certified(cloud) if not (found := match(profile, facts)).fits] == []


def test_profile_file_that_says_too_little_or_too_much_is_refused():
    with pytest.raises(KeyError):
        read("x", 'name = "x"\n[needs]\n')
    with pytest.raises(TypeError):
        read("x", 'name = "x"\ncloud = "aws"\ntested = "x"\ntested_on = 2026-01-01\n[needs]\nzones = { at_most = 3 }\n')
    assert not Need("zones", at_least=1).is_met_by(None)


# --- Needs ---------------------------------------------------------------------------------------------------------------


def test_needs_name_a_private_range_and_a_prefix_of_the_account(account):
    needs = needs_of(account)

    assert ip_network(needs.cidr).is_private
    assert needs.name_prefix == f"byoc-{account.kits.get().suffix.partition('-')[0]}-cell-"
    assert (needs.vcpus, needs.networks, needs.addresses) == (6, 1, 1)


def test_needs_name_the_cells_that_may_stand_in_the_account(account):
    make_cell(account=account, region="eu-west-1", stack_name="byoc-x-cell-eu-west-1")
    make_cell(account=account, region="eu-west-2", stack_name="byoc-x-cell-eu-west-2", state=CellState.FAILED)
    make_cell(account=account, region="eu-west-3", stack_name="byoc-x-cell-eu-west-3", state=CellState.DELETED)
    make_cell(account=account, region="us-east-1", stack_name="", state=CellState.PLANNED)
    make_cell(region="eu-west-1", stack_name="byoc-y-cell-eu-west-1")

    needs = needs_of(account)

    assert sorted(needs.standing) == ["byoc-x-cell-eu-west-1", "byoc-x-cell-eu-west-2"]
    assert needs.is_of_a_cell("byoc-x-cell-eu-west-1")
    assert needs.is_of_a_cell("byoc-x-cell-eu-west-1-machines")
    assert not needs.is_of_a_cell("byoc-x-cell-eu-west-10")


@pytest.mark.parametrize("cloud", sorted(kits.KITS))
def test_needs_prefix_is_that_of_the_cells_own_names(cloud, acme, alice):
    identity = {"gcp": {"project_number": "987654321098"}, "azure": {"tenant_id": str(uuid4())}}.get(cloud, {})
    account = make_connected_account(organisation=acme, cloud=cloud, identity=identity, created_by=alice)
    target = target_of(account, account.kits.get())

    name = stacks.load(cloud).name(target, account.home_region)

    assert name == f"{needs_of(account).name_prefix}{account.home_region}"
