"""A kit of which nobody has told an identity: the cloud was not asked, and no page, file or program says that it has refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import CloudAccount
from accounts.offboarding.models import Offboarding, SignIn
from portal.audit.verify_certificate import Wrong, canonical, check, main
from tests.activity import assert_one_event
from tests.cells.living import drive, drive_to_wait, newest, turn
from tests.factories import make_cloud_account, make_kit
from tests.offboarding.leaving import OFFBOARD

pytestmark = pytest.mark.django_db(transaction=True)
TENANT = "11111111-2222-3333-4444-555555555555"
NUMBER = "0b5f2f0e-5c1f-4c58-9d0a-1a2b3c4d5e6f"


@pytest.fixture
def untold(acme, alice, client, sandbox):
    """Azure's kit may have been run: its report never came through, and nobody has pasted its ids."""
    named = {"cloud": "azure", "external_id": NUMBER, "home_region": "westeurope", "identity": {"tenant_id": TENANT}}
    account = make_cloud_account(organisation=acme, state="failed", created_by=alice, name="Half", failure_code="kit_expired", **named)
    make_kit(account=account)
    client.force_login(alice)
    client.post(f"/o/acme/accounts/{account.pk}/offboarding/start/", {"when": "now", "name": "Half"})
    return account


def test_cloud_that_was_not_asked_has_not_refused(untold, client):
    drive_to_wait(OFFBOARD, "offboarding_kit_untold")
    for _turn in range(3):
        SignIn.objects.update(asked_at=timezone.now() - timedelta(seconds=40))
        turn(OFFBOARD)

    assert CloudAccount.objects.get(pk=untold.pk).state == "ready_to_offboard"
    assert not SignIn.objects.exists()
    page = client.get(f"/o/acme/accounts/{untold.pk}/offboarding/").text
    assert "was never told which identity the kit has made" in page
    assert "Confirm: never run, or removed" in page


def test_owners_word_ends_it_and_is_named_as_that_everywhere(untold, acme, alice, client, tmp_path, capsys):
    drive_to_wait(OFFBOARD, "offboarding_kit_untold")
    url = f"/o/acme/accounts/{untold.pk}/offboarding/"
    assert "it cannot ask your cloud" in client.get(f"{url}never-run/").text
    client.post(f"{url}never-run/", {"name": "another"})
    assert Offboarding.objects.get().never_told_by is None

    with assert_one_event(acme, action="offboarding.never_run_confirmed"):
        client.post(f"{url}never-run/", {"name": "Half"})
    drive(lambda: CloudAccount.objects.get(pk=untold.pk).state == "offboarded")

    row = Offboarding.objects.get()
    document = check(row.certificate)
    (kit,) = document["kits"]
    assert (kit["refusals"], kit["not_asked"]["confirmed_by"], document["first_refused"]) == ([], alice.email, {})
    page = client.get(f"{url}certificate/").text
    assert "Azure was not asked: no identity was ever told to us." in page
    assert "Refused by" not in page
    assert "has refused its sign-in" not in client.get(url).text
    (file := tmp_path / "certificate.json").write_text(row.certificate, encoding="utf-8")
    assert main([str(file), "--sha256", row.sha256]) == 0
    told = capsys.readouterr().out
    assert "not asked: no identity was ever told to us" in told
    assert "refused" not in told.lower()
    assert newest(OFFBOARD).state == "succeeded"

    kit["not_asked"]["confirmed_by"] = ""
    with pytest.raises(Wrong, match="nobody has said"):
        check(canonical(document))


def test_owners_word_is_taken_only_where_the_cloud_cannot_be_asked(acme, alice, client):
    account = make_cloud_account(organisation=acme, state="ready_to_offboard", created_by=alice, name="Main", connected_at=timezone.now())
    make_kit(account=account, ran_at=timezone.now())
    now = timezone.now()
    Offboarding.objects.create(
        account=account, organisation=acme, requested_by=alice, state="waiting_for_you", irreversible_at=now, scheduled_for=now
    )
    client.force_login(alice)

    client.post(f"/o/acme/accounts/{account.pk}/offboarding/never-run/", {"name": "Main"})

    assert Offboarding.objects.get().never_told_by is None
