"""The wizard and its waiting page by keyboard alone; focus is always on something; copied text is exact and announced."""

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.kit_links import kit_links
from accounts.models import Kit
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST_STOPS = 80
HAS_FOCUS = "element => element === document.activeElement"
ON_NOTHING = "document.activeElement === document.body"


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has focus: it can be reached, and nothing on the way traps."""
    expect(target).to_be_visible()
    for _stop in range(MOST_STOPS):
        if target.evaluate(HAS_FOCUS):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {target}")


def press(page: Page, name: str, role: str = "button") -> None:
    tab_to(page, page.get_by_role(role, name=name, exact=True))
    page.keyboard.press("Enter")


def write(page: Page, label: str, text: str) -> None:
    tab_to(page, page.get_by_label(label, exact=True))
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def assert_step(page: Page, number: int) -> None:
    expect(page.get_by_text(f"Step {number} of 8")).to_be_visible()


def test_connecting_by_keyboard(portal, page):
    page.goto(f"{portal}/auth/login/")
    write(page, "E-mail address", "owner@acme.example")
    write(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")

    # The first stop leads past the navigation.
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    press(page, "Connect a cloud account", role="link")
    assert_step(page, 1)
    press(page, "Continue")

    # The error is where the focus is, and its link leads to the field: the first of several buttons, too.
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Choose a cloud.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="AWS account")).to_be_focused()
    page.keyboard.press("Space")
    press(page, "Continue")
    assert_step(page, 2)
    write(page, "What does your team call this account?", "Production")
    write(page, "AWS account number", "12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("AWS account number", exact=True)).to_be_focused()
    write(page, "AWS account number", "1111-2222-3333")
    page.keyboard.press("Enter")

    assert_step(page, 3)
    tab_to(page, page.get_by_label("Region for the kit"))
    page.keyboard.type("Europe (Fr")
    press(page, "Continue")
    assert_step(page, 4)
    expect(page.get_by_role("definition").filter(has_text="eu-central-1")).to_be_visible()
    press(page, "Continue")
    assert_step(page, 5)
    press(page, "Make the kit")

    assert_step(page, 6)
    press(page, "CLI", role="link")
    copy = page.get_by_role("button", name="Copy Command to run")
    tab_to(page, copy)
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_have_text("Copied")
    expect(copy).to_be_focused()
    (act,) = [act for act in kit_links(Kit.objects.get()).routes["cli"].acts if act.command_label == "Command to run"]
    assert page.evaluate("navigator.clipboard.readText()") == act.command

    press(page, "I have started it: watch for the result", role="link")
    assert_step(page, 7)
    # A swap takes away what has focus: it goes to what took its place.
    operation = Operation.objects.get()
    refresh = page.get_by_role("link", name="Refresh")
    tab_to(page, refresh)
    advance(operation.pk)
    expect(page.get_by_role("button", name="Check again")).to_be_visible(timeout=10_000)
    assert not page.evaluate(ON_NOTHING)
    expect(refresh).to_be_focused()
    check = page.get_by_role("button", name="Check again")
    page.keyboard.press("Shift+Tab")
    while not check.evaluate(HAS_FOCUS):
        page.keyboard.press("Shift+Tab")
    with page.expect_response("**/check/"):
        page.keyboard.press("Enter")
    expect(check).to_be_focused()

    page.goto(f"{portal}/o/acme/accounts/")
    write(page, "Search name, account ID or region", "prod")
    with page.expect_response("**/accounts/?q=prod*"):
        page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 cloud account")).to_be_visible()
    assert not page.evaluate(ON_NOTHING)
