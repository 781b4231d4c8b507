"""Every pair of states: allowed pairs move and log once, all others raise and change nothing."""

import itertools

import pytest

from accounts.models import CloudAccount, Kit
from accounts.states import ACCOUNT_MOVES, KIT_MOVES, AccountState, KitState
from accounts.transitions import move_account, move_kit
from portal.audit import Actor
from portal.audit.models import Event
from portal.operations.transitions import IllegalMove, LostRace
from tests.factories import make_cloud_account, make_kit

pytestmark = pytest.mark.django_db
WORKER = Actor.worker("test")


@pytest.mark.parametrize(("was", "to"), list(itertools.product(AccountState, AccountState)))
def test_move_account_between(was, to):
    account = make_cloud_account(state=was)

    if to in ACCOUNT_MOVES[was]:
        move_account(account, to, by=WORKER)
        event = Event.objects.get(organisation_id=account.organisation_id)
        assert (event.action, event.details) == (f"cloud_account.{to.value}", {"state": [was.value, to.value]})
        assert CloudAccount.objects.get().state == to
    else:
        with pytest.raises(IllegalMove):
            move_account(account, to, by=WORKER)
        assert CloudAccount.objects.get().state == was
        assert not Event.objects.filter(organisation_id=account.organisation_id).exists()


@pytest.mark.parametrize(("was", "to"), list(itertools.product(KitState, KitState)))
def test_move_kit_between(was, to):
    kit = make_kit(account=make_cloud_account(), state=was)

    if to in KIT_MOVES[was]:
        move_kit(kit, to)
        assert Kit.objects.get().state == to
    else:
        with pytest.raises(IllegalMove):
            move_kit(kit, to)
        assert Kit.objects.get().state == was


def test_move_account_loser_of_a_race_is_told_and_changes_nothing():
    account = make_cloud_account(state=AccountState.WAITING_FOR_KIT)
    same = CloudAccount.objects.get(pk=account.pk)
    move_account(same, AccountState.VERIFYING, by=WORKER)

    with pytest.raises(LostRace):
        move_account(account, AccountState.FAILED, by=WORKER)

    assert CloudAccount.objects.get().state == AccountState.VERIFYING
    assert Event.objects.filter(organisation_id=account.organisation_id).count() == 1


def test_move_kit_loser_of_a_race_is_told():
    kit = make_kit(account=make_cloud_account())
    move_kit(Kit.objects.get(pk=kit.pk), KitState.OUTDATED)

    with pytest.raises(LostRace):
        move_kit(kit, KitState.EXPIRED)


def test_move_account_to_connected_remembers_when():
    account = make_cloud_account(state=AccountState.VERIFYING)

    move_account(account, AccountState.CONNECTED, by=WORKER)

    stored = CloudAccount.objects.get()
    assert stored.connected_at == stored.state_at == account.connected_at
