"""What the owner sees of a step that was sent."""

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.actions.renewal import start_renewal
from accounts.actions.step_links import send_step
from accounts.models import CloudAccount, Kit
from accounts.states import AccountState
from tests.accounts.step_links.pages import own
from tests.factories import (
    make_lost_account,
    make_watched_account,
)
from tests.fragments import assert_same_fragment


def test_run_page_shows_the_open_link(client, account, token, alice):
    client.force_login(alice)

    text = client.get(own(account, "connect_run")).text

    assert "Sent to cloud@acme.example by Alice" in text
    assert "Withdraw link" in text
    assert_same_fragment(text, client.get(own(account, "connect_send_status")).text)


def test_run_page_moves_on_when_the_kit_was_run(client, account, token, alice):
    client.force_login(alice)
    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.VERIFYING)

    assert client.get(own(account, "connect_send_status"))["HX-Redirect"] == own(account, "connect_waiting")

    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.CONNECTED)

    assert client.get(own(account, "connect_send_status"))["HX-Redirect"] == own(account, "connect_done")


def test_run_page_without_a_link_offers_one_and_still_goes_on_by_itself(client, account, alice):
    client.force_login(alice)

    text = client.get(own(account, "connect_run")).text

    assert "Send this step to a colleague" in text
    assert f'<div hx-get="{own(account, "connect_send_status")}" hx-trigger="every 4s" hx-swap="none" hidden></div>' in text


def test_permissions_tab_offers_the_link_while_the_kit_waits(client, account, alice):
    client.force_login(alice)
    assert own(account, "connect_send") in client.get(own(account, "account_permissions")).text

    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.CONNECTED)
    assert own(account, "connect_send") not in client.get(own(account, "account_permissions")).text


# --- The kit that is to replace another ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_watched_account, make_lost_account])
def test_step_of_a_renewal_can_be_sent_and_is_over_once_the_kit_has_run(client, alice, acme, make):
    account = make(organisation=acme)
    start_renewal(account, after_generation=1, by=alice)
    client.force_login(alice)
    args = [acme.slug, account.pk]
    shown = client.get(reverse("accounts:account_kit_run", args=args)).content.decode()
    assert "Send this step to a colleague" in shown
    assert ("The account stays connected with the kit in use" in shown) is (make is make_watched_account)

    link, there = send_step(account, by=alice)
    there = there.removeprefix(settings.PORTAL_URL)
    assert link.kit.generation == 2
    client.logout()
    assert f"byoc-{link.kit.suffix}-kit" in client.get(there).content.decode()

    Kit.objects.filter(pk=link.kit_id).update(ran_at=timezone.now())
    assert "The portal has seen the kit" in client.get(there).content.decode()
    client.force_login(alice)
    moved = client.get(reverse("accounts:connect_send_status", args=args))
    assert moved["HX-Redirect"] == reverse("accounts:account_kit_waiting", args=args)
