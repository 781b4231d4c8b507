"""Contacts: added by members, confirmed by themselves, at least one operational while accounts are connected."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import availability_people
from accounts.actions.contacts import add_contact, remove_contact, resend_confirmation
from accounts.models import CloudAccount, Contact
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.factories import make_contact

LINK = re.compile(r"http://localhost:8000(/\S+)")
FIELDS = {"name": "Night desk", "email": "Night@Acme.example", "purpose": "operational"}


def events():
    return list(Event.objects.order_by("at").values_list("action", "actor_kind", "actor_email", "details"))


def test_add_contact_writes_row_event_and_mail(client, bob, acme, mailbox, django_capture_on_commit_callbacks):
    client.force_login(bob)
    assert not acme.has_operational_contact()

    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("accounts:contact_add", args=["acme"]), FIELDS)

    assert acme.has_operational_contact()
    contact = acme.contacts.get()
    assert (contact.name, contact.email, contact.confirmed_at) == ("Night desk", "night@acme.example", None)
    assert events() == [("contact.added", "user", "bob@people.example", {"email": "night@acme.example", "purpose": "operational"})]
    (message,) = mailbox
    assert (message.to, message.subject) == (["night@acme.example"], "Confirm that you are a contact of Acme")
    assert "Fernhill will write to it on this subject: Operational." in message.body


def test_contact_confirms_by_post_not_by_opening_the_link(client, acme):
    contact = make_contact(organisation=acme, token="t0")
    url = reverse("accounts:contact_confirm", args=["t0"])

    asked = client.get(url)
    contact.refresh_from_db()
    before = contact.confirmed_at
    page = client.post(url)

    contact.refresh_from_db()
    assert "Acme names" in asked.text
    assert before is None
    assert contact.confirmed_at is not None
    assert contact.token_hash == ""
    assert "is now a confirmed contact of Acme." in page.text
    assert events() == [("contact.confirmed", "guest", contact.email, {"email": contact.email, "purpose": "operational"})]
    assert client.get(url).status_code == HTTPStatus.GONE


def test_contact_link_never_opens_with_an_empty_hash(client, acme):
    make_contact(organisation=acme, confirmed_at=timezone.now())

    assert client.get(reverse("accounts:contact_confirm", args=["anything"])).status_code == HTTPStatus.GONE


def test_add_contact_refuses_a_double(alice, acme):
    make_contact(organisation=acme, email="night@acme.example")

    with pytest.raises(NotAllowed, match="is already a contact for this"):
        add_contact(organisation=acme, name="Again", email="NIGHT@acme.example", purpose="operational", by=alice)

    assert add_contact(organisation=acme, name="Again", email="night@acme.example", purpose="billing", by=alice).purpose == "billing"


def test_mails_to_contacts_are_limited_a_day_whatever_is_removed_or_sent_again(alice, acme, monkeypatch):
    monkeypatch.setattr(availability_people, "CONTACT_MAILS_A_DAY", 3)
    fields = {"organisation": acme, "name": "Night desk", "purpose": "billing", "by": alice}
    kept = add_contact(email="kept@acme.example", **fields)
    Contact.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    resend_confirmation(contact=kept, by=alice)
    remove_contact(contact=add_contact(email="gone@acme.example", **fields), by=alice)
    Contact.objects.update(sent_at=timezone.now() - timedelta(minutes=2))

    for send in (lambda: add_contact(email="more@acme.example", **fields), lambda: resend_confirmation(contact=kept, by=alice)):
        with pytest.raises(NotAllowed, match="3 mails were sent to contacts in the last 24 hours"):
            send()


def test_resend_confirmation_kills_the_old_link(client, bob, acme, mailbox, django_capture_on_commit_callbacks):
    contact = make_contact(organisation=acme, token="old")
    client.force_login(bob)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("accounts:contact_resend", args=["acme", contact.pk]))

    assert client.get(reverse("accounts:contact_confirm", args=["old"])).status_code == HTTPStatus.GONE
    assert client.get(LINK.search(mailbox[0].body)[1]).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sent_at": timezone.now() + timedelta(hours=1)}, "less than a minute ago"),
        ({"confirmed_at": timezone.now()}, "has confirmed the address"),
    ],
)
def test_resend_confirmation_is_refused(bob, acme, fields, reason):
    with pytest.raises(NotAllowed, match=reason):
        resend_confirmation(contact=make_contact(organisation=acme, **fields), by=bob)


def test_remove_contact_records_it(client, bob, acme):
    contact = make_contact(organisation=acme)
    client.force_login(bob)

    client.post(reverse("accounts:contact_remove", args=["acme", contact.pk]))

    assert not acme.contacts.exists()
    assert [action for action, *_ in events()] == ["contact.removed"]


def test_last_operational_contact_stays_while_an_account_is_connected(client, alice, acme):
    CloudAccount.objects.create(organisation=acme, cloud="aws", external_id="111122223333", state=AccountState.CONNECTED, created_by=alice)
    contact, billing = make_contact(organisation=acme), make_contact(organisation=acme, purpose=Contact.Purpose.BILLING)
    client.force_login(alice)
    reason = "This is the last operational contact, and cloud accounts are connected. Add another operational contact first."

    page = client.get(reverse("accounts:contacts", args=["acme"]))
    with pytest.raises(NotAllowed) as refusal:
        remove_contact(contact=contact, by=alice)
    remove_contact(contact=billing, by=alice)

    assert reason in page.text
    assert refusal.value.reason == reason
    assert list(acme.contacts.all()) == [contact]


def test_contacts_page_empty_says_what_a_contact_is_for(client, alice):
    client.force_login(alice)

    page = client.get(reverse("accounts:contacts", args=["acme"])).text

    assert "No contacts yet" in page
    assert page.count("Add a contact") == 1


@pytest.mark.parametrize("count", [1, 3])
def test_contacts_page_asks_the_database_the_same_number_of_times(client, alice, acme, count, django_assert_num_queries):
    for _ in range(count):
        make_contact(organisation=acme)
    client.force_login(alice)
    client.get("/o/acme/settings/contacts/")

    # Session with its last seen, user, memberships with organisations, contacts, proven accounts.
    with django_assert_num_queries(5):
        page = client.get("/o/acme/settings/contacts/")

    assert page.text.count('id="contact-') == count


def test_database_refuses_a_double_contact(acme):
    make_contact(organisation=acme, email="night@acme.example")

    with pytest.raises(IntegrityError, match="contact_once_per_address_and_purpose"), transaction.atomic():
        make_contact(organisation=acme, email="Night@acme.example", token="other")


def test_database_refuses_an_unknown_purpose(acme):
    with pytest.raises(IntegrityError, match="contact_purpose_known"), transaction.atomic():
        make_contact(organisation=acme, purpose="gossip")
