"""An account whose connecting is still under way leaves: the kit was made, and perhaps never run."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.models import CloudAccount
from accounts.offboarding.models import Offboarding, SignIn
from portal.audit.verify_certificate import check
from portal.operations.models import Operation
from tests.cells.living import drive, drive_to_wait, newest, turn
from tests.factories import make_cloud_account, make_membership
from tests.offboarding.guards import make_connected
from tests.offboarding.leaving import OFFBOARD

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = {
    "aws": {},
    "gcp": {"external_id": "acme-data-prod", "home_region": "europe-west1", "identity": {"project_number": "123456789012"}},
    "azure": {
        "external_id": "0b5f2f0e-5c1f-4c58-9d0a-1a2b3c4d5e6f",
        "home_region": "westeurope",
        "identity": {"tenant_id": "11111111-2222-3333-4444-555555555555"},
    },
}


def make_half(acme, alice, cloud="aws", **fields) -> CloudAccount:
    """Its kit was made a moment ago; the portal looks for it."""
    account = make_cloud_account(organisation=acme, created_by=alice, name="Half", cloud=cloud, **CLOUDS[cloud], **fields)
    issue_kit(account, after_generation=0, by=alice)
    return account


def start(client, account, when="now"):
    return client.post(f"/o/acme/accounts/{account.pk}/offboarding/start/", {"when": when, "name": "Half"})


@pytest.mark.parametrize("when", ["now", "day"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_account_that_is_being_connected_begins_to_leave_at_once(cloud, when, acme, alice, client):
    account = make_half(acme, alice, cloud)
    client.force_login(alice)

    assert start(client, account, when).status_code == 302

    account.refresh_from_db()
    assert (account.state, Offboarding.objects.get().state) == ("offboarding", "in_progress")
    assert Operation.objects.get(subject_id=str(account.pk)).state == "cancelled"
    assert [kit.state for kit in account.kits.all()] == ["current"]


def test_account_that_is_being_connected_leaves_to_its_certificate(acme, alice, client, sandbox):
    account = make_half(acme, alice)
    client.force_login(alice)
    turn("connect_account")
    start(client, account)
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    SignIn.objects.update(asked_at=timezone.now() - timedelta(seconds=40))
    drive(lambda: CloudAccount.objects.get(pk=account.pk).state == "offboarded")

    document = check(Offboarding.objects.get().certificate)
    assert (document["totals"]["found"], document["last_accepted"]) == (0, {})


def test_account_that_is_being_reconnected_may_leave(acme, alice, client, sandbox):
    """Its connecting goes on until the offboarding begins."""
    account = make_half(acme, alice, state="disconnected", connected_at=timezone.now())
    client.force_login(alice)
    start(client, account)
    assert CloudAccount.objects.get(pk=account.pk).state == "waiting_for_kit"
    turn(OFFBOARD)

    assert CloudAccount.objects.get(pk=account.pk).state == "ready_to_offboard"
    assert Operation.objects.get(subject_id=str(account.pk)).state == "cancelled"
    assert newest(OFFBOARD).state == "waiting"


def test_pages_of_a_half_connected_account_name_both_ways_out(acme, alice, client):
    account = make_half(acme, alice)
    client.force_login(alice)
    stop = f'href="/o/acme/accounts/{account.pk}/connect/stop/">Stop connecting'
    assert stop in client.get(f"/o/acme/accounts/{account.pk}/").text

    page = client.get(f"/o/acme/accounts/{account.pk}/offboarding/start/").text
    assert "It begins at once, and cannot be cancelled." in page
    assert "When does it begin?" not in page
    assert stop in page
    told = client.post(f"/o/acme/accounts/{account.pk}/offboarding/start/", {"name": "Half"}, follow=True).text
    assert "The offboarding begins now." in told
    assert "The offboarding is planned." not in told


def test_who_only_looks_finds_the_plan_too(acme, alice, charlie, client):
    account = make_connected(acme, alice)
    make_membership(organisation=acme, user=charlie, role="auditor")
    client.force_login(charlie)
    page = client.get(f"/o/acme/accounts/{account.pk}/").text
    assert f'href="/o/acme/accounts/{account.pk}/offboarding/">Offboarding</a>' in page
    assert "Rename" not in page
    assert "/disconnect/" not in page
