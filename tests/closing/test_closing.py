"""Planning a closing, calling it off, and what is left when it is done."""

from datetime import timedelta
from typing import NamedTuple

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.closing.models import Closing
from accounts.closing.steps import close_due
from accounts.closing.tasks import close_due_organisations
from accounts.issuer.seal import unseal
from accounts.models import CloudAccount, Invitation, Organisation, OutgoingMail
from accounts.models.people import token_hash
from accounts.support.actions.bundles import release_bundle
from accounts.support.models import Bundle
from portal.audit.chain import check_chain
from portal.audit.models import ChainEnd, Event
from tests.activity import assert_no_event
from tests.cells.factories import make_instance
from tests.closing.guards import make_closed, make_closing
from tests.factories import make_cloud_account, make_contact, make_invitation, make_membership, make_organisation
from tests.losing import LOSSES, lose
from tests.support.factories import make_approver
from tests.support.guards import make_bundle, make_collected

HOME, START, CANCEL, DONE = (f"closing:closing_{name}" for name in ("home", "start", "cancel", "done"))
GIVEN = {"when": "days", "name": "Acme"}


def url(name):
    return reverse(name, args=["acme"])


def make_due(organisation, by):
    return make_closing(
        organisation, by, requested_at=timezone.now() - timedelta(days=8), scheduled_for=timezone.now() - timedelta(minutes=1)
    )


class Mail(NamedTuple):
    subject: str
    body: str


def mails():
    """What is queued, by address."""
    return {mail.to: Mail(mail.subject, unseal(mail.sealed_body).decode()) for mail in OutgoingMail.objects.order_by("created_at")}


def post(client, who, name, data=None):
    client.force_login(who)
    return client.post(url(name), data or {})


# --- Plan ------------------------------------------------------------------------------------------------------------


def test_closing_is_planned_and_every_member_is_told(client, acme, alice, bob):
    answer = post(client, alice, START, GIVEN)

    closing = Closing.objects.get()
    assert answer["Location"] == url(HOME)
    assert timedelta(days=2, hours=23) < closing.scheduled_for - timezone.now() <= timedelta(days=3)
    told = mails()
    assert {alice.email, bob.email} < set(told)
    assert "call it off on this page" in told[alice.email].body
    assert "call it off on this page" not in told[bob.email].body
    assert len(told) == 3  # and the provider
    acme.refresh_from_db()
    assert acme.closed_at is None


@pytest.mark.parametrize("name", ["", "acme", "Acme Inc"])
def test_wrong_name_plans_nothing(name, client, acme, alice):
    with assert_no_event():
        post(client, alice, START, GIVEN | {"name": name})

    assert not Closing.objects.exists()


def test_blocked_closing_is_not_planned(client, acme, alice):
    make_cloud_account(organisation=acme, created_by=alice, name="Main", state="connected")

    post(client, alice, START, GIVEN)

    assert not Closing.objects.exists()
    assert "Main is not offboarded." in client.get(url(START)).text


def test_a_second_plan_is_refused(client, acme, alice):
    make_closing(acme, alice)

    post(client, alice, START, GIVEN)

    assert Closing.objects.count() == 1


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.APPROVER, Role.AUDITOR])
@pytest.mark.parametrize("name", [START, CANCEL])
def test_only_owners_plan_and_call_off(name, role, client, acme, alice):
    make_closing(acme, alice)
    somebody = make_membership(organisation=acme, role=role).user

    assert post(client, somebody, name, GIVEN).status_code == 403
    assert Closing.objects.get().state == "planned"


def test_plan_asks_who_you_are_once_more(client, acme, alice):
    client.force_login(alice)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 1.0}]
    session.save()

    answer = client.post(url(START), GIVEN)

    assert "/auth/reauthenticate/" in answer["Location"]
    assert not Closing.objects.exists()


def test_reading_starts_nothing(client, acme, alice):
    client.force_login(alice)

    with assert_no_event():
        for name in (HOME, START, CANCEL):
            assert client.get(url(name)).status_code == 200

    assert not Closing.objects.exists()


def test_home_says_that_it_is_about_to_close(client, acme, alice, bob):
    make_closing(acme, alice)

    for who in (alice, bob):
        client.force_login(who)
        assert "Acme is about to be closed" in client.get(reverse("accounts:home", args=["acme"])).text


# --- Call off --------------------------------------------------------------------------------------------------------


def test_any_owner_calls_it_off_and_all_are_told(client, acme, alice, bob):
    make_closing(acme, alice, requested_at=timezone.now() - timedelta(days=8))
    other = make_membership(organisation=acme, role=Role.OWNER).user

    post(client, other, CANCEL)

    closing = Closing.objects.get()
    assert (closing.state, closing.cancelled_by) == ("cancelled", other)
    assert {alice.email, bob.email, other.email} < set(mails())
    Closing.objects.update(scheduled_for=timezone.now())
    close_due(closing.pk)
    acme.refresh_from_db()
    assert acme.closed_at is None


def test_after_it_was_called_off_another_can_be_planned(client, acme, alice):
    make_closing(acme, alice)
    post(client, alice, CANCEL)

    post(client, alice, START, GIVEN)

    assert sorted(Closing.objects.values_list("state", flat=True)) == ["cancelled", "planned"]


def test_closed_one_cannot_be_called_off(client, acme, alice):
    make_closed(acme, alice)

    answer = post(client, alice, CANCEL)

    assert answer["Location"] == url(DONE)
    assert Closing.objects.get().state == "closed"


# --- At its time -----------------------------------------------------------------------------------------------------


def test_nothing_closes_before_its_time(acme, alice):
    make_closing(acme, alice)

    assert close_due_organisations() == 0
    assert Organisation.objects.get(pk=acme.pk).closed_at is None


def test_due_organisation_is_closed_with_all_that_ends_by_it(acme, alice, bob):
    make_due(acme, alice)
    make_invitation(organisation=acme, invited_by=alice, email="new@acme.example", token="in-a-mail")
    make_contact(organisation=acme, token="in-another")

    assert close_due_organisations() == 1

    acme.refresh_from_db()
    assert (acme.closed_at, Closing.objects.get().state) == (Closing.objects.get().closed_at, "closed")
    assert not acme.invitations.open().exists()
    assert not acme.contacts.exclude(token_hash="").exists()
    assert {alice.email, bob.email} < {to for to, mail in mails().items() if "is closed" in mail.subject}
    event = Event.objects.for_chain(acme.pk).newest_first().first()
    assert (event.action, event.details) == ("organisation.closed", {"invitations": 1})
    assert ChainEnd.objects.get().chain == acme.pk
    assert check_chain(acme.pk).is_unbroken


def test_closing_twice_changes_nothing(acme, alice):
    closing = make_due(acme, alice)
    close_due(closing.pk)
    told = OutgoingMail.objects.count()

    with assert_no_event():
        close_due(closing.pk)

    assert OutgoingMail.objects.count() == told


@pytest.mark.parametrize("what", ["account", "instance"])
def test_what_came_in_the_way_meanwhile_calls_it_off(what, acme, alice, bob):
    make_due(acme, alice)
    if what == "account":
        make_cloud_account(organisation=acme, created_by=alice, name="Main", state="connected")
    else:
        make_instance(organisation=acme, created_by=alice)

    close_due_organisations()

    acme.refresh_from_db()
    assert acme.closed_at is None
    assert (Closing.objects.get().state, Closing.objects.get().cancelled_by) == ("cancelled", None)
    assert "Something was in the way" in mails()[bob.email].body
    assert not ChainEnd.objects.exists()


@pytest.mark.parametrize("loss", LOSSES)
def test_closing_planned_by_somebody_who_is_an_owner_no_more_is_called_off(loss, client, acme, alice, bob):
    make_due(acme, alice)
    acme.memberships.filter(user=bob).update(role="owner")
    lose(loss, acme, alice, role="operator")
    client.force_login(bob)
    page = client.get(reverse("closing:closing_home", args=["acme"])).text
    assert f"{alice}, who planned the closing, is an owner no more." in page

    close_due_organisations()

    acme.refresh_from_db()
    assert (acme.closed_at, Closing.objects.get().state) == (None, "cancelled")
    assert "is an owner no more" in mails()[bob.email].body


# --- Afterwards ------------------------------------------------------------------------------------------------------


def test_every_page_of_a_closed_organisation_leads_to_the_one_that_says_so(client, acme, alice):
    make_closed(acme, alice)
    client.force_login(alice)

    for name in ("accounts:home", "accounts:activity", "cells:instance_list", "support:access_home", "accounts:members", HOME):
        assert client.get(url(name))["Location"] == url(DONE)
    page = client.get(url(DONE))
    assert (page.status_code, "Acme is closed" in page.text) == (200, True)
    htmx = client.get(url("accounts:activity"), headers={"HX-Request": "true"})
    assert htmx["HX-Redirect"] == url(DONE)


def test_nothing_is_done_in_a_closed_organisation(client, acme, alice):
    make_closed(acme, alice)
    client.force_login(alice)

    with assert_no_event():
        client.post(reverse("accounts:invitation_create", args=["acme"]), {"email": "x@acme.example", "role": "owner"})
        client.post(reverse("accounts:organisation_settings", args=["acme"]), {"name": "Other"})

    assert not acme.invitations.exists()


def test_owner_still_downloads_the_export(client, acme, alice):
    make_closed(acme, alice)

    answer = post(client, alice, "closing:closing_export")

    assert answer["Content-Type"] == "application/zip"
    assert b"".join(answer.streaming_content).startswith(b"PK")


def test_sign_in_works_for_the_other_organisations(client, acme, alice):
    other = make_organisation(name="Other", slug="other")
    make_membership(organisation=other, user=alice)
    alice.current_organisation = acme
    alice.save()
    make_closed(acme, alice)
    client.force_login(alice)

    assert client.get(reverse("home"))["Location"] == "/o/other/"
    assert 'href="/o/other/"' in client.get(url(DONE)).text


def test_who_has_no_other_lands_on_the_page_that_says_so(client, acme, alice):
    make_closed(acme, alice)
    client.force_login(alice)

    assert "Acme is closed" in client.get(reverse("home"), follow=True).text


def test_open_organisation_has_no_page_that_says_it_is_closed(client, acme, alice):
    client.force_login(alice)

    assert client.get(url(DONE))["Location"] == url(HOME)


def test_invitation_to_a_closed_organisation_is_dead(client, acme, alice, charlie):
    make_due(acme, alice)
    invitation = make_invitation(organisation=acme, invited_by=alice, email=charlie.email, token="t1")
    close_due_organisations()
    client.force_login(charlie)

    client.post(reverse("accounts:invitation_accept", args=[invitation.pk]))

    assert Invitation.objects.get(token_hash=token_hash("t1")).accepted_at is None
    assert not acme.memberships.filter(user=charlie).exists()


def test_closing_takes_back_every_diagnostic_bundle(acme, alice):
    waiting, released = make_bundle(acme, alice), make_collected(acme, alice)
    release_bundle(released, parts=["log"], by=make_approver(acme))
    CloudAccount.objects.filter(organisation=acme).update(state="offboarded")
    make_due(acme, alice)

    close_due_organisations()

    assert Organisation.objects.get(pk=acme.pk).closed_at is not None
    states = {waiting.pk: "declined", released.pk: "deleted"}
    assert dict(Bundle.objects.values_list("pk", "state")) == states
    assert set(released.files.values_list("sealed_text", flat=True)) == {""}
    told = Event.objects.for_chain(acme.pk).filter(action__in=["support.bundle_declined", "support.bundle_deleted"])
    assert {event.subject_id for event in told} == {str(pk) for pk in states}


def test_members_of_a_closed_organisation_can_sign_out_from_its_page(client, acme, bob):
    make_closed(acme, bob)
    client.force_login(bob)

    assert f'action="{reverse("account_logout")}"' in client.get(url(DONE)).text
