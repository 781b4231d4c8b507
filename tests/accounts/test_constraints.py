"""What the database itself keeps of accounts, whoever writes the rows. Actions that meet these constraints are tested elsewhere."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import CloudAccount, SigningKey, TrustCheck, User
from accounts.states import CLAIMING_STATES, PROVEN_STATES, AccountState, KitState
from tests.factories import make_cloud_account, make_kit, make_organisation, make_user

pytestmark = pytest.mark.django_db
NUMBER = "111122223333"


def refuses(constraint):
    return pytest.raises(IntegrityError, match=constraint)


@pytest.mark.parametrize("state", ["waiting_for_kit", "verifying", "failed"])
def test_cloud_account_keeps_its_claim_while_it_is_reconnected(state):
    make_cloud_account(external_id=NUMBER, state=state, connected_at=timezone.now())

    with refuses("cloud_account_proven_once"):
        make_cloud_account(external_id=NUMBER, state=AccountState.CONNECTED)


@pytest.mark.parametrize("state", sorted(PROVEN_STATES))
def test_cloud_account_proven_once_whoever_has_it(state):
    # One that leaves may never have been connected: then it claims nothing (tests/offboarding).
    connected_at = None if state in CLAIMING_STATES else timezone.now()
    make_cloud_account(external_id=NUMBER, state=state, connected_at=connected_at)

    with refuses("cloud_account_proven_once"):
        make_cloud_account(external_id=NUMBER, state=AccountState.CONNECTED)


def test_cloud_account_live_once_per_organisation():
    organisation = make_organisation()
    make_cloud_account(organisation=organisation, external_id=NUMBER, state=AccountState.OFFBOARDED)
    make_cloud_account(organisation=organisation, external_id="")
    make_cloud_account(organisation=organisation, external_id="")
    make_cloud_account(organisation=organisation, external_id=NUMBER)

    with refuses("cloud_account_live_once_per_organisation"):
        make_cloud_account(organisation=organisation, external_id=NUMBER)


def test_cloud_account_state_known():
    account = make_cloud_account()

    with refuses("cloud_account_state_known"):
        CloudAccount.objects.filter(pk=account.pk).update(state="invented")


def test_kit_one_current():
    account = make_cloud_account()
    make_kit(account=account, generation=1, state=KitState.OUTDATED)
    make_kit(account=account, generation=2)

    with refuses("kit_one_current"):
        make_kit(account=account, generation=3)


def test_kit_generation_once():
    account = make_cloud_account()
    make_kit(account=account, state=KitState.OUTDATED)

    with refuses("kit_generation_once"):
        make_kit(account=account)


def test_trust_check_once():
    account = make_cloud_account()
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name="ec2:CreateVpc", is_ok=True)
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.REFUSAL, name="ec2:CreateVpc", is_ok=True)

    with refuses("trust_check_once"):
        TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.PERMISSION, name="ec2:CreateVpc", is_ok=False)


@pytest.mark.parametrize("state", [SigningKey.State.ACTIVE, SigningKey.State.NEXT])
def test_signing_key_one_active_and_one_next(state):
    SigningKey.objects.create(kid="first", public_jwk={}, sealed_private_key="", state=state)

    with refuses(f"signing_key_one_{state}"):
        SigningKey.objects.create(kid="second", public_jwk={}, sealed_private_key="", state=state)


def test_signing_key_many_retiring():
    for kid in ("first", "second"):
        SigningKey.objects.create(kid=kid, public_jwk={}, sealed_private_key="", state=SigningKey.State.RETIRING)

    assert SigningKey.objects.count() == 2


def test_user_email_unique_ignoring_case():
    make_user(email="anna@acme.example")

    with refuses("user_email_unique_ignoring_case"), transaction.atomic():
        User.objects.create(email="Anna@acme.example", name="Another Anna")

    assert User.objects.count() == 1
