"""The whole way to a connected account in a real browser, with a real worker, a strict local AWS and its played console."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from accounts.models import CloudAccount
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.browser.steps import answer_until_kit, sign_in, start_connecting
from tests.worker import running_worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NUMBER = "111122223333"
# UX row 12: from the stack's end to the page's own move.
NOTICED_WITHIN_MS = 15_000


@pytest.fixture
def worker(portal, sandbox, tmp_path):
    with running_worker(sandbox, tmp_path):
        yield


def test_owner_connects_an_account_and_a_stranger_sees_nothing_of_it(portal, worker, page, visit):
    sign_in(page, portal, "owner@acme.example")
    start_connecting(page)

    # A wrong number: said at the top, with focus there, and at the field; nothing that was typed is lost.
    page.get_by_label("What does your team call this account?").fill("Production")
    page.get_by_label("AWS account number", exact=True).fill("1111-2222")
    page.get_by_role("button", name="Continue").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("An AWS account number has 12 digits. You entered 8.")
    expect(page).to_have_title(re.compile("^Error:"))
    expect(page.get_by_label("What does your team call this account?")).to_have_value("Production")
    expect(page.get_by_label("AWS account number", exact=True)).to_have_value("1111-2222")
    page.get_by_label("AWS account number", exact=True).fill("1111-2222-3333")
    page.get_by_role("button", name="Continue").click()

    answer_until_kit(page)
    account = CloudAccount.objects.get(external_id=NUMBER)

    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("^Launch stack in AWS")).click()
    page.get_by_role("link", name=re.compile("^I have started it")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connecting Production")
    # The worker has just been started with the test, beside a browser.
    expect(page.get_by_role("button", name="Check again")).to_be_visible(timeout=30_000)
    create_stack(opened.value)

    finished_at = time.monotonic()
    page.wait_for_url("**/connect/done/", timeout=NOTICED_WITHIN_MS)
    assert time.monotonic() - finished_at < NOTICED_WITHIN_MS / 1000
    expect(page.get_by_role("heading", level=1)).to_have_text("Production is connected")
    expect(page.get_by_text("AWS account 111122223333 trusts Fernhill.")).to_be_visible()

    page.get_by_role("link", name="Open the account").click()
    expect(page.get_by_role("main").get_by_text("Connected", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"^(\d+) of \1 held$"))).to_be_visible()
    page.get_by_role("navigation", name="Cloud account").get_by_role("link", name="Permissions").click()
    page.get_by_text(re.compile("^Operator · Run:")).click()
    expect(page.get_by_role("row", name=re.compile("ec2:CreateVpc\\b"))).to_contain_text("Held")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity").click()
    log = page.get_by_role("main")
    expect(log.get_by_role("group").filter(has_text="Olga Brandt").filter(has_text="Production")).not_to_have_count(0)
    expect(log).to_contain_text("connected")

    _finds_nothing(visit("owner@globex.example"), portal, account)


def create_stack(console: Page) -> None:
    expect(console.get_by_text("Played AWS console")).to_be_visible()
    console.get_by_label("Which AWS account are you signed in to?").fill(NUMBER)
    console.get_by_role("button", name="Sign in").click()
    console.get_by_label(re.compile("^I acknowledge")).check()
    console.get_by_role("button", name="Create stack").click()
    expect(console.get_by_role("status")).to_have_text("CREATE_COMPLETE")


def _finds_nothing(page: Page, portal: str, account: CloudAccount) -> None:
    operation = Operation.objects.get(kind="connect_cloud_account")
    theirs = (
        "accounts/",
        f"accounts/{account.pk}/",
        f"accounts/{account.pk}/permissions/",
        f"accounts/{account.pk}/connect/done/",
        f"operations/{operation.pk}/",
        f"operations/{operation.pk}/progress/",
        "activity/",
        "activity/export/",
    )
    assert [page.goto(f"{portal}/o/acme/{path}").status for path in theirs] == [404] * len(theirs)
    # Under their own organisation's name the rows do not exist either.
    assert page.goto(f"{portal}/o/globex/accounts/{account.pk}/").status == 404
    assert page.goto(f"{portal}/o/globex/operations/{operation.pk}/").status == 404


def test_connecting_goes_on_on_another_device_without_scripts(portal, page, visit):
    sign_in(page, portal, "owner@acme.example")
    start_connecting(page)
    page.get_by_label("What does your team call this account?").fill("Production")
    page.get_by_label("AWS account number", exact=True).fill(NUMBER)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Region for the kit").select_option("eu-central-1")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Step 4 of 8")).to_be_visible()
    page.context.close()

    # From here on links and forms only.
    plain = visit("owner@acme.example", java_script_enabled=False)
    plain.get_by_role("link", name=re.compile("^Continue ?: Continue connecting Production")).click()
    expect(plain.get_by_text("Step 4 of 8")).to_be_visible()
    for answer in ("Production", NUMBER, "eu-central-1"):
        expect(plain.get_by_role("definition").filter(has_text=answer).first).to_be_visible()

    # Back to a page behind, a wrong answer there, and on again: what was answered later is kept.
    plain.get_by_role("link", name="Change AWS account number").click()
    expect(plain.get_by_label("What does your team call this account?")).to_have_value("Production")
    plain.get_by_label("AWS account number", exact=True).fill("wrong")
    plain.get_by_role("button", name="Continue").click()
    expect(plain.get_by_role("alert")).to_contain_text("Enter the 12 digits of the AWS account number.")
    plain.get_by_label("AWS account number", exact=True).fill(NUMBER)
    plain.get_by_role("button", name="Continue").click()
    expect(plain.get_by_label("Region for the kit")).to_have_value("eu-central-1")
    answer_until_kit(plain)

    for route in ("CLI", "Terraform", "Launch stack"):
        plain.get_by_role("navigation", name="How to run the kit").get_by_role("link", name=route).click()
        expect(plain.get_by_role("link", name=route, exact=True)).to_have_attribute("aria-current", "page")
    plain.get_by_role("link", name=re.compile("^I have started it")).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Connecting Production")
    advance(Operation.objects.get().pk)
    plain.reload()
    plain.get_by_role("button", name="Check again").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Connect cloud account: Production")
