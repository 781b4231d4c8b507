"""What several journeys do, in the words of the page."""

import re

from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from tests.factories import PASSWORD
from tests.support.factories import code_of

DEMO_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # base32: of the phone that plays the authenticator app of the provider's people

# What reaches beyond the window, the farthest first; nothing where the page does not scroll sideways.
SIDEWAYS = """() => {
  if (document.documentElement.scrollWidth <= window.innerWidth) return [];
  const ends = element => element.getBoundingClientRect().right;
  return [...document.body.querySelectorAll("*")].sort((one, other) => ends(other) - ends(one)).slice(0, 3)
    .map(element => `${element.tagName}#${element.id}.${element.className} ${Math.round(ends(element))}px`);
}"""


def sign_in(page: Page, portal: str, email: str, password: str = PASSWORD, leads_to: str = "") -> None:
    page.goto(f"{portal}/auth/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    if not leads_to and Authenticator.objects.filter(user__email=email, type=Authenticator.Type.TOTP).exists():
        page.wait_for_url("**/2fa/authenticate/")
        page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code_of(DEMO_SECRET))
        page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(leads_to or re.compile(r"/(o/.+|support|admin)/$"))


def confirm_password(page: Page, portal: str) -> None:
    """Prove once more who it is, as pages about second factors ask."""
    page.goto(f"{portal}/auth/reauthenticate/?next=/profile/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/profile/")


def confirm_code(page: Page, portal: str, code: str) -> None:
    """The same, of whoever has a second factor."""
    page.goto(f"{portal}/auth/2fa/reauthenticate/?next=/profile/")
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/profile/")


def start_connecting(page: Page, cloud: str = "AWS account") -> None:
    """From Home to the first question."""
    page.get_by_role("main").get_by_role("link", name="Connect a cloud account").click()
    expect(page.get_by_text("Step 1 of 8")).to_be_visible()
    page.get_by_role("radio", name=cloud).check()
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


def read_command(page: Page, label: str) -> str:
    """What stands in a field that is there to be copied."""
    return page.get_by_role("group", name=label, exact=True).inner_text()


def run_in_shell(page: Page, link: str, *, project: str = "") -> None:
    """The page's own command, pasted into the played Cloud Shell that its own link opens, as the owner of the project."""
    command = read_command(page, "Command to run")
    with page.expect_popup() as opened:
        page.get_by_role("link", name=link).click()
    shell = opened.value
    if project:
        shell.get_by_label(re.compile("^Which .* are you in")).fill(project)
    shell.get_by_role("button", name="Sign in").click()
    shell.get_by_label("Command").fill(command)
    shell.get_by_role("button", name="Run").click()
    expect(shell.get_by_role("status")).to_have_text(re.compile("^Exit code"), timeout=60_000)
    expect(shell.get_by_role("status")).to_have_text("Exit code 0")
    shell.close()
