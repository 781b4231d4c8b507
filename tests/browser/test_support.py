"""Support access, played by four people: asked, checked, decided on a phone with a passkey, ended."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Organisation, User
from accounts.support.actions.requests import return_to_engineer
from accounts.support.models import AccessRequest, Bundle, Decision
from accounts.support.rules.gate import why_closed
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from portal.audit import Actor
from tests.browser.steps import SIDEWAYS, confirm_password, sign_in
from tests.browser.support import CUSTOMER, CUSTOMER_OF_A_GRANT, CUSTOMER_OF_A_REQUEST, DESK, DESK_OF_A_GRANT, DESK_OF_A_REQUEST
from tests.cells.factories import make_cell
from tests.factories import make_watched_account
from tests.support.factories import make_active, make_engineer, make_policy, make_request, make_requested
from tests.support.guards import make_bundle, make_collected, make_ended

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 375, "height": 812}


def add_passkey(page: Page, portal: str) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key | {"automaticPresenceSimulation": True}})
    confirm_password(page, portal)
    page.goto(f"{portal}/auth/2fa/webauthn/add/")
    page.get_by_label("Name of the key").fill("Phone")
    page.get_by_role("button", name="Add key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")


def test_access_is_asked_checked_decided_on_a_phone_and_ended(portal, page, visit, violations, settings):
    settings.PORTAL_URL = portal
    acme = Organisation.objects.get(slug="acme")
    account = make_watched_account(organisation=acme, name="Main account")
    make_cell(account=account, name="Main cell", region=account.home_region, stack_name="byoc-1-cell")
    engineer, checker = User.objects.get(email="support@fernhill.example"), User.objects.get(email="checker@fernhill.example")

    desk = visit(engineer.email)
    desk.get_by_role("link", name="Request access").first.click()
    desk.get_by_role("link", name="Acme", exact=True).click()
    desk.get_by_label("Scope").select_option(label="Main cell · us-east-1")
    # A bundle is asked for without what only access has.
    desk.get_by_label("Yes, ask for a diagnostic bundle").check()
    expect(desk.get_by_label("Length")).to_be_hidden()
    desk.get_by_label("No, ask for access").check()
    desk.get_by_label("Case", exact=True).fill("CASE-42")
    desk.get_by_label("Reason", exact=True).fill("The update of the cell stopped half-way. I want to read its events.")
    desk.get_by_label("Where you work").fill("Berlin")
    desk.get_by_role("button", name="Preview").click()
    expect(desk.get_by_role("heading", name="Exactly what Acme will read")).to_be_focused()
    assert violations(desk) == []
    desk.get_by_role("button", name="Send the request").click()
    expect(desk.get_by_text("Your request waits for the check of a second engineer.")).to_be_visible()

    second = visit(checker.email)
    second.get_by_role("link", name="Review queue").click()
    second.get_by_role("link", name="Check CASE-42").click()
    assert violations(second) == []
    second.get_by_role("button", name="Send to the customer").click()
    expect(second.get_by_text("Acme decides now.")).to_be_visible()

    sign_in(page, portal, "owner@acme.example")
    page.set_viewport_size(PHONE)
    add_passkey(page, portal)
    asked = AccessRequest.objects.get()
    page.goto(f"{portal}{asked.get_absolute_url()}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert violations(page) == []
    page.get_by_label("For").select_option(label="1 hour")
    page.get_by_role("button", name="Approve access").click()
    assert violations(page) == []
    page.get_by_role("button", name="Approve with a passkey").click()
    expect(page.get_by_text("The access is approved.")).to_be_visible()

    asked.refresh_from_db()
    assert (asked.state, asked.minutes, Decision.objects.get().method) == (AccessState.SCHEDULED, 60, "passkey")
    for state in (AccessState.ACTIVATING, AccessState.ACTIVE):
        move_request(asked, state, by=Actor.worker("test"))
    assert why_closed(asked, timezone.now()) == ""
    desk.goto(f"{portal}/support/sessions/{asked.pk}/")
    assert violations(desk) == []
    desk.get_by_role("button", name="Describe a cell's resources").click()
    expect(desk.get_by_text("Asked. The result appears below.")).to_be_visible()
    # On the phone the words are all there, and beside them the name of the organisation.
    page.goto(f"{portal}/o/acme/accounts/")
    expect(page.get_by_text("1 support access active")).to_be_visible()
    assert page.locator(".organisation-menu .menu-current").evaluate("name => name.scrollWidth <= name.clientWidth")
    assert page.evaluate(SIDEWAYS) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_text("1 support access active")).to_be_visible()
    page.get_by_role("link", name="End access now").click()
    assert violations(page) == []
    page.get_by_role("button", name="End access now").click()
    expect(page.get_by_text("The access is being ended.")).to_be_visible()
    asked.refresh_from_db()
    assert asked.state == AccessState.ENDING


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_customer_pages_are_accessible(theme, width, portal, page, violations):
    acme = Organisation.objects.get(slug="acme")
    asked = make_requested(organisation=acme, account=make_watched_account(organisation=acme, name="Main account"), profile="operate")
    sign_in(page, portal, "owner@acme.example")
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    page.set_viewport_size({"width": width, "height": 800})
    pages = {name: reverse(f"support:{name}", args=["acme"]) for name in CUSTOMER}
    pages |= {name: reverse(f"support:{name}", args=["acme", asked.pk]) for name in CUSTOMER_OF_A_REQUEST}
    grants = {"active": make_active(organisation=acme), "ended": make_ended(acme, asked.engineer)}
    pages |= {name: reverse(f"support:{name}", args=["acme", grants[which].pk]) for name, which in CUSTOMER_OF_A_GRANT.items()}
    bundle = make_bundle(acme, User.objects.get(email="owner@acme.example"))
    waiting = make_collected(acme, asked.engineer)
    of_bundles = {"bundle": reverse("support:bundle", args=["acme", bundle.pk])}
    of_bundles["bundle with its parts"] = reverse("support:bundle", args=["acme", waiting.pk])
    look_at(page, portal, pages | of_bundles, violations)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_of_the_desk_are_accessible(theme, width, portal, visit, violations):
    acme = Organisation.objects.get(slug="acme")
    account, engineer = make_watched_account(organisation=acme, name="Main account"), User.objects.get(email="support@fernhill.example")
    returned = make_request(organisation=acme, account=account, engineer=engineer)
    return_to_engineer(returned, question="Which cell?", by=make_engineer())
    other = make_request(organisation=acme, account=account)
    make_requested(organisation=acme, account=account, engineer=engineer)
    desk = visit(engineer.email)
    desk.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    desk.set_viewport_size({"width": width, "height": 800})
    pages = {name: reverse(f"support:{name}") for name in DESK}
    pages |= {name: reverse(f"support:{name}", args=[other.pk if name == "case_check" else returned.pk]) for name in DESK_OF_A_REQUEST}
    ended = make_ended(acme, engineer)
    AccessRequest.objects.filter(pk=ended.pk).update(engineer=engineer)
    pages |= {name: reverse(f"support:{name}", args=[ended.pk]) for name in DESK_OF_A_GRANT}
    active = make_active(organisation=acme, account=account, engineer=engineer)
    released = make_collected(acme, engineer)
    values = {"state": "released", "asked_by": engineer, "released_by": engineer, "released_at": timezone.now()}
    Bundle.objects.filter(pk=released.pk).update(**values)
    pages["case_bundle"] = reverse("support:case_bundle", args=[released.pk])
    look_at(desk, portal, pages | {"session": reverse("support:session", args=[active.pk])}, violations)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_code_for_an_engineers_computer_is_accessible(theme, width, portal, visit, violations):
    """It is shown once, in the answer to a POST."""
    acme, engineer = Organisation.objects.get(slug="acme"), User.objects.get(email="support@fernhill.example")
    make_policy(acme, allows_direct=True)
    active = make_active(organisation=acme, engineer=engineer, is_direct=True)
    desk = visit(engineer.email)
    desk.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    desk.set_viewport_size({"width": width, "height": 800})
    desk.goto(f"{portal}/support/sessions/{active.pk}/")
    desk.get_by_role("button", name="Show a code").click()
    expect(desk.get_by_role("heading", name="Code for your computer")).to_be_visible()
    assert violations(desk) == []
    assert desk.evaluate(SIDEWAYS) == []


def look_at(page: Page, portal: str, pages: dict[str, str], violations) -> None:
    for name, address in pages.items():
        answer = page.goto(portal + address)
        assert answer is not None
        assert (name, answer.status, page.url) == (name, 200, portal + address)
        assert (name, violations(page)) == (name, [])
        assert (name, page.evaluate(SIDEWAYS)) == (name, [])


def test_everything_a_decision_needs_is_on_the_first_screen(portal, page):
    acme = Organisation.objects.get(slug="acme")
    asked = make_requested(organisation=acme, account=make_watched_account(organisation=acme, name="Main account"), profile="operate")
    sign_in(page, portal, "owner@acme.example")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{portal}{asked.get_absolute_url()}")
    for words in ("asks to", "Cannot", "Your data", "CASE", "Approve access", "Decline", "If you decline", "Without a decision"):
        box = page.get_by_role("main").get_by_text(words, exact=words not in {"asks to", "CASE"}).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, words
