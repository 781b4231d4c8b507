"""Whose turn it is to be looked at, and who looks."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actions.trust import look_now
from accounts.models import CloudAccount, TrustWatch
from accounts.states import AccountState, Sight, TrustVerdict
from accounts.steps.watch import Look, claim, judge, take_due, watch_once
from tests.accounts.trust.looking import look_of
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)


def test_watch_due_accounts_are_rung_once_and_again_when_the_bell_was_lost(account):
    TrustWatch.objects.update(next_at=timezone.now() - timedelta(seconds=1))

    assert take_due() == [account.watch.pk]
    assert take_due() == []
    TrustWatch.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert take_due() == [account.watch.pk]


def test_watch_is_held_by_one_worker_and_taken_up_again_when_it_dies(account):
    TrustWatch.objects.update(next_at=timezone.now())
    held = claim(account.watch.pk)

    assert held is not None
    assert claim(account.watch.pk) is None
    TrustWatch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    again = claim(account.watch.pk)
    assert again is not None
    assert again.fence == held.fence + 1


def test_watch_ignores_what_a_worker_finds_after_it_lost_its_lease(account, customer, monkeypatch):
    """A worker hangs in the cloud past its lease; meanwhile another one looks. The late answer is dropped."""
    from accounts.steps import watch as steps

    customer.delete_provider()
    asked = steps.look

    def slow(held, kit):
        found = asked(held, kit)
        TrustWatch.objects.update(lease_until=None, fence=held.fence + 1, next_at=timezone.now())
        return found

    monkeypatch.setattr(steps, "look", slow)
    watch_once(account.watch.pk)

    assert TrustWatch.objects.get().verdict == "holds"


def test_watch_ends_with_the_connection(account):
    CloudAccount.objects.update(state=AccountState.DISCONNECTED)
    TrustWatch.objects.update(next_at=timezone.now())

    watch_once(account.watch.pk)

    assert TrustWatch.objects.get().next_at is None
    assert take_due() == []


def test_look_now_is_due_at_once_and_not_twice_in_a_moment(account):
    assert look_now(account)
    assert not look_now(account)

    assert TrustWatch.objects.get().is_looking
    assert take_due() == [account.watch.pk]
    assert not look_of(account).is_looking


@pytest.mark.parametrize("verdict", TrustVerdict)
@pytest.mark.parametrize("sight", Sight)
def test_judge_too_early_keeps_a_doubt_and_a_hope(verdict, sight):
    now = timezone.now()
    watch = TrustWatch(verdict=verdict, since=now - timedelta(seconds=1))

    early, late = judge(watch, Look(sight), now), judge(watch, Look(sight), now + SECOND)

    assert (early == late) == ((verdict, sight) not in {("doubted", "bad"), ("recovering", "good")})
    assert late in TrustVerdict
