"""Send one step to a colleague: how its link is made, for whom and for how long."""

from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.actions.step_links import send_step, withdraw_step
from accounts.models import StepLink
from accounts.models.cloud_accounts import KIT_LIFETIME
from accounts.models.people import token_hash
from accounts.models.step_links import STEP_LINK_LIFETIME
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.accounts.step_links.pages import own, page
from tests.activity import assert_no_event, assert_one_event
from tests.factories import (
    make_cloud_account,
    make_kit,
    make_membership,
    make_step_link,
)


def test_send_step_keeps_the_hash_of_the_token_only(account, alice):
    with assert_one_event(account.organisation, action="step_link.made") as written:
        link, url = send_step(account, by=alice)

    token = url.rstrip("/").rpartition("/")[2]
    assert link.token_hash == token_hash(token)
    assert len(token) >= 43
    assert token not in str(Event.objects.values()) + str(StepLink.objects.values())
    assert (written.event.subject_id, written.event.details["sent_to"]) == (str(account.pk), "")
    assert abs(link.expires_at - timezone.now() - STEP_LINK_LIFETIME) < timedelta(minutes=1)


def test_send_step_never_lives_longer_than_the_kit(account, alice):
    with time_machine.travel(timezone.now() + KIT_LIFETIME - timedelta(hours=5)):
        link, _ = send_step(account, by=alice)

    assert link.expires_at == account.kits.get().expires_at


def test_send_step_again_replaces_the_link_in_one_event(client, account, token, alice):
    with assert_one_event(account.organisation, action="step_link.replaced"):
        _, url = send_step(account, by=alice)

    assert client.get(page(token)).status_code == HTTPStatus.GONE
    assert client.get(url.removeprefix("http://localhost:8000")).status_code == HTTPStatus.OK


def test_kit_has_one_live_link(account, token, alice):
    with pytest.raises(IntegrityError, match="step_link_one_a_kit"), transaction.atomic():
        make_step_link(kit=account.kits.get(), sent_by=alice)


def test_link_expires_after_it_was_made(account, alice):
    with pytest.raises(IntegrityError, match="step_link_expires_later"), transaction.atomic():
        make_step_link(kit=account.kits.get(), sent_by=alice, expires_at=timezone.now() - timedelta(days=1))


@pytest.mark.parametrize("state", sorted(set(AccountState) - {AccountState.WAITING_FOR_KIT}))
def test_send_step_needs_a_kit_that_waits(state, acme, alice):
    account = make_cloud_account(organisation=acme, state=state)
    make_kit(account=account)

    with assert_no_event(), pytest.raises(NotAllowed, match="no kit that waits"):
        send_step(account, by=alice)


def test_send_step_has_a_limit_a_day(account, alice, monkeypatch):
    monkeypatch.setattr("accounts.availability.STEP_LINKS_A_DAY", 2)
    send_step(account, by=alice)
    send_step(account, by=alice)

    with assert_no_event(), pytest.raises(NotAllowed, match="2 such links"):
        send_step(account, by=alice)


def test_connect_send_shows_the_link_once(client, account, alice):
    client.force_login(alice)

    answer = client.post(own(account, "connect_send"), {"days": "1"}, follow=True)

    shown = StepLink.objects.get()
    assert answer.redirect_chain == [(own(account, "connect_send"), HTTPStatus.FOUND)]  # Back asks for no POST
    assert "http://localhost:8000/handover/" in answer.text
    assert f'href="{account.get_absolute_url()}"' in answer.text  # the way back to the account
    assert "no-store" in answer["Cache-Control"]
    assert abs(shown.expires_at - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)
    assert "/handover/" not in str(dict(client.session.items()))
    for name in ("connect_send", "connect_run"):
        assert "/handover/" not in client.get(own(account, name)).text


def test_connect_send_mails_the_link_instead(client, account, alice, mailbox, django_capture_on_commit_callbacks):
    client.force_login(alice)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(own(account, "connect_send"), {"days": "3", "email": " Cloud@Acme.example"}, follow=True)

    assert answer.redirect_chain == [(own(account, "connect_run"), HTTPStatus.FOUND)]
    assert "on its way to cloud@acme.example" in answer.text
    assert "/handover/" not in answer.text
    assert (mailbox[0].to, mailbox[0].subject) == (["cloud@acme.example"], "Alice asks you to run a kit for Acme")
    token = mailbox[0].body.partition("/handover/")[2].partition("/")[0]
    assert StepLink.objects.get().token_hash == token_hash(token)


@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR])
def test_connect_send_is_for_those_who_connect(role, client, account, acme):
    client.force_login(make_membership(organisation=acme, role=role).user)

    assert client.post(own(account, "connect_send"), {"days": "3"}).status_code == HTTPStatus.FORBIDDEN
    assert client.post(own(account, "connect_send_withdraw")).status_code == HTTPStatus.FORBIDDEN


def test_withdraw_step_without_a_link_is_refused(account, alice):
    with assert_no_event(), pytest.raises(NotAllowed, match="no open link"):
        withdraw_step(account, by=alice)


def test_link_of_another_organisation_cannot_be_withdrawn(client, account, token, charlie):
    client.force_login(charlie)

    assert client.post(reverse("accounts:connect_send_withdraw", args=["globex", account.pk])).status_code == HTTPStatus.NOT_FOUND
    assert StepLink.objects.open().count() == 1
