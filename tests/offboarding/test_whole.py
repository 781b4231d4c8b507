"""Two cells and three instances, deleted by one counted act, then the account left; and the kit removed too early in the other clouds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import TrustWatch
from accounts.steps.watch import watch_once
from cells.actions.instances import create_instance
from cells.models import Cell, Instance
from portal.audit.verify_certificate import check
from portal.operations.models import Operation
from tests.cells.factories import make_plan
from tests.cells.living import drive_to_end, turn, wish
from tests.offboarding.leaving import Leaver
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("cloud", "here", "there"), [("aws", "us-east-1", "eu-west-1"), ("azure", "westeurope", "northeurope")])
def test_two_cells_and_three_instances_leave_one_account(cloud, here, there, stand, acme, alice, client, sandbox):
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox, has_cell=False)
    if cloud == "azure":  # whose kit is run for each location
        leaver.standing.hand.run_kit(cellLocation=there)
        leaver.standing.look()
    plan = make_plan(regions={cloud: [here, there]}, has_backups=True)
    for name, region in (("orders", here), ("billing", here), ("search", there)):
        create_instance(acme, name=name, wish=wish(leaver.account, plan, region=region), by=alice)
    drive_to_end()
    assert Cell.objects.count() == 2
    url = f"/o/acme/accounts/{leaver.standing.pk}/instances/delete/"
    page = client.get(url)
    assert "3 instances are deleted for good" in page.text
    assert "3 instances can be backed up a last time first" in page.text
    listed = page.context["form"]["listed"].value()
    sent = {"listed": listed, "final_backup": "no"}
    client.post(url, {"name": "another", **sent})
    assert Instance.objects.alive().count() == 3

    client.post(url, {"name": str(leaver.account), **sent})
    drive_to_end()
    assert not Instance.objects.alive().exists()
    leaver.start()
    leaver.until_ready()
    leaver.remove_kit()
    leaver.until_offboarded()

    document = check(leaver.row.certificate)
    assert {region["region"] for region in document["regions"]} == {here, there}
    assert document["totals"]["removed"] == document["totals"]["found"] > 0
    assert Operation.objects.filter(kind="delete_cell").count() == 2


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_kit_removed_too_early_is_seen_in_every_cloud(cloud, stand, acme, alice, client, sandbox):
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox)
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()
    for later in (timedelta(), SECOND):
        watch = TrustWatch.objects.get(account=leaver.standing.pk)
        TrustWatch.objects.filter(pk=watch.pk).update(since=watch.since - later, next_at=timezone.now(), lease_until=None)
        watch_once(watch.pk)

    assert leaver.states == ("offboarding", "stuck")
    page = leaver.page()
    assert "The kit was removed before cleanup finished." in page
    assert "Run the recovery kit" in page
    for _turn in range(3):
        turn()
    assert leaver.states == ("offboarding", "stuck")
