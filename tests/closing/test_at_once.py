"""The end of an organisation beside what people do at the same moment, on connections of their own."""

import pytest
from allauth.account.models import EmailAddress

from accounts.access import Role
from accounts.actions.connect import start_draft as start_account
from accounts.actions.contacts import add_contact
from accounts.actions.invitations import accept_invitation, create_invitation
from accounts.actions.organisations import create_organisation
from accounts.closing.erasing import erase_for_a_while
from accounts.closing.models import Closing
from accounts.closing.steps import close_due
from accounts.models import Contact, Membership, Organisation, User
from accounts.models.cloud_accounts import Cloud
from accounts.support.brokering import viewing
from accounts.support.models import Viewing
from cells.actions.instances import create_instance
from cells.actions.instances import start_draft as start_instance
from cells.models import HostingAccount
from portal.embedded.process import wait_until
from portal.operations.availability import NotAllowed
from tests.cells.factories import make_plan
from tests.cells.living import wish
from tests.cells.test_races import Rival, held, waiting_for_locks
from tests.closing.guards import make_closed
from tests.closing.test_closing import make_due
from tests.factories import make_cloud_account, make_contact, make_invitation, make_membership, make_organisation, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def erase_people(organisation):
    return Rival(lambda: erase_for_a_while(organisation.pk, "people"))


def in_the_middle_of_forgetting(acme, bob, act):
    """What `bob` does while the worker has begun to forget him and has not ended."""
    with held(EmailAddress.objects.filter(user=bob)):
        worker = erase_people(acme)
        wait_until(lambda: waiting_for_locks() == 1, seconds=10)
        person = Rival(act)
        wait_until(lambda: waiting_for_locks() == 2 or person.future.done(), seconds=10)
    worker.end()
    return person.end()


def test_person_who_joins_elsewhere_while_being_forgotten_is_refused(acme, alice, bob):
    other = make_organisation(name="Other")
    host = make_membership(organisation=other, role=Role.OWNER).user
    invitation = make_invitation(organisation=other, invited_by=host, email=bob.email)
    make_closed(acme, alice, days_ago=30)

    person = in_the_middle_of_forgetting(acme, bob, lambda: accept_invitation(invitation=invitation, by=bob))

    assert isinstance(person.refused, NotAllowed)
    assert not Membership.objects.filter(user=bob).exists()
    assert not User.objects.get(pk=bob.pk).is_active


def test_person_who_founds_one_while_being_forgotten_is_refused(acme, alice, bob):
    make_closed(acme, alice, days_ago=30)

    person = in_the_middle_of_forgetting(acme, bob, lambda: create_organisation(name="New", by=bob))

    assert isinstance(person.refused, NotAllowed)
    assert not Membership.objects.filter(user=bob).exists()


def test_person_of_two_closed_organisations_is_forgotten_by_the_second(acme, alice, bob):
    other = make_organisation(name="Other")
    make_membership(organisation=other, user=bob)
    for organisation in (acme, other):
        make_closed(organisation, alice, days_ago=30)

    with held(Membership.objects.filter(user=bob)):
        workers = [erase_people(acme), erase_people(other)]
        wait_until(lambda: waiting_for_locks() == 2, seconds=10)
    for worker in workers:
        worker.end()

    assert not Membership.objects.filter(user=bob).exists()
    assert User.objects.get(pk=bob.pk).name == ""


def make_hosted_wish():
    """An instance that the provider hosts: no account of the customer stands in the way of the closing."""
    account = make_cloud_account(state="connected", home_region="eu-west-1")
    HostingAccount.objects.create(account=account, hosting="provider")
    return wish(account, make_plan(hosting="provider", tenancy="multi_tenant"))


ACTS = {
    "instance": lambda acme, by, made: create_instance(acme, name="orders", wish=made, by=by),
    "instance_draft": lambda acme, by, made: start_instance(acme, plan=made.plan, account=None, by=by),
    "account_draft": lambda acme, by, made: start_account(organisation=acme, cloud=Cloud.AWS, by=by),
    "contact": lambda acme, by, made: add_contact(
        organisation=acme, name="Ops", email="ops@acme.example", purpose=Contact.Purpose.OPERATIONAL, by=by
    ),
    "invitation": lambda acme, by, made: create_invitation(organisation=acme, email="dora@acme.example", role=Role.OWNER, by=by),
}


@pytest.mark.parametrize("name", ACTS)
def test_request_that_was_let_in_before_the_closing_adds_nothing_after_it(name, acme, alice):
    closing, made = make_due(acme, alice), make_hosted_wish()

    with held(Closing.objects.filter(pk=closing.pk)):
        worker = Rival(lambda: close_due(closing.pk))
        wait_until(lambda: waiting_for_locks() == 1, seconds=10)
        person = Rival(lambda: ACTS[name](acme, alice, made))
        wait_until(lambda: waiting_for_locks() == 2 or person.future.done(), seconds=10)
    worker.end()
    person.end()

    assert Organisation.objects.get(pk=acme.pk).closed_at is not None
    assert str(person.refused.reason) == "Acme is closed. Nothing was saved."
    for rows in (acme.instances, acme.instance_drafts, acme.cloud_accounts, acme.contacts, acme.invitations):
        assert not rows.exists()


def test_closing_gives_way_to_who_holds_a_row_and_then_adds_one(acme, alice):
    """Each would wait for the other, and PostgreSQL would end one of them: the person's request, as likely as the worker's round."""
    closing, contact = make_due(acme, alice), make_contact(organisation=acme)

    with held(Contact.objects.filter(pk=contact.pk)):
        worker = Rival(lambda: close_due(closing.pk))
        wait_until(lambda: waiting_for_locks() == 1, seconds=10)
        make_invitation(organisation=acme, invited_by=alice)
    worker.end()

    assert acme.invitations.open().count() == 1
    closing.refresh_from_db()
    assert (closing.state, closing.failed_at) == ("planned", None)
    close_due(closing.pk)
    closing.refresh_from_db()
    assert closing.state == "closed"


def test_view_as_customer_that_was_let_in_before_the_closing_is_refused(acme, alice):
    closing, staff = make_due(acme, alice), make_user(is_staff=True)

    with held(Closing.objects.filter(pk=closing.pk)):
        worker = Rival(lambda: close_due(closing.pk))
        wait_until(lambda: waiting_for_locks() == 1, seconds=10)
        person = Rival(lambda: viewing.begin(acme, case="CASE-1", reason="To look", by=staff))
        wait_until(lambda: waiting_for_locks() == 2 or person.future.done(), seconds=10)
    worker.end()
    person.end()

    assert str(person.refused.reason) == "Acme is closed. Nothing was saved."
    assert not Viewing.objects.exists()
