"""Support access while an account leaves: open, asked for, or looked back upon. It ends first, and nothing of it begins any more."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import CloudAccount
from accounts.offboarding.models import Offboarding
from accounts.support import tasks
from accounts.support.actions.decisions import approve
from accounts.support.models.decisions import Method
from accounts.support.proof.proofs import Proof
from accounts.support.rules.offers import OfferChanged
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from tests.cells.living import drive_to_wait, turn
from tests.factories import make_cloud_account, make_kit
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.support.factories import make_approver, make_requested, offer_on, scope_for
from tests.support.sessions import make_standing_grant, open_access

pytestmark = pytest.mark.django_db(transaction=True)


def work(rounds=20):
    """Workers and the schedule of support access."""
    for _round in range(rounds):
        tasks.close_ending_grants()
        turn()


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_open_access_ends_before_the_account_and_is_not_asked_about_once_it_has_left(cloud, stand, acme, alice, client, sandbox):
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox, has_cell=False)
    asked = make_standing_grant(leaver.standing, profile="logs")
    open_access(asked)
    leaver.start()
    turn(OFFBOARD)
    asked.refresh_from_db()
    assert (leaver.account.state, asked.state) == ("offboarding", "ending")
    work()
    asked.refresh_from_db()
    assert (leaver.account.state, asked.state) == ("ready_to_offboard", "revoked")
    assert asked.proofs.filter(is_refused=True).exists()
    drive_to_wait(OFFBOARD, "offboarding_kit")
    leaver.remove_kit()
    leaver.until_offboarded()

    with time_machine.travel(asked.granted_until + timedelta(minutes=30)):
        assert tasks.review_ended_grants() == 0
    assert not Operation.objects.filter(state="failed").exists()
    page = client.get(f"{asked.get_absolute_url()}receipt/").text
    assert "Our access to this account has ended, so its log cannot be read any more." in page
    assert "Compare now" not in page
    assert "Not compared yet" not in page
    client.post(f"{asked.get_absolute_url()}receipt/compare/")
    assert not Operation.objects.filter(kind="compare_support_log").exists()


@pytest.mark.parametrize("wish", [{}, {"starts_at": 36}], ids=["now", "later"])
def test_request_whose_page_stands_open_is_not_approved_once_the_account_leaves(wish, acme, alice, client, sandbox):
    account = make_cloud_account(organisation=acme, state="connected", created_by=alice, name="Main", connected_at=timezone.now())
    make_kit(account=account, ran_at=timezone.now())
    given = {name: timezone.now() + timedelta(hours=hours) for name, hours in wish.items()}
    asked, approver = make_requested(organisation=acme, scope=scope_for(account), **given), make_approver(acme)
    read = offer_on(asked)
    client.force_login(alice)
    client.post(f"/o/acme/accounts/{account.pk}/offboarding/start/", {"when": "now", "name": "Main"})
    turn(OFFBOARD)
    assert CloudAccount.objects.get().state == "ready_to_offboard"

    with pytest.raises((NotAllowed, OfferChanged)):
        approve(asked, offer=read, proof=Proof(Method.TOTP), by=approver)

    asked.refresh_from_db()
    assert asked.state == "requested"
    assert Offboarding.objects.get().state == "waiting_for_you"
