"""What a person asks for on the way to a connected account, and what a double click, a colleague or a rival changes."""

import pytest
from django.db import IntegrityError, transaction

from accounts.actions.connect import (
    DuplicateAccount,
    accept_review,
    discard_draft,
    issue_kit,
    newest_generation,
    save_identity,
    save_place,
    start_draft,
    stop_connecting,
)
from accounts.models import CloudAccount
from accounts.models.cloud_accounts import Cloud
from accounts.states import PROVEN_STATES, AccountState, KitState
from portal.audit import Actor
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed, why_not_retry
from portal.operations.models import Operation
from portal.operations.states import OperationState, StepState
from portal.operations.transitions import end
from tests.activity import assert_one_event
from tests.factories import make_cloud_account, make_kit, make_organisation, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def organisation():
    return make_organisation()


@pytest.fixture
def person():
    return make_user()


def test_start_draft_to_preflight_saves_every_answer(organisation, person):
    account = start_draft(organisation=organisation, cloud=Cloud.AWS, by=person)
    save_identity(account, name="Production", external_id="111122223333", by=person)
    save_place(account, region="eu-west-1", by=person)
    accept_review(account, by=person)

    stored = CloudAccount.objects.get()
    assert (stored.name, stored.external_id, stored.home_region) == ("Production", "111122223333", "eu-west-1")
    assert (stored.state, stored.wizard_step, stored.created_by) == (AccountState.DRAFT, "preflight", person)


def test_save_identity_again_does_not_lose_the_way(organisation, person):
    account = make_cloud_account(organisation=organisation, wizard_step="preflight")

    save_identity(account, name="Renamed", external_id=account.external_id, by=person)

    assert CloudAccount.objects.get().wizard_step == "preflight"


def test_save_from_a_page_read_before_the_kit_was_issued_changes_nothing(organisation, person):
    account = make_cloud_account(organisation=organisation, external_id="111122223333")
    issue_kit(CloudAccount.objects.get(), after_generation=0, by=person)

    with pytest.raises(NotAllowed, match="already made for this account"):
        save_identity(account, name="Renamed", external_id="444455556666", by=person)
    with pytest.raises(NotAllowed, match="already made for this account"):
        save_place(account, region="eu-west-1", by=person)

    stored = CloudAccount.objects.get()
    assert (stored.external_id, stored.home_region) == ("111122223333", "us-east-1")


def test_save_identity_of_an_account_this_organisation_has_names_it(organisation, person):
    existing = make_cloud_account(organisation=organisation, external_id="111122223333")
    account = start_draft(organisation=organisation, cloud=Cloud.AWS, by=person)

    with pytest.raises(DuplicateAccount) as duplicate:
        save_identity(account, name="Again", external_id="111122223333", by=person)

    assert duplicate.value.existing == existing
    account.refresh_from_db()
    assert account.external_id == ""


@pytest.mark.parametrize("state", sorted(PROVEN_STATES))
def test_save_identity_of_an_account_elsewhere_reveals_nothing(organisation, person, state):
    make_cloud_account(external_id="111122223333", state=state)
    account = start_draft(organisation=organisation, cloud=Cloud.AWS, by=person)

    save_identity(account, name="Mine", external_id="111122223333", by=person)

    assert CloudAccount.objects.get(pk=account.pk).external_id == "111122223333"


def test_proven_account_is_unique_in_the_whole_portal():
    make_cloud_account(external_id="111122223333", state=AccountState.CONNECTED)

    with pytest.raises(IntegrityError, match="cloud_account_proven_once"), transaction.atomic():
        make_cloud_account(external_id="111122223333", state=AccountState.CONNECTED)


def test_issue_kit_starts_one_operation_and_waits(organisation, person):
    account = make_cloud_account(organisation=organisation)

    with assert_one_event(organisation, action="cloud_account.kit_issued"):
        issue_kit(account, after_generation=0, by=person)

    account.refresh_from_db()
    kit = account.kits.get()
    operation = Operation.objects.get()
    assert (account.state, account.wizard_step) == (AccountState.WAITING_FOR_KIT, "run")
    assert (kit.generation, kit.state, kit.region) == (1, KitState.CURRENT, account.home_region)
    assert (operation.state, operation.subject_id, operation.data) == (
        OperationState.QUEUED,
        str(account.pk),
        {"account": str(account.pk), "kit": str(kit.pk), "cloud": "aws"},
    )


def test_issue_kit_twice_by_double_click_makes_one(organisation, person):
    account = make_cloud_account(organisation=organisation)
    issue_kit(account, after_generation=0, by=person)

    issue_kit(account, after_generation=0, by=person)

    assert newest_generation(account) == 1
    assert Operation.objects.count() == 1


def test_issue_kit_again_replaces_the_kit_and_its_operation(organisation, person):
    account = make_cloud_account(organisation=organisation)
    issue_kit(account, after_generation=0, by=person)
    account.refresh_from_db()

    with assert_one_event(organisation, action="cloud_account.kit_issued"):
        issue_kit(account, after_generation=1, by=person)

    assert list(account.kits.values_list("generation", "state")) == [(2, KitState.CURRENT), (1, KitState.OUTDATED)]
    assert list(Operation.objects.order_by("created_at").values_list("state", flat=True)) == [
        OperationState.CANCELLED,
        OperationState.QUEUED,
    ]


def test_issue_kit_without_a_region_is_refused(organisation, person):
    account = make_cloud_account(organisation=organisation, home_region="")

    with pytest.raises(NotAllowed, match="region"):
        issue_kit(account, after_generation=0, by=person)

    assert not account.kits.exists()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("state", sorted(PROVEN_STATES - {AccountState.DISCONNECTED} | {AccountState.OFFBOARDED}))
def test_issue_kit_for_a_connected_account_is_refused(person, state):
    account = make_cloud_account(state=state)

    with pytest.raises(NotAllowed):
        issue_kit(account, after_generation=0, by=person)


def test_stop_connecting_ends_the_kit_and_keeps_the_answers(organisation, person):
    account = make_cloud_account(organisation=organisation)
    issue_kit(account, after_generation=0, by=person)
    account.refresh_from_db()

    with assert_one_event(organisation, action="cloud_account.connecting_stopped"):
        stop_connecting(account, by=person)

    account.refresh_from_db()
    assert (account.state, account.wizard_step) == (AccountState.DRAFT, "review")
    assert account.kits.get().state == KitState.OUTDATED
    assert Operation.objects.get().state == OperationState.CANCELLED


def test_stop_connecting_a_failed_account(organisation, person):
    account = make_cloud_account(organisation=organisation, state=AccountState.FAILED)
    kit = make_kit(account=account)

    with assert_one_event(organisation, action="cloud_account.connecting_stopped"):
        stop_connecting(account, by=person)

    account.refresh_from_db()
    kit.refresh_from_db()
    assert (account.state, kit.state) == (AccountState.DRAFT, KitState.OUTDATED)


def test_discard_draft_leaves_only_its_event(organisation, person):
    account = make_cloud_account(organisation=organisation)
    make_kit(account=account, state=KitState.OUTDATED)

    with assert_one_event(organisation, action="cloud_account.draft_discarded"):
        discard_draft(account, by=person)

    assert not CloudAccount.objects.exists()


@pytest.mark.parametrize("state", sorted(set(AccountState) - {AccountState.DRAFT}))
def test_discard_anything_but_a_draft_is_refused(person, state):
    account = make_cloud_account(state=state)

    with pytest.raises(NotAllowed):
        discard_draft(account, by=person)

    assert CloudAccount.objects.filter(pk=account.pk).exists()


def fail(operation):
    """As the engine leaves it when the first step fails."""
    Operation.objects.filter(pk=operation.pk).update(state=OperationState.RUNNING)
    operation.refresh_from_db()
    with transaction.atomic():
        end(operation, OperationState.FAILED, actor=Actor.worker("operations"), failure_code="access_denied")
        operation.steps.filter(position=1).update(state=StepState.FAILED, ended_at=operation.ended_at, failure_code="access_denied")


@pytest.mark.parametrize(
    "went_on",
    [
        lambda account, by: stop_connecting(account, by=by),
        lambda account, by: issue_kit(account, after_generation=1, by=by),
        lambda account, by: CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.CONNECTED),
    ],
    ids=["stopped", "new kit", "connected"],
)
def test_retry_of_an_attempt_the_account_has_left_behind_is_refused(person, went_on):
    account = make_cloud_account()
    issue_kit(account, after_generation=0, by=person)
    operation = Operation.objects.get()
    fail(operation)
    assert why_not_retry(operation) == ""
    went_on(CloudAccount.objects.get(), person)
    before = CloudAccount.objects.get().state

    with pytest.raises(NotAllowed, match="no longer in use"):
        request_retry(operation, by=person)

    assert (CloudAccount.objects.get().state, Operation.objects.get(pk=operation.pk).state) == (before, OperationState.FAILED)
