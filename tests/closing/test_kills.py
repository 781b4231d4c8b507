"""kill -9 before every statement and every commit: an organisation is open or closed, and what was deleted is what was counted."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.closing import erasing
from accounts.closing.erasing import due_erasures, erase_for_a_while
from accounts.closing.models import Closing, Erasure
from accounts.closing.steps import close_due
from accounts.closing.terms import RECORD, TERMS, holdings
from accounts.models import Organisation, User
from portal.audit.ending import end_chain
from portal.audit.models import ChainEnd, Event
from tests.closing.deaths import run_until
from tests.closing.guards import make_closed, make_closing
from tests.closing.test_erasing import counts, let_the_database_see_that_time_has_passed, tell
from tests.factories import make_cloud_account, make_contact, make_invitation, make_kit

pytestmark = pytest.mark.django_db(transaction=True)
MOST_POINTS = 400


def test_worker_killed_while_it_closes(acme, alice):
    make_invitation(organisation=acme, invited_by=alice)
    asked = {"requested_at": timezone.now() - timedelta(days=8), "scheduled_for": timezone.now() - timedelta(minutes=1)}
    closing = make_closing(acme, alice, **asked)

    for point in range(1, MOST_POINTS):
        is_over = run_until(point, lambda: close_due(closing.pk))
        assert state_of(acme) in ({"open"}, {"closed"}), point
        if is_over:
            break

    assert point > 10
    assert state_of(acme) == {"closed"}
    assert Event.objects.filter(action="organisation.closed").count() == 1


def state_of(organisation):
    """Everything that closing changes, each said by itself: all of one kind, or torn."""
    found = [
        Organisation.objects.get(pk=organisation.pk).closed_at is not None,
        Closing.objects.get().state == "closed",
        not organisation.invitations.open().exists(),
        ChainEnd.objects.exists(),
        Event.objects.filter(action="organisation.closed").exists(),
    ]
    return {"closed" if one else "open" for one in found}


def test_worker_killed_while_it_deletes(acme, alice, bob, monkeypatch):
    monkeypatch.setattr(erasing, "BATCH", 2)
    for _number in range(3):
        make_contact(organisation=acme)
        make_kit(account=make_cloud_account(organisation=acme, created_by=alice, state="offboarded"))
        tell(acme, alice)
    make_closed(acme, alice, days_ago=RECORD.after.days)
    end_chain(acme.pk, kept_for=RECORD.after)
    let_the_database_see_that_time_has_passed(RECORD.after.days)
    there = counts(acme.pk)

    for point in itertools.chain(range(1, 60, 2), itertools.count(60, 40)):
        is_over = run_until(point, erase_all)
        assert_counted(acme.pk, there)
        if is_over:
            break

    assert set(counts(acme.pk).values()) == {0}
    assert Erasure.objects.exclude(done_at=None).count() == len(TERMS)
    told = Event.objects.filter(action="organisation.erased").values_list("details__term", flat=True)
    assert sorted(told) == sorted(term.code for term in TERMS)
    assert User.objects.get(pk=alice.pk).name == ""


def erase_all():
    while due := due_erasures():
        for organisation_id, term in due:
            erase_for_a_while(organisation_id, term)


def assert_counted(organisation_id, there):
    """What is gone is on record, to the row; what is said to be done is gone."""
    left = counts(organisation_id)
    counted = {table: count for row in Erasure.objects.all() for table, count in row.counts.items()}
    for model, count in there.items():
        if model != "closing.Closing":
            assert counted.get(model, 0) + left[model] == count, model
    for row in Erasure.objects.exclude(done_at=None):
        assert {left[one.model] for one in holdings(row.term)} == {0}
