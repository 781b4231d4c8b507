"""An authenticator app set up, asked for at sign-in, and asked for once more before something weighty."""

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from tests.browser.steps import confirm_password, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def code(secret: str, ahead: int) -> str:
    """The app's code, or one of the next: each is taken only once."""
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()) + ahead))


def send_code(page: Page, secret: str, ahead: int, button: str) -> None:
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code(secret, ahead))
    page.get_by_role("button", name=button, exact=True).click()


def let_time_pass() -> None:
    """The last proof of identity is ten minutes old."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        for proof in session.get("account_authentication_methods", []):
            proof["at"] = time.time() - 600
        session.modified = True
        session.save()


def test_authenticator_app_is_set_up_and_asked_for(portal, page, visit, settings):
    settings.MFA_TOTP_TOLERANCE = 3  # the test uses three codes, one after another, faster than the clock
    sign_in(page, portal, "owner@acme.example")
    confirm_password(page, portal)
    page.goto(f"{portal}/auth/2fa/")
    page.get_by_role("link", name="Set up an app").click()
    secret = page.get_by_label("Secret", exact=True).input_value()
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill("000000")
    page.get_by_role("button", name="Turn on the app").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert page.get_by_label("Secret", exact=True).input_value() == secret
    send_code(page, secret, 0, "Turn on the app")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")

    other = visit("owner@acme.example", leads_to="**/2fa/authenticate/")
    send_code(other, secret, 1, "Sign in")
    expect(other.get_by_role("heading", level=1)).to_have_text("Acme")

    let_time_pass()
    other.goto(f"{portal}/auth/2fa/")
    other.get_by_role("link", name="Turn off the app").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    # The password is no proof any more.
    expect(other.get_by_label("Password", exact=True)).to_have_count(0)
    send_code(other, secret, 2, "Confirm")
    other.get_by_role("button", name=re.compile("^Turn off")).click()
    expect(other.get_by_role("link", name="Set up an app")).to_be_visible()
