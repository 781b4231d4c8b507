"""What several journeys do, in the words of the page."""

import re

from playwright.sync_api import Page, expect

from tests.factories import PASSWORD


def sign_in(page: Page, portal: str, email: str, password: str = PASSWORD, leads_to: str = "") -> None:
    page.goto(f"{portal}/auth/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(leads_to or re.compile(r"/(o/.+|support)/$"))


def confirm_password(page: Page, portal: str) -> None:
    """Prove once more who it is, as pages about second factors ask."""
    page.goto(f"{portal}/auth/reauthenticate/?next=/profile/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/profile/")


def start_connecting(page: Page) -> None:
    """From Home to the first question."""
    page.get_by_role("main").get_by_role("link", name="Connect a cloud account").click()
    expect(page.get_by_text("Step 1 of 8")).to_be_visible()
    page.get_by_role("radio", name="AWS account").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Step 2 of 8")).to_be_visible()


def answer_until_kit(page: Page) -> None:
    """Place, Review, Preflight: from the third page to the kit."""
    expect(page.get_by_text("Step 3 of 8")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Step 4 of 8")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Step 5 of 8")).to_be_visible()
    page.get_by_role("button", name="Make the kit").click()
    expect(page.get_by_text("Step 6 of 8")).to_be_visible()
