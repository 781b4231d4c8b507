"""A kit removed too early: it is offered again only where that brings a way back in, and the page says which rights come with it."""

import pytest
from django.utils import timezone

from accounts import kits
from accounts.targets import target_of
from tests.accounts.test_connect_gcp import Shell
from tests.factories import make_cloud_account, make_kit
from tests.offboarding.guards import make_offboarding
from tests.offboarding.leaving import Leaver
from tests.offboarding.test_orders_and_faults import see
from tests.offboarding.test_stuck import run_lines_before_the_kit
from tests.standing import SECOND

IDENTITY = {"aws": {}, "gcp": {"project_number": "123456789012"}, "azure": {"tenant_id": "11111111-2222-3333-4444-555555555555"}}


@pytest.mark.django_db
@pytest.mark.parametrize(("cloud", "is_offered"), [("aws", True), ("gcp", True), ("azure", False)])
def test_kit_is_offered_again_only_where_it_helps(cloud, is_offered, acme, alice, client):
    named = {"cloud": cloud, "name": "Main", "identity": IDENTITY[cloud], "state": "offboarding", "connected_at": timezone.now()}
    account = make_cloud_account(organisation=acme, created_by=alice, **named)
    make_kit(account=account, ran_at=timezone.now())
    make_offboarding(account=account, by=alice, state="stuck", code="offboarding_kit_gone")
    client.force_login(alice)

    page = client.get(f"/o/acme/accounts/{account.pk}/offboarding/").text

    assert ("Run the same kit again" in page) == is_offered
    assert ("those to create and change, too." in page) == is_offered
    assert ("The removal goes on by itself" in page) == is_offered
    assert ("Remove the rest by hand" in page) != is_offered
    assert ("Azure gives deleted identities new client IDs" in page) != is_offered
    assert ("Run the same kit again, so that" in page) == is_offered
    assert ("Run before the kit" in page) == (cloud == "gcp")


@pytest.mark.django_db(transaction=True)
def test_whole_kit_of_google_comes_back_with_the_lines_of_the_page(stand, acme, alice, client, sandbox):
    """Removed by the very command of the kit: pool, accounts and roles."""
    leaver = Leaver(stand("gcp"), acme, alice, client, sandbox)
    leaver.hand.do("hold")
    leaver.start()
    leaver.until(account="offboarding")
    kit = leaver.account.kits.first()
    Shell(sandbox.console_port).run(kits.load("gcp").removal_command(target_of(leaver.account, kit)))
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.code == "offboarding_kit_gone"

    run_lines_before_the_kit(leaver)
    leaver.run_kit_again()
    see(leaver)
    see(leaver, later=SECOND)

    assert leaver.row.state == "in_progress"
