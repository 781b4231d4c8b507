"""The look in a real browser: accessible in both themes at both widths, under the strict policy, with its behaviours working."""

import re

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from accounts.access import Role
from accounts.models import TrustCheck
from portal.audit import Actor, Subject, record
from tests.factories import PASSWORD, make_cloud_account, make_disabled_account, make_membership, make_organisation, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

THEMES = ("light", "dark")
WIDTHS = (320, 1280)
SUBSCRIPTION = "22222222-aaaa-4aaa-8aaa-222222222222"
MIN_ROOM = 12
# How many lines a text fills, the space above an element, whether a title begins beside its badge, the space after a time.
LINES = "cell => { const text = document.createRange(); text.selectNodeContents(cell); return text.getClientRects().length; }"
ABOVE = """element => {
  const before = element.previousElementSibling ?? element.parentElement.previousElementSibling;
  return element.getBoundingClientRect().top - before.getBoundingClientRect().bottom;
}"""
BESIDE = """row => {
  const title = document.createRange();
  title.selectNodeContents(row.lastChild);
  return title.getClientRects()[0].top < row.querySelector(".badge").getBoundingClientRect().bottom;
}"""
ROOM = """row => {
  const time = document.createRange();
  time.selectNodeContents(row.querySelector(".event-time"));
  return row.querySelector(".event-who").getBoundingClientRect().left - time.getBoundingClientRect().right;
}"""


@pytest.fixture
def server(live_server):
    """The address as `localhost`: passkeys need it."""
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def mia(server):
    user = make_user(name="Mia", email="mia@acme.example", is_staff=True)
    make_membership(user=user, organisation=make_organisation(name="Acme", slug="acme"), role=Role.OWNER)
    return user


def sign_in(page: Page, server: str, user) -> None:
    page.goto(f"{server}/auth/login/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{server}/o/acme/")


def confirm(page: Page) -> None:
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_signed_out_pages_are_accessible(server, page, violations, theme, width):
    page.context.add_cookies([{"name": "theme", "value": theme, "url": server}])
    page.set_viewport_size({"width": width, "height": 900})

    for address in ("/auth/login/", "/auth/signup/", "/auth/password/reset/", "/no/such/page/"):
        page.goto(server + address)
        assert (address, violations(page)) == (address, [])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{address} scrolls sideways at {width}"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_gallery_and_profile_are_accessible(server, page, mia, violations, theme, width):
    page.context.add_cookies([{"name": "theme", "value": theme, "url": server}])
    sign_in(page, server, mia)
    page.set_viewport_size({"width": width, "height": 900})

    for address in ("/gallery/", "/profile/", "/auth/2fa/", "/auth/sessions/", "/auth/email/"):
        page.goto(server + address)
        assert (address, violations(page)) == (address, [])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{address} scrolls sideways at {width}"


def test_passkey_is_added_and_signs_in(server, page, mia):
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key | {"automaticPresenceSimulation": True}})
    sign_in(page, server, mia)

    page.goto(f"{server}/auth/2fa/webauthn/add/")
    confirm(page)
    page.get_by_label("Name of the key").fill("Laptop")
    page.get_by_label("Sign in with this key alone, without a password").check()
    page.get_by_role("button", name="Add key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")

    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/auth/login/"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{server}/o/acme/")

    # A passkey is a second factor too: the administration opens.
    page.goto(f"{server}/admin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Administration")


def test_copy_takes_the_exact_text_and_says_so(server, page, mia):
    sign_in(page, server, mia)
    page.goto(f"{server}/gallery/")

    button = page.get_by_role("button", name="Copy Command")
    button.click()

    expect(button).to_have_text("Copied")
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "aws cloudformation create-stack \\\n  --stack-name byoc-7f3k-kit \\\n  --region eu-west-1"
    )
    expect(button).to_have_text("Copy")


def test_theme_switches_at_once_and_stays(server, page):
    page.goto(f"{server}/auth/login/")

    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_times_are_in_the_browsers_zone_from_the_second_page_on(server, page):
    page.goto(f"{server}/auth/login/")
    page.goto(f"{server}/auth/signup/")

    expect(page.locator(".footer-zone")).to_have_text(re.compile(r"Times in Europe/Berlin \(UTC\+[12]\)"))


def test_menu_closes_on_escape_and_gives_focus_back(server, page, mia):
    sign_in(page, server, mia)
    menu = page.locator(".user-menu")

    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")

    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()


def test_page_says_when_the_portal_is_out_of_reach(server, page, mia, complaints):
    make_cloud_account(organisation=mia.memberships.get().organisation)  # a list with nothing in it has no filter
    sign_in(page, server, mia)
    page.goto(f"{server}/o/acme/accounts/")
    notice = page.locator("[data-portal-connection]")
    expect(notice).to_be_hidden()

    page.context.set_offline(True)
    page.get_by_label("State").select_option("connected")
    expect(notice).to_contain_text("This page cannot reach the portal")

    page.context.set_offline(False)
    page.get_by_label("State").select_option("failed")
    expect(notice).to_be_hidden()
    complaints.clear()  # htmx reports the request that was cut off, as it should


def test_form_with_errors_takes_focus_to_its_summary(server, page, mia):
    sign_in(page, server, mia)
    page.goto(f"{server}/auth/password/change/")

    page.get_by_label("Password you have now").fill("wrong")
    page.get_by_role("button", name="Save new password").click()

    expect(page).to_have_title("Error: Change your password – Fernhill")
    expect(page.get_by_role("alert")).to_be_focused()


def test_page_works_without_scripts(server, browser, mia):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 700})
    page = context.new_page()
    sign_in(page, server, mia)

    page.locator(".drawer summary").click()
    page.locator(".drawer-panel").get_by_role("link", name="Cloud accounts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cloud accounts")

    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()


def test_account_pages_keep_together_what_belongs_together(server, page, mia):
    """Measured: sections stand apart, a region stays whole, a time and a badge leave room for what follows them."""
    acme = mia.memberships.get().organisation
    account = make_disabled_account(organisation=acme, cloud="azure", external_id=SUBSCRIPTION, home_region="us-central1")
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.REFUSAL, name="ops_as_support", is_ok=True)
    with transaction.atomic():
        subject = Subject("cloud_account", str(account.pk), "Apps")
        record(organisation_id=acme.pk, action="cloud_account.connected", actor=Actor.system("operations"), subject=subject)
    sign_in(page, server, mia)

    page.goto(f"{server}/o/acme/accounts/")
    assert page.locator("td[data-label=Region]").evaluate(LINES) == 1
    page.goto(f"{server}{account.get_absolute_url()}")
    apart = page.locator("h2", has_text="Operations").evaluate(ABOVE)
    assert apart > page.locator("h2 + p", has_text="None yet").evaluate(ABOVE)
    page.set_viewport_size({"width": 320, "height": 900})
    assert page.locator(".check-title").first.evaluate(BESIDE)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{server}{account.get_absolute_url()}activity/")
    assert page.locator(".event > summary").first.evaluate(ROOM) >= MIN_ROOM
