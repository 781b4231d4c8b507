"""A closing that fails keeps no other one from its turn, and staff see it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.closing import tasks
from accounts.closing.erasing import due_erasures
from accounts.closing.models import Closing
from accounts.closing.parts import ENDINGS
from accounts.closing.tasks import close_due_organisations, erase_term
from tests.cells.factories import make_cell, make_instance
from tests.closing.guards import make_closed
from tests.closing.test_closing import make_due
from tests.factories import make_cloud_account, make_contact, make_membership, make_organisation
from tests.portal.test_admin_site import make_staff, sign_in


class Broken(Exception):
    """What an ending of an app raises here."""


@pytest.fixture
def broken(acme, monkeypatch):
    """One ending raises, for this organisation alone."""

    def end(organisation):
        if organisation.pk == acme.pk:
            raise Broken

    monkeypatch.setattr("accounts.closing.steps.ENDINGS", [*ENDINGS, end])
    return acme


def test_closing_that_raises_is_noted_and_the_next_one_closes(broken, alice):
    other = make_organisation(name="Other")
    make_membership(organisation=other, user=alice, role="owner")
    first, second = make_due(broken, alice), make_due(other, alice)

    close_due_organisations()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("planned", "closed")
    assert first.failed_at is not None
    assert second.failed_at is None


def test_closing_that_failed_is_tried_after_the_others(broken, alice, monkeypatch):
    monkeypatch.setattr(tasks, "BATCH", 1)
    other = make_organisation(name="Other")
    make_membership(organisation=other, user=alice, role="owner")
    make_due(broken, alice)
    second = make_due(other, alice)
    Closing.objects.filter(pk=second.pk).update(scheduled_for=timezone.now())

    close_due_organisations()
    close_due_organisations()

    second.refresh_from_db()
    assert second.state == "closed"


def test_closing_that_works_again_is_no_longer_noted(acme, alice):
    closing = make_due(acme, alice)
    Closing.objects.update(failed_at=timezone.now())

    close_due_organisations()

    closing.refresh_from_db()
    assert (closing.state, closing.failed_at) == ("closed", None)


def test_deletion_that_raises_is_noted_and_tried_after_the_others(acme, alice):
    other = make_organisation(name="Other")
    make_membership(organisation=other, user=alice, role="owner")
    account = make_cloud_account(organisation=acme, created_by=alice, state="offboarded")
    make_instance(cell=make_cell(account=account), created_by=alice)
    make_contact(organisation=acme)
    make_closed(acme, alice, days_ago=40)
    make_closed(other, alice, days_ago=35)
    assert due_erasures()[0] == (acme.pk, "people")

    erase_term(str(acme.pk), "people")

    assert acme.contacts.count() == 1
    assert [pk for pk, _term in due_erasures()] == [other.pk, acme.pk]
    assert timezone.now() - Closing.objects.get(organisation=acme).failed_at < timedelta(minutes=5)


def test_administration_counts_closings_that_fail(acme, alice, client):
    make_due(acme, alice)
    Closing.objects.update(failed_at=timezone.now())
    sign_in(client, make_staff(email="sam@fernhill.example"))

    page = client.get("/admin/").text

    assert '<dt>Failing closings</dt><dd><a href="/admin/closing/closing/?failed_at__isempty=0">1</a></dd>' in page
    assert "Acme" in client.get("/admin/closing/closing/?failed_at__isempty=0").text
