"""After each term its rows are deleted, and nothing else: not before, not twice, and with a record that names nobody."""

import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.access import Role
from accounts.closing import erasing
from accounts.closing.erasing import StillInUse, due_erasures, erase_batch, erase_for_a_while, rows_of
from accounts.closing.models import Closing, Erasure
from accounts.closing.tasks import erase_term, erase_what_is_over
from accounts.closing.terms import RECORD, TERMS, holdings
from accounts.models import CloudAccount, Membership, Organisation, User
from accounts.support.models import AccessRequest
from portal.audit.ending import delete_ended, end_chain
from portal.audit.models import ChainEnd, ChainHead, Event
from tests.activity import assert_no_event
from tests.cells.factories import make_cell, make_instance
from tests.closing.guards import make_closed
from tests.factories import make_cloud_account, make_contact, make_invitation, make_membership, make_organisation
from tests.guards.url_tree import make_failed_operation
from tests.offboarding import guards
from tests.portal.test_admin_site import make_staff, sign_in
from tests.support.factories import make_waiting

DAYS = {term.code: term.after.days for term in TERMS}


@pytest.fixture
def full(acme, alice, bob):
    """Something in many tables, as it stands after everything has left."""
    account = guards.make_connected(acme, alice)
    make_instance(cell=make_cell(account=account), created_by=alice, state="deleted", deleted_at=timezone.now())
    make_failed_operation(acme, alice)
    make_waiting(organisation=acme)
    CloudAccount.objects.filter(organisation=acme, name="Main").update(name="First")
    make_contact(organisation=acme)
    make_invitation(organisation=acme, invited_by=alice)
    guards.make_stuck(acme, alice)
    tell(acme, alice)
    let_all_of_it_leave(acme)
    return acme


def let_all_of_it_leave(organisation):
    """By the rows alone: nothing is in the way of a closing any more."""
    CloudAccount.objects.filter(organisation=organisation).update(state="offboarded")
    AccessRequest.objects.filter(organisation=organisation).update(state="lapsed", ended_at=timezone.now())


def tell(organisation, by):
    from portal.audit import Actor, record

    with transaction.atomic():
        record(organisation_id=organisation.pk, action="organisation.renamed", actor=Actor.user(by))


def let_the_database_see_that_time_has_passed(days):
    """Only here, as the owner of a test database: the product can set no such time."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_chainend DISABLE TRIGGER audit_chainend_no_change")
        cursor.execute("UPDATE audit_chainend SET ended_at = ended_at - %s * interval '1 day'", [days])
        cursor.execute("ALTER TABLE audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_no_change")


def close(organisation, by, days_ago):
    make_closed(organisation, by, days_ago=days_ago)
    end_chain(organisation.pk, kept_for=RECORD.after)
    let_the_database_see_that_time_has_passed(days_ago)


def shut(organisation):
    Organisation.objects.filter(pk=organisation.pk).update(closed_at=timezone.now())


def end(organisation):
    shut(organisation)
    end_chain(organisation.pk, kept_for=RECORD.after)


def counts(organisation_id, term=""):
    return {one.model: rows_of(one, organisation_id).count() for one in holdings(term)}


def erase_all():
    while due := due_erasures():
        for organisation_id, term in due:
            erase_for_a_while(organisation_id, term)


def test_each_term_is_carried_out_at_its_period_and_takes_its_own_tables_alone(full, alice):
    set_age(full, alice, timedelta())
    for term in TERMS:
        before = counts(full.pk)
        assert sum(before[one.model] for one in holdings(term.code)) > 0

        set_age(full, alice, term.after - timedelta(minutes=5))
        assert (full.pk, term.code) not in due_erasures()
        assert not erase_batch(full.pk, term.code)
        assert counts(full.pk, term.code) == {one.model: before[one.model] for one in holdings(term.code)}

        set_age(full, alice, term.after)
        for one in TERMS[: TERMS.index(term) + 1]:
            erase_for_a_while(full.pk, one.code)
        assert set(counts(full.pk, term.code).values()) == {0}
        same_day = {one.code for one in TERMS if one.after <= term.after}
        kept = [one.model for one in holdings() if one.term not in same_day | {term.code}]
        assert {model: before[model] for model in kept} == {model: counts(full.pk)[model] for model in kept}


def set_age(organisation, by, age):
    """As though it had been closed so long ago."""
    if not Closing.objects.exists():
        close(organisation, by, 0)
    at = timezone.now() - age
    times = {"requested_at": at - timedelta(days=7), "scheduled_for": at, "closed_at": at}
    Closing.objects.update(**times)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_chainend DISABLE TRIGGER audit_chainend_no_change")
        cursor.execute("UPDATE audit_chainend SET ended_at = %s", [at - timedelta(days=1)])
        cursor.execute("ALTER TABLE audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_no_change")


def test_after_the_last_term_nothing_is_left_but_numbers(full, alice):
    head = ChainHead.objects.get(chain=full.pk)
    close(full, alice, DAYS["record"])

    erase_all()

    assert not Organisation.objects.filter(pk=full.pk).exists()
    assert set(counts(full.pk).values()) == {0}
    assert {row.term: row.done_at is not None for row in Erasure.objects.all()} == {term.code: True for term in TERMS}
    last = Erasure.objects.get(term="record")
    assert (last.last_event, last.last_hash) == (head.sequence, head.hash)
    assert ChainHead.objects.get(chain=full.pk).hash == head.hash
    told = Event.objects.filter(action="organisation.erased", organisation_id=None)
    assert sorted(event.details["term"] for event in told) == sorted(DAYS)
    kept = json.dumps([*(event.leaf() for event in told), *Erasure.objects.values("counts", "last_hash", "term")])
    for word in ("Acme", alice.email, alice.name):
        assert word not in kept


def test_numbers_are_those_of_what_was_there(full, alice):
    there = counts(full.pk)
    close(full, alice, DAYS["record"])
    there["closing.Closing"] = 1

    erase_all()

    counted = {table: count for row in Erasure.objects.all() for table, count in row.counts.items()}
    # What goes with its parent is not counted a second time.
    for model, count in there.items():
        if model not in {"closing.Closing"} and count:
            assert counted[model] == count, model


def test_a_second_run_finds_nothing(full, alice):
    close(full, alice, DAYS["record"])
    erase_all()
    rows = list(Erasure.objects.values())

    with assert_no_event():
        for term in TERMS:
            erase_term(str(full.pk), term.code)
        assert erase_what_is_over() == 0

    assert list(Erasure.objects.values()) == rows


def test_batches_are_bounded_and_each_is_counted(acme, alice, monkeypatch):
    monkeypatch.setattr(erasing, "BATCH", 2)
    for _number in range(5):
        make_contact(organisation=acme)
    close(acme, alice, DAYS["people"])

    seen = []
    while erase_batch(acme.pk, "people"):
        seen.append((acme.contacts.count(), Erasure.objects.get().counts.get("accounts.Contact", 0)))

    assert seen[:3] == [(3, 2), (1, 4), (0, 5)]


def test_nothing_of_another_organisation_is_touched(full, alice):
    other = make_organisation(name="Other")
    member = make_membership(organisation=other, role=Role.OWNER).user
    make_cloud_account(organisation=other, created_by=member, state="connected")
    make_contact(organisation=other)
    tell(other, member)
    before = counts(other.pk)
    close(full, alice, DAYS["record"])

    erase_all()

    assert counts(other.pk) == before


def test_an_organisation_that_is_open_is_never_touched(full, alice):
    before = counts(full.pk)

    for term in TERMS:
        assert not erase_batch(full.pk, term.code)

    assert (counts(full.pk), Erasure.objects.count()) == (before, 0)


def test_nothing_is_deleted_while_something_lives_in_it(acme, alice):
    make_contact(organisation=acme)
    make_instance(cell=make_cell(account=make_cloud_account(organisation=acme, created_by=alice, state="offboarded")), created_by=alice)
    close(acme, alice, DAYS["record"])

    for term in ("people", "fleet", "record"):
        Erasure.objects.update(done_at=timezone.now())
        before = counts(acme.pk)
        with pytest.raises(StillInUse, match="1 instance is not deleted"):
            erase_batch(acme.pk, term)
        assert counts(acme.pk) == before
        Erasure.objects.create(organisation_id=acme.pk, term=term)


def test_person_who_belongs_nowhere_else_is_forgotten(acme, alice, bob):
    make_membership(organisation=make_organisation(), user=bob)
    staff = make_membership(organisation=acme).user
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    close(acme, alice, DAYS["people"])

    erase_all()

    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_active) == ("", f"{alice.pk}@forgotten.invalid", False)
    assert not alice.has_usable_password()
    assert not alice.emailaddress_set.exists()
    for kept in (bob, staff):
        assert User.objects.get(pk=kept.pk).email == kept.email
    assert Erasure.objects.get(term="people").counts["accounts.User"] == 1
    assert Membership.objects.filter(organisation=acme).count() == 0


def test_the_next_term_waits_for_the_one_before(full, alice):
    close(full, alice, DAYS["record"])

    assert [term for _pk, term in due_erasures()] == ["people"]
    assert not erase_batch(full.pk, "record")
    assert CloudAccount.objects.filter(organisation=full).exists()


# --- The chain -------------------------------------------------------------------------------------------------------


def test_database_deletes_no_event_of_a_chain_that_has_not_ended(acme, alice):
    tell(acme, alice)

    assert delete_ended(acme.pk, most=10) == 0
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.for_chain(acme.pk)._raw_delete("default")

    assert Event.objects.for_chain(acme.pk).count() == 1


def test_database_deletes_no_event_before_the_stated_days_are_over(acme, alice):
    tell(acme, alice)
    end(acme)
    let_the_database_see_that_time_has_passed(RECORD.after.days - 1)

    assert delete_ended(acme.pk, most=10) == 0

    let_the_database_see_that_time_has_passed(1)
    assert delete_ended(acme.pk, most=10) == 1


def test_database_deletes_of_the_ended_chain_alone(acme, alice):
    other = make_organisation()
    tell(acme, alice)
    tell(other, alice)
    end(acme)
    let_the_database_see_that_time_has_passed(RECORD.after.days)

    assert delete_ended(other.pk, most=10) == 0
    assert delete_ended(acme.pk, most=10) == 1
    assert Event.objects.for_chain(other.pk).count() == 1


@pytest.mark.parametrize("change", ["UPDATE audit_chainend SET kept_days = 400", "DELETE FROM audit_chainend"])
def test_database_takes_no_end_back_and_changes_none(change, acme):
    end(acme)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_database_sets_the_time_of_an_end_itself(acme):
    shut(acme)
    ChainEnd.objects.create(chain=acme.pk, kept_days=400, ended_at=timezone.now() - timedelta(days=4000))

    assert timezone.now() - ChainEnd.objects.get().ended_at < timedelta(minutes=5)


@pytest.mark.parametrize("days", [0, 364])
def test_database_refuses_an_end_that_keeps_too_short(days, acme):
    shut(acme)
    with pytest.raises(DatabaseError, match="chain_end_keeps_long_enough"), transaction.atomic():
        ChainEnd.objects.create(chain=acme.pk, kept_days=days)


def test_platform_chain_has_no_end(db):
    with pytest.raises(DatabaseError, match="chain_end_never_of_the_platform"), transaction.atomic():
        ChainEnd.objects.create(chain="00000000-0000-0000-0000-000000000000", kept_days=4000)


def test_database_ends_no_chain_of_an_open_organisation(acme):
    with pytest.raises(DatabaseError, match="open organisation"), transaction.atomic():
        end_chain(acme.pk, kept_for=RECORD.after)

    assert not ChainEnd.objects.exists()


def test_database_deletes_nothing_of_an_organisation_that_is_open_though_its_chain_has_ended(acme, alice):
    """As of an end that was written before the database refused it."""
    tell(acme, alice)
    end(acme)
    let_the_database_see_that_time_has_passed(RECORD.after.days)
    Organisation.objects.filter(pk=acme.pk).update(closed_at=None)

    assert delete_ended(acme.pk, most=10) == 0
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.for_chain(acme.pk)._raw_delete("default")

    assert Event.objects.for_chain(acme.pk).count() == 1


def test_administration_counts_ends_without_a_closing(acme, alice, client):
    close(make_organisation(), alice, 1)
    end(acme)
    sign_in(client, make_staff(email="sam@fernhill.example"))

    page = client.get("/admin/").text

    counted = '<dt>Activity logs that ended without a closing</dt><dd><a href="/admin/closing/closing/?state__exact=closed">1</a></dd>'
    assert counted in page
